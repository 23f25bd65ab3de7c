# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Closed step of soil, snow and interception: water is conserved, and heat below the first layer is only moved.

The network predicts what does not follow from physics: evaporation, melt, interception, the timing of water within the
step, and the change of the first layer's temperature. Balances give the new state. So a roll-out of years cannot drift,
and soils and climates not seen in training drain by their own conductivity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from anemoi_ailand.constants import STEP_SECONDS, WATER_DENSITY
from anemoi_ailand.physics.layers import join_layers, layer_thickness
from anemoi_ailand.physics.snow_pack import SnowMass, bare_density, snow_cover, snow_density, snow_mass
from anemoi_ailand.physics.soil import Soil, frozen_fraction
from anemoi_ailand.physics.soil_heat import (
    heat_capacity,
    heat_conductivity,
    heat_step,
    layer_conductance,
    mean_heat_capacity,
)
from anemoi_ailand.physics.soil_water import Arriving, MovedWater, move_water
from anemoi_ailand.physics.vegetation_water import Canopy, intercept

#: State variables that the step reads and returns.
STATE = ("swvl1", "swvl2", "swvl3", "swvl4", "stl1", "stl2", "stl3", "stl4", "snowc", "sd", "rsn", "src")

#: Fluxes that follow from the balance of the step.
FLUXES = ("evap", "sro", "ssro")

#: Outputs of the network by name: number of channels, and scale in the given unit. Scales are typical changes over 6 h,
#: so that outputs are of order one.
CONTROLS: dict[str, tuple[int, float]] = {
    "top_evaporation": (1, 1.12),  # kg m-2 out of the first layer, either sign
    "top_heating": (1, 5.85),  # K, change of stl1
    "top_mean": (1, 2.0),  # K, mean of stl1 over the step above the mean of its ends
    "interception": (1, 0.119),  # kg m-2, change of src
    "interception_evaporation": (1, 0.3),  # kg m-2
    "sublimation": (1, 0.1),  # kg m-2, either sign
    "melt": (1, 4.0),  # kg m-2
    "rain_on_snow": (1, 1.0),  # share of the rain on snow that freezes onto it
    "surface_runoff": (1, 1.0),  # factor exp(output) of the odds of running off
    "lateness": (1, 1.0),  # how the water that reaches the ground is spread over the step
    "roots": (2, 2.0),  # kg m-2 that low and high vegetation take up where all roots are wet
    "settling": (1, 7.05),  # kg m-3, change of snow density
    "fresh_density": (1, 200.0),  # kg m-3, above the lowest
    "heat": (1, 1.0),  # factor of the conductance between the first two layers
}
N_CONTROLS = sum(number for number, _ in CONTROLS.values())

#: Offsets of the softplus outputs, so that an untrained network melts and evaporates little.
_MELT_START, _EVAPORATION_START, _ROOTS_START = -3.0, -2.0, -2.0

#: Range of the logarithm of the factors of runoff odds and of heat exchange.
_LOG_ODDS, _LOG_HEAT = (-5.0, 4.0), (-3.0, 3.0)

#: Lowest density of fresh snow [kg m-3], and largest share of a layer's water that may be lost to the air in a step.
_FRESH_LOWEST, _DRYING_LIMIT = 60.0, 0.9

#: Corrections for water that freezes within the step; two keep the response monotonic (warmer above is warmer below).
_FREEZING_CORRECTIONS = 2


class Land(NamedTuple):
    """Soil, snow and interception at the start of a step, and precipitation over it: fields (...), layers (..., 4).

    ``cover`` (..., 2) is the fraction covered by low and high vegetation [1], ``roots`` (..., 2, 4) the share of their
    roots in each layer [1], ``capacity_exponent`` that of surface runoff [1], ``urban`` the fraction of sealed ground
    [1].
    """

    theta: Tensor
    temperature: Tensor
    snowc: Tensor
    sd: Tensor
    rsn: Tensor
    src: Tensor
    rain: Tensor
    snowfall: Tensor
    soil: Soil
    cover: Tensor
    roots: Tensor
    capacity_exponent: Tensor
    urban: Tensor

    @property
    def vegetation(self) -> Tensor:
        """Fraction of the point covered by vegetation [1]."""
        return vegetated(self.cover)


def vegetated(cover: Tensor) -> Tensor:
    """Return the fraction of each point covered by low and high vegetation, (..., 2) -> (...) [1]."""
    return cover.sum(-1).clamp(0.0, 1.0)


class Ground(NamedTuple):
    """Arguments of :func:`~anemoi_ailand.physics.soil_water.move_water`."""

    theta: Tensor
    soil: Soil
    frozen: Tensor
    arriving: Arriving
    gain: Tensor
    seconds: Tensor


def split_controls(outputs: Tensor) -> dict[str, Tensor]:
    """Split network outputs (..., N_CONTROLS) by name, unscaled: (...) for one channel, else (..., channel)."""
    parts = outputs.split([number for number, _ in CONTROLS.values()], dim=-1)
    named = zip(CONTROLS.items(), parts, strict=True)
    return {name: part.squeeze(-1) if number == 1 else part for (name, (number, _)), part in named}


def closed_step(land: Land, outputs: Tensor) -> dict[str, Tensor]:
    r"""Compute the state after 6 h and mean water fluxes over the step.

    .. math:: \Delta\bigl(\rho_w \textstyle\sum_k \theta_k \Delta z_k + S + I\bigr) = P - E - R_s - R_d

    to rounding, with snow mass :math:`S`, interception store :math:`I`, precipitation :math:`P`, evaporation
    :math:`E`, surface runoff :math:`R_s` and drainage :math:`R_d`; no store is below zero, no layer above saturation.

    Parameters
    ----------
    land : Land
        Fields in their units: m3 m-3, K, kg m-2, kg m-3; rain and snowfall are amounts over the step [kg m-2].
    outputs : Tensor, shape (..., N_CONTROLS)
        Outputs of the network, dimensionless.

    Returns
    -------
    dict of Tensor, shape (...)
        :data:`STATE` in the units of the table of variables, and :data:`FLUXES` [kg m-2 s-1].

    Source: after ecLand's soil and snow schemes, IFS Documentation CY49R1, Part IV, chapter 8.
    """
    after, ground = above_ground(land, outputs)
    after |= water_results(move_water(*ground))
    return {name: after[name] for name in (*STATE, *FLUXES)}


def above_ground(land: Land, outputs: Tensor) -> tuple[dict[str, Tensor], Ground]:
    """Return all results of a step but those of moving water in the soil, and the arguments of that.

    The results include ``sublimation`` [kg m-2 s-1], the part of ``evap`` that leaves the snow.
    """
    raw = split_controls(outputs)
    canopy = _canopy(land, raw)
    frozen_rain = canopy.throughfall * land.snowc * torch.sigmoid(raw["rain_on_snow"])
    snow = _snow(land, frozen_rain, raw)
    ground, evaporation = _ground(land, canopy.throughfall - frozen_rain + snow.melt, raw)
    rsn = _density(land, snow, frozen_rain, raw)
    evap = canopy.evaporation + snow.sublimation + evaporation
    after = {f"stl{k + 1}": v for k, v in enumerate(_soil_heat(land, raw).unbind(-1))}
    after |= {"snowc": snow_cover(snow.sd, rsn), "sd": snow.sd, "rsn": rsn, "src": canopy.src}
    return after | {"evap": evap / STEP_SECONDS, "sublimation": snow.sublimation / STEP_SECONDS}, ground


def water_results(moved: MovedWater) -> dict[str, Tensor]:
    """Return the results of moving water in the soil by name."""
    after = {f"swvl{k + 1}": v for k, v in enumerate(moved.theta.unbind(-1))}
    fluxes = {"sro": moved.surface, "ssro": moved.drained}
    return after | {name: WATER_DENSITY * v / STEP_SECONDS for name, v in fluxes.items()}


def _canopy(land: Land, raw: Mapping[str, Tensor]) -> Canopy:
    kept = land.src + CONTROLS["interception"][1] * raw["interception"]
    evaporation = CONTROLS["interception_evaporation"][1] * softplus(
        raw["interception_evaporation"] + _EVAPORATION_START
    )
    return intercept(land.src, land.rain, kept, evaporation)


def _snow(land: Land, frozen_rain: Tensor, raw: Mapping[str, Tensor]) -> SnowMass:
    available = land.sd + land.snowfall + frozen_rain
    sublimation = CONTROLS["sublimation"][1] * raw["sublimation"] * torch.tanh(available)  # no hoar frost without snow
    return snow_mass(available, sublimation, CONTROLS["melt"][1] * softplus(raw["melt"] + _MELT_START))


def _density(land: Land, snow: SnowMass, frozen_rain: Tensor, raw: Mapping[str, Tensor]) -> Tensor:
    fresh_density = _FRESH_LOWEST + CONTROLS["fresh_density"][1] * torch.sigmoid(raw["fresh_density"])
    change = CONTROLS["settling"][1] * raw["settling"]
    fresh = land.snowfall + frozen_rain
    return bare_density(snow.sd, snow_density(land.sd, land.rsn, fresh, fresh_density, change))


def _ground(land: Land, reaching: Tensor, raw: Mapping[str, Tensor]) -> tuple[Ground, Tensor]:
    """Return what moves water in the soil, and evaporation from it [kg m-2], for water that reaches the ground."""
    depth = layer_thickness(land.theta)
    frozen = frozen_fraction(land.temperature)
    from_roots = _root_uptake(land, frozen, raw["roots"])
    available = WATER_DENSITY * depth[0] * land.theta[..., 0] + 0.5 * reaching - from_roots[..., 0]
    from_top = torch.minimum(CONTROLS["top_evaporation"][1] * raw["top_evaporation"], _DRYING_LIMIT * available)
    lost = join_layers([(from_top + from_roots[..., 0]).unsqueeze(-1), from_roots[..., 1:]])
    arriving = Arriving(
        amount=reaching / WATER_DENSITY,
        lateness=torch.tanh(raw["lateness"]),
        exponent=land.capacity_exponent,
        urban=land.urban,
        odds=torch.exp(raw["surface_runoff"].clamp(*_LOG_ODDS)),
    )
    ground = Ground(land.theta, land.soil, frozen, arriving, -lost / WATER_DENSITY, _seconds_open(frozen))
    return ground, lost.sum(-1)


def _seconds_open(frozen: Tensor) -> Tensor:
    """Return the time during which water moves through the bottom of each layer [s], reduced in frozen soil."""
    less_frozen = join_layers([torch.minimum(frozen[..., :-1], frozen[..., 1:]), frozen[..., -1:]])
    return STEP_SECONDS * (1.0 - less_frozen)


def root_zone_water(land: Land, frozen: Tensor) -> Tensor:
    r"""Weight the water between wilting point and field capacity by roots, :math:`R_k f_k`, (..., 2, layer) [1].

    The sum over the layers is ecLand's soil moisture stress of low and high vegetation. Source: srfwexc_vg_mod.F90.
    """
    return land.roots * available_share(land, frozen).unsqueeze(-2)


def available_share(land: Land, frozen: Tensor) -> Tensor:
    """Return the liquid water of each layer between wilting point (0) and field capacity (1), (..., layer) [1]."""
    liquid = land.theta * (1.0 - frozen)
    return ((liquid - land.soil.wilting) / (land.soil.capacity - land.soil.wilting)).clamp(0.0, 1.0)


def _root_uptake(land: Land, frozen: Tensor, raw: Tensor) -> Tensor:
    """Return the uptake of roots from the layers (..., layer) [kg m-2]; none below the wilting point or from ice."""
    depth = layer_thickness(land.theta)
    available = WATER_DENSITY * depth * torch.relu(land.theta * (1.0 - frozen) - land.soil.wilting)
    wanted = CONTROLS["roots"][1] * softplus(raw + _ROOTS_START) * land.cover
    return torch.minimum((wanted.unsqueeze(-1) * root_zone_water(land, frozen)).sum(-2), _DRYING_LIMIT * available)


def _soil_heat(land: Land, raw: Mapping[str, Tensor]) -> Tensor:
    """Return the soil temperature [K]: first layer from the network, the others by diffusion from it."""
    depth = layer_thickness(land.theta)
    top = land.temperature[..., 0]
    heated = top + CONTROLS["top_heating"][1] * raw["top_heating"]
    mean = 0.5 * (top + heated) + CONTROLS["top_mean"][1] * raw["top_mean"]
    conductivity = heat_conductivity(land.theta, land.temperature, land.soil)
    soil_share = (1.0 - land.urban).unsqueeze(-1)  # sealed ground in towns passes almost no heat into the soil
    conductance = layer_conductance(join_layers([conductivity[..., :1] * soil_share, conductivity[..., 1:]]))
    factor = torch.exp(raw["heat"].clamp(*_LOG_HEAT)).unsqueeze(-1)
    conductance = join_layers([conductance[..., :1] * factor, conductance[..., 1:]])
    deep, vegetation = land.temperature[..., 1:], vegetated(land.cover).unsqueeze(-1)
    after = heat_step(deep, mean, conductance, heat_capacity(deep, vegetation, land.soil) * depth[1:])
    for _ in range(_FREEZING_CORRECTIONS):
        after = heat_step(deep, mean, conductance, mean_heat_capacity(deep, after, vegetation, land.soil) * depth[1:])
    return join_layers([heated.unsqueeze(-1), after])
