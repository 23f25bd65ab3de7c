# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The emulator as a function of a control vector: tangent, adjoint, labels, and three ways to its Jacobian."""

from datetime import timedelta

import numpy as np
import pytest
import torch

from anemoi_ailand.assimilation.regression import regression_jacobian
from anemoi_ailand.assimilation.window import AssimilationWindow, ForcingFactor
from anemoi_ailand.rollout.step import gradients
from anemoi_ailand.rollout.step.advance import STEP
from anemoi_ailand.rollout.stepper import LandStepper
from tests.support import stepper as case

N = 23
CONTROLS = ("swvl1", "swvl2", "stl1", "cvl", ForcingFactor("rain", last=4), ForcingFactor("humidity", ("avg_q",)))
#: Real increments [units of the controls].
SIZES = torch.tensor([0.02, 0.02, 1.0, 0.01, 0.1, 0.05], dtype=torch.float64)
TO = ("swvl1", "swvl2", "2t", "evap")


@pytest.fixture(scope="module")
def small():
    return case.stepper("float64")


@pytest.fixture(scope="module")
def shipped():
    return LandStepper.open("ailand", dtype="float64", threads=1)


def smooth(stepper, steps, **options):
    """AssimilationWindow over warm, moist ground, where no bound and no change of phase is near."""
    state, forcings = (
        case.start(stepper, N, given=case.smooth_fields(N)),
        [case.smooth_fields(N, k) for k in range(steps)],
    )
    return AssimilationWindow.open(stepper, state, forcings, CONTROLS, TO, options.pop("at", None), **options)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("steps", [1, 4, pytest.param(120, marks=pytest.mark.slow)])
def test_adjoint_is_the_transpose_of_the_tangent(shipped, steps):
    """<M dx, dy> = <dx, M* dy> to 1e-12 with the packaged network, snow, bounds and rain factors included."""
    state, forcings = case.sample_fields(shipped, min(steps, 40))
    forcings = (forcings * 3)[:steps]
    window = AssimilationWindow.open(shipped, state, forcings, CONTROLS, TO, [1, steps], recompute=steps > 4)
    x = window.background
    dx, dy = SIZES * noise(*x.shape, seed=1), noise(len(x), len(window.outputs), seed=2)
    lhs = (gradients.tangent(window, x, dx) * dy).sum() if steps <= 4 else None
    rhs = (dx * gradients.adjoint(window, x, dy)).sum()
    if lhs is None:  # forward differentiation has no use for recomputation
        lhs = (
            gradients.tangent(AssimilationWindow.open(shipped, state, forcings, CONTROLS, TO, [1, steps]), x, dx) * dy
        ).sum()
    assert lhs.abs() > 0.1
    torch.testing.assert_close(lhs, rhs, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("steps", [1, 4])
def test_remainder_falls_with_the_square_of_the_change(small, steps):
    """The rate is 2.0 +- 0.1 for changes of state, static fields and factors at once."""
    window = smooth(small, steps)
    x, dx = window.background, SIZES * noise(N, len(CONTROLS))
    change, there = gradients.tangent(window, x, dx), window(x)
    rest = torch.stack([(window(x + e * dx) - there - e * change).norm() for e in (1e-2, 3e-3, 1e-3)])
    rates = (rest[:-1] / rest[1:]).log() / torch.tensor([10 / 3, 3.0], dtype=torch.float64).log()
    assert rest[0] > 1e-6 * change.norm()  # not linear, or the rate says nothing
    assert (rates - 2.0).abs().max() < 0.1


def test_tangent_holds_for_increments_of_an_analysis(shipped):
    """Changes of 0.02 m3 m-3 and 1 K over 24 h follow the tangent, to 20 % in the median of the points."""
    state, forcings = case.sample_fields(shipped, 4)
    window = AssimilationWindow.open(shipped, state, forcings, ["swvl1", "swvl2", "stl1"], ["swvl2", "stl1"])
    x, dx = window.background, SIZES[:3] * noise(len(state.latitudes), 3).sign()
    expected = gradients.tangent(window, x, dx)
    error = (window(x + dx) - window(x) - expected).abs() / expected.abs()
    assert (error.nanmedian(0).values < 0.2).all()


def test_controls_act_as_named(small):
    """State at the start, static fields throughout, and factors in their steps only, as a run with such fields."""
    fields, forcings = case.smooth_fields(N), [case.smooth_fields(N, k) for k in range(3)]
    window = AssimilationWindow.open(
        small, case.start(small, N, given=fields), forcings, ["stl2", "cvl", ForcingFactor("r", first=2, last=2)], TO
    )
    assert window.controls == ("stl2", "cvl", "r")
    assert window.outputs == tuple(f"{n} +18 h" for n in TO)
    x = window.background + torch.tensor([0.7, 0.01, 0.5], dtype=torch.float64)
    state = case.start(small, N, given={**fields, "stl2": fields["stl2"] + 0.7, "cvl": fields["cvl"] + 0.01})
    for k, given in enumerate(forcings):
        rain = {n: given[n] * 1.5 for n in ("avg_tprate", "avg_tsrwe", "late_tprate", "late_tsrwe") if n in given}
        state = small.step(state, {**given, **(rain if k == 1 else {})})
    torch.testing.assert_close(window(x), torch.stack([state[n] for n in TO], -1), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(window.after(x), state.columns, rtol=1e-12, atol=1e-12)


def test_rows_are_copies_of_the_points(small):
    """Copies of all points, one after the other, have the outputs of each alone, at all steps asked for."""
    window = smooth(small, 2, at=[1, 2])
    x = window.background
    both = window(torch.cat([x, x + SIZES]))
    assert window.outputs[0] == "swvl1 +6 h" and window.outputs[-1] == "evap +12 h"
    torch.testing.assert_close(both, torch.cat([window(x), window(x + SIZES)]), rtol=1e-12, atol=1e-12)


def test_three_ways_to_the_jacobian_agree_where_the_window_is_smooth(small):
    """Adjoint, also with recomputation, finite differences, and regression over a small spread, with few exceptions."""
    window, again = smooth(small, 4, at=[2, 4]), smooth(small, 4, at=[2, 4], recompute=True)
    x, n = window.background, len(window.outputs)
    adjoint = window.jacobian(x)
    torch.testing.assert_close(again.jacobian(x), adjoint, rtol=1e-12, atol=1e-12)
    members = x[..., None] + 1e-3 * SIZES[:, None] * noise(*x.shape, 40)
    predicted = window(members.movedim(-1, 0).flatten(0, 1)).unflatten(0, (40, N)).movedim(0, -1)
    scale = (adjoint * SIZES).abs().amax((0, 2), keepdim=True)
    for found, tolerance in (
        (window.jacobian(x, 1e-4 * SIZES), 1e-5),
        (regression_jacobian(members, predicted, ridge=1e-9), 1e-2),
    ):
        assert (((found - adjoint) * SIZES).abs() < tolerance * scale).double().mean() > 0.95
    half = regression_jacobian(members, predicted, torch.full((n, len(SIZES)), 0.5))
    torch.testing.assert_close(half, 0.5 * regression_jacobian(members, predicted))


@pytest.mark.parametrize(
    ("controls", "to", "at", "message"),
    [
        (["swvl9"], TO, None, "swvl9.*Nearest"),
        (["slt"], TO, None, "categories"),
        (["avg_t"], TO, None, "avg_t"),
        (["swvl1", "swvl1"], TO, None, "each once"),
        ([], TO, None, "at least one"),
        ([ForcingFactor("x", ("sro",))], TO, None, "multiply nothing"),
        (["swvl1"], ["t"], None, "outputs of the emulator"),
        (["swvl1"], TO, [3], "steps 1 to 2"),
    ],
)
def test_wrong_controls_and_outputs(small, controls, to, at, message):
    state, forcings = case.start(small, N), case.forcings(N, 2)
    with pytest.raises(ValueError, match=message):
        AssimilationWindow.open(small, state, forcings, controls, to, at)


def test_window_of_a_dataset(small):
    """Forcing of no step is an error; the slots are those of the steps."""
    state, forcings = case.start(small, N), case.forcings(N, 2)
    start, ends = small.slots(state, forcings)
    assert start.shape == (N, len(small.inputs)) and ends.shape == (2, N, len(small.inputs))
    after = small.step(small.step(state, forcings[0]), forcings[1])
    assert after.date == case.DATE + 2 * STEP == case.DATE + timedelta(hours=12)
    np.testing.assert_array_equal(ends[1], small.forcing_columns(small.step(state, forcings[0]), forcings[1]))
    with pytest.raises(ValueError, match="at least one step"):
        small.slots(state, [])
