# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The stopwatch of a training."""

from types import SimpleNamespace

import pytest
import torch

from benchmarks.speed import stopwatch
from benchmarks.speed.stopwatch import Stopwatch, Timing


def train(watch, n_batches, monkeypatch):
    """Batches of 2 windows x 5 points x 3 steps that take 2 s of the clock and 1 s of the processor each."""
    now = {"wall": 100.0, "cpu": 50.0}
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: now["wall"])
    monkeypatch.setattr(stopwatch.time, "process_time", lambda: now["cpu"])
    module = SimpleNamespace(task=SimpleNamespace(steps=lambda mode: ({},) * 3))
    for i in range(n_batches):
        now["wall"], now["cpu"] = now["wall"] + 2.0, now["cpu"] + 1.0
        batch = {"data": torch.zeros(2, 4, 1, 5, 7)}
        watch.on_train_batch_end(None, module, {"loss": torch.ones(1)}, batch, i)


def test_rate_is_over_the_batches_after_the_warm_up(monkeypatch):
    """Four batches of 30 point-steps in 8 s, with 4 s of work of the process."""
    watch = Stopwatch(warm_up=3)
    train(watch, 7, monkeypatch)
    timing = watch.timing()
    assert timing == Timing(point_steps=120, seconds=8.0, cpu_seconds=4.0)
    assert (timing.rate, timing.cpu_rate) == (15.0, 30.0)


def test_too_few_batches_are_refused(monkeypatch):
    """Batches of the warm-up alone give no rate."""
    watch = Stopwatch(warm_up=3)
    train(watch, 4, monkeypatch)
    with pytest.raises(ValueError, match="4 batches were trained including 3 of warm-up"):
        watch.timing()
