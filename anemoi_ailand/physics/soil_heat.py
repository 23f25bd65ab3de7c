# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Soil heat below the first layer over one step: conductivity, capacity with freezing, implicit diffusion."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor

from anemoi_ailand.constants import (
    ICE_CONDUCTIVITY,
    LATENT_HEAT_FUSION,
    MATTER_CONDUCTIVITY,
    MATTER_DENSITY,
    MATTER_HEAT_CAPACITY,
    STEP_SECONDS,
    WATER_CONDUCTIVITY,
    WATER_DENSITY,
    WATER_HEAT_CAPACITY,
)
from anemoi_ailand.physics.layers import layer_thickness, solve_tridiagonal, stack_layers
from anemoi_ailand.physics.soil import Soil, frozen_fraction, frozen_slope

#: Temperatures closer than this are equal in a difference quotient [K].
_NEAR = 0.05

#: Driest soil in Kersten's number, as a share of saturation. ecLand, RKERST1.
_KERSTEN_MIN = 0.1


def heat_conductivity(theta: Tensor, temperature: Tensor, soil: Soil) -> Tensor:
    r"""Return the heat conductivity of soil, :math:`\lambda = \lambda_d + K_e (\lambda_s - \lambda_d)`.

    :math:`\lambda_s = \lambda_m^{1-\theta_s} \lambda_i^{\theta_s f} \lambda_w^{\theta_s (1-f)}`, Kersten's number
    :math:`K_e = \log_{10} \max(0.1, \theta / \theta_s) + 1`, dry conductivity from the dry density.

    Shapes: water [m3 m-3] and temperature [K], (..., layer) -> (..., layer) [W m-1 K-1].
    Source: Peters-Lidard et al. (1998), doi:10.1175/1520-0469(1998)055<1209:TEOSTC>2.0.CO;2; ecLand, srft_mod.F90.
    """
    matter = 1.0 - soil.saturated
    density = matter * MATTER_DENSITY
    dry = (0.135 * density + 64.7) / (MATTER_DENSITY - 0.947 * density)
    frozen = frozen_fraction(temperature)
    water = frozen * math.log(ICE_CONDUCTIVITY) + (1.0 - frozen) * math.log(WATER_CONDUCTIVITY)
    saturated = torch.exp(matter * math.log(MATTER_CONDUCTIVITY) + soil.saturated * water)
    kersten = torch.log10((theta / soil.saturated).clamp_min(_KERSTEN_MIN)) + 1.0
    return dry + kersten * (saturated - dry)


def heat_capacity(temperature: Tensor, vegetation: Tensor, soil: Soil) -> Tensor:
    r"""Return the heat capacity of soil including the heat of freezing.

    .. math:: C = (1-\theta_s) C_m + \theta_c C_w - L \rho c_v \theta_c f'(T)

    As in ecLand: water at field capacity :math:`\theta_c`, and freezing in the vegetated fraction :math:`c_v` only.

    Shapes: temperature (..., layer) [K], vegetated fraction (..., 1) [1] -> (..., layer) [J m-3 K-1].
    Source: ecLand, srfrcg_mod.F90; IFS Documentation CY49R1, section 8.5.
    """
    return _capacity(frozen_slope(temperature), vegetation, soil)


def mean_heat_capacity(before: Tensor, after: Tensor, vegetation: Tensor, soil: Soil) -> Tensor:
    r"""Return the mean heat capacity over a step, with the water that freezes between its two ends.

    .. math:: C = (1-\theta_s) C_m + \theta_c C_w - L \rho c_v \theta_c \frac{f(T') - f(T)}{T' - T}

    ecLand updates :math:`f'(T)` every 30 minutes; over 6 h a layer can cross the whole range of freezing. ``after`` is
    a first guess. Shapes and units as in :func:`heat_capacity`.
    """
    change = after - before
    far = change.abs() > _NEAR
    secant = (frozen_fraction(after) - frozen_fraction(before)) / torch.where(far, change, torch.ones_like(change))
    slope = torch.where(far, -secant, frozen_slope(0.5 * (before + after)))
    return _capacity(slope, vegetation, soil)


def _capacity(slope: Tensor, vegetation: Tensor, soil: Soil) -> Tensor:
    base = (1.0 - soil.saturated) * MATTER_HEAT_CAPACITY + soil.capacity * WATER_HEAT_CAPACITY
    return base + LATENT_HEAT_FUSION * WATER_DENSITY * vegetation * soil.capacity * slope


def heat_step(temperature: Tensor, top: Tensor, conductance: Tensor, capacity: Tensor) -> Tensor:
    r"""Step soil temperature by Crank-Nicolson diffusion, without heat flux through the bottom.

    .. math:: C_k \Delta z_k \frac{T_k' - T_k}{\Delta t} = G_{k-1/2} - G_{k+1/2}, \qquad
              G_{k+1/2} = g_{k+1/2}\, (\bar T_k - \bar T_{k+1})

    with :math:`\bar T` the mean of both ends of the step.

    Parameters
    ----------
    temperature : Tensor, shape (..., layer)
        Temperature of the layers below the first [K].
    top : Tensor, shape (...)
        Mean temperature of the first layer over the step [K].
    conductance : Tensor, shape (..., layer)
        :math:`g` above each layer [W m-2 K-1].
    capacity : Tensor, shape (..., layer)
        :math:`C_k \Delta z_k` [J m-2 K-1].

    Returns shape (..., layer) [K]. Source: ecLand, srft_mod.F90, whose steps of 30 minutes are fully implicit.
    """
    above = [0.5 * STEP_SECONDS * g for g in conductance.unbind(-1)]
    inverse, layers = [1.0 / c for c in capacity.unbind(-1)], temperature.unbind(-1)
    flow = [
        above[0] * (2.0 * top - layers[0]),
        *(g * (a - b) for g, (a, b) in zip(above[1:], pairwise(layers), strict=True)),
    ]
    # no flow through the bottom
    gain = [*(into - out for into, out in pairwise(flow)), flow[-1]]
    exchange = [*(a + b for a, b in pairwise(above)), above[-1]]
    return stack_layers(
        solve_tridiagonal(
            [-g * c for g, c in zip(above[1:], inverse[1:], strict=True)],
            [1.0 + e * c for e, c in zip(exchange, inverse, strict=True)],
            [-g * c for g, c in zip(above[1:], inverse[:-1], strict=True)],
            [t + g * c for t, g, c in zip(layers, gain, inverse, strict=True)],
        )
    )


def layer_conductance(conductivity: Tensor) -> Tensor:
    r"""Return the conductance between the centres of neighbouring layers.

    .. math:: g_{k+1/2} = (\lambda_k + \lambda_{k+1}) / (\Delta z_k + \Delta z_{k+1})

    Shapes: (..., layer) [W m-1 K-1] -> (..., layer - 1) [W m-2 K-1]. Source: ecLand, srft_mod.F90.
    """
    depth = layer_thickness(conductivity)
    return (conductivity[..., :-1] + conductivity[..., 1:]) / (depth[:-1] + depth[1:])
