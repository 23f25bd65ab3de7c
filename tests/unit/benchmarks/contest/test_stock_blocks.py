# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The point-wise blocks of anemoi-models as a network of the land model."""

import pytest
import torch
from anemoi.models.layers.block import PointWiseMLPProcessorBlock
from torch import nn

from benchmarks.contest.stock_blocks import StockBlocks


def test_blocks_are_those_of_anemoi_models():
    """As many as asked for, with the channels and the activation asked for."""
    network = StockBlocks(5, 3, 2, width=12, depth=3, ratio=4, activation="silu")
    blocks = [m for m in network.modules() if isinstance(m, PointWiseMLPProcessorBlock)]
    assert len(blocks) == 3
    assert [type(m) for m in blocks[0].mlp] == [nn.Linear, nn.LayerNorm, nn.SiLU, nn.Linear]
    assert blocks[0].mlp[0].weight.shape == (48, 12)


def test_nothing_is_learned_per_grid_node():
    """Any number of points goes through the same weights, and gradients reach all of them."""
    network = StockBlocks(5, 3, 2, width=12, depth=2)
    nn.init.normal_(network.prognostic_head.weight)
    for n_points in (3, 11):
        increments, diagnostics = network(torch.randn(2, n_points, 5))
        network.zero_grad()
        (increments.square().sum() + diagnostics.square().sum()).backward()
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


def test_full_size_is_that_of_the_stock_configuration():
    """16 blocks of 1024 channels are 134 million parameters."""
    with torch.device("meta"):
        network = StockBlocks(46, 7, 5)
    assert 134e6 < sum(p.numel() for p in network.parameters()) < 135e6


@pytest.mark.parametrize(
    ("options", "message"), [({"activation": "glu"}, "Activation 'glu'"), ({"depth": 0}, "at least 1")]
)
def test_wrong_options_are_refused(options, message):
    """The error says what is wrong."""
    with pytest.raises(ValueError, match=message):
        StockBlocks(5, 3, 2, **{"width": 8, **options})
