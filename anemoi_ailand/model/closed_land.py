# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Closed step between normalised fields and physical units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from anemoi_ailand.constants import STEP_SECONDS
from anemoi_ailand.model.columns import StepColumns
from anemoi_ailand.model.contrasts import (
    N_CONTRASTS,
    N_REFLECTED,
    N_SNOW_AND_LAKE,
    Air,
    contrasts,
    snow_and_lake,
)
from anemoi_ailand.physics import former_step
from anemoi_ailand.physics.closed_step import (
    CONTROLS,
    FLUXES,
    N_CONTROLS,
    SNOW_PHYSICS,
    SNOW_STATE,
    STATE,
    Ground,
    Land,
    Weather,
    above_ground,
    vegetated,
    water_results,
)
from anemoi_ailand.physics.layers import stack_layers
from anemoi_ailand.physics.rain import hourly_shares
from anemoi_ailand.physics.runoff import capacity_exponent
from anemoi_ailand.physics.snow_pack import SNOW_PROPERTIES, snow_property, surface_albedo
from anemoi_ailand.physics.soil import soil_of, soil_table
from anemoi_ailand.physics.soil_water import move_water
from anemoi_ailand.physics.surface_energy import (
    LAKE_UPTAKE,
    TOWN_UPTAKE,
    Covers,
    Snow,
    area_albedo,
    closing_long_wave,
    latent_heat,
    snow_heat_change,
    snowfall_heat,
    soil_heat_change,
)
from anemoi_ailand.physics.vegetation_water import root_table, roots_of
from anemoi_ailand.variables import HOURLY_RAIN, variable

#: Inputs besides the state: static fields and air at the start, forcing at the end of the step.
AT_START = ("slt", "tvl", "tvh", "cvl", "cvh", "veg_cov_lv", "veg_cov_hv", "sdor", "cur", "t")
AT_END = ("t", "avg_t", "avg_q", "avg_sp", "avg_tprate", "avg_tsrwe")

#: Inputs from which the absorbed short-wave radiation follows, if all are given: at the start, with the snow albedo of
#: the state, and at the end.
ALBEDO, SNOW_ALBEDO, SHORT_WAVE = "al", "asn", "avg_sdswrf"

#: Fluxes of energy that follow from the other results, the flux that the network predicts for them, and the lake cover.
NET_SHORT_WAVE, LATENT, NET_LONG_WAVE, SENSIBLE, LAKE = "ssr", "slhf", "str", "sshf", "cl"

#: Categories that the closed step reads; the network itself never does.
CATEGORIES = ("slt", "tvl", "tvh")


class ClosedLand(nn.Module):
    r"""Convert inputs to physical units, derive contrasts for the network, and turn its outputs into state and fluxes.

    Prognostic variables beyond :data:`~anemoi_ailand.physics.closed_step.STATE` get increments in units of the table's
    ``increment_scale``, as without the closed step.

    With the albedo among the inputs, ``ssr`` is a result, too; and with ``str``, ``sshf``, ``evap`` and snow
    temperature and water as well, so are ``slhf`` (from evaporation and sublimation) and ``str``, which closes the
    budget of energy. Otherwise the network predicts them.

    Parameters
    ----------
    columns : StepColumns
        Names of the outputs.
    inputs : mapping of name to position
        Variables of the model's input tensor.
    mul, add : dict of float by name
        Normalisation, :math:`x_{norm} = mul \cdot x + add`.

    Raises
    ------
    ValueError
        A variable that the closed step needs is missing from the input or not prognostic.

    Shapes: ``start, end (..., point, input variable)``, normalised, as in :meth:`LandModel.advance`.
    """

    #: Names read at the start in addition to the state, and at the end; older checkpoints lack the attributes.
    at_start: tuple[str, ...] = AT_START
    at_end: tuple[str, ...] = AT_END

    #: Whether the closed step is that of networks trained before snow followed from mass and energy, what of the
    #: snow follows physics (see :func:`~anemoi_ailand.physics.closed_step.above_ground`), and further
    #: prognostic variables with increments: all of them in former checkpoints. Older checkpoints lack the attributes.
    former: bool = True
    snow_physics: int = 0
    changed: tuple[str, ...] | None = None

    #: Fluxes of energy among the results; the place of ``sshf`` among the diagnostics of the network, and its
    #: normalisation. Older checkpoints lack them, and their networks predict all fluxes of energy.
    energy: tuple[str, ...] = ()
    sensible: tuple[int, float, float] | None = None

    _start: Tensor
    _start_mul: Tensor
    _start_add: Tensor
    _end: Tensor
    _end_mul: Tensor
    _end_add: Tensor
    _out: Tensor
    _out_mul: Tensor
    _out_add: Tensor
    _soils: Tensor
    _roots: Tensor

    def __init__(
        self, columns: StepColumns, inputs: dict[str, int], mul: dict[str, float], add: dict[str, float]
    ) -> None:
        super().__init__()
        _check(columns, inputs)
        self.extra = tuple(n for n in columns.prognostic if n not in STATE)
        self.former, self.snow_physics = False, SNOW_PHYSICS
        self.changed = tuple(n for n in self.extra if n not in SNOW_STATE)
        self.fluxes = tuple(n for n in FLUXES if n in columns.diagnostic)
        if {ALBEDO, SHORT_WAVE} <= set(inputs) and SNOW_ALBEDO in self.extra:
            self.at_start, self.at_end = (*AT_START, ALBEDO), (*AT_END, SHORT_WAVE)
        self.n_features = N_CONTRASTS + N_REFLECTED * (ALBEDO in self.at_start) + N_SNOW_AND_LAKE
        self.energy = self._energy_of(columns)
        self.at_start = (*self.at_start, *(n for n in (LAKE,) if n in inputs))
        self.given = (*STATE, *self.extra, *self.fluxes, *self.energy)
        if NET_LONG_WAVE in self.energy:
            by_network = [n for n in columns.diagnostic if n not in self.given]
            self.sensible = (by_network.index(SENSIBLE), mul[SENSIBLE], add[SENSIBLE])
        self.n_outputs = N_CONTROLS + len(self.changed) + (NET_LONG_WAVE in self.energy)
        self._buffers_of("start", (*STATE, *self.extra, *self.at_start), inputs, mul, add)
        self._buffers_of("end", self.at_end, inputs, mul, add)
        self._buffers_of("out", self.given, columns.positions(self.given), mul, add)
        self.register_buffer("_soils", soil_table(), persistent=False)
        self.register_buffer("_roots", root_table(), persistent=False)

    @property
    def scales(self) -> tuple[float, ...]:
        """Size of a unit of the increments of the further prognostic variables, in their units."""
        return tuple(variable(n).increment_scale or 0.0 for n in self._changed)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs of the network: controls, increments, and the uptake of lake and town."""
        controls = former_step.CONTROLS if self.former else CONTROLS
        names = [n if number == 1 else f"{n}_{k + 1}" for n, (number, _) in controls.items() for k in range(number)]
        return (*names, *self._changed, *(("uptake",) if NET_LONG_WAVE in self.energy else ()))

    @property
    def _changed(self) -> tuple[str, ...]:
        return self.extra if self.changed is None else self.changed

    def _buffers_of(
        self, part: str, names: Sequence[str], positions: dict[str, int], mul: dict[str, float], add: dict[str, float]
    ) -> None:
        self.register_buffer(f"_{part}", torch.tensor([positions[n] for n in names]), persistent=False)
        self.register_buffer(f"_{part}_mul", torch.tensor([mul[n] for n in names]).float(), persistent=False)
        self.register_buffer(f"_{part}_add", torch.tensor([add[n] for n in names]).float(), persistent=False)

    def normalised(self, name: str, value: float) -> float:
        """Normalise a value of a variable of :data:`~anemoi_ailand.physics.closed_step.STATE`."""
        k = STATE.index(name)
        return float(value * self._start_mul[k] + self._start_add[k])

    def physical(self, name: str, values: Tensor) -> Tensor:
        """Return values of a variable of the state in its unit, from normalised ones."""
        k = STATE.index(name)
        return (values - self._start_add[k]) / self._start_mul[k]

    def read_hourly_rain(self, first: int) -> None:
        """Read the precipitation of each hour, not normalised, from column ``first`` of the input on.

        Raises
        ------
        ValueError
            The closed step is that of former networks, which spread rain evenly.
        """
        if self.former:
            raise ValueError(
                "The network was trained with the former closed step, in which rain is steady. Set `precipitation: "
                "mean`, or take a network of the present step."
            )
        n = len(HOURLY_RAIN)
        self.at_end = (*self.at_end, *HOURLY_RAIN)
        self._end = torch.cat([self._end, first + torch.arange(n, device=self._end.device)])
        self._end_mul = torch.cat([self._end_mul, self._end_mul.new_ones(n)])
        self._end_add = torch.cat([self._end_add, self._end_add.new_zeros(n)])

    def scale_roots(self, factor: float, types: Sequence[int]) -> None:
        """Scale the coefficients of root depth of vegetation types: below one, their roots are deeper."""
        table = root_table(self._roots.dtype, factor).to(self._roots.device)
        self._roots = self._roots.clone().index_copy_(0, torch.tensor(types), table[list(types)])

    def _energy_of(self, columns: StepColumns) -> tuple[str, ...]:
        """Return the fluxes of energy that follow from the other results."""
        asked = set(columns.diagnostic)
        if ALBEDO not in self.at_start or NET_SHORT_WAVE not in asked:
            return ()
        closed = {LATENT, NET_LONG_WAVE, SENSIBLE, "evap"} <= asked and {"tsn", "slw"} <= set(self.extra)
        return (NET_SHORT_WAVE, LATENT, NET_LONG_WAVE) if closed else (NET_SHORT_WAVE,)

    def before(self, start: Tensor, end: Tensor) -> tuple[Land, Air, dict[str, Tensor]]:
        """Return land and air of the step in physical units, and all fields (...) that are read at its start."""
        first = ((start[..., self._start] - self._start_add) / self._start_mul).unbind(-1)
        last = ((end[..., self._end] - self._end_add) / self._end_mul).unbind(-1)
        a = dict(zip((*STATE, *self.extra, *self.at_start), first, strict=True))
        b = dict(zip(self.at_end, last, strict=True))
        return *self.of_fields(a, b), a

    def of_fields(self, a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> tuple[Land, Air]:
        """Return land and air of the step from fields (...) in physical units by name, at its start and its end."""
        snowfall = STEP_SECONDS * torch.relu(b["avg_tsrwe"])
        land = Land(
            theta=torch.relu(stack_layers([a[f"swvl{k}"] for k in range(1, 5)])),
            temperature=stack_layers([a[f"stl{k}"] for k in range(1, 5)]),
            snowc=a["snowc"].clamp(0.0, 1.0),
            sd=torch.relu(a["sd"]),
            rsn=a["rsn"],
            src=torch.relu(a["src"]),
            rain=torch.relu(STEP_SECONDS * b["avg_tprate"] - snowfall),
            snowfall=snowfall,
            soil=soil_of(a["slt"], self._soils),
            cover=stack_layers([a["cvl"] * a["veg_cov_lv"], a["cvh"] * a["veg_cov_hv"]]).clamp(0.0, 1.0),
            roots=torch.stack([roots_of(a[name], self._roots) for name in ("tvl", "tvh")], dim=-2),
            capacity_exponent=capacity_exponent(a["sdor"]),
            urban=a["cur"].clamp(0.0, 1.0),
            lake=a[LAKE].clamp(0.0, 1.0) if LAKE in self.at_start else None,
            weather=Weather(b["avg_t"], b["avg_q"], b["avg_sp"]),
            hourly=hourly_shares([b[n] for n in HOURLY_RAIN]) if HOURLY_RAIN[0] in b else None,
            **{n: a[n] for n in SNOW_STATE if n in self.extra},
        )
        albedo = None
        if ALBEDO in self.at_start:
            albedo = surface_albedo(a[ALBEDO], a[SNOW_ALBEDO], land.snowc, land.cover[..., 1])
        return land, Air(a["t"], b["t"], b["avg_t"], b["avg_q"], b["avg_sp"], b.get(SHORT_WAVE), albedo)

    def features(self, land: Land, air: Air) -> Tensor:
        """Return additional columns for the network, shape (..., n_features)."""
        columns = contrasts(land, air)
        return columns if self.former else torch.cat([columns, snow_and_lake(land)], dim=-1)

    def after(
        self, land: Land, air: Air, fields: Mapping[str, Tensor], outputs: Tensor, diagnostics: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return positions (n,) in the output tensor and normalised values (..., n) of the results of the step.

        ``land, air, fields`` are those of :meth:`before`, ``outputs, diagnostics`` those of the network.
        """
        result = self.results(land, air, fields, outputs, self.sensible_heat(diagnostics.unbind(-1)))
        values = torch.stack([result[n] for n in self.given], dim=-1)
        return self._out, values * self._out_mul + self._out_add

    def sensible_heat(self, diagnostics: Sequence[Tensor]) -> Tensor | None:
        """Return ``sshf`` [W m-2] from normalised diagnostics of the network, where the budget of energy needs it."""
        if self.sensible is None:
            return None
        place, mul, add = self.sensible
        return (diagnostics[place] - add) / mul

    def results(
        self, land: Land, air: Air, fields: Mapping[str, Tensor], outputs: Tensor, sensible: Tensor | None
    ) -> dict[str, Tensor]:
        """Return the results of the step (...) in physical units by name, for outputs of the network.

        ``fields`` are those at the start of the step by name, ``sensible`` is that of :meth:`sensible_heat`.
        """
        result, ground = self.above_ground(land, air, fields, outputs, sensible)
        return result | water_results(move_water(*ground))

    def above_ground(
        self, land: Land, air: Air, fields: Mapping[str, Tensor], outputs: Tensor, sensible: Tensor | None
    ) -> tuple[dict[str, Tensor], Ground]:
        """Return the results but those of moving water in the soil, and the arguments of that; see :meth:`results`."""
        n = former_step.N_CONTROLS if self.former else N_CONTROLS
        if self.former:
            result, ground = former_step.above_ground(land, outputs[..., :n])
        else:
            result, ground = above_ground(land, outputs[..., :n], self.snow_physics)
        changes = outputs[..., n : n + len(self._changed)].unbind(-1)
        for name, scale, change in zip(self._changed, self.scales, changes, strict=True):
            value = fields[name] + scale * change
            result[name] = snow_property(name, value, result["sd"]) if name in SNOW_PROPERTIES else value
        if self.energy:
            result |= self._energy(land, air, fields, result, sensible, outputs[..., -1])
        return result, ground

    def _energy(
        self, land: Land, air: Air, fields: Mapping[str, Tensor], result: Mapping[str, Tensor],
        sensible: Tensor | None, uptake: Tensor,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Return the fluxes of energy [W m-2]; ``uptake`` is the output of the network for lake and town."""
        assert air.short_wave is not None
        lake = torch.zeros_like(land.urban) if land.lake is None else land.lake
        covers = Covers(land.cover[..., 1], lake, land.urban)
        white = result.get("lake_snow")
        first = area_albedo(fields[ALBEDO], fields[SNOW_ALBEDO], land.snowc, covers, white)
        last = area_albedo(fields[ALBEDO], result[SNOW_ALBEDO], result["snowc"], covers, white)
        ssr = (1.0 - 0.5 * (first + last)) * torch.relu(air.short_wave)  # rounding may be below zero
        if sensible is None:
            return {NET_SHORT_WAVE: ssr}
        after = stack_layers([result[f"stl{k}"] for k in range(1, 5)])
        stored = soil_heat_change(land.temperature, after, land.soil, vegetated(land.cover).unsqueeze(-1))
        snow = Snow(land.sd, fields["slw"], fields["tsn"]), Snow(*(result[n] for n in Snow._fields))
        stored = stored + snow_heat_change(*snow) - snowfall_heat(land.snowfall, air.avg_t)
        stored = stored + STEP_SECONDS * (LAKE_UPTAKE * lake + TOWN_UPTAKE * land.urban) * uptake
        return {
            NET_SHORT_WAVE: ssr,
            LATENT: latent_heat(result["evap"], result["sublimation"]),
            NET_LONG_WAVE: closing_long_wave(stored, ssr, sensible, result["evap"]),
        }


def lacking(columns: StepColumns, inputs: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Return the names that the closed step needs and that are not prognostic, or not among the inputs."""
    not_state = [n for n in STATE if n not in columns.prognostic]
    return not_state, [n for n in dict.fromkeys((*AT_START, *AT_END)) if n not in inputs]


def _check(columns: StepColumns, inputs: dict[str, int]) -> None:
    not_state, missing = lacking(columns, inputs)
    lacks = [f"{names} among the {where}" for names, where in
             ((not_state, "prognostic variables"), (missing, "forcing")) if names]  # fmt: skip
    if lacks:
        raise ValueError(
            f"The closed step needs {' and '.join(lacks)}; the configuration has prognostic "
            f"{list(columns.prognostic)} and inputs {sorted(inputs)}. Add them to `land.prognostic` and "
            "`land.forcing`, or set `model.model.step: increments`."
        )
