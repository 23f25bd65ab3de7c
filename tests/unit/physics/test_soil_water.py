# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Water in the soil: van Genuchten's properties, no water lost, and runoff by varying capacity."""

import itertools

import numpy as np
import pytest
import torch

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS
from anemoi_ailand.physics.layers import stack_layers
from anemoi_ailand.physics.runoff import capacity_exponent, surface_runoff
from anemoi_ailand.physics.soil_water import (
    N_SUBSTEPS,
    Arriving,
    fill_deficits,
    hydraulic_properties,
    move_water,
    richards_step,
)
from tests.support import columns as case

DEPTH = torch.tensor(SOIL_LAYER_THICKNESS, dtype=torch.float64)
KINDS = range(1, 8)


def at_saturations(kind, low, high, n=200, dtype=torch.float64):
    """Soil water from one effective saturation to another, with its soil."""
    ground = case.soil([kind] * n, dtype)
    share = torch.linspace(low, high, n, dtype=dtype).unsqueeze(-1)
    return ground.residual + share * (ground.saturated - ground.residual), ground


def coefficients(n=60, seed=0):
    """Random gain, gravity and diffusion of columns [m]."""
    g = torch.Generator().manual_seed(seed)

    def random(scale, k):
        return scale * torch.rand(n, k, generator=g, dtype=torch.float64)

    return random(0.4, 4) * DEPTH, random(0.01, 4) - 0.003, random(0.05, 4), random(3.0, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_properties_are_those_of_the_textbook(kind):
    """Properties equal the printed formulas where their digits suffice."""
    theta, soil = at_saturations(kind, 0.5, 0.998)
    s, m = (theta - soil.residual) / (soil.saturated - soil.residual), 1 - 1 / soil.exponent
    k = soil.conductivity * s**soil.mualem * (1 - (1 - s ** (1 / m)) ** m) ** 2
    d = (1 - m) * soil.conductivity / (soil.alpha * m * (soil.saturated - soil.residual))
    d = d * s ** (soil.mualem - 1 / m) * ((1 - s ** (1 / m)) ** -m + (1 - s ** (1 / m)) ** m - 2)
    conductivity, diffusivity = hydraulic_properties(theta, soil)
    torch.testing.assert_close(conductivity, k, rtol=1e-4, atol=0.0)
    torch.testing.assert_close(diffusivity, d, rtol=1e-4, atol=0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_diffusivity_is_conductivity_times_the_slope_of_suction(kind):
    """Diffusivity equals K dh/dtheta by automatic differentiation."""
    theta, soil = at_saturations(kind, 0.3, 0.998)
    theta = theta.requires_grad_()
    s, m = (theta - soil.residual) / (soil.saturated - soil.residual), 1 - 1 / soil.exponent
    head = -((s ** (-1 / m) - 1) ** (1 / soil.exponent)) / soil.alpha
    (slope,) = torch.autograd.grad(head.sum(), theta)
    conductivity, diffusivity = hydraulic_properties(theta.detach(), soil)
    torch.testing.assert_close(diffusivity, conductivity * slope, rtol=1e-9, atol=0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_wetter_soil_conducts_more(kind):
    """Conductivity and diffusivity increase with water and stay below those at saturation."""
    theta, soil = at_saturations(kind, 0.021, 0.998)
    conductivity, diffusivity = (v.squeeze(-1) for v in hydraulic_properties(theta, soil))
    assert (conductivity.diff() > 0).all() and (diffusivity.diff() > 0).all()
    assert 0 < conductivity[0] < 1e-4 * conductivity[-1] < 1e-4 * soil.conductivity[0, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_properties_are_finite_everywhere(kind):
    """Properties and gradients are finite in float32 from no water to above saturation."""
    soil = case.soil([kind] * 101, torch.float32)
    theta = (torch.linspace(0.0, 1.2, 101).unsqueeze(-1) * soil.saturated).requires_grad_()
    for values in hydraulic_properties(theta, soil):
        (gradient,) = torch.autograd.grad(values.sum(), theta, retain_graph=True)
        assert torch.isfinite(values).all() and (values >= 0).all() and torch.isfinite(gradient).all()


def test_digits_survive_in_dry_soil():
    """Float32 equals float64 to four digits down to an effective saturation of 0.1."""
    for kind in KINDS:
        for single, double in zip(hydraulic_properties(*at_saturations(kind, 0.1, 0.99, dtype=torch.float32)),
                                  hydraulic_properties(*at_saturations(kind, 0.1, 0.99)), strict=True):  # fmt: skip
            torch.testing.assert_close(single.double(), double, rtol=1e-3, atol=0.0)


def moved_by(*layers):
    """A substep of Richards' equation, for fields (..., layer)."""
    return stack_layers(richards_step(*(v.unbind(-1) for v in layers)))


def filled_up(water):
    """Filled layers (..., layer), and the deficit of the column."""
    filled, deficit = fill_deficits(water.unbind(-1))
    return stack_layers(filled), deficit


def test_water_is_only_moved():
    """The change of the column is gain minus drainage to rounding."""
    water, gain, gravity, diffusion = coefficients()
    after = moved_by(water, gain, gravity, diffusion)
    assert (after - water).abs().max() > 0.01
    torch.testing.assert_close(after.sum(-1), (water + gain).sum(-1) - gravity[..., -1], rtol=1e-12, atol=1e-13)


def test_flow_between_layers_is_that_of_the_equation():
    """Each layer gets gravity flow from above, loses its own, and exchanges by the new differences."""
    water, gain, gravity, diffusion = coefficients()
    after = moved_by(water, gain, gravity, diffusion)
    theta = after / DEPTH
    flow = torch.cat([gravity[..., :-1] + diffusion * (theta[..., :-1] - theta[..., 1:]), gravity[..., -1:]], -1)
    above = torch.nn.functional.pad(flow[..., :-1], (1, 0))
    torch.testing.assert_close(after, water + gain + above - flow, rtol=1e-11, atol=1e-13)


def test_diffusion_moves_water_from_wet_to_dry():
    """Diffusion moves water from the wetter layer, never reverses or widens a difference, and leaves none unchanged."""
    for strength in (0.01, 1.0, 100.0):
        water = torch.tensor([[0.3, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.3]], dtype=torch.float64) * DEPTH
        diffusion = torch.full((2, 3), strength, dtype=torch.float64)
        nothing = torch.zeros(2, 4, dtype=torch.float64)
        after = moved_by(water, nothing, nothing, diffusion) / DEPTH
        assert after[0, 0] < 0.3 and after[1, 3] < 0.3
        assert (after[0].diff() <= 1e-12).all() and (after[1].diff() >= -1e-12).all()
    water, _, _, diffusion = coefficients()
    nothing, uniform = torch.zeros_like(water), 0.27 * DEPTH.expand(60, 4)
    before, after = water / DEPTH, moved_by(water, nothing, nothing, diffusion) / DEPTH
    assert (after.amax(-1) < before.amax(-1)).all() and (after.amin(-1) > before.amin(-1)).all()
    torch.testing.assert_close(moved_by(uniform, nothing, nothing, diffusion), uniform, rtol=1e-12, atol=0)


def test_deficits_are_filled_from_below():
    """Missing water comes from the layers below; the rest is the deficit."""
    water = torch.tensor([[-1.0, -2.0, 5.0, 1.0], [1.0, 1.0, -3.0, 1.0], [1.0, 2.0, 3.0, 4.0]])
    filled, deficit = filled_up(water)
    assert filled.tolist() == [[0.0, 0.0, 2.0, 1.0], [1.0, 1.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0]]
    assert deficit.tolist() == [0.0, 2.0, 0.0]


def test_filling_creates_no_water():
    """No layer is left below zero, and the column gains exactly its deficit."""
    water = torch.randn(500, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    filled, deficit = filled_up(water)
    assert (filled >= 0).all() and (deficit > 0).any() and (deficit == 0).any()
    torch.testing.assert_close(filled.sum(-1) - deficit, water.sum(-1), rtol=0.0, atol=1e-14)


def arriving(amount, lateness=0.0, odds=1.0, urban=0.0):
    """Water that reaches the ground [m]: steadily, or in an amount that grows from zero (1) or falls to it (-1)."""
    places = torch.linspace(-1.0, 1.0, N_SUBSTEPS)
    amounts = tuple(amount * ((1.0 + lateness * place) / N_SUBSTEPS) for place in places.tolist())
    return Arriving(amounts, *(torch.full_like(amount, v) for v in (0.2, urban, odds)))


def columns(n=300, seed=0):
    """Random wet columns of all soils, their gains [m], and times of flow [s]."""
    g = torch.Generator().manual_seed(seed)
    ground = case.soil([1 + k % 7 for k in range(n)])
    share = torch.rand(n, 4, generator=g, dtype=torch.float64)
    theta = ground.residual + (1.0 - 0.3 * share) * (ground.saturated - ground.residual)
    gain = 0.02 * torch.randn(n, 4, generator=g, dtype=torch.float64) * torch.tensor([0.2, 0.2, 0.1, 0.1])
    frozen = torch.rand(n, 4, generator=g, dtype=torch.float64)
    rain = torch.relu(0.05 * torch.randn(n, generator=g, dtype=torch.float64))
    rain, seconds = arriving(rain)._replace(urban=frozen[:, 0]), torch.full((n, 4), 21600.0).double()
    return theta, ground, frozen, rain, gain, seconds


def test_water_of_six_hours_is_closed():
    """Final storage, runoff and drainage sum to initial storage and input, within bounds."""
    theta, ground, frozen, rain, gain, seconds = columns()
    moved = move_water(theta, ground, frozen, rain, gain, seconds)
    before, after = (theta * DEPTH).sum(-1) + gain.sum(-1) + sum(rain.amounts), (moved.theta * DEPTH).sum(-1)
    torch.testing.assert_close(after + moved.surface + moved.drained, before, rtol=0.0, atol=1e-12)
    assert moved.theta.min() >= 0 and (moved.theta <= ground.saturated + 1e-12).all()
    assert moved.surface.min() >= 0 and moved.surface.max() > 0 and moved.drained.max() > 0


def test_frozen_ground_moves_only_added_water():
    """Without time of flow, each layer keeps its water and gain up to saturation."""
    theta, ground, frozen, _, gain, _ = columns()
    nothing = arriving(torch.zeros(300).double())
    moved = move_water(theta, ground, frozen, nothing, gain, torch.zeros(300, 4).double())
    expected = torch.minimum(theta + gain / DEPTH, ground.saturated)
    dry = (theta + gain / DEPTH < 0).any(-1)
    torch.testing.assert_close(moved.theta[~dry], expected[~dry], rtol=0.0, atol=1e-12)


def test_saturated_column_drains_at_the_conductivity_of_saturated_soil():
    """A full last layer drains fast for a substep of half an hour, but never faster than saturated soil conducts."""
    ground = case.soil(list(KINDS))
    theta, half_hour, nothing = ground.saturated.expand(-1, 4), 21600.0 / N_SUBSTEPS, torch.zeros(7, 4).double()
    assert half_hour == 1800.0
    dry, seconds = arriving(torch.zeros(7).double()), torch.zeros(7, 4).double()
    seconds[:, -1] = half_hour
    moved = move_water(theta, ground, nothing, dry, nothing, seconds)
    fastest = half_hour * ground.conductivity.squeeze(-1)
    assert (moved.drained <= fastest * (1 + 1e-9)).all() and (moved.drained > 0.1 * fastest).all()


@pytest.mark.parametrize("lateness", [-1.0, 0.0, 0.7])
def test_added_water_is_conserved_at_any_time(lateness):
    """Dry sand takes all water; late water is still in the upper layer."""
    ground = case.soil([1])
    theta, nothing = ground.residual + 0.3 * (ground.saturated - ground.residual), torch.zeros(1, 4).double()
    theta = theta.expand(-1, 4)
    seconds = torch.full((1, 4), 21600.0).double()
    rain = torch.tensor([0.002], dtype=torch.float64)
    moved = move_water(theta, ground, nothing, arriving(rain, lateness, 1e-9), nothing, seconds)
    steady = move_water(theta, ground, nothing, arriving(rain, 0.0, 1e-9), nothing, seconds)
    gained = ((moved.theta - theta) * DEPTH).sum(-1) + moved.drained + moved.surface
    torch.testing.assert_close(gained, rain, rtol=1e-9, atol=0.0)
    assert moved.surface.item() < 1e-9
    assert torch.sign(moved.theta[0, 0] - steady.theta[0, 0]).item() == np.sign(lateness)


def test_water_on_hills_runs_off():
    """Runoff of a shower grows with the exponent of capacities and with the odds."""
    ground = case.soil([2])
    theta = (0.6 * ground.saturated).expand(-1, 4)
    nothing, seconds = torch.zeros(1, 4).double(), torch.full((1, 4), 21600.0).double()
    rain = torch.tensor([0.01], dtype=torch.float64)

    def ran_off(**changes):
        return move_water(theta, ground, nothing, arriving(rain)._replace(**changes), nothing, seconds).surface.item()

    flat, hilly = (ran_off(exponent=torch.tensor([v]).double()) for v in (0.01, 0.5))
    assert 0 < flat < 0.1 * hilly < 0.1 * rain.item()
    assert ran_off(odds=torch.tensor([0.5]).double()) < ran_off() < ran_off(odds=torch.tensor([2.0]).double())


def test_towns_shed_excess_water():
    """Wet soil under sealed ground takes no rain and loses its excess."""
    ground, nothing, seconds = case.soil([4]), torch.zeros(1, 4).double(), torch.zeros(1, 4).double()
    theta, rain = (0.95 * ground.saturated).expand(-1, 4), torch.tensor([0.004], dtype=torch.float64)
    country, town = (move_water(theta, ground, nothing, arriving(rain, urban=v), nothing, seconds) for v in (0.0, 0.1))
    assert country.surface < 0.6 * rain < rain < town.surface
    assert town.theta[0, 0] < theta[0, 0] < country.theta[0, 0]


def ecland(p, w, most, b):
    """Runoff by the documented formula, for one number."""
    v = max(0.0, (1.0 - w / most) ** (1.0 / (1.0 + b)) - p / ((1.0 + b) * most))
    return min(p, max(0.0, p - (most - w) + most * v ** (1.0 + b)))


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_it_is_ecland_s_formula():
    """Runoff equals the documented formula from a drizzle on dry ground to more than the ground holds."""
    for p, share, b in itertools.product((1e-6, 1e-3, 0.02, 0.5), (0.0, 0.3, 0.9, 0.999), (0.01, 0.2, 0.5)):
        found = surface_runoff(numbers(p), numbers(share * 0.2), numbers(0.2), numbers(b), numbers(1.0)).item()
        assert found == pytest.approx(ecland(p, share * 0.2, 0.2, b), abs=3e-7), (p, share, b)


def test_runoff_is_a_share_of_the_water():
    """Runoff is between zero and all water for any odds; saturated ground takes none."""
    g = torch.Generator().manual_seed(0)
    p, held, odds = (torch.rand(1000, generator=g).double() for _ in range(3))
    runoff = surface_runoff(0.1 * p, 0.2 * held, torch.tensor(0.2), torch.tensor(0.3), torch.exp(10 * odds - 5))
    assert (runoff >= 0).all() and (runoff <= 0.1 * p + 1e-15).all()
    full = surface_runoff(numbers(0.01), numbers(0.2), numbers(0.2), numbers(0.3), numbers(1.0))
    assert full.item() == pytest.approx(0.01, rel=1e-3)


def test_overfull_ground_loses_its_excess_with_rain_only():
    """Excess up to a tenth of the capacity runs off when water comes."""
    for p, held, expected in ((0.001, 0.21, 0.011), (0.0, 0.21, 0.0), (0.001, 0.23, 0.001)):
        found = surface_runoff(numbers(p), numbers(held), numbers(0.2), numbers(0.3), numbers(1.0)).item()
        assert found == pytest.approx(expected, rel=1e-3)


def test_odds_change_what_is_between_all_and_nothing():
    """Doubled odds turn a share of one tenth into two elevenths."""
    one = surface_runoff(numbers(0.01), numbers(0.1), numbers(0.2), numbers(0.2), numbers(1.0)) / 0.01
    two = surface_runoff(numbers(0.01), numbers(0.1), numbers(0.2), numbers(0.2), numbers(2.0)) / 0.01
    torch.testing.assert_close(two / (1 - two), 2 * one / (1 - one), rtol=1e-9, atol=0.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_derivatives_are_finite(dtype):
    """Gradients are finite without water, and on dry or full ground."""
    grid = torch.cartesian_prod(numbers(0.0, 1e-12, 1e-7, 1e-3, 1.0), numbers(0.0, 0.1, 0.1999999, 0.2, 0.21)).to(dtype)
    p, held = (c.clone().requires_grad_() for c in grid.unbind(-1))
    runoff = surface_runoff(
        p, held, torch.tensor(0.2, dtype=dtype), torch.tensor(0.3, dtype=dtype), torch.ones(1, dtype=dtype)
    )
    runoff.sum().backward()
    for gradient in (p.grad, held.grad):
        assert torch.isfinite(gradient).all() and gradient.abs().max() < 1e4


def test_a_trace_of_water_has_the_share_of_little_water():
    """In single precision the share of runoff does not depend on how small the rain is."""
    shares = [
        surface_runoff(p, *(torch.tensor([v]) for v in (0.1, 0.2, 0.3, 1.0))) / p
        for p in (torch.tensor([v]) for v in (1e-8, 1e-7, 1e-6))
    ]
    torch.testing.assert_close(shares[0], shares[2], rtol=1e-3, atol=0.0)
    assert shares[0].item() == pytest.approx(1 - 0.5 ** (0.3 / 1.3), rel=1e-3)


def test_exponent_grows_with_orography():
    """The exponent is smallest on flat ground and largest in mountains."""
    exponent = capacity_exponent(numbers(0.0, 100.0, 400.0, 2000.0))
    torch.testing.assert_close(exponent, numbers(0.01, 0.01, 300 / 1400, 0.5))
