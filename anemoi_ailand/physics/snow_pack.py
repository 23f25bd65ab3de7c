# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Snow on the ground over one step, as tensors."""

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

#: Snow below this is none, and has the density of none [kg m-2].
NO_SNOW = 1.0e-3

#: What else snow can be carried with: value where there is none, as ecLand has it, lowest and highest value. Liquid
#: water is limited by the mass of snow, too.
SNOW_PROPERTIES: dict[str, tuple[float, float, float]] = {
    "tsn": (TRIPLE_POINT, 180.0, TRIPLE_POINT),
    "asn": (SNOW_ALBEDO_MAX, SNOW_ALBEDO_MIN, SNOW_ALBEDO_MAX),
    "slw": (0.0, 0.0, 5.0e3),
}


def snow_cover(sd: Tensor, rsn: Tensor) -> Tensor:
    """Snow cover fraction of tensors; formula and units as in :func:`anemoi_ailand.physics.snow.snow_cover`."""
    cover = torch.tanh(SNOW_COVER_SLOPE * sd / (rsn * rsn.clamp(SNOW_DENSITY_MIN, SNOW_COVER_DENSITY_MAX)))
    return torch.where(cover >= SNOW_COVER_FULL, torch.ones_like(cover), cover)


def snow_density(sd: Tensor, rsn: Tensor, fresh: Tensor, fresh_density: Tensor, change: Tensor) -> Tensor:
    r"""Density after fresh snow was mixed in and the pack has settled.

    .. math:: \rho' = \frac{S \rho + F \rho_f}{S + F} + \Delta \rho

    limited to 50 ... 500 kg m-3, ecLand's range.

    Parameters
    ----------
    sd, rsn : Tensor
        Snow mass [kg m-2] and density [kg m-3] before.
    fresh, fresh_density : Tensor
        Snow that falls [kg m-2] and its density [kg m-3].
    change : Tensor
        Change of density by settling [kg m-3].

    All shapes alike. Source: IFS Documentation CY49R1, Part IV, snow scheme.
    """
    mixed = (sd * rsn + fresh * fresh_density + NO_SNOW * rsn) / (sd + fresh + NO_SNOW)
    return (mixed + change).clamp(SNOW_DENSITY_LOWEST, SNOW_DENSITY_HIGHEST)


def bare_density(sd: Tensor, rsn: Tensor) -> Tensor:
    """Density with ecLand's value, 100 kg m-3, where there is no snow."""
    return torch.where(sd > NO_SNOW, rsn, torch.full_like(rsn, SNOW_DENSITY_MIN))


def snow_property(name: str, value: Tensor, sd: Tensor) -> Tensor:
    """Keep a property of snow within its range, and at its value without snow where there is none.

    So nothing that a network says of snow where there is none can add up and be there when snow falls again.

    Parameters
    ----------
    name : str
        One of :data:`SNOW_PROPERTIES`.
    value : Tensor
        The property after the step, in the unit of the table of variables.
    sd : Tensor
        Snow mass after the step [kg m-2].
    """
    without, lowest, highest = SNOW_PROPERTIES[name]
    limited = value.clamp(lowest, highest)
    if name == "slw":
        limited = torch.minimum(limited, sd)
    return torch.where(sd > NO_SNOW, limited, torch.full_like(value, without))


class SnowMass(NamedTuple):
    """Snow mass after a step and what left it, all [kg m-2], summing to what was there and what came."""

    sd: Tensor
    sublimation: Tensor
    melt: Tensor


def snow_mass(available: Tensor, sublimation: Tensor, melt: Tensor) -> SnowMass:
    """Let snow sublimate and melt, no more than there is; snow that melts to nothing is exactly nothing.

    Parameters
    ----------
    available : Tensor
        Snow before the step and what fell or froze onto it [kg m-2].
    sublimation : Tensor
        Sublimation asked for, below zero for hoar frost [kg m-2].
    melt : Tensor
        Melt asked for, not below zero [kg m-2].
    """
    sublimated = torch.minimum(sublimation, available)
    melted = torch.minimum(melt, available - sublimated)
    return SnowMass(available - sublimated - melted, sublimated, melted)
