# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Relative humidity at 2 m as an output of a window: values, tangent, adjoint and the ways to its Jacobian."""

import numpy as np
import pytest
import torch

from anemoi_ailand.assimilation.equivalents import Equivalents, known_equivalents, relative_humidity
from anemoi_ailand.assimilation.window import AssimilationWindow
from anemoi_ailand.physics.air import saturation_pressure
from anemoi_ailand.rollout.step import gradients
from anemoi_ailand.rollout.stepper import LandStepper
from tests.support import stepper as case

CONTROLS = ("swvl1", "swvl2", "stl1")
#: Real increments [units of the controls].
SIZES = torch.tensor([0.02, 0.02, 1.0], dtype=torch.float64)


@pytest.fixture(scope="module")
def window():
    """Four steps of the packaged network in double precision at the points of the sample."""
    land = LandStepper.open("ailand", dtype="float64", threads=1)
    state, forcings = case.sample_fields(land, 4)
    return AssimilationWindow.open(land, state, forcings, CONTROLS, ["2r", "2t", "2d"], [1, 4])


def noise(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_humidity_of_the_outputs(window):
    """The ratio of the vapour pressures of dewpoint and temperature, at each step; unknown without its outputs."""
    assert window.outputs == tuple(f"{n} +{h} h" for h in (6, 24) for n in ("2r", "2t", "2d"))
    found = window(window.background).numpy()
    for humidity, temperature, dewpoint in (found[:, :3].T, found[:, 3:].T):
        np.testing.assert_allclose(humidity, saturation_pressure(dewpoint) / saturation_pressure(temperature))
        assert 0.0 < humidity.min() < 0.6 < humidity.max() < 1.1
    assert known_equivalents(["swvl1", "2t"]) == ["swvl1", "2t"]
    with pytest.raises(ValueError, match="the outputs of the emulator"):
        Equivalents(["2r"], ["swvl1", "2t"])


def test_tangent_and_adjoint_of_humidity(window):
    """<H dx, dy> = <dx, H* dy> to 1e-12 for humidity alone, and the remainder falls with the square of the change."""
    x, dx = window.background, SIZES * noise(len(window.background), 3, seed=1)
    of_humidity = torch.tensor([1.0, 0.0, 0.0] * 2, dtype=torch.float64)
    dy = of_humidity * noise(len(x), 6, seed=2)
    change = gradients.tangent(window, x, dx)
    lhs, rhs = (change * dy).sum(), (dx * gradients.adjoint(window, x, dy)).sum()
    assert lhs.abs() > 1e-3
    torch.testing.assert_close(lhs, rhs, rtol=1e-12, atol=0.0)
    scales = (1e-2, 3e-3, 1e-3)
    rest = torch.stack([(window(x + e * dx) - window(x) - e * change)[:, [0, 3]].abs() for e in scales])
    smooth = (rest[0] > 1e-9) & ((rest[1] / rest[2]).log() / np.log(3.0) > 1.5)  # no kink within the changes
    rates = (rest[:-1] / rest[1:])[:, smooth].log() / torch.tensor([10 / 3, 3.0], dtype=torch.float64).log()[:, None]
    assert smooth.sum() > 20 and (rates.median(-1).values - 2.0).abs().max() < 0.1


def test_derivative_of_the_operator():
    """Dewpoint raises humidity and temperature lowers it, as the finite difference says."""
    t, d = (torch.full((3,), v, dtype=torch.float64, requires_grad=True) for v in (293.0, 283.0))
    of_t, of_d = torch.autograd.grad(relative_humidity(t, d).sum(), (t, d))
    step = 1e-4
    for found, shift in ((of_t, (step, 0.0)), (of_d, (0.0, step))):
        up, down = (relative_humidity(t + s * shift[0], d + s * shift[1]) for s in (1, -1))
        torch.testing.assert_close(found, (up - down).detach() / (2 * step), rtol=1e-7, atol=0.0)
    assert (of_d > 0).all() and (of_t < 0).all()


def test_wet_soil_makes_moist_air(window):
    """By adjoint and finite differences alike, more water in the soil means more humidity at most points by day."""
    x = window.background
    adjoint, differences = window.jacobian(x)[:, 3, :2], window.jacobian(x, SIZES / 10)[:, 3, :2]
    near = (adjoint - differences).abs() < 0.05 * differences.abs() + 1e-4
    assert near.double().mean() > 0.9
    moved = differences.abs() > 1e-3
    assert moved.sum() > 10 and (differences[moved] > 0).double().mean() > 0.7
