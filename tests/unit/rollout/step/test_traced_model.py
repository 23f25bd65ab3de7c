# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A recorded model gives what the model gives, or is not used."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

import pytest
import torch

from anemoi_ailand.rollout.step.traced_model import traced
from tests.support.land import OPEN


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


def rows(n=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, n, len(land_step().inputs), generator=generator)


def test_same_values_to_the_last_bit():
    """Recording, replay and another shape give the bits of the model; NaN in the outputs is not a difference."""
    step = land_step()
    fast, model = traced(step)
    for n, seed in ((5, 0), (5, 1), (70, 2), (5, 3)):
        assert torch.equal(fast(rows(n, seed)), step(rows(n, seed)))
    assert len(model._recorded) == 2
    x = rows()
    x[:, 2] = torch.nan
    model.check()
    assert torch.isnan(fast(x)[2]).all()
    assert torch.isfinite(fast(x)[0]).all()
    assert model.works


def test_recording_is_used():
    """After the comparison the model is not called until the next check."""
    step, calls = land_step(), []
    fast, model = traced(step)
    fast(rows())
    predict = step.model.predict_step
    step.model.predict_step = lambda batch: calls.append(0) or predict(batch)
    fast(rows(seed=1))
    assert calls == []
    model.check()
    fast(rows(seed=2))
    assert len(calls) == 1


@pytest.mark.parametrize(
    "leave",
    [
        lambda y: torch.as_tensor(y.detach().numpy() * 1.0),  # leaves torch: a recording would hold a constant
        lambda y: y * float(y.mean()),  # a number of the data
        lambda y: torch.as_tensor(y.tolist()),
    ],
)
def test_model_that_cannot_be_recorded_is_called_directly(leave):
    """A recorded constant is detected, as recording and comparison use different rows."""
    step = land_step()
    predict = step.model.predict_step
    step.model.predict_step = lambda batch: {"data": leave(predict(batch)["data"])}
    fast, model = traced(step)
    for seed in range(3):
        assert torch.equal(fast(rows(seed=seed)), step(rows(seed=seed)))
    assert not model.works


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
        first = pool.submit(fast, rows(seed=0))
        assert comparing.wait(30)
        second = pool.submit(fast, rows(seed=1))
        wait([second], timeout=0.5)  # long enough to replay, if it could
        go_on.set()
        assert torch.equal(second.result(30), step(rows(seed=1)))
        assert torch.equal(first.result(30), step(rows(seed=0)))
