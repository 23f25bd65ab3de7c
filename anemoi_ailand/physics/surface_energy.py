# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Energy budget of the surface over one step (torch): radiation, heat of soil and snow, and what closes it.

The formulas are those of :mod:`~anemoi_ailand.physics.budgets`, which measures budgets of stored fields in NumPy.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from anemoi_ailand.constants import (
    ICE_SPECIFIC_HEAT,
    LATENT_HEAT_FUSION,
    LATENT_HEAT_VAPORISATION,
    MATTER_HEAT_CAPACITY,
    STEP_SECONDS,
    TRIPLE_POINT,
    WATER_DENSITY,
    WATER_HEAT_CAPACITY,
)
from anemoi_ailand.physics.layers import layer_thickness
from anemoi_ailand.physics.snow_pack import surface_albedo
from anemoi_ailand.physics.soil import Soil, frozen_fraction

#: Albedo of lakes without ice [1]. ecLand, susrad_mod.F90: RALBSEAD.
LAKE_ALBEDO = 0.06

#: Albedo of lakes covered by snow on ice, less that of water [1]: from ecLand's net radiation at lakes in midwinter.
LAKE_SNOW_ALBEDO = 0.64

#: Albedo of towns without snow [1]: median of ecLand's output at 11 points in 2019, 90 % within .01.
TOWN_ALBEDO = 0.162

#: Unit of the heat that lake and town take up, per cover [W m-2]: standard deviation of ecLand's in 2019.
LAKE_UPTAKE, TOWN_UPTAKE = 240.0, 30.0


class Snow(NamedTuple):
    """Mass and liquid water of snow [kg m-2], and its temperature [K]."""

    sd: Tensor
    slw: Tensor
    tsn: Tensor


class Covers(NamedTuple):
    """Fractions of a point [1]: high vegetation, which hides snow, lake, and town."""

    forest: Tensor
    lake: Tensor
    town: Tensor


def area_albedo(background: Tensor, snow: Tensor, snowc: Tensor, covers: Covers, white: Tensor | None = None) -> Tensor:
    r"""Return the albedo of a point with lake and town,

    .. math:: a = (1 - c_l - c_t)\, a_{land} + c_l\, a_l + c_t\, a_t

    of :func:`~anemoi_ailand.physics.snow_pack.surface_albedo`, with snow on towns as on open land. A share of their own
    of the lakes is ``white``, since they freeze late and hold less snow; with None, they have the snow of the land. All
    have the same shape [1]: background albedo, albedo of snow, snow cover, white share of lakes.
    """
    bare = torch.zeros_like(snow)
    lake, town = (surface_albedo(torch.full_like(snow, a), snow, snowc, bare) for a in (LAKE_ALBEDO, TOWN_ALBEDO))
    if white is not None:
        lake = LAKE_ALBEDO + LAKE_SNOW_ALBEDO * white
    land = surface_albedo(background, snow, snowc, covers.forest)
    return land + covers.lake * (lake - land) + covers.town * (town - land)


def latent_heat(evaporation: Tensor, sublimation: Tensor) -> Tensor:
    r"""Return the latent heat flux, positive downward, :math:`-(L_v E + L_f E_s)` [W m-2].

    ``evaporation`` E includes the ``sublimation`` :math:`E_s` of snow [kg m-2 s-1]. With ecLand's sublimation it is
    ecLand's flux to .05 W m-2, which is the rounding of its output.
    """
    return -(LATENT_HEAT_VAPORISATION * evaporation + LATENT_HEAT_FUSION * sublimation)


def soil_heat_change(before: Tensor, after: Tensor, soil: Soil, vegetation: Tensor) -> Tensor:
    """Return the change of :func:`~anemoi_ailand.physics.budgets.soil_heat`, (..., layer) [K] -> (...) [J m-2].

    The vegetated fraction has shape (..., 1) [1]. Differences are taken before they are multiplied, to keep digits.
    """
    capacity = (1.0 - soil.saturated) * MATTER_HEAT_CAPACITY + soil.capacity * WATER_HEAT_CAPACITY
    freezing = LATENT_HEAT_FUSION * WATER_DENSITY * vegetation * soil.capacity
    frozen = frozen_fraction(after) - frozen_fraction(before)
    return ((capacity * (after - before) - freezing * frozen) * layer_thickness(after)).sum(-1)


def snow_heat_change(before: Snow, after: Snow) -> Tensor:
    """Return the change of :func:`~anemoi_ailand.physics.budgets.snow_heat` (...) [J m-2]."""
    first, last = (s.sd * (s.tsn - TRIPLE_POINT) for s in (before, after))
    ice = (after.sd - before.sd) - (after.slw - before.slw)
    return ICE_SPECIFIC_HEAT * (last - first) - LATENT_HEAT_FUSION * ice


def snowfall_heat(snowfall: Tensor, temperature: Tensor) -> Tensor:
    r"""Return the heat of snowfall relative to liquid water at 273.16 K, :math:`F (c_i \min(T_a - T_0, 0) - L_f)`.

    Shapes: amount [kg m-2] and air temperature [K] (...) -> (...) [J m-2].
    """
    return snowfall * (ICE_SPECIFIC_HEAT * (temperature - TRIPLE_POINT).clamp_max(0.0) - LATENT_HEAT_FUSION)


def closing_long_wave(stored: Tensor, short_wave: Tensor, sensible: Tensor, evaporation: Tensor) -> Tensor:
    r"""Return the net long-wave radiation that closes the budget of the surface, positive downward [W m-2].

    .. math:: R_l = \frac{\Delta H}{\Delta t} - R_s - Q_H + L_v E

    with the heat :math:`\Delta H` that soil, snow, lake and town gain beyond that of snowfall [J m-2]. The heat of
    fusion of sublimating ice leaves the snow and is in :math:`Q_E` as well, so that it cancels. Net short-wave
    radiation and sensible heat flux in W m-2, evaporation in kg m-2 s-1; all have the same shape.

    With all else from ecLand it is ecLand's to .2 W m-2 on bare ground, 1.2 under full and 4.4 under partial snow (root
    mean square over points without lake or town, 2019). Long-wave radiation of the skin at both ends errs by 9.
    """
    return stored / STEP_SECONDS - short_wave - sensible + LATENT_HEAT_VAPORISATION * evaporation
