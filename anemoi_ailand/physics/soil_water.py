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

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS, STEP_SECONDS
from anemoi_ailand.physics.elementary import expm1
from anemoi_ailand.physics.layers import each_layer, solve_tridiagonal, stack_layers
from anemoi_ailand.physics.runoff import DECIDING_DEPTH, URBAN_SATURATED, surface_runoff
from anemoi_ailand.physics.soil import Soil

#: Range of effective saturation in which both properties are finite.
_DRIEST, _WETTEST = 0.02, 0.999

#: Share of saturation above which the conductivity is that of saturated soil. ecLand, srfwexc_vg_mod.F90.
FULL = 0.999

#: Substeps of soil water in a step of 6 h: half an hour each, as in ecLand.
N_SUBSTEPS = 12

#: Length of a substep [s], and inverse distances between the centres of neighbouring layers [m-1].
_HALF_HOUR = STEP_SECONDS / N_SUBSTEPS
_PER_DISTANCE = tuple(2.0 / (a + b) for a, b in pairwise(SOIL_LAYER_THICKNESS))

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


class Ice(NamedTuple):
    """Frozen fraction of the soil water at both ends of a step (..., layer) [1]."""

    before: Tensor
    after: Tensor


class Arriving(NamedTuple):
    """Water that reaches the ground in a step of 6 h, all of shape (...).

    ``amount`` [m]; ``lateness`` from -1 (decreases to zero) over 0 (steady) to 1 (increases from zero); ``exponent`` of
    the distribution of capacities, fraction ``urban`` of sealed ground and factor ``odds`` of the runoff, see
    :func:`~anemoi_ailand.physics.runoff.surface_runoff`.
    """

    amount: Tensor
    lateness: Tensor
    exponent: Tensor
    urban: Tensor
    odds: Tensor


class MovedWater(NamedTuple):
    """Soil water after a step (..., layer) [m3 m-3], surface runoff and drainage (...) [m]."""

    theta: Tensor
    surface: Tensor
    drained: Tensor


def move_water(theta: Tensor, soil: Soil, ice: Ice, arriving: Arriving, gain: Tensor) -> MovedWater:
    r"""Move soil water over 6 h by Richards' equation, in ecLand's steps of half an hour.

    Conductivity rises by orders of magnitude near saturation and jumps to :math:`K_s` above 0.999 of it, so that wet
    soil drains in bursts, which longer steps miss: given the water of 6 h, sub-surface runoff correlates with ecLand's
    by 0.67 in one step, 0.88 in six and 0.94 in twelve. Conductivity and diffusivity between two layers are those of
    the wetter one. Water above saturation runs off from the first layer and drains from the others. Evaporation from an
    empty column is repaid by the next water, or by the runoff at the end of the step. Between two layers water moves in
    the share of the time in which the less frozen one is thawed.

    Parameters
    ----------
    theta : Tensor, shape (..., layer)
        Soil water at the start [m3 m-3].
    soil : Soil
        Parameters of each point.
    ice : Ice
        Frozen fractions, between which each half hour has its own.
    arriving : Arriving
        Water that reaches the ground, before runoff.
    gain : Tensor, shape (..., layer)
        Gain of each layer over the 6 h by evaporation and root uptake [m].

    Source: ecLand, srfwexc_vg_mod.F90, srfwng_mod.F90.
    """
    column, setting = begin_water(theta, soil, ice, arriving, gain)
    for number in range(N_SUBSTEPS):
        column = substep(column, setting, lateness_of(number))
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
    room: Tensor
    ice: tuple[Tensor, ...]
    freezing: tuple[Tensor, ...]
    gains: tuple[Tensor, ...]
    arriving: Arriving


def begin_water(theta: Tensor, soil: Soil, ice: Ice, arriving: Arriving, gain: Tensor) -> tuple[Column, Setting]:
    """Return the column and its setting at the start of a step, for the arguments of :func:`move_water`."""
    depth = SOIL_LAYER_THICKNESS
    wilting, saturated, fastest = (v.squeeze(-1) for v in (soil.wilting, soil.saturated, soil.conductivity))
    setting = Setting(
        curve=_curve_of(soil),
        wilting=wilting,
        full=FULL * saturated,
        fastest=fastest,
        most=tuple(saturated * d for d in depth),
        room=saturated + arriving.urban * (URBAN_SATURATED - saturated) - wilting,
        ice=ice.before.unbind(-1),
        freezing=((ice.after - ice.before) / N_SUBSTEPS).unbind(-1),
        gains=(gain / N_SUBSTEPS).unbind(-1),
        arriving=arriving,
    )
    none = torch.zeros_like(saturated)
    layers = tuple(w * d for w, d in zip(theta.unbind(-1), depth, strict=True))
    return Column(layers, none, none, none), setting


def substep(column: Column, setting: Setting, late: float | Tensor) -> Column:
    """Move water over half an hour; ``late`` is the place of the substep within the step, see :func:`lateness_of`."""
    layers, arriving = _per_depth(column.layers), setting.arriving
    number = (1.0 + late) * (0.5 * (N_SUBSTEPS - 1))
    ice = [before + number * change for before, change in zip(setting.ice, setting.freezing, strict=True)]
    flowing = [_HALF_HOUR * (1.0 - least) for least in (*(torch.minimum(a, b) for a, b in pairwise(ice)), ice[-1])]
    reaching = arriving.amount * ((1.0 + arriving.lateness * late) / N_SUBSTEPS)  # shares add up to one
    held, capacity = _deciding(layers, ice, setting)
    runoff = surface_runoff(reaching, held, capacity, arriving.exponent, arriving.odds)
    wetter = [*(torch.maximum(a, b) for a, b in pairwise(layers)), layers[-1]]
    conductivity, diffusivity = each_layer(_properties, wetter, setting.curve)
    conductivity = [
        torch.where(w > setting.full, setting.fastest, k) for w, k in zip(wetter, conductivity, strict=True)
    ]
    falling = [s * k for s, k in zip(flowing, conductivity, strict=True)]
    diffusion = [s * per * d for s, per, d in zip(flowing[:-1], _PER_DISTANCE, diffusivity[:-1], strict=True)]
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


def lateness_of(number: int) -> float:
    """Return the place of a substep within the step, from -1 (first) to 1 (last)."""
    return 2.0 * number / (N_SUBSTEPS - 1) - 1.0


def _per_depth(water: Sequence[Tensor]) -> list[Tensor]:
    """Return the soil water of the layers [m3 m-3] from their water [m]."""
    return [w * (1.0 / d) for w, d in zip(water, SOIL_LAYER_THICKNESS, strict=True)]


def _deciding(layers: Sequence[Tensor], ice: Sequence[Tensor], setting: Setting) -> tuple[Tensor, Tensor]:
    """Return the water down to :data:`DECIDING_DEPTH` that counts for surface runoff, and its maximum (...) [m]."""
    held, capacity = [], []
    for within, layer, frozen in zip(_WITHIN, layers, ice, strict=True):
        if within:
            thawed = 1.0 - frozen
            held.append(within * (torch.relu(layer - setting.wilting) * thawed + setting.wilting))
            capacity.append(within * (setting.room * thawed + setting.wilting))
    return sum(held[1:], held[0]), sum(capacity[1:], capacity[0])
