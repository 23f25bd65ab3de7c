# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The network of the 2024 prototype."""

import pytest
import torch

from benchmarks.contest.split_mlp import SplitMLP


def test_size_is_that_of_the_prototype():
    """20 static and 19 other inputs, 7 increments and 3 diagnostics at width 172 are 157,000 parameters."""
    network = SplitMLP(39, 7, 3, tuple(range(20)), width=172)
    assert sum(p.numel() for p in network.parameters()) == 157_390


def test_static_fields_go_through_their_branch_alone():
    """Each branch reads its columns and no other."""
    network = SplitMLP(5, 2, 1, (0, 3), width=8)
    assert network._static.tolist() == [0, 3]
    assert network._moving.tolist() == [1, 2, 4]
    assert network.static_branch[0].in_features == 2
    assert network.moving_branch[0].in_features == 3
    z = torch.randn(4, 5, requires_grad=True)
    network(z)[1].sum().backward()
    assert (z.grad.abs().sum(dim=0) > 0).all()


@pytest.mark.parametrize(("static", "missing"), [((), "static"), ((0, 1, 2, 3, 4), "moving")])
def test_a_branch_without_inputs_is_refused(static, missing):
    """The error names the branch."""
    with pytest.raises(ValueError, match=f"at least 1.*'{missing}': 0"):
        SplitMLP(5, 2, 1, static, width=8)
