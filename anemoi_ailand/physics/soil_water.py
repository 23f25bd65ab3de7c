# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Soil water over one step by Richards' equation with van Genuchten's properties, mass conserving."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS
from anemoi_ailand.physics.elementary import expm1
from anemoi_ailand.physics.layers import by_layer, each_layer, solve_tridiagonal, stack_layers
from anemoi_ailand.physics.rain import N_HALF_HOURS
from anemoi_ailand.physics.runoff import DECIDING_DEPTH, URBAN_SATURATED, surface_runoff
from anemoi_ailand.physics.soil import Soil

#: Range of effective saturation in which both properties are finite.
_DRIEST, _WETTEST = 0.02, 0.999

#: Share of saturation above which the conductivity is that of saturated soil. ecLand, srfwexc_vg_mod.F90.
FULL = 0.999

#: Substeps of soil water in a step of 6 h: half an hour each, as in ecLand.
N_SUBSTEPS = N_HALF_HOURS

#: Part of each layer above :data:`DECIDING_DEPTH` [m].
_WITHIN = tuple(
    min(max(DECIDING_DEPTH - sum(SOIL_LAYER_THICKNESS[:k]), 0.0), depth) for k, depth in enumerate(SOIL_LAYER_THICKNESS)
)


def hydraulic_properties(theta: Tensor, soil: Soil) -> tuple[Tensor, Tensor]:
    r"""Return the hydraulic conductivity and diffusivity of Mualem and van Genuchten.

    With :math:`S = (\theta - \theta_r)/(\theta_s - \theta_r)`, :math:`m = 1 - 1/n` and
    :math:`a = (1 - S^{1/m})^m`,

    .. math:: K = K_s S^{\lambda} (1 - a)^2, \qquad
              D = \frac{(1-m) K_s}{\alpha m (\theta_s - \theta_r)} S^{\lambda - 1/m}\, \frac{(1 - a)^2}{a}.

    Parameters
    ----------
    theta : Tensor, shape (..., layer)
        Soil water [m3 m-3]; effective saturation is limited to 0.02 ... 0.999.
    soil : Soil
        Parameters of each point, see :func:`~anemoi_ailand.physics.soil.soil_of`.

    Returns
    -------
    conductivity, diffusivity : Tensor, shape (..., layer)
        :math:`K` [m s-1] and :math:`D` [m2 s-1].

    Source: van Genuchten (1980), doi:10.2136/sssaj1980.03615995004400050002x; ecLand, srfwexc_vg_mod.F90. The form
    :math:`(1-a)^2/a = a + 1/a - 2` and ``expm1`` keep digits that the usual form loses in dry soil.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand import hydraulic_properties, soil_of, soil_table
    >>> soil = soil_of(torch.tensor([2.0]), soil_table())
    >>> conductivity, diffusivity = hydraulic_properties(torch.tensor([[0.1, 0.2, 0.3, 0.4]]), soil)
    >>> bool((conductivity.diff() > 0.0).all())  # the wetter, the more conductive
    True
    """
    return _properties(theta, _curve_of(soil))


class Curve(NamedTuple):
    """Constants of the hydraulic properties of a soil, shape (..., 1)."""

    residual: Tensor
    per_span: Tensor
    m: Tensor
    per_m: Tensor
    mualem: Tensor
    conductivity: Tensor
    capacity_scale: Tensor


def _curve_of(soil: Soil) -> Curve:
    m, per_span = 1.0 - 1.0 / soil.exponent, 1.0 / (soil.saturated - soil.residual)
    scale = (1.0 - m) * per_span / (soil.alpha * m)
    return Curve(soil.residual, per_span, m, 1.0 / m, soil.mualem, soil.conductivity, scale)


def _properties(theta: Tensor, curve: Curve) -> tuple[Tensor, Tensor]:
    log_s = torch.log(((theta - curve.residual) * curve.per_span).clamp(_DRIEST, _WETTEST))
    power = torch.exp(log_s * curve.per_m)
    less = expm1(curve.m * torch.log1p(-power))  # a - 1
    conductivity = curve.conductivity * torch.exp(curve.mualem * log_s) * less.square()
    return conductivity, curve.capacity_scale * conductivity / (power * (1.0 + less))


def richards_step(
    water: Sequence[Tensor], gain: Sequence[Tensor], gravity: Sequence[Tensor], diffusion: Sequence[Tensor]
) -> list[Tensor]:
    r"""Move water between layers over a substep, with implicit diffusion and explicit gravity; water is conserved.

    .. math:: w_k' = w_k + s_k + q_{k-1/2} - q_{k+1/2}, \qquad
              q_{k+1/2} = \gamma_{k+1/2} + d_{k+1/2} (\theta_k' - \theta_{k+1}')

    with :math:`w_k = \theta_k \Delta z_k`. All sequences hold one tensor (...) a layer.

    Parameters
    ----------
    water : sequence of Tensor
        Water of each layer [m].
    gain : sequence of Tensor
        Gain of each layer over the step by infiltration, evaporation and root uptake [m].
    gravity : sequence of Tensor
        :math:`\gamma`, flow by gravity through the bottom of each layer over the step [m]; the last is drainage.
    diffusion : sequence of Tensor
        :math:`d` between neighbouring layers over the step [m]; one less than there are layers.

    Returns the water of each layer [m]; may be below zero or above saturation, see :func:`fill_deficits`.
    Source: ecLand, srfwexc_vg_mod.F90; IFS Documentation CY49R1, Part IV, section 8.6.
    """
    per_depth = [1.0 / depth for depth in SOIL_LAYER_THICKNESS]
    exchange = [diffusion[0], *(a + b for a, b in pairwise(diffusion)), diffusion[-1]]
    from_above: list[Tensor | float] = [0.0, *gravity[:-1]]
    theta = solve_tridiagonal(
        [-d * per for d, per in zip(diffusion, per_depth[1:], strict=True)],
        [1.0 + e * per for e, per in zip(exchange, per_depth, strict=True)],
        [-d * per for d, per in zip(diffusion, per_depth[:-1], strict=True)],
        [(w + g - out + into) * per
         for w, g, out, into, per in zip(water, gain, gravity, from_above, per_depth, strict=True)],
    )  # fmt: skip
    # apply the fluxes of the solution, not the solution itself, so that rounding cannot create water
    between = [g + d * (a - b) for g, d, (a, b) in zip(gravity[:-1], diffusion, pairwise(theta), strict=True)]
    inflow: list[Tensor | float] = [0.0, *between]
    outflow = [*between, gravity[-1]]
    return [w + g + into - out for w, g, into, out in zip(water, gain, inflow, outflow, strict=True)]


def fill_deficits(water: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
    """Move water upwards until no layer is below zero; also return the deficit of the whole column [m].

    The deficit (...) has to be supplied from elsewhere: the sum of ``water``, one tensor (...) a layer, minus it is
    conserved.
    """
    layers = list(water)
    for k in range(len(layers) - 1):
        missing = torch.relu(-layers[k])
        layers[k], layers[k + 1] = layers[k] + missing, layers[k + 1] - missing
    deficit = torch.relu(-layers[-1])
    layers[-1] = layers[-1] + deficit
    return layers, deficit


class Arriving(NamedTuple):
    """Water that reaches the ground in a step of 6 h, all of shape (...).

    ``amounts`` of the half hours [m]; ``exponent`` of the distribution of capacities, fraction ``urban`` of sealed
    ground and factor ``odds`` of the runoff, if any, see :func:`~anemoi_ailand.physics.runoff.surface_runoff`.
    """

    amounts: tuple[Tensor, ...]
    exponent: Tensor
    urban: Tensor
    odds: Tensor | None = None


class MovedWater(NamedTuple):
    """Soil water after a step (..., layer) [m3 m-3], surface runoff and drainage (...) [m]."""

    theta: Tensor
    surface: Tensor
    drained: Tensor


def move_water(
    theta: Tensor, soil: Soil, frozen: Tensor, arriving: Arriving, gain: Tensor, seconds: Tensor
) -> MovedWater:
    r"""Move soil water over 6 h by Richards' equation, in ecLand's steps of half an hour.

    Conductivity rises by orders of magnitude near saturation and jumps to :math:`K_s` above 0.999 of it, so that wet
    soil drains in bursts, which longer steps miss: given the water of 6 h, sub-surface runoff correlates with ecLand's
    by 0.67 in one step, 0.88 in six and 0.94 in twelve. Conductivity and diffusivity between two layers are those of
    the wetter one. Water above saturation runs off from the first layer and drains from the others. Evaporation from an
    empty column is repaid by the next water, or by the runoff at the end of the step.

    Parameters
    ----------
    theta, frozen : Tensor, shape (..., layer)
        Soil water at the start [m3 m-3] and its frozen fraction over the step [1].
    soil : Soil
        Parameters of each point.
    arriving : Arriving
        Water that reaches the ground, before runoff.
    gain : Tensor, shape (..., layer)
        Gain of each layer over the 6 h by evaporation and root uptake [m].
    seconds : Tensor, shape (..., layer)
        Time during which water moves through the bottom of each layer [s]; less than the step in frozen soil.

    Source: ecLand, srfwexc_vg_mod.F90, srfwng_mod.F90.
    """
    column, setting = begin_water(theta, soil, frozen, arriving, gain, seconds)
    for reaching in arriving.amounts:
        column = substep(column, setting, reaching)
    return end_water(column)


class Column(NamedTuple):
    """Soil water within a step, one tensor (...) a layer, evaporation that is still owed, and runoff so far [m]."""

    layers: tuple[Tensor, ...]
    debt: Tensor
    surface: Tensor
    drained: Tensor


class Setting(NamedTuple):
    """Constants over the substeps of a step, one tensor (...) a layer: soil, and water that comes and goes."""

    curve: Curve
    wilting: Tensor
    full: Tensor
    fastest: Tensor
    most: tuple[Tensor, ...]
    ice: tuple[Tensor, ...]
    gains: tuple[Tensor, ...]
    flowing: tuple[Tensor, ...]
    per_distance: tuple[Tensor, ...]
    capacity: Tensor
    exponent: Tensor
    odds: Tensor | None = None


def begin_water(
    theta: Tensor, soil: Soil, frozen: Tensor, arriving: Arriving, gain: Tensor, seconds: Tensor
) -> tuple[Column, Setting]:
    """Return the column and its setting at the start of a step, for the arguments of :func:`move_water`."""
    depth, flowing = SOIL_LAYER_THICKNESS, (seconds / N_SUBSTEPS).unbind(-1)
    wilting, saturated, fastest = (v.squeeze(-1) for v in (soil.wilting, soil.saturated, soil.conductivity))
    setting = Setting(
        curve=_curve_of(soil),
        wilting=wilting,
        full=FULL * saturated,
        fastest=fastest,
        most=tuple(saturated * d for d in depth),
        ice=frozen.unbind(-1),
        gains=(gain / N_SUBSTEPS).unbind(-1),
        flowing=flowing,
        per_distance=tuple(s / (0.5 * (a + b)) for s, (a, b) in zip(flowing[:-1], pairwise(depth), strict=True)),
        capacity=_deciding_capacity(soil, frozen, arriving.urban),
        exponent=arriving.exponent,
        odds=arriving.odds,
    )
    none = torch.zeros_like(saturated)
    layers = tuple(w * d for w, d in zip(theta.unbind(-1), depth, strict=True))
    return Column(layers, none, none, none), setting


def substep(column: Column, setting: Setting, reaching: Tensor) -> Column:
    """Move water over half an hour, in which the water ``reaching`` the ground is given (...) [m]."""
    layers = _per_depth(column.layers)
    held = _held(layers, setting.wilting, setting.ice)
    runoff = surface_runoff(reaching, held, setting.capacity, setting.exponent, setting.odds)
    wetter = [*(torch.maximum(a, b) for a, b in pairwise(layers)), layers[-1]]
    conductivity, diffusivity = each_layer(_properties, wetter, setting.curve)
    conductivity = [
        torch.where(w > setting.full, setting.fastest, k) for w, k in zip(wetter, conductivity, strict=True)
    ]
    falling = [s * k for s, k in zip(setting.flowing, conductivity, strict=True)]
    diffusion = [s * d for s, d in zip(setting.per_distance, diffusivity[:-1], strict=True)]
    gained = [setting.gains[0] + (reaching - runoff - column.debt), *setting.gains[1:]]
    water, debt = fill_deficits(richards_step(column.layers, gained, falling, diffusion))
    excess = [torch.relu(w - m) for w, m in zip(water, setting.most, strict=True)]
    after = tuple(w - e for w, e in zip(water, excess, strict=True))
    surface = column.surface + runoff + excess[0]
    return Column(after, debt, surface, column.drained + falling[-1] + sum(excess[2:], excess[1]))


def end_water(column: Column) -> MovedWater:
    """Return the soil water at the end of a step; evaporation still owed is repaid by the runoff."""
    from_surface = torch.minimum(column.debt, column.surface)
    theta = stack_layers(_per_depth(column.layers))
    return MovedWater(theta, column.surface - from_surface, column.drained - (column.debt - from_surface))


def _per_depth(water: Sequence[Tensor]) -> list[Tensor]:
    """Return the soil water of the layers [m3 m-3] from their water [m]."""
    return [w * (1.0 / d) for w, d in zip(water, SOIL_LAYER_THICKNESS, strict=True)]


def _held(layers: Sequence[Tensor], wilting: Tensor, frozen: Sequence[Tensor]) -> Tensor:
    """Return the water that counts for surface runoff, down to :data:`DECIDING_DEPTH` (...) [m]."""
    parts = [
        within * (torch.relu(layer - wilting) * (1.0 - ice) + wilting)
        for within, layer, ice in zip(_WITHIN, layers, frozen, strict=True)
        if within
    ]
    return sum(parts[1:], parts[0])


def _deciding_capacity(soil: Soil, frozen: Tensor, urban: Tensor) -> Tensor:
    """Return the capacity of the soil down to :data:`DECIDING_DEPTH` (...) [m]."""
    saturated = soil.saturated + urban.unsqueeze(-1) * (URBAN_SATURATED - soil.saturated)
    most = (saturated - soil.wilting) * (1.0 - frozen) + soil.wilting
    return (most * by_layer(_WITHIN, most)).sum(-1)
