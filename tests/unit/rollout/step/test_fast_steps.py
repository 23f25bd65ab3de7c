# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Faster steps with the same bits: batch-invariant layers, blocks of rows, a recorded model."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

from anemoi_ailand.rollout.step import traced_model
from anemoi_ailand.rollout.step.advance import StepLayout
from anemoi_ailand.rollout.step.batch_invariance import (
    OUTPUTS,
    ROWS,
    BatchInvariantLinear,
    make_batch_invariant,
    padded_rows,
)
from anemoi_ailand.rollout.step.row_blocks import BLOCK_ROWS, BlockStep
from anemoi_ailand.rollout.step.traced_model import traced
from tests.support import stepper as case
from tests.support.land import CLOSED, OPEN


def network(*sizes):
    layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.SiLU())))


def test_layers_that_do_not_fill_the_units_are_replaced():
    """Layers are replaced at any depth, share the weights of the original, and equal it to rounding."""
    inner = network(4, OUTPUTS, 5)
    whole = make_batch_invariant(nn.ModuleDict({"a": nn.Sequential(inner, nn.Linear(5, 2 * OUTPUTS))}))
    kinds = [type(m) for m in whole.modules() if isinstance(m, nn.Linear | BatchInvariantLinear)]
    assert kinds == [nn.Linear, BatchInvariantLinear, nn.Linear]
    for bias in (True, False):
        layer = nn.Linear(9, 5, bias=bias)
        steady = BatchInvariantLinear(layer)
        x = torch.randn(4, ROWS, 9)
        torch.testing.assert_close(steady(x), layer(x), rtol=1e-5, atol=1e-6)
        assert steady.weight is layer.weight


@pytest.mark.parametrize("n_rows", [1, 7, 64, 100])
def test_a_row_has_the_same_bits_among_any_others(n_rows):
    """A subset of the rows in another order gives the bits of the whole."""
    torch.manual_seed(1)
    steady = make_batch_invariant(network(53, 96, 96, 37))
    x = torch.randn(500, 53)
    with torch.inference_mode():
        whole = steady(padded_rows(x))[: len(x)]
        chosen = torch.randperm(len(x))[:n_rows]
        assert torch.equal(steady(padded_rows(x[chosen]))[:n_rows], whole[chosen])


N = 130


@pytest.fixture(scope="module")
def step():
    return CLOSED.land_step()


@pytest.fixture(scope="module")
def rows():
    stepper = case.stepper()
    state = case.start(stepper, N)
    return state.columns, stepper.forcing_columns(state, case.forcings(N)[0])


@pytest.mark.parametrize(("threads", "block_rows"), [(1, 4096), (3, 1), (3, 50), (1, 64), (2, 129)])
def test_blocks_and_threads_change_nothing(step, rows, block_rows, threads):
    """Results are bitwise those of a single call, at the first call, which records, and in concurrent ones."""
    expected = step(torch.stack(rows))
    with BlockStep(step, threads, block_rows) as blocks, ThreadPoolExecutor(4) as pool:
        assert torch.equal(blocks(*rows), expected)
        for found in pool.map(lambda _: blocks(*rows), range(4)):
            assert torch.equal(found, expected)


@pytest.mark.parametrize(("threads", "block_rows"), [(1, 4096), (3, 50), (2, 64)])
def test_several_steps_in_one_call_are_those_one_by_one(step, threads, block_rows):
    """Outputs and the start slot after them are bitwise those of single steps, for any blocks and order of forcing."""
    stepper = case.stepper()
    start, now = case.start(stepper, N).columns, case.start(stepper, N)
    layout = StepLayout(step.inputs, step.outputs, forcing=stepper.layout.forcing[::-1])
    ends, expected = [], []
    for forcing in case.forcings(N, 4):
        end = stepper.forcing_columns(now, forcing)
        ends.append(end[:, layout.columns(layout.forcing)])
        expected.append(step(torch.stack([now.columns, end])))
        now = stepper.step(now, forcing)
    with BlockStep(step, threads, block_rows) as blocks:
        found = blocks.steps(layout, start, torch.stack(ends))
    assert torch.equal(found, torch.stack(expected))
    assert torch.equal(start, now.columns)


def test_rows_and_result_of_a_call(step, rows, monkeypatch):
    """Blocks follow the cache, threads the system; a given tensor is filled; no rows give no rows."""
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    out = torch.empty(N, len(step.outputs))
    with BlockStep(step) as blocks:
        assert (blocks.threads, blocks.block_rows) == (3, BLOCK_ROWS)
        assert blocks(*rows, out) is out
        assert torch.equal(out, step(torch.stack(rows)))
        assert blocks(*torch.empty(2, 0, len(step.inputs))).shape == (0, len(step.outputs))


def test_an_error_in_a_block_is_raised(step, rows):
    """An error in a thread reaches the caller."""

    class Broken:
        def predict_step(self, batch):
            raise RuntimeError("no such luck")

    with BlockStep(replace(step, model=Broken()), 2, 64) as blocks, pytest.raises(RuntimeError, match="no such luck"):
        blocks(*rows)


@pytest.mark.parametrize(("options", "name"), [({"threads": 0}, "threads"), ({"block_rows": -1}, "block_rows")])
def test_numbers_must_be_positive(step, options, name):
    """The error names option and number."""
    with pytest.raises(ValueError, match=f"`{name}` is .* Give a whole number of at least 1"):
        BlockStep(step, **options)


@pytest.fixture
def at_once(monkeypatch):
    """Record at the first call of a shape."""
    monkeypatch.setattr(traced_model, "DIRECT_CALLS", 0)


class Interface(torch.nn.Module):
    """Holds network and normalisers as a checkpoint does: a module, whose weights may be recorded."""

    def __init__(self):
        super().__init__()
        self.inner = OPEN.land_step().model
        self.network = self.inner.model

    def predict_step(self, batch):
        return self.inner.predict_step(batch)


def land_step():
    return replace(OPEN.land_step(), model=Interface())


def slots(n=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, n, len(land_step().inputs), generator=generator)


def test_short_runs_do_without_a_recording(monkeypatch):
    """The first calls of a shape call the model; the one after them records."""
    monkeypatch.setattr(traced_model, "DIRECT_CALLS", 2)
    step = land_step()
    fast, model = traced(step)
    for n, recordings in ((5, 0), (5, 0), (70, 0), (5, 1)):
        assert torch.equal(fast(slots(n)), step(slots(n)))
        assert len(model._recorded) == recordings


@pytest.mark.usefixtures("at_once")
def test_same_values_to_the_last_bit():
    """Recording, replay and another shape give the bits of the model; NaN in the outputs is not a difference."""
    step = land_step()
    fast, model = traced(step)
    for n, seed in ((5, 0), (5, 1), (70, 2), (5, 3)):
        assert torch.equal(fast(slots(n, seed)), step(slots(n, seed)))
    assert len(model._recorded) == 2
    x = slots()
    x[:, 2] = torch.nan
    model.check()
    assert torch.isnan(fast(x)[2]).all()
    assert torch.isfinite(fast(x)[0]).all()
    assert model.works


@pytest.mark.usefixtures("at_once")
def test_recording_is_used():
    """After the comparison the model is not called until the next check."""
    step, calls = land_step(), []
    fast, model = traced(step)
    fast(slots())
    predict = step.model.predict_step
    step.model.predict_step = lambda batch: calls.append(0) or predict(batch)
    fast(slots(seed=1))
    assert calls == []
    model.check()
    fast(slots(seed=2))
    assert len(calls) == 1


@pytest.mark.parametrize(
    "leave",
    [
        lambda y: torch.as_tensor(y.detach().numpy() * 1.0),  # leaves torch: a recording would hold a constant
        lambda y: y * float(y.mean()),  # a number of the data
        lambda y: torch.as_tensor(y.tolist()),
    ],
)
@pytest.mark.usefixtures("at_once")
def test_model_that_cannot_be_recorded_is_called_directly(leave):
    """A recorded constant is detected, as recording and comparison use different rows."""
    step = land_step()
    predict = step.model.predict_step
    step.model.predict_step = lambda batch: {"data": leave(predict(batch)["data"])}
    fast, model = traced(step)
    for seed in range(3):
        assert torch.equal(fast(slots(seed=seed)), step(slots(seed=seed)))
    assert not model.works


@pytest.mark.usefixtures("at_once")
def test_no_recording_is_replayed_before_its_comparison_has_ended():
    """A thread that calls during the comparison of a wrong recording gets the model's values."""
    step = land_step()
    predict, comparing, go_on = step.model.predict_step, threading.Event(), threading.Event()

    def cannot_be_recorded(batch):
        if not torch.jit.is_tracing():
            comparing.set()
            go_on.wait(30)
        return {"data": torch.as_tensor(predict(batch)["data"].tolist())}

    step.model.predict_step = cannot_be_recorded
    fast, _ = traced(step)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fast, slots(seed=0))
        assert comparing.wait(30)
        second = pool.submit(fast, slots(seed=1))
        wait([second], timeout=0.5)  # long enough to replay, if it could
        go_on.set()
        assert torch.equal(second.result(30), step(slots(seed=1)))
        assert torch.equal(first.result(30), step(slots(seed=0)))
