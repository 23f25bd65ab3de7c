# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""One step in physical units: the bits of ``predict_step``, any precision, and the checkpoint untouched."""

import pytest
import torch

from anemoi_ailand.rollout.step.batch_invariance import padded_rows
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.rollout.step.physical_step import PhysicalStep
from tests.support import stepper as case
from tests.support.land import CLOSED


def rows(step, n=64):
    """Start and end of a step, shape (row, input), float32."""
    stepper = case.LandStepper(step, threads=1)
    state, forcings = (
        case.sample_fields(stepper, 1) if step.path.is_file() else (case.start(stepper, n), case.forcings(n))
    )
    return state.columns, stepper.forcing_columns(state, forcings[0])


@pytest.mark.parametrize("load", [CLOSED.land_step, lambda: load_step("ailand")], ids=["small", "shipped"])
def test_same_bits_as_predict_step(load):
    """All outputs are bitwise those of ``predict_step``, for a small network and the packaged one."""
    step = load()
    start, end = rows(step)
    with torch.inference_mode():
        expected = step(torch.stack([start, end]))
        found = step_rows(PhysicalStep(step), start, end)
    assert torch.equal(found, expected)


def step_rows(physical, start, end):
    """The rows filled up, as :class:`LandStep` does it."""
    return physical(padded_rows(start), padded_rows(end))[: len(start)]


def test_double_precision_agrees_with_single():
    """The difference has the size of single precision; the checkpoint is unchanged, the result within the bounds."""
    step = CLOSED.land_step()
    start, end = rows(step)
    single = PhysicalStep(step)(start, end)
    double = PhysicalStep(step).double()(start.double(), end.double())
    assert double.dtype is torch.float64
    error = ((double - single) / (1e-6 + double.abs().amax(0))).abs()
    assert 0 < error.max() < 1e-3
    assert all(p.dtype is torch.float32 for p in step.model.parameters())  # the weights are copies
    lower, upper = step.model.model.physical_bounds
    assert (single >= lower).all()
    assert (single <= upper).all()


def test_other_processors_are_refused():
    """A checkpoint with more than a normaliser is an error."""
    step = CLOSED.land_step(others=("imputer",))
    with pytest.raises(ValueError, match=r"has the processors \['imputer', 'normalizer'\]"):
        PhysicalStep(step)
