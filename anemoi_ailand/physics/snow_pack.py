# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Snow pack over one step: mass, density, cover, and properties (torch)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from anemoi_ailand.constants import (
    GRAVITY,
    ICE_SPECIFIC_HEAT,
    LATENT_HEAT_FUSION,
    SNOW_ALBEDO_MAX,
    SNOW_ALBEDO_MIN,
    SNOW_COVER_DENSITY_MAX,
    SNOW_COVER_FULL,
    SNOW_COVER_SLOPE,
    SNOW_DENSITY_HIGHEST,
    SNOW_DENSITY_LOWEST,
    SNOW_DENSITY_MIN,
    STEP_HOURS,
    STEP_SECONDS,
    TRIPLE_POINT,
)

#: Less snow counts as none [kg m-2].
NO_SNOW = 1.0e-3

#: Largest liquid water in snow, as a share of its ice [1]. In ecLand it rises to .05 in snow lighter than 200 kg m-3.
LIQUID_SHARE = 0.03

#: Albedo that snow loses in a step, cold [1], and share of its excess over the lowest that it keeps, melting [1]; fresh
#: snow that renews it [kg m-2]. ecLand, srfsn_asn_mod.F90.
_COLD_AGEING, _MELTING_AGEING, _FRESH_SNOW = 0.008 * STEP_HOURS / 24.0, math.exp(-0.24 * STEP_HOURS / 24.0), 10.0

#: Viscosity of snow [Pa s] and rate of its metamorphism [s-1], at 273.16 K and before they depend on density.
_VISCOSITY, _METAMORPHISM = 3.7e7, 2.8e-6

#: Conductance between ground and thin snow [W m-2 K-1], and mass of traces [kg m-2].
_CONDUCTANCE, _TRACE = 2.4, 0.5

#: Range below 273.16 K in which melting ends and liquid water freezes [K], and limit of the exponent [1].
_NEAR, _COLDEST = 0.3, 30.0

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


def mixed_density(sd: Tensor, rsn: Tensor, fresh: Tensor, fresh_density: Tensor) -> Tensor:
    r"""Return the density of snow and fresh snow together, :math:`(S \rho + F \rho_f) / (S + F)`.

    With mass :math:`S` and density :math:`\rho` before, fresh snow :math:`F` and its density :math:`\rho_f`. All have
    the same shape [kg m-2, kg m-3].
    """
    return (sd * rsn + fresh * fresh_density + NO_SNOW * rsn) / (sd + fresh + NO_SNOW)


def compaction(sd: Tensor, rsn: Tensor, tsn: Tensor) -> Tensor:
    r"""Return how much denser dry snow becomes in a step, by its weight and by metamorphism [kg m-3].

    .. math:: \Delta \rho = \rho\, \Delta t \left(\frac{g S / 2}{\eta_0\, e^{a T_c + b \rho}}
              + \xi\, e^{-c T_c - d \max(\rho - 150, 0)}\right), \qquad T_c = T_0 - T

    as one layer, which bears half of its mass :math:`S`; all have the same shape [kg m-2, kg m-3, K]. From ecLand's
    state it is ecLand's change to .3 to .5 kg m-3 (standard deviation; the change itself: .4 to 1.4) in steps without
    liquid water and snowfall, in the mean up to a third less (trained points, 2019 and 2020). Denser snow settles less,
    so that errors fade. Source: IFS Documentation CY49R1, Part IV, snow scheme; Anderson (1976), NOAA NWS 19.
    """
    cold = torch.relu(TRIPLE_POINT - tsn)
    weight = (0.5 * GRAVITY / _VISCOSITY) * sd * torch.exp(-0.081 * cold - 0.018 * rsn)
    metamorphism = _METAMORPHISM * torch.exp(-0.042 * cold - 0.046 * torch.relu(rsn - 150.0))
    return STEP_SECONDS * rsn * (weight + metamorphism)


def bare_density(sd: Tensor, rsn: Tensor) -> Tensor:
    """Limit the density to ecLand's range, 50 to 500 kg m-3, and set that without snow to ecLand's 100 kg m-3."""
    limited = rsn.clamp(SNOW_DENSITY_LOWEST, SNOW_DENSITY_HIGHEST)
    return torch.where(sd > NO_SNOW, limited, torch.full_like(rsn, SNOW_DENSITY_MIN))


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


class SnowPack(NamedTuple):
    """Mass of snow, liquid water included, that water [kg m-2], and temperature [K]."""

    sd: Tensor
    slw: Tensor
    tsn: Tensor


class SnowStep(NamedTuple):
    """Snow pack after a step, its sublimation, and the water that leaves it [kg m-2]."""

    pack: SnowPack
    sublimation: Tensor
    outflow: Tensor


class SnowHeat(NamedTuple):
    """Heat that a pack gains in a step: warming [K], and melt beyond that, by the air and by the ground [kg m-2]."""

    warming: Tensor
    melt: Tensor
    ground: Tensor


def ground_melt(temperature: Tensor, mass: Tensor) -> Tensor:
    r"""Return what ground above 273.16 K melts of traces in a step, :math:`K (T - T_0) \Delta t / L_f` [kg m-2].

    With :math:`K = 2.4\, e^{-S / 0.5}` W m-2 K-1 for the mass S of the snow [kg m-2]: ecLand's below .1 m of snow,
    so that no trace lasts on warm ground. That of more snow is the network's. Temperature of the first layer [K] and
    mass have the same shape.
    """
    melted = _CONDUCTANCE * STEP_SECONDS / LATENT_HEAT_FUSION
    return melted * torch.relu(temperature - TRIPLE_POINT) * torch.exp(mass * (-1.0 / _TRACE))


def snow_step(
    pack: SnowPack,
    falling: SnowPack,
    rain: Callable[[Tensor], Tensor],
    sublimation: Tensor,
    heat: SnowHeat,
    holds: bool,
) -> SnowStep:
    r"""Step a pack of one layer by mass and energy: cold and dry, or at 273.16 K and wet.

    With ice :math:`i` and temperature :math:`T` before, snowfall :math:`F` of temperature :math:`T_F` and sublimation
    :math:`E_s` (negative for hoar frost), the ice that is left before melting, :math:`m = i - E_s + F`, would have

    .. math:: T_w = \frac{(i - E_s) T + F T_F}{m} + \Delta T, \qquad T' = \min(T_w, T_0), \qquad
              w = e^{(T' - T_0) / 0.3\,K}

    Heat above the melting point melts, so that :math:`c_i m (T_w - T')/ L_f + w M + M_g` of the ice melts, at most all
    of it, with :math:`M` by further heat, which does not reach cold snow, and :math:`M_g` by warm ground. Of the liquid
    water, that of the pack and the rain on it, :math:`1 - w` freezes, as cold snow is dry; :math:`\Delta T` is what is
    left of the heat beyond that of freezing. Liquid water beyond 3 % of the ice flows out. Mass before, snowfall and
    rain so equal mass after, sublimation and outflow, and snow that melts completely is exactly zero.

    Parameters
    ----------
    pack : SnowPack
        Snow before the step, of shape (...), as all fields.
    falling : SnowPack
        Snowfall [kg m-2] and its temperature [K].
    rain : callable
        Rain on the pack [kg m-2] for the ice that is left without it [kg m-2].
    sublimation : Tensor
        Sublimation over the step [kg m-2].
    heat : SnowHeat
        :math:`\Delta T` of either sign, and :math:`M` and :math:`M_g`, not below zero.
    holds : bool
        Whether the pack can hold liquid water; if not, all of it flows out.

    Source: ecLand's snow scheme, srfsn_webal_mod.F90, as one layer. In ecLand's output wet snow is never below 273.0 K.
    With ecLand's phase change the outflow is ecLand's to .24 kg m-2, root mean square of steps with outflow, against
    5.0 of the outflow itself (correlation .999; trained points without lake or town, 2018 to 2021).
    """
    ice = torch.relu(pack.sd - pack.slw)
    sublimated = torch.minimum(sublimation, ice + falling.sd)
    solid, older = ice + falling.sd - sublimated, torch.relu(ice - sublimated)
    mixed = (older * (pack.tsn - TRIPLE_POINT) + falling.sd * (falling.tsn - TRIPLE_POINT)) / (
        older + falling.sd
    ).clamp_min(NO_SNOW)
    warmth = mixed + heat.warming
    cold = warmth.clamp_max(0.0)
    wet = torch.exp((cold * (1.0 / _NEAR)).clamp_min(-_COLDEST))
    melted = (ICE_SPECIFIC_HEAT / LATENT_HEAT_FUSION) * solid * (warmth - cold) + wet * heat.melt + heat.ground
    melted = torch.minimum(melted, solid)
    left = solid - melted
    liquid = torch.minimum(pack.slw, pack.sd) + rain(left)
    frozen = (1.0 - wet) * liquid
    after = left + frozen
    water = liquid + melted - frozen
    kept = torch.minimum(water, LIQUID_SHARE * after) if holds else torch.zeros_like(water)
    sd = after + kept
    return SnowStep(SnowPack(sd, kept, snow_property("tsn", TRIPLE_POINT + cold, sd)), sublimated, water - kept)


def aged_albedo(asn: Tensor, melting: Tensor, snowfall: Tensor, sd: Tensor) -> Tensor:
    r"""Return the albedo of snow after 6 h, lowered by age and raised by fresh snow.

    .. math:: a' = a_x - (a_x - a_o)\, e^{-F/F_0}, \qquad
              a_o = m \bigl(a_n + (a - a_n) e^{-\Delta t/\tau_m}\bigr) + (1 - m) (a - \Delta t/\tau_c)

    within :math:`a_n` = .5 and :math:`a_x` = .85, with snowfall :math:`F`, :math:`F_0` = 10 kg m-2, the share
    ``melting`` :math:`m` of the step in which the snow at the top melts or freezes again [1], :math:`1/\tau_m` = .24
    and :math:`1/\tau_c` = .008 d-1. Without snow after the step (``sd``) it is :math:`a_x`. With the best m of each
    step it is ecLand's to .0006 (root mean square; its change is .012). Source: ecLand, srfsn_asn_mod.F90.
    """
    fast = SNOW_ALBEDO_MIN + (asn - SNOW_ALBEDO_MIN) * _MELTING_AGEING
    slow = asn - _COLD_AGEING
    aged = (slow + melting * (fast - slow)).clamp(SNOW_ALBEDO_MIN, SNOW_ALBEDO_MAX)
    fresh = SNOW_ALBEDO_MAX - (SNOW_ALBEDO_MAX - aged) * torch.exp(-snowfall / _FRESH_SNOW)
    return snow_property("asn", fresh, sd)


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
