# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Results of a row do not depend on the other rows, to the last bit."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from anemoi_ailand.rollout.step.batch_invariance import (
    OUTPUTS,
    ROWS,
    BatchInvariantLinear,
    make_batch_invariant,
    padded_rows,
)


def network(*sizes):
    layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.SiLU())))


def test_layers_that_do_not_fill_the_units_are_replaced():
    """At any depth; a replaced layer shares the weights, and equals the original to rounding."""
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
