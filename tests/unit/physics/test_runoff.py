# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Runoff by varying capacity: ecLand's formula, its limits and its derivatives."""

import itertools

import pytest
import torch

from anemoi_ailand.physics.runoff import capacity_exponent, surface_runoff


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
