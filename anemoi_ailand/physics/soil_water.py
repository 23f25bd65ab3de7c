# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Water in the soil over one step: van Genuchten's properties, Richards' equation, and no water lost."""

from __future__ import annotations

import torch
from torch import Tensor

from anemoi_ailand.physics.soil import Soil
from anemoi_ailand.physics.tridiagonal import solve_tridiagonal

#: Effective saturation is kept between these, where both properties are finite.
_DRIEST, _WETTEST = 0.02, 0.999

#: Share of saturated water above which ecLand lets water pass as in saturated soil. ecLand, srfwexc_vg_mod.F90.
FULL = 0.999


def hydraulic_properties(theta: Tensor, soil: Soil) -> tuple[Tensor, Tensor]:
    r"""Hydraulic conductivity and diffusivity of Mualem and van Genuchten.

    With :math:`S = (\theta - \theta_r)/(\theta_s - \theta_r)`, :math:`m = 1 - 1/n` and
    :math:`a = (1 - S^{1/m})^m`,

    .. math:: K = K_s S^{\lambda} (1 - a)^2, \qquad
              D = \frac{(1-m) K_s}{\alpha m (\theta_s - \theta_r)} S^{\lambda - 1/m}\, \frac{(1 - a)^2}{a}.

    Parameters
    ----------
    theta : Tensor, shape (..., layer)
        Soil water [m3 m-3]; effective saturation is limited to 0.02 ... 0.999. ecLand jumps to :math:`K_s` above that,
        which in its steps of 30 minutes lasts for moments; over 6 h it would empty a layer.
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


def overflow(water: Tensor, full: Tensor, most: Tensor) -> tuple[Tensor, Tensor]:
    r"""Let the layers below the first pass on what they hold above ``full``, from the top down.

    .. math:: o_k = \min\bigl(\max(w_k - w^{full}_k, 0),\, m_k\bigr), \qquad k = 2 \dots

    A layer that is full lets through what it gets, at the conductivity of saturated soil, while its water stays where
    it is: so ecLand drains wet ground within its steps of 30 minutes. Over 6 h only the passing on is left of it.

    Parameters
    ----------
    water : Tensor, shape (..., layer)
        Water of each layer [m].
    full : Tensor, shape (..., layer)
        Water at which a layer is full [m].
    most : Tensor, shape (..., layer)
        The most that passes the bottom of each layer over the step [m].

    Returns
    -------
    water : Tensor, shape (..., layer)
        After the passing on [m]; the first layer as it was.
    drained : Tensor, shape (...)
        What left the last layer [m].

    Source: ecLand, srfwexc_vg_mod.F90, where conductivity is :math:`K_s` above 0.999 of saturation.
    """
    layers, holds, limits = (list(v.unbind(-1)) for v in torch.broadcast_tensors(water, full, most))
    passed = torch.zeros_like(layers[0])
    for k in range(1, len(layers)):
        there = layers[k] + passed
        passed = torch.minimum(torch.relu(there - holds[k]), limits[k])
        layers[k] = there - passed
    return torch.stack(layers, dim=-1), passed
