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
    FREEZING_END,
    FREEZING_START,
    ICE_CONDUCTIVITY,
    LATENT_HEAT_FUSION,
    MATTER_CONDUCTIVITY,
    MATTER_DENSITY,
    MATTER_HEAT_CAPACITY,
    SOIL_LAYER_THICKNESS,
    STEP_SECONDS,
    WATER_CONDUCTIVITY,
    WATER_DENSITY,
    WATER_HEAT_CAPACITY,
)
from anemoi_ailand.physics.layers import by_layer, layer_thickness, solve_tridiagonal, stack_layers
from anemoi_ailand.physics.soil import Soil, frozen_fraction, frozen_slope

#: Temperatures closer than this are equal in a difference quotient [K].
_NEAR = 0.05

#: Middle of the range in which soil water freezes, half of its width [K], and a quarter of a turn.
_MIDDLE, _HALF_RANGE = 0.5 * (FREEZING_START + FREEZING_END), 0.5 * (FREEZING_START - FREEZING_END)
_QUARTER = 0.5 * math.pi

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


def heat_content(temperature: Tensor, vegetation: Tensor, soil: Soil) -> Tensor:
    r"""Return the heat of soil with the water that freezes in it,

    .. math:: H(T) = C_0 (T - T_m) + L \rho c_v \theta_c \bigl(\tfrac12 - f(T)\bigr), \qquad H'(T) = C(T)

    relative to the middle :math:`T_m` of the range of freezing; :math:`C_0` is :func:`heat_capacity` without freezing.

    Shapes: temperature (..., layer) [K], vegetated fraction (..., 1) [1] -> (..., layer) [J m-3].
    """
    latent = _latent_heat(vegetation, soil)
    return _dry_capacity(soil) * (temperature - _MIDDLE) + latent * (0.5 - frozen_fraction(temperature))


def temperature_of(content: Tensor, vegetation: Tensor, soil: Soil) -> Tensor:
    r"""Return the temperature with a given :func:`heat_content`, to rounding.

    With :math:`x = T - T_m` and :math:`y = H / C_0` in units of half the range of freezing (1 K), and
    :math:`r = L \rho c_v \theta_c / 2 C_0`, it is the zero of :math:`x + r \sin(\pi x / 2) - y`. The start is between
    the solutions for much and for no latent heat; one step of Halley's method (to .003) and two of Newton's follow.

    Shapes: (..., layer) [J m-3], vegetated fraction (..., 1) [1] -> (..., layer) [K].
    """
    unit = _dry_capacity(soil) * _HALF_RANGE
    ratio = 0.5 * _latent_heat(vegetation, soil) / unit
    y, edge = content / unit, 1.0 + ratio
    inside = torch.minimum(torch.maximum(y, -edge), edge)
    # the last step alone is differentiated: near the zero it has the derivative of the solution
    y0, ratio0 = inside.detach(), ratio.detach()
    x = _newton(_newton(_near_zero(y0, ratio0), y0, ratio0).detach(), inside, ratio)
    return _MIDDLE + _HALF_RANGE * (x + (y - inside))


def _newton(x: Tensor, y: Tensor, ratio: Tensor) -> Tensor:
    angle = _QUARTER * x
    return x - (x + ratio * torch.sin(angle) - y) / (1.0 + _QUARTER * ratio * torch.cos(angle))


def _near_zero(y: Tensor, ratio: Tensor) -> Tensor:
    """Return about the zero of x + r sin(pi x / 2) - y for y from -(1 + r) to 1 + r."""
    share = y / (1.0 + ratio)
    x = (share + ratio * _quarter_arcsine(share)) / (1.0 + ratio)
    angle = _QUARTER * x
    sine = ratio * torch.sin(angle)
    value, slope, bend = x + sine - y, 1.0 + _QUARTER * ratio * torch.cos(angle), -(_QUARTER**2) * sine
    return x - value * slope / (slope * slope - 0.5 * value * bend)


def _quarter_arcsine(x: Tensor) -> Tensor:
    """Return the arc sine in quarters of a turn to 4e-5: a start, which ONNX runtime has in double precision as well.

    Source: Abramowitz and Stegun (1964), 4.4.45.
    """
    size = x.abs().clamp_max(1.0)
    polynomial = 1.5707288 + size * (-0.2121144 + size * (0.0742610 - 0.0187293 * size))
    return torch.sign(x) * (1.0 - torch.sqrt(1.0 - size) * polynomial / _QUARTER)


def _dry_capacity(soil: Soil) -> Tensor:
    """Return the heat capacity without freezing (..., 1) [J m-3 K-1]."""
    return (1.0 - soil.saturated) * MATTER_HEAT_CAPACITY + soil.capacity * WATER_HEAT_CAPACITY


def _latent_heat(vegetation: Tensor, soil: Soil) -> Tensor:
    """Return the heat that freezing all water releases (..., 1) [J m-3]."""
    return LATENT_HEAT_FUSION * WATER_DENSITY * vegetation * soil.capacity


def _capacity(slope: Tensor, vegetation: Tensor, soil: Soil) -> Tensor:
    return _dry_capacity(soil) + _latent_heat(vegetation, soil) * slope


def diffuse(temperature: Tensor, top: Tensor, conductance: Tensor, vegetation: Tensor, soil: Soil) -> Tensor:
    r"""Step the temperature of soil in which water freezes: the heat that flows is the heat that is stored,

    .. math:: \Delta z_k \bigl(H_k(T_k') - H_k(T_k)\bigr) = \Delta t\, (G_{k-1/2} - G_{k+1/2})

    with the flows :math:`G` of :func:`heat_step`. That is taken twice, first with the heat capacity of the start, then
    with the mean one between the start and the temperature that its flows give. So no heat is lost or made, however
    much water freezes within a step: against the equation solved exactly, the second layer errs by .004 K (root mean
    square over random columns within a few K of freezing) and no column by more than 3 W m-2. ecLand takes steps of
    half an hour, each with the capacity of its start.

    Parameters
    ----------
    temperature : Tensor, shape (..., layer)
        Temperature of the layers below the first [K].
    top : Tensor, shape (...)
        Mean temperature of the first layer over the step [K].
    conductance : Tensor, shape (..., layer)
        Conductance above each layer [W m-2 K-1].
    vegetation : Tensor, shape (..., 1)
        Vegetated fraction [1].
    soil : Soil
        Parameters of the soil.

    Returns shape (..., layer) [K].
    """
    depth = by_layer(SOIL_LAYER_THICKNESS[1:], temperature)
    content = heat_content(temperature, vegetation, soil)
    capacity = heat_capacity(temperature, vegetation, soil)
    for correction in (True, False):
        flowed = heat_step(temperature, top, conductance, capacity * depth)
        after = temperature_of(content + _gain(temperature, flowed, top, conductance) / depth, vegetation, soil)
        if correction:
            capacity = mean_heat_capacity(temperature, after, vegetation, soil)
    return after


def _gain(before: Tensor, after: Tensor, top: Tensor, conductance: Tensor) -> Tensor:
    """Return the heat that flows into each layer during a step (..., layer) [J m-2]."""
    means = [top, *(0.5 * (before + after)).unbind(-1)]
    flow = [STEP_SECONDS * g * (a - b) for g, (a, b) in zip(conductance.unbind(-1), pairwise(means), strict=True)]
    return stack_layers([*(into - out for into, out in pairwise(flow)), flow[-1]])


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
