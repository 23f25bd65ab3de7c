# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The plain loop computes what the training module computes, and learns."""

from types import SimpleNamespace

import numpy as np
import torch

from benchmarks.speed.plain_loop import PlainLoop
from tests.support.land import OPEN
from tests.support.training import training_config, training_module


def loop(n_steps=2, **options):
    full = training_config()
    full.training.scalers.datasets.data.general_variable.weights = {"default": 1.0}
    module = training_module(n_steps=n_steps, full=full)
    rng = np.random.default_rng(1)
    stats = OPEN.statistics()
    fields = rng.standard_normal((12, len(OPEN.variables), 1, 9)) * stats["stdev"][:, None, None]
    reader = SimpleNamespace(data=(fields + stats["mean"][:, None, None]).astype("f4"), grid_size=9)
    made = {"windows": 3, "points": 4, "n_steps": n_steps, **options}
    return PlainLoop(module, reader, **made), module


def test_gradient_is_that_of_the_training_module():
    """The same batch gives the same gradient, so the yardstick does the same work."""
    plain, module = loop(n_steps=3)
    batch = plain.batch()
    plain.batch = lambda: batch
    module._step({"data": batch.clone()}).loss.sum().backward()
    expected = torch.cat([p.grad.flatten().clone() for p in plain.parameters])
    found = []
    plain.optimizer.step = lambda: found.append(torch.cat([p.grad.flatten() for p in plain.parameters]))
    plain.update()
    expected = expected * min(1.0, 5.0 / float(expected.norm()))
    torch.testing.assert_close(found[0], expected, rtol=1e-3, atol=1e-5)


def test_timing_counts_the_batches_after_the_warm_up():
    """Windows x points x steps of every timed batch; the weights have moved."""
    plain, _ = loop(lr=1e-2)
    before = [p.detach().clone() for p in plain.parameters]
    timing = plain.run(n_batches=2, warm_up=1)
    assert timing.point_steps == 2 * 3 * 4 * 2
    assert timing.seconds > 0.0
    assert any(not torch.equal(a, b) for a, b in zip(before, plain.parameters, strict=True))
