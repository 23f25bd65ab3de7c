# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Columns of land for tests of the closed step: random ones, and every corner of the possible states."""

import itertools

import torch

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS, STEP_SECONDS, WATER_DENSITY
from anemoi_ailand.physics.closed_step import N_CONTROLS, Land
from anemoi_ailand.physics.soil import soil_of, soil_table
from anemoi_ailand.physics.vegetation_water import root_table, roots_of


def soil(kinds, dtype=torch.float64):
    """Parameters of soil types."""
    return soil_of(torch.as_tensor(kinds, dtype=dtype), soil_table(dtype))


def roots(n, low=1, high=3):
    """Shares of the roots of low and high vegetation, crops over needle leaves, in each layer."""
    return roots_of(torch.tensor([[low, high]]).double(), root_table(torch.float64)).repeat(n, 1, 1)


def _uniform(generator, low, high, *shape):
    return low + (high - low) * torch.rand(*shape, generator=generator, dtype=torch.float64)


def land(n=64, seed=0, dtype=torch.float64, **changes):
    """Random columns of every soil type, from bone dry to saturated, a third of them under snow."""
    g = torch.Generator().manual_seed(seed)
    kinds = (torch.arange(n) % 7 + 1).double()
    ground = soil(kinds)
    snow = torch.rand(n, generator=g, dtype=torch.float64) < 0.3
    fields = {
        "theta": ground.saturated * _uniform(g, 0.0, 1.0, n, 4),
        "temperature": _uniform(g, 255.0, 305.0, n, 4),
        "snowc": snow * _uniform(g, 0.1, 1.0, n),
        "sd": snow * _uniform(g, 0.1, 200.0, n),
        "rsn": torch.where(snow, _uniform(g, 60.0, 450.0, n), 100.0),
        "src": _uniform(g, 0.0, 1.0, n),
        "rain": torch.relu(_uniform(g, -10.0, 30.0, n)),
        "snowfall": torch.relu(_uniform(g, -10.0, 10.0, n)),
        "cover": 0.5 * _uniform(g, 0.0, 1.0, n, 2),
        "roots": roots(n),
        "capacity_exponent": _uniform(g, 0.01, 0.5, n),
        "urban": torch.relu(_uniform(g, -0.6, 0.4, n)),
    }
    fields |= {
        "tsn": _uniform(g, 250.0, 273.16, n),
        "slw": 0.03 * fields["sd"] * _uniform(g, 0.0, 1.0, n),
        "asn": _uniform(g, 0.5, 0.85, n),
        "lake": torch.zeros(n, dtype=torch.float64),
        **changes,
    }
    return to(Land(soil=ground, **fields), dtype)


def corners(dtype=torch.float64):
    """Every combination of dry and saturated, frozen, freezing and hot, bare and buried, dry weather and storm."""
    rows = list(itertools.product((0.0, 0.5, 1.0), (200.0, 273.16, 320.0), (0.0, 5e-4, 500.0), (0.0, 300.0), range(7)))
    share, temperature, sd, storm, kind = torch.tensor(rows, dtype=torch.float64).unbind(-1)
    ground = soil(kind + 1)
    return to(
        Land(
            theta=(share.unsqueeze(-1) * ground.saturated).expand(-1, 4).contiguous(),
            temperature=temperature.unsqueeze(-1).expand(-1, 4).contiguous(),
            snowc=(sd > 1.0).double(),
            sd=sd,
            rsn=torch.where(sd > 1.0, 500.0, 100.0).double(),
            src=storm / 300.0,
            rain=storm,
            snowfall=0.5 * storm,
            soil=ground,
            cover=0.5 * torch.stack([share, share], dim=-1),
            roots=roots(len(share)),
            capacity_exponent=torch.full_like(share, 0.3),
            urban=torch.full_like(share, 0.1),
            tsn=temperature.clamp(180.0, 273.16),
            slw=share * sd,
            asn=0.5 + 0.35 * share,
            lake=torch.zeros_like(share),
        ),
        dtype,
    )


def to(columns, dtype):
    """Land in another precision; saturation is never exceeded by rounding."""
    ground = type(columns.soil)(*(v.to(dtype) for v in columns.soil))
    moved = Land(*(v if v is None or k == "soil" else v.to(dtype) for k, v in columns._asdict().items()))
    return moved._replace(soil=ground, theta=torch.minimum(moved.theta, ground.saturated))


def pick(columns, order):
    """Select columns by index."""
    ground = type(columns.soil)(*(v[order] for v in columns.soil))
    return Land(*(ground if k == "soil" else v if v is None else v[order] for k, v in columns._asdict().items()))


def outputs(columns, scale=1.0, seed=1):
    """Random outputs of a network with standard deviation ``scale``."""
    g = torch.Generator().manual_seed(seed)
    shape = (*columns.sd.shape, N_CONTROLS)
    return scale * torch.randn(*shape, generator=g, dtype=torch.float64).to(columns.sd.dtype)


def layers(state, name="swvl"):
    """The four layers of a state, last."""
    return torch.stack([state[f"{name}{k}"] for k in range(1, 5)], dim=-1)


def residual(before, after):
    """Precipitation minus change of storage and fluxes out of land without lakes [kg m-2], float64."""

    def storage(swvl, sd, src):
        depth = torch.tensor(SOIL_LAYER_THICKNESS, dtype=torch.float64)
        return WATER_DENSITY * (swvl.double() * depth).sum(-1) + sd.double() + src.double()

    stored = storage(layers(after), after["sd"], after["src"]) - storage(before.theta, before.sd, before.src)
    lost = STEP_SECONDS * sum(after[name].double() for name in ("evap", "sro", "ssro"))
    return before.rain.double() + before.snowfall.double() - stored - lost


def fields(columns, seed=2):
    """Physical fields by name, shape (point,), float64, that hold ``columns`` at both ends of a step."""
    g = torch.Generator().manual_seed(seed)
    n = len(columns.sd)
    table = soil_table(torch.float64)
    kinds = 1 + (columns.soil.alpha == table[1:, 0]).double().argmax(-1)
    t = columns.temperature[..., 0] + _uniform(g, -5.0, 5.0, n)
    return {
        **{f"swvl{k + 1}": columns.theta[..., k] for k in range(4)},
        **{f"stl{k + 1}": columns.temperature[..., k] for k in range(4)},
        **{name: getattr(columns, name) for name in ("snowc", "sd", "rsn", "src")},
        **dict(zip(("cvl", "cvh"), columns.cover.unbind(-1), strict=True)),
        **dict.fromkeys(("veg_cov_lv", "veg_cov_hv"), torch.ones(n)),
        "slt": kinds.double(),
        "tvl": torch.full((n,), 1.0),
        "tvh": torch.full((n,), 3.0),
        "cur": columns.urban,
        "cl": torch.zeros(n) if columns.lake is None else columns.lake,
        "sdor": (100.0 + 1000.0 * columns.capacity_exponent) / (1.0 - columns.capacity_exponent),
        **dict.fromkeys(("evap", "sro", "ssro", "cos_julian_day"), torch.zeros(n)),
        **{k: v for k in ("tsn", "slw", "asn") if (v := getattr(columns, k)) is not None},
        "al": 0.1 + 0.2 * columns.theta[..., 3],
        "avg_sdswrf": 600.0 * columns.theta[..., 2],
        "lai_lv": _uniform(g, 0.0, 5.0, n),
        "t": t,
        "2t": t,
        "avg_t": t + 1.0,
        "avg_q": _uniform(g, 1e-3, 1e-2, n),
        "avg_sp": _uniform(g, 8e4, 1e5, n),
        "avg_tprate": (columns.rain + columns.snowfall) / STEP_SECONDS,
        "avg_tsrwe": columns.snowfall / STEP_SECONDS,
    }
