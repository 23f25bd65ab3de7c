# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The closed step in the units of Anemoi."""

import pytest
import torch

from anemoi_ailand.model.closed_land import AT_END, AT_START, CATEGORIES, ClosedLand
from anemoi_ailand.model.columns import StepColumns
from anemoi_ailand.physics.closed_step import N_CONTROLS, STATE
from tests.support import columns as case
from tests.support.land import CLOSED

#: Rounding of normalised fields in float32, in standard deviations.
ROUNDING = 1e-5


def built(names=CLOSED.variables):
    """The closed land of a dataset with the variables given."""
    names = sorted(names)
    used = [n for n in names if n not in CLOSED.diagnostic]
    given = [n for n in names if n not in CLOSED.forcing]
    columns = StepColumns.from_names(
        {n: i for i, n in enumerate(used)},
        {n: i for i, n in enumerate(given)},
        diagnostic=[n for n in CLOSED.diagnostic if n in names],
        forcing=[n for n in CLOSED.forcing if n in names],
        categories=CATEGORIES,
    )
    factors = ({n: CLOSED.normalisation(n)[i] for n in names} for i in (0, 1))
    return ClosedLand(columns, {n: i for i, n in enumerate(used)}, *factors)


def before(columns, **changes):
    """The land that is rebuilt from normalised fields of ``columns``, and the further state."""
    index = {n: i for i, n in enumerate(n for n in CLOSED.variables if n not in CLOSED.diagnostic)}
    x = CLOSED.normalised({**case.fields(columns), **changes}, index)
    return built().before(x, x)


def test_land_survives_normalisation():
    """Every field of the land comes back in its unit, to the rounding of float32; soils exactly."""
    columns = case.land(70)
    rebuilt, _, _ = before(columns)
    sizes = {"theta": 0.12, "temperature": 14.0, "sd": 50.0, "rsn": 70.0, "rain": 2.0, "snowfall": 0.5}
    for name, expected in columns._asdict().items():
        if name == "soil":
            assert all(torch.equal(a, b.float()) for a, b in zip(rebuilt.soil, expected, strict=True))
            continue
        error = (getattr(rebuilt, name).double() - expected).abs().max()
        assert error < ROUNDING * sizes.get(name, 1.0) * 10, name


def test_air_survives_normalisation():
    """Temperature of the start from the start slot, the rest of the air from the end slot."""
    columns = case.land(20)
    fields = case.fields(columns)
    index = {n: i for i, n in enumerate(n for n in CLOSED.variables if n not in CLOSED.diagnostic)}
    later = {**fields, "t": fields["t"] + 7.0}
    _, air, _ = built().before(CLOSED.normalised(fields, index), CLOSED.normalised(later, index))
    for got, name, expected in ((air.t_start, "t", fields["t"]), (air.t_end, "t", fields["t"] + 7.0),
                                (air.avg_t, "avg_t", fields["avg_t"]), (air.avg_q, "avg_q", fields["avg_q"]),
                                (air.avg_sp, "avg_sp", fields["avg_sp"])):  # fmt: skip
        torch.testing.assert_close(got.double(), expected, rtol=0.0, atol=10 * ROUNDING / CLOSED.normalisation(name)[0])


def test_rain_snow_and_vegetation_by_hand():
    """1 g m-2 s-1, a quarter of it snow, is 16.2 kg of rain and 5.4 of snow; vegetation is cover times density."""
    rate = torch.full((8,), 1e-3, dtype=torch.float64)
    parts = {"cvl": 0.5, "veg_cov_lv": 0.8, "cvh": 0.4, "veg_cov_hv": 0.5}
    plants = {n: torch.full((8,), v) for n, v in parts.items()}
    land, _, _ = before(case.land(8), avg_tprate=rate, avg_tsrwe=0.25 * rate, **plants)
    torch.testing.assert_close(land.vegetation, torch.full((8,), 0.6), rtol=1e-5, atol=0.0)
    torch.testing.assert_close(land.rain, torch.full((8,), 16.2), rtol=1e-4, atol=0.0)
    torch.testing.assert_close(land.snowfall, torch.full((8,), 5.4), rtol=1e-4, atol=0.0)


def test_values_out_of_bounds_are_clipped():
    """Negative training noise counts as zero water, rain and snow; snowfall above total precipitation as zero rain."""
    low = torch.full((8,), -0.1, dtype=torch.float64)
    names = ("swvl1", "sd", "src", "snowc", "cvl", "cvh")
    land, _, _ = before(case.land(8), **dict.fromkeys(names, low), avg_tprate=1e-4 * low, avg_tsrwe=1e-4 * low)
    for values in (land.theta[:, 0], land.sd, land.src, land.snowc, land.vegetation, land.rain, land.snowfall):
        assert (values == 0).all()
    land, _, _ = before(case.land(8), avg_tprate=torch.full((8,), 1e-4), avg_tsrwe=torch.full((8,), 2e-4))
    assert (land.rain == 0).all()


def test_fluxes_that_are_not_asked_for_are_not_given():
    """A dataset without runoff gets evaporation alone; without further state there is none."""
    closed = built([n for n in CLOSED.variables if n not in ("sro", "ssro", "tsn")])
    assert closed.given == (*STATE, "evap") and closed.n_outputs == N_CONTROLS
    x = torch.zeros(3, len(CLOSED.variables))
    land, _, extra = closed.before(x, x)
    assert extra.shape == (3, 0) and closed.after(land, extra, torch.zeros(3, N_CONTROLS))[1].shape == (3, 13)


def test_missing_variables_are_named():
    """Each variable of state and forcing is needed, and the error says what to do."""
    for names, role in ((STATE, "prognostic"), (sorted({*AT_START, *AT_END}), "forcing")):
        for name in names:
            with pytest.raises(ValueError, match=rf"'{name}'.* among the {role}.*step: increments"):
                built([n for n in CLOSED.variables if n != name])
