# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Soil water over one step by Richards' equation with van Genuchten's properties, mass conserving."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from anemoi_ailand.physics.layers import join_layers, layer_thickness, solve_tridiagonal, stack_layers
from anemoi_ailand.physics.runoff import DECIDING_DEPTH, URBAN_SATURATED, surface_runoff
from anemoi_ailand.physics.soil import Soil

#: Range of effective saturation in which both properties are finite.
_DRIEST, _WETTEST = 0.02, 0.999

#: Share of saturation above which the conductivity is that of saturated soil. ecLand, srfwexc_vg_mod.F90.
FULL = 0.999

#: Substeps of soil water in a step of 6 h: half an hour each, as in ecLand.
N_SUBSTEPS = 12


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
    span, m = soil.saturated - soil.residual, 1.0 - 1.0 / soil.exponent
    log_s = torch.log(((theta - soil.residual) / span).clamp(_DRIEST, _WETTEST))
    log_a = m * torch.log1p(-torch.exp(log_s / m))
    square = torch.expm1(log_a).square()
    conductivity = soil.conductivity * torch.exp(soil.mualem * log_s) * square
    factor = (1.0 - m) * soil.conductivity / (soil.alpha * m * span)
    return conductivity, factor * torch.exp((soil.mualem - 1.0 / m) * log_s - log_a) * square


def richards_step(water: Tensor, depth: Tensor, gain: Tensor, gravity: Tensor, diffusion: Tensor) -> Tensor:
    r"""Move water between layers over a substep, with implicit diffusion and explicit gravity; water is conserved.

    .. math:: w_k' = w_k + s_k + q_{k-1/2} - q_{k+1/2}, \qquad
              q_{k+1/2} = \gamma_{k+1/2} + d_{k+1/2} (\theta_k' - \theta_{k+1}')

    with :math:`w_k = \theta_k \Delta z_k`.

    Parameters
    ----------
    water : Tensor, shape (..., layer)
        Water of each layer [m].
    depth : Tensor, shape (layer,)
        Thickness of the layers [m].
    gain : Tensor, shape (..., layer)
        Gain of each layer over the step by infiltration, evaporation and root uptake [m].
    gravity : Tensor, shape (..., layer)
        :math:`\gamma`, flow by gravity through the bottom of each layer over the step [m]; the last is drainage.
    diffusion : Tensor, shape (..., layer - 1)
        :math:`d` between neighbouring layers over the step [m].

    Returns shape (..., layer) [m]; may be below zero or above saturation, see :func:`fill_deficits`.
    Source: ecLand, srfwexc_vg_mod.F90; IFS Documentation CY49R1, Part IV, section 8.6.
    """
    zero = torch.zeros_like(water[..., :1])
    rhs = (water + gain - gravity + join_layers([zero, gravity[..., :-1]])) / depth
    exchange = join_layers([diffusion, zero]) + join_layers([zero, diffusion])
    theta = solve_tridiagonal(-diffusion / depth[1:], 1.0 + exchange / depth, -diffusion / depth[:-1], rhs)
    # apply the fluxes of the solution, not the solution itself, so that rounding cannot create water
    between = gravity[..., :-1] + diffusion * (theta[..., :-1] - theta[..., 1:])
    outflow = join_layers([between, gravity[..., -1:]])
    return water + gain + join_layers([zero, between]) - outflow


def fill_deficits(water: Tensor) -> tuple[Tensor, Tensor]:
    """Move water upwards until no layer is below zero; also return the deficit of the whole column [m].

    The deficit (...) has to be supplied from elsewhere: ``water`` (..., layer) minus it is conserved.
    """
    layers = list(water.unbind(-1))
    for k in range(len(layers) - 1):
        missing = torch.relu(-layers[k])
        layers[k], layers[k + 1] = layers[k] + missing, layers[k + 1] - missing
    deficit = torch.relu(-layers[-1])
    layers[-1] = layers[-1] + deficit
    return stack_layers(layers), deficit


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
        Soil water at the start [m3 m-3] and its frozen fraction [1].
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
    depth = layer_thickness(theta)
    full, saturated = FULL * soil.saturated, soil.saturated * depth
    gain, seconds = gain / N_SUBSTEPS, seconds / N_SUBSTEPS
    per_distance = seconds[..., :-1] / (0.5 * (depth[:-1] + depth[1:]))
    held_by, capacity = _deciding_layers(soil, frozen, arriving.urban, depth)
    water = stack_layers((theta * depth).unbind(-1))
    surface = drained = debt = torch.zeros_like(theta[..., 0])
    for number in range(N_SUBSTEPS):
        theta = water / depth
        reaching = arriving.amount * _weight(number, arriving.lateness)
        held = ((torch.relu(theta - soil.wilting) * (1.0 - frozen) + soil.wilting) * held_by).sum(-1)
        runoff = surface_runoff(reaching, held, capacity, arriving.exponent, arriving.odds)
        wetter = join_layers([torch.maximum(theta[..., :-1], theta[..., 1:]), theta[..., -1:]])
        conductivity, diffusivity = hydraulic_properties(wetter, soil)
        falling = seconds * torch.where(wetter > full, soil.conductivity, conductivity)
        gained = join_layers([gain[..., :1] + (reaching - runoff - debt).unsqueeze(-1), gain[..., 1:]])
        water, debt = fill_deficits(richards_step(water, depth, gained, falling, per_distance * diffusivity[..., :-1]))
        excess = torch.relu(water - saturated)
        water = water - excess
        surface = surface + runoff + excess[..., 0]
        drained = drained + falling[..., -1] + excess[..., 1:].sum(-1)
    from_surface = torch.minimum(debt, surface)
    return MovedWater(water / depth, surface - from_surface, drained - (debt - from_surface))


def _weight(number: int, lateness: Tensor) -> Tensor:
    """Return the share of the water of 6 h that arrives in a substep; shares add up to one."""
    return (1.0 + lateness * (2.0 * number / (N_SUBSTEPS - 1) - 1.0)) / N_SUBSTEPS


def _deciding_layers(soil: Soil, frozen: Tensor, urban: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    """Return the thickness of each layer within :data:`DECIDING_DEPTH` (layer,) and its capacity (...) [m]."""
    top = torch.cumsum(depth, 0) - depth
    within = torch.minimum(torch.relu(DECIDING_DEPTH - top), depth)
    saturated = soil.saturated + urban.unsqueeze(-1) * (URBAN_SATURATED - soil.saturated)
    most = (saturated - soil.wilting) * (1.0 - frozen) + soil.wilting
    return within, (most * within).sum(-1)
