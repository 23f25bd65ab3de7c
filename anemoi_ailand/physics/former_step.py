# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Closed step of networks trained before snow kept liquid water of its own: they predict the outflow as melt.

They also predict the odds of surface runoff, and the ice of the soil is that of the start of the step. Only checkpoints
of that time use it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from anemoi_ailand.constants import STEP_SECONDS, WATER_DENSITY
from anemoi_ailand.physics.closed_step import (
    MELT_START,
    Ground,
    Land,
    density,
    in_ground,
    leaves,
    soil_heat,
    split_controls,
)
from anemoi_ailand.physics.snow_pack import snow_cover, snow_mass
from anemoi_ailand.physics.soil_water import N_SUBSTEPS, Arriving

#: Outputs of the network, as in the closed step of today.
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

#: Range of the logarithm of the factor of runoff odds.
_LOG_ODDS = (-5.0, 4.0)


def above_ground(land: Land, outputs: Tensor) -> tuple[dict[str, Tensor], Ground]:
    """Return all results of a step but those of moving water in the soil, and the arguments of that."""
    raw = split_controls(outputs, CONTROLS)
    canopy = leaves(land, raw)
    frozen_rain = canopy.throughfall * land.snowc * torch.sigmoid(raw["rain_on_snow"])
    fresh = land.snowfall + frozen_rain
    available = land.sd + fresh
    sublimation = CONTROLS["sublimation"][1] * raw["sublimation"] * torch.tanh(available)
    snow = snow_mass(available, sublimation, CONTROLS["melt"][1] * softplus(raw["melt"] + MELT_START))
    each, lateness = (
        (canopy.throughfall - frozen_rain + snow.melt) / WATER_DENSITY / N_SUBSTEPS,
        torch.tanh(raw["lateness"]),
    )
    amounts = tuple(each * (1.0 + lateness * (2.0 * k / (N_SUBSTEPS - 1) - 1.0)) for k in range(N_SUBSTEPS))
    odds = torch.exp(raw["surface_runoff"].clamp(*_LOG_ODDS))
    arriving = Arriving(amounts, land.capacity_exponent, land.urban, odds)
    ground, evaporation = in_ground(land, arriving, None, raw)
    rsn = density(land, snow.sd, fresh, raw)
    evap = canopy.evaporation + snow.sublimation + evaporation
    result = {f"stl{k + 1}": v for k, v in enumerate(soil_heat(land, raw).unbind(-1))}
    result |= {"snowc": snow_cover(snow.sd, rsn), "sd": snow.sd, "rsn": rsn, "src": canopy.src}
    return result | {"evap": evap / STEP_SECONDS, "sublimation": snow.sublimation / STEP_SECONDS}, ground
