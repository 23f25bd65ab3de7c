# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Physical bounds."""

import numpy as np
import pytest
import torch

from anemoi_ailand.physics.bounds import clamp, limits
from anemoi_ailand.variables import VARIABLES


def test_limits_are_those_of_the_table():
    """Bounds equal those of the table; open ones are infinite."""
    lower, upper = limits(list(VARIABLES))
    for low, high, row in zip(lower, upper, VARIABLES.values(), strict=True):
        assert low == (-np.inf if row.bounds[0] is None else row.bounds[0])
        assert high == (np.inf if row.bounds[1] is None else row.bounds[1])


@pytest.mark.parametrize("straight_through", [False, True])
def test_clamp_limits_values_and_gradient(straight_through):
    """Outside the bounds the value is the bound; the gradient is zero, or one in training."""
    x = torch.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    y = clamp(x, torch.zeros(3), torch.ones(3), straight_through=straight_through)
    assert y.tolist() == [0.0, 0.5, 1.0]
    y.sum().backward()
    assert x.grad.tolist() == ([1.0, 1.0, 1.0] if straight_through else [0.0, 1.0, 0.0])
