# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Water in the soil over one step: van Genuchten's properties, Richards' equation, and no water lost."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS
from anemoi_ailand.physics.soil import Soil
from anemoi_ailand.physics.tridiagonal import solve_tridiagonal

#: Effective saturation is kept between these, where both properties are finite.
_DRIEST, _WETTEST = 0.02, 0.999

#: Share of saturated water above which ecLand lets water pass as in saturated soil. ecLand, srfwexc_vg_mod.F90.
FULL = 0.999

#: Steps of soil water within a step of 6 h.
N_SUBSTEPS = 6


def hydraulic_properties(theta: Tensor, soil: Soil) -> tuple[Tensor, Tensor]:
    r"""Hydraulic conductivity and diffusivity of Mualem and van Genuchten.

    With :math:`S = (\theta - \theta_r)/(\theta_s - \theta_r)`, :math:`m = 1 - 1/n` and
    :math:`a = (1 - S^{1/m})^m`,

    .. math:: K = K_s S^{\lambda} (1 - a)^2, \qquad
              D = \frac{(1-m) K_s}{\alpha m (\theta_s - \theta_r)} S^{\lambda - 1/m}\, \frac{(1 - a)^2}{a}.

    Parameters
    ----------
    theta : Tensor, shape (..., layer)
        Soil water [m3 m-3]; effective saturation is limited to 0.02 ... 0.999.
    soil : Soil
        Constants of each point.

    Returns
    -------
    conductivity : Tensor [m s-1]
    diffusivity : Tensor [m2 s-1]

    Source: van Genuchten (1980), doi:10.2136/sssaj1980.03615995004400050002x; ecLand, srfwexc_vg_mod.F90. The form
    :math:`(1-a)^2/a = a + 1/a - 2` and ``expm1`` keep the digits that the usual form loses in dry soil.
    """
    span, m = soil.saturated - soil.residual, 1.0 - 1.0 / soil.exponent
    log_s = torch.log(((theta - soil.residual) / span).clamp(_DRIEST, _WETTEST))
    log_a = m * torch.log1p(-torch.exp(log_s / m))
    square = torch.expm1(log_a).square()
    conductivity = soil.conductivity * torch.exp(soil.mualem * log_s) * square
    factor = (1.0 - m) * soil.conductivity / (soil.alpha * m * span)
    return conductivity, factor * torch.exp((soil.mualem - 1.0 / m) * log_s - log_a) * square


def richards_step(water: Tensor, depth: Tensor, gain: Tensor, gravity: Tensor, diffusion: Tensor) -> Tensor:
    r"""Water of the layers after the step, diffusion implicit and gravity explicit; water is only moved.

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
        What each layer gains over the step from infiltration, evaporation and roots [m].
    gravity : Tensor, shape (..., layer)
        :math:`\gamma`, what gravity moves out of the bottom of each layer over the step [m]; the last is drainage.
    diffusion : Tensor, shape (..., layer - 1)
        :math:`d` between neighbouring layers over the step [m].

    Returns shape (..., layer) [m]; may be below zero or above saturation, see :func:`fill_deficits`.
    Source: ecLand, srfwexc_vg_mod.F90; IFS Documentation CY49R1, Part IV, section 8.6.
    """
    zero = torch.zeros_like(water[..., :1])
    rhs = (water + gain - gravity + torch.cat([zero, gravity[..., :-1]], -1)) / depth
    exchange = torch.cat([diffusion, zero], -1) + torch.cat([zero, diffusion], -1)
    theta = solve_tridiagonal(-diffusion / depth[1:], 1.0 + exchange / depth, -diffusion / depth[:-1], rhs)
    # the fluxes that belong to the solution, not the solution itself: so rounding cannot make water
    between = gravity[..., :-1] + diffusion * (theta[..., :-1] - theta[..., 1:])
    outflow = torch.cat([between, gravity[..., -1:]], -1)
    return water + gain + torch.cat([zero, between], -1) - outflow


def fill_deficits(water: Tensor) -> tuple[Tensor, Tensor]:
    """Move water up until no layer is below zero.

    Returns
    -------
    water : Tensor, shape (..., layer)
        Not below zero [m].
    deficit : Tensor, shape (...)
        What was missing in the whole column [m], to be taken off the drainage; its sum with ``water`` is closed.
    """
    layers = list(water.unbind(-1))
    for k in range(len(layers) - 1):
        missing = torch.relu(-layers[k])
        layers[k], layers[k + 1] = layers[k] + missing, layers[k + 1] - missing
    deficit = torch.relu(-layers[-1])
    layers[-1] = layers[-1] + deficit
    return torch.stack(layers, dim=-1), deficit


class MovedWater(NamedTuple):
    """Soil water after a step (..., layer) [m3 m-3], what ran off the surface and what drained (...) [m]."""

    theta: Tensor
    surface: Tensor
    drained: Tensor


def move_water(theta: Tensor, soil: Soil, gain: Tensor, gravity: Tensor, diffusion: Tensor) -> MovedWater:
    r"""Soil water after 6 h by Richards' equation, in steps of an hour.

    Conductivity rises by orders of magnitude near saturation, so that over 6 h at once water is moved that would
    long have run dry, or stays that would be gone. Conductivity and diffusivity at the bottom of a layer are those of
    the wetter of the two that it parts; above 0.999 of saturation conductivity is :math:`K_s`. What a layer cannot hold
    runs off on the surface if it is the first, else it drains.

    Parameters
    ----------
    theta : Tensor, shape (..., layer)
        Soil water at the start [m3 m-3].
    soil : Soil
        Constants of each point.
    gain : Tensor, shape (..., layer)
        What each layer gains over the 6 h from infiltration, evaporation and roots [m].
    gravity, diffusion : Tensor, shape (..., layer), (..., layer - 1)
        Time for which water moves at the bottom of each layer [s]: all of the step, less in frozen soil.

    Source: ecLand, srfwexc_vg_mod.F90, srfwng_mod.F90, whose steps have 30 minutes.
    """
    depth = torch.as_tensor(SOIL_LAYER_THICKNESS, dtype=theta.dtype, device=theta.device)
    full, saturated = FULL * soil.saturated, soil.saturated * depth
    gain, gravity = gain / N_SUBSTEPS, gravity / N_SUBSTEPS
    diffusion = diffusion / (N_SUBSTEPS * 0.5 * (depth[:-1] + depth[1:]))
    water = theta * depth
    surface = drained = torch.zeros_like(theta[..., 0])
    for _ in range(N_SUBSTEPS):
        theta = water / depth
        wetter = torch.cat([torch.maximum(theta[..., :-1], theta[..., 1:]), theta[..., -1:]], dim=-1)
        conductivity, diffusivity = hydraulic_properties(wetter, soil)
        falling = gravity * torch.where(wetter > full, soil.conductivity, conductivity)
        water, deficit = fill_deficits(richards_step(water, depth, gain, falling, diffusion * diffusivity[..., :-1]))
        excess = torch.relu(water - saturated)
        water = water - excess
        surface = surface + excess[..., 0]
        drained = drained + falling[..., -1] - deficit + excess[..., 1:].sum(-1)
    return MovedWater(water / depth, surface, drained)
