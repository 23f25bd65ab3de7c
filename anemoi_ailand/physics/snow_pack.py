# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Snow pack over one step: mass, density, cover, and properties (torch)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from anemoi_ailand.constants import (
    SNOW_ALBEDO_MAX,
    SNOW_ALBEDO_MIN,
    SNOW_COVER_DENSITY_MAX,
    SNOW_COVER_FULL,
    SNOW_COVER_SLOPE,
    SNOW_DENSITY_HIGHEST,
    SNOW_DENSITY_LOWEST,
    SNOW_DENSITY_MIN,
    TRIPLE_POINT,
)

#: Less snow counts as none [kg m-2].
NO_SNOW = 1.0e-3

#: Further prognostic properties of snow: value without snow as in ecLand, lowest and highest value. Liquid water is
#: also limited by the mass of snow.
SNOW_PROPERTIES: dict[str, tuple[float, float, float]] = {
    "tsn": (TRIPLE_POINT, 180.0, TRIPLE_POINT),
    "asn": (SNOW_ALBEDO_MAX, SNOW_ALBEDO_MIN, SNOW_ALBEDO_MAX),
    "slw": (0.0, 0.0, 5.0e3),
}


def snow_cover(sd: Tensor, rsn: Tensor) -> Tensor:
    """Return the snow cover of tensors; formula and units as in :func:`anemoi_ailand.physics.snow.snow_cover`."""
    cover = torch.tanh(SNOW_COVER_SLOPE * sd / (rsn * rsn.clamp(SNOW_DENSITY_MIN, SNOW_COVER_DENSITY_MAX)))
    return torch.where(cover >= SNOW_COVER_FULL, torch.ones_like(cover), cover)


def snow_density(sd: Tensor, rsn: Tensor, fresh: Tensor, fresh_density: Tensor, change: Tensor) -> Tensor:
    r"""Return the snow density after mixing with fresh snow and settling.

    .. math:: \rho' = \frac{S \rho + F \rho_f}{S + F} + \Delta \rho

    limited to ecLand's range, 50 ... 500 kg m-3; with mass :math:`S` and density :math:`\rho` before, fresh snow
    :math:`F` and its density :math:`\rho_f`, and the change by settling :math:`\Delta \rho`. All have the same shape
    [kg m-2, kg m-3]. Source: IFS Documentation CY49R1, Part IV, snow scheme.
    """
    mixed = (sd * rsn + fresh * fresh_density + NO_SNOW * rsn) / (sd + fresh + NO_SNOW)
    return (mixed + change).clamp(SNOW_DENSITY_LOWEST, SNOW_DENSITY_HIGHEST)


def bare_density(sd: Tensor, rsn: Tensor) -> Tensor:
    """Set the density without snow to ecLand's value, 100 kg m-3."""
    return torch.where(sd > NO_SNOW, rsn, torch.full_like(rsn, SNOW_DENSITY_MIN))


def snow_property(name: str, value: Tensor, sd: Tensor) -> Tensor:
    """Limit a property of snow to its range, and reset it where there is no snow.

    Increments predicted without snow therefore never accumulate until snow falls again. ``name`` is one of
    :data:`SNOW_PROPERTIES`; ``value`` and snow mass ``sd`` [kg m-2] are those after the step.
    """
    without, lowest, highest = SNOW_PROPERTIES[name]
    limited = value.clamp(lowest, highest)
    if name == "slw":
        limited = torch.minimum(limited, sd)
    return torch.where(sd > NO_SNOW, limited, torch.full_like(value, without))


def surface_albedo(background: Tensor, snow: Tensor, cover: Tensor, forest: Tensor) -> Tensor:
    r"""Return the albedo of ground, vegetation and snow.

    .. math:: a = (1 - c)\, a_b + c \bigl((1 - f)\, a_s + f\, a_b\bigr)

    with the background albedo :math:`a_b`, that of the snow :math:`a_s`, its cover :math:`c` and the fraction covered
    by high vegetation :math:`f`: snow under trees has the background albedo. All have the same shape [1]. With ecLand's
    own snow it is ecLand's albedo to .003 (correlation .9999, 17 points of all climates). Source: ecLand,
    surfrad_ctl_mod.F90, whose table of the albedo of snow in forests is not used.
    """
    return background + cover * (1.0 - forest) * (snow - background)


class SnowMass(NamedTuple):
    """Snow mass after a step, sublimation and melt [kg m-2]; they sum to the mass available before."""

    sd: Tensor
    sublimation: Tensor
    melt: Tensor


def snow_mass(available: Tensor, sublimation: Tensor, melt: Tensor) -> SnowMass:
    """Limit sublimation and melt to the available snow; snow that melts completely is exactly zero.

    ``available`` is snow before the step, snowfall and freezing rain. The requested ``sublimation`` is negative for
    hoar frost, the requested ``melt`` not below zero. All have the same shape [kg m-2].
    """
    sublimated = torch.minimum(sublimation, available)
    melted = torch.minimum(melt, available - sublimated)
    return SnowMass(available - sublimated - melted, sublimated, melted)
