# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Expected speed and duration of a training."""

import torch

from anemoi_ailand.training.throughput import expectation, step_rate
from tests.support.land import OPEN
from tests.support.training import training_module


def test_measuring_the_rate_changes_nothing():
    """Neither weights nor gradients nor mode; the rate is positive."""
    module = training_module(n_steps=1).eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    assert step_rate(module, OPEN.batch(2)["data"], rounds=1) > 0.0
    assert not module.training and all(p.grad is None for p in module.parameters())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_expected_times():
    """Of the shortest and the longest epoch and of all; a range where the step may be compiled."""
    text = expectation(10_000.0, 1000, 100, [1, 1, 4], (1.0, 2.0))
    assert text == (
        "10,000 to 20,000 point-steps/s; an epoch of 1 step 5 to 10 s, one of 4 steps 20 to 40 s; "
        "all 3 epochs 0.0083 to 0.017 h"
    )
    assert expectation(1.0, 1, 1, None, (1.0,)).endswith("neither epochs nor batches are limited")
