# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
r"""Stand-in for an atmosphere: departures of temperature and humidity of a mixed layer from prescribed weather.

.. math::
    \rho c_p h\,\frac{dT'}{dt} &= 1.2\,(H - H_0) - \rho c_p h\,\frac{T'}{\tau} \\
    \rho L h\,\frac{dq'}{dt} &= LE - LE_0 - \rho L w_e (q' - q'_r) - \rho L h\,\frac{q'}{\tau}

with the fluxes :math:`H, LE` of the land in the departing air and :math:`H_0, LE_0` of an uncoupled run of the same
land. The depth :math:`h` grows by encroachment from the heat of the uncoupled run (Tennekes 1973; McNaughton and
Spriggs 1986), with the entrainment :math:`w_e`, and is 150 m without growth while the ground takes heat; the air then
left above keeps its humidity :math:`q'_r`. The factor 1.2 is the heat entrained. The weather takes the departures back
within :math:`\tau`, which stands for all that a column lacks. Steps are implicit with the Jacobian of the network
(Best et al. 2004): an explicit exchange every 6 h would ring.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from anemoi_ailand import LandState, LandStepper
from anemoi_ailand.constants import LATENT_HEAT_VAPORISATION, STEP_SECONDS
from anemoi_ailand.coupling.height import saturation_humidity

#: Density [kg m-3] and specific heat [J kg-1 K-1] of air, fixed: the depth is known to tens of percent only.
DENSITY, SPECIFIC_HEAT = 1.2, 1004.0

#: Heat entrained at the top over that from the surface [1] (Tennekes 1973).
ENTRAINED = 0.2

#: Increase of potential temperature with height above the mixed layer [K m-1].
STRATIFICATION = 5.0e-3

#: Least and largest depth [m].
SHALLOW, DEEP = 150.0, 3000.0

#: Forcing that departs with the air's temperature and humidity.
WARMED, MOISTENED = ("t", "avg_t"), ("q", "avg_q")

#: Scale of the departures: one kelvin, and the humidity whose condensation heats air by it [K, kg kg-1].
SCALE = torch.tensor([1.0, SPECIFIC_HEAT / LATENT_HEAT_VAPORISATION], dtype=torch.float64)

#: Iterations of a step, its error at which they end, and the largest change in one [scaled departures].
ITERATIONS, CONVERGED, FARTHEST = 6, 0.02, 3.0

#: Least humidity [kg kg-1].
DRIEST = 1.0e-5

#: Forcing (point,) by name.
Fields = Mapping[str, Tensor]


@dataclass(frozen=True)
class Layer:
    """Mixed layer in one step: mean depth and growth [m], each of shape (point,)."""

    depth: Tensor
    growth: Tensor


@dataclass(frozen=True)
class Air:
    """Departures of temperature [K] and humidity [kg kg-1], (point, 2), and humidity of the air above, (point,)."""

    departure: Tensor
    above: Tensor

    @classmethod
    def undisturbed(cls, n_points: int) -> Air:
        """Return air without departures."""
        return cls(torch.zeros(n_points, 2, dtype=torch.float64), torch.zeros(n_points, dtype=torch.float64))


@dataclass(frozen=True)
class Step:
    """Result of a step: land, air, and the parts of the change of the departures, (point, 2) each.

    ``surface`` is that by the land, ``nudged`` by the weather, ``entrained`` by air above, ``limited`` by saturation,
    ``unsolved`` what is left of the implicit equation after the last iteration.
    """

    land: LandState
    air: Air
    surface: Tensor
    nudged: Tensor
    entrained: Tensor
    limited: Tensor
    unsolved: Tensor


def layers(heat: Tensor) -> list[Layer]:
    r"""Return the mixed layer of each step from the heat flux [W m-2] of the uncoupled run, shape (step, point).

    .. math:: h\,\frac{dh}{dt} = \frac{(1 + 2 \cdot 0.2)\,H_0}{\rho c_p \gamma}
    """
    top, found = torch.full_like(heat[0], SHALLOW), []
    per_heat = 2.0 * (1.0 + 2.0 * ENTRAINED) * STEP_SECONDS / (DENSITY * SPECIFIC_HEAT * STRATIFICATION)
    for flux in heat:
        grown = torch.sqrt(top**2 + per_heat * flux.clamp(min=0.0)).clamp(max=DEEP)
        after = torch.where(flux > 0.0, grown, SHALLOW)
        found.append(Layer(torch.where(flux > 0.0, (top + after) / 2.0, SHALLOW), (after - top).clamp(min=0.0)))
        top = after
    return found


def fluxes(land: LandState) -> Tensor:
    """Return sensible and latent heat [W m-2] of a step from the land to the air, (point, 2), float64."""
    return torch.stack([-land["sshf"], -land["slhf"]], dim=-1).double()


def disturbed(forcing: Fields, departure: Tensor) -> dict[str, Tensor]:
    """Return forcing with the air's departures."""
    warmer, moister = departure.float().unbind(-1)
    return dict(forcing) | {n: forcing[n] + warmer for n in WARMED} | {n: forcing[n] + moister for n in MOISTENED}


def advance(
    stepper: LandStepper, land: LandState, air: Air, forcing: Fields, reference: Tensor, layer: Layer, tau: Tensor
) -> Step:
    """Step land and air together.

    ``forcing`` is the weather, ``reference`` the :func:`fluxes` of the uncoupled run (point, 2), ``tau`` [s] (point,).
    """
    before = air.departure
    gain = STEP_SECONDS / (DENSITY * layer.depth)
    gain = torch.stack([(1.0 + ENTRAINED) * gain / SPECIFIC_HEAT, gain / LATENT_HEAT_VAPORISATION], dim=-1)
    mixing = torch.stack([torch.zeros_like(layer.depth), layer.growth / layer.depth], dim=-1)
    above = torch.stack([torch.zeros_like(air.above), air.above], dim=-1)
    kept = 1.0 / (1.0 + STEP_SECONDS / tau[:, None] + mixing)

    def after(flux: Tensor) -> Tensor:
        return kept * (before + gain * (flux - reference) + mixing * above)

    def responded(departure: Tensor) -> tuple[LandState, Tensor]:
        """Return the land in departing air, and by how much the air then differs from that, scaled."""
        there = stepper.step(land, disturbed(forcing, departure))
        return there, (_limited(after(fluxes(there)), forcing) - departure) / SCALE

    flux, jacobian = _with_jacobian(stepper, land, forcing, before)
    guess, error = before, (_limited(after(flux), forcing) - before) / SCALE
    slope = kept[..., None] * gain[..., None] * jacobian * SCALE / SCALE[:, None]
    slope = slope - torch.diag_embed(slope.diagonal(dim1=1, dim2=2).clamp(min=0.0)) - torch.eye(2)
    best, least = guess, error.norm(dim=-1)
    for _ in range(ITERATIONS):
        if least.max() < CONVERGED:
            break
        change = torch.linalg.solve(slope, -error).clamp(-FARTHEST, FARTHEST)
        tried = _limited(guess + change * SCALE, forcing)
        change, before_error = (tried - guess) / SCALE, error
        guess, error = tried, responded(tried)[1]
        slope = _updated(slope, change, error - before_error)
        better = error.norm(dim=-1) < least
        best, least = torch.where(better[:, None], guess, best), torch.where(better, error.norm(dim=-1), least)
    there = stepper.step(land, disturbed(forcing, best))
    surface = gain * (fluxes(there) - reference)
    free = kept * (before + surface + mixing * above)
    entrained = -mixing * (free - above)
    limited = _limited(free, forcing)
    left = torch.where(layer.growth > 0.0, best[:, 1], air.above / (1.0 + STEP_SECONDS / tau))
    return Step(
        there, Air(best, left), surface, free - before - surface - entrained, entrained, limited - free, best - limited
    )


def _updated(slope: Tensor, change: Tensor, response: Tensor) -> Tensor:
    """Return slopes (point, 2, 2) that agree with the last change and its response (Broyden 1965).

    The first ones stay where the new ones would have the air run away.
    """
    missed = response - torch.einsum("pij,pj->pi", slope, change)
    squared = change.square().sum(-1)[:, None, None]
    new = slope + missed[:, :, None] * change[:, None, :] / squared.clamp(min=1.0e-12)
    sound = (new.diagonal(dim1=1, dim2=2) < -0.5).all(-1) & (torch.linalg.det(new) > 0.25)
    return torch.where(sound[:, None, None], new, slope)


def _with_jacobian(stepper: LandStepper, land: LandState, forcing: Fields, departure: Tensor) -> tuple[Tensor, Tensor]:
    """Return the fluxes (point, 2) and their derivatives with respect to the departures (point, 2, 2)."""
    with torch.enable_grad():
        x = departure.detach().clone().requires_grad_()
        flux = fluxes(stepper.propagate(land, disturbed(forcing, x)))
        rows = [torch.autograd.grad(flux[:, i].sum(), x, retain_graph=i == 0)[0] for i in range(2)]
    return flux.detach(), torch.stack(rows, dim=1)


def _limited(departure: Tensor, forcing: Fields) -> Tensor:
    """Return departures with humidity below saturation, as far as the weather is, and positive."""
    warmer, moister = departure.unbind(-1)
    saturated = saturation_humidity(forcing["avg_t"].double() + warmer, forcing["avg_sp"].double())
    humidity = forcing["avg_q"].double()
    low, high = (DRIEST - humidity).clamp(max=0.0), (saturated - humidity).clamp(min=0.0)
    return torch.stack([warmer, torch.minimum(torch.maximum(moister, low), high)], dim=-1)
