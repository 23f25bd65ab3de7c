# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Boosted trees with the interface of a network."""

import builtins

import numpy as np
import pytest
import torch

from benchmarks.contest.trees import Trees


def fitted(**options):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((2000, 4), dtype=np.float32)
    targets = np.stack([np.sign(rows[:, 0]), rows[:, 1] * rows[:, 2], 3.0 + rows[:, 3]], axis=1)
    trees = Trees(4, 2, 1, **{"trees": 20, "depth": 5, "rate": 0.3, **options})
    trees.fit(rows, targets)
    return trees, torch.from_numpy(rows), torch.from_numpy(targets)


def test_fit_recovers_the_function():
    """A step, a product and an offset are fitted, each by its own trees."""
    trees, rows, targets = fitted()
    error = (torch.cat(trees(rows), dim=-1) - targets).square().mean(dim=0) / targets.var(dim=0)
    assert (error < torch.tensor([0.01, 0.2, 0.05])).all()


def test_cost_and_size_are_stated():
    """Comparisons at most: trees x depth x outputs; numbers found: leaves, and two for each comparison."""
    trees, _, _ = fitted(trees=3, depth=1)
    assert trees.flops_per_point == 3 * 1 * 3
    assert trees.n_parameters == 9 * (2 + 2 * 1)


def test_gradient_is_refused():
    """A roll-out that is differentiated cannot go through trees; an unused gradient is not an error."""
    trees, rows, _ = fitted(trees=2)
    with pytest.raises(ValueError, match=r"no gradient.*task.rollout.steps=\[1\]"):
        trees(rows.requires_grad_())
    with torch.no_grad():
        trees(rows)


def test_missing_xgboost_is_reported(monkeypatch):
    """The error says what to install."""
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "xgboost":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="pip install xgboost-cpu"):
        Trees(4, 2, 1)
