# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Physical contrasts as inputs of the network: fluxes are driven by differences, which a network learns slowly."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from anemoi_ailand.constants import TETENS_PRESSURE, TETENS_WATER, TRIPLE_POINT, VAPOUR_MASS_RATIO
from anemoi_ailand.physics.closed_step import Land, available_share, root_zone_water, snow_insulation
from anemoi_ailand.physics.layers import join_layers, stack_layers
from anemoi_ailand.physics.snow_pack import LIQUID_SHARE, NO_SNOW
from anemoi_ailand.physics.soil import frozen_fraction

#: Number of columns of :func:`contrasts`, and of further ones where the albedo is known.
N_CONTRASTS, N_REFLECTED = 24, 2

#: Number of columns of :func:`snow_and_lake`.
N_SNOW_AND_LAKE = 5

#: Units of the contrasts [K], [Pa], [kg m-2]: typical values, so that columns are of order one.
_TEMPERATURE, _PHASE, _DEFICIT, _SNOW = 5.0, 2.0, 800.0, 5.0

#: Snow mass beyond which the network sees no more of it [kg m-2]: the packaged networks were trained up to this. What
#: lies below, as on a glacier, has no part in a step of 6 h, and the closed step carries the whole mass.
DEEPEST_SNOW = 1500.0

#: Unit of the depth of snow [m].
_DEPTH = 0.1

#: The same of absorbed short-wave radiation [W m-2], and mean and spread of the albedo [1].
_ABSORBED, _ALBEDO = 150.0, (0.2, 0.15)


class Air(NamedTuple):
    """Air of the step: temperature at its start, at its end and its mean [K], humidity [kg kg-1], pressure [Pa].

    ``short_wave`` is the downward short-wave radiation [W m-2], and ``albedo`` that of the surface at the start, snow
    included [1]; None for networks that are not told.
    """

    t_start: Tensor
    t_end: Tensor
    avg_t: Tensor
    avg_q: Tensor
    avg_sp: Tensor
    short_wave: Tensor | None = None
    albedo: Tensor | None = None


def contrasts(land: Land, air: Air) -> Tensor:
    r"""Return temperature differences, distance from freezing, soil wetness, humidity deficit, snow and rain.

    The columns (..., N_CONTRASTS) [1] are: air minus first layer at three times, and differences between the layers, in
    5 K; tanh of the distance from 0 degC in 2 K; liquid soil water between wilting point and field capacity, and
    effective saturation, of four layers; the former weighted by the roots of low and high vegetation; vapour pressure
    deficit in 800 Pa; :math:`\ln(1 + P)` with precipitation P in kg m-2; snow mass on two scales. Where the albedo is
    known, :data:`N_REFLECTED` further columns are the albedo and the absorbed short-wave radiation in 150 W m-2.
    """
    top, temperature, soil = land.temperature[..., 0], land.temperature, land.soil
    above = stack_layers([air.t_end - top, air.avg_t - top, air.t_start - top])
    differences = join_layers([above, temperature[..., :3] - temperature[..., 1:]])
    near_freezing = stack_layers([air.t_end, air.avg_t, top, temperature[..., 1]]) - TRIPLE_POINT
    frozen = frozen_fraction(temperature)
    saturation = (land.theta - soil.residual) / (soil.saturated - soil.residual)
    single = stack_layers(
        [
            _deficit(air) / _DEFICIT,
            torch.log1p(land.rain + land.snowfall),
            torch.log1p(land.sd.clamp_max(DEEPEST_SNOW)),
            torch.tanh(land.sd / _SNOW),
        ]
    )
    columns = [
        differences / _TEMPERATURE,
        torch.tanh(near_freezing / _PHASE),
        2.0 * available_share(land, frozen) - 1.0,
        4.0 * saturation - 2.0,
        2.0 * root_zone_water(land, frozen).sum(-1) - 1.0,
        single,
    ]
    if air.albedo is not None and air.short_wave is not None:
        mean, spread = _ALBEDO
        absorbed = (1.0 - air.albedo) * air.short_wave
        columns.append(stack_layers([(air.albedo - mean) / spread, absorbed / _ABSORBED]))
    return join_layers(columns)


def snow_and_lake(land: Land) -> Tensor:
    r"""Return snow that insulates, its depth, temperature and wetness, and whether there is a lake, (..., 5) [1].

    The columns are :func:`~anemoi_ailand.physics.closed_step.snow_insulation`; :math:`\ln(1 + d / 0.1\,m)` of the depth
    d; the snow less the first layer in 5 K, and its liquid water in 3 % of its mass, both where there is snow; and 1
    for a lake of any size, since ecLand's soil under partial snow takes up more heat next to the smallest lake.
    """
    none = torch.zeros_like(land.sd)
    snow = torch.tanh(land.sd / _SNOW)
    tsn = none if land.tsn is None else snow * (land.tsn - land.temperature[..., 0]) / _TEMPERATURE
    wet = none if land.slw is None else (land.slw / (LIQUID_SHARE * land.sd).clamp_min(NO_SNOW)).clamp(0.0, 1.0)
    lake = none if land.lake is None else (land.lake > 0.0).to(none.dtype)
    depth = torch.log1p(land.sd.clamp_max(DEEPEST_SNOW) / land.rsn / _DEPTH)
    return stack_layers([snow_insulation(land), depth, tsn, wet, lake])


def _deficit(air: Air) -> Tensor:
    """Return the vapour pressure deficit of the mean air [Pa]; saturation over water by Tetens' formula."""
    a, b = TETENS_WATER
    saturated = TETENS_PRESSURE * torch.exp(a * (air.avg_t - TRIPLE_POINT) / (air.avg_t - b))
    return saturated - air.avg_q * air.avg_sp / VAPOUR_MASS_RATIO
