# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Networks of the contest: common properties, and what each is known for."""

import pickle

import pytest
import torch
from anemoi.models.layers.block import PointWiseMLPProcessorBlock
from torch import nn

from anemoi_ailand.model.networks import NetworkShape, build_network
from benchmarks.contest.split_mlp import SplitMLP
from benchmarks.contest.stock_blocks import StockBlocks

SHAPE = NetworkShape(n_in=6, n_prognostic=3, n_diagnostic=2, static=(1, 4))
TREES = "benchmarks.contest.trees.Trees"
SMALL = {
    "benchmarks.contest.split_mlp.SplitMLP": {"width": 16},
    "benchmarks.contest.stock_blocks.StockBlocks": {"width": 16, "depth": 2, "ratio": 2},
    TREES: {"trees": 5, "depth": 3},
}
ALL = pytest.mark.parametrize("name", SMALL)


def built(name, shape=SHAPE, **options):
    torch.manual_seed(3)
    return build_network({"network": name, **SMALL[name], **options}, shape).eval()


def awake(name):
    """A network with outputs other than zero."""
    network = built(name)
    if name == TREES:
        rows = torch.randn(400, 6)
        network.fit(rows.numpy(), torch.cat([rows[:, :3] * rows[:, 3:], rows[:, :2].tanh()], dim=-1).numpy())
    else:
        torch.nn.init.normal_(network.prognostic_head.weight)
    return network


@ALL
def test_untrained_network_is_persistence(name):
    """Increments (..., n_prognostic) are exactly zero before training; without diagnostics there are none."""
    increments, diagnostics = built(name)(torch.randn(2, 1, 7, 6))
    assert torch.equal(increments, torch.zeros(2, 1, 7, 3)) and diagnostics.shape == (2, 1, 7, 2)
    assert built(name, NetworkShape(6, 3, 0, (1, 4)))(torch.randn(7, 6))[1].shape == (7, 0)


@ALL
def test_points_never_mix(name):
    """Another point changes nothing, and its own inputs do, static ones and others."""
    network, z = awake(name), torch.randn(40, 6)
    before = torch.cat(network(z), dim=-1)
    z[7] += 1.5
    change = (torch.cat(network(z), dim=-1) - before).abs().amax(dim=-1)
    assert (change > 0).nonzero().flatten().tolist() == [7]


@ALL
def test_checkpoints_carry_the_network(name):
    """An inference checkpoint is a pickle, a training checkpoint a state that a newly built network loads."""
    network, other, z = awake(name), built(name), torch.randn(9, 6)
    other.load_state_dict(network.state_dict())
    for again in (other, pickle.loads(pickle.dumps(network))):
        assert all(torch.equal(a, b) for a, b in zip(network(z), again(z), strict=True))


def test_full_sizes_are_those_of_the_models():
    """The 2024 prototype has 157,000 parameters, the stock configuration of anemoi-training 134 million."""
    with torch.device("meta"):
        sizes = [sum(p.numel() for p in network.parameters())
                 for network in (SplitMLP(39, 7, 3, tuple(range(20)), width=172), StockBlocks(46, 7, 5))]  # fmt: skip
    assert sizes[0] == 157_390 and 134e6 < sizes[1] < 135e6


def test_static_fields_go_through_their_branch_alone():
    """Each branch of the prototype reads its columns and no other; one without inputs is refused."""
    network = SplitMLP(5, 2, 1, (0, 3), width=8)
    assert (network._static.tolist(), network._moving.tolist()) == ([0, 3], [1, 2, 4])
    for static, missing in (((), "static"), ((0, 1, 2, 3, 4), "moving")):
        with pytest.raises(ValueError, match=f"at least 1.*'{missing}': 0"):
            SplitMLP(5, 2, 1, static, width=8)


def test_blocks_are_those_of_anemoi_models():
    """As many as asked for, with the channels and the activation asked for; gradients reach every parameter."""
    network = StockBlocks(5, 3, 2, width=12, depth=3, ratio=4, activation="silu")
    blocks = [m for m in network.modules() if isinstance(m, PointWiseMLPProcessorBlock)]
    assert len(blocks) == 3
    assert [type(m) for m in blocks[0].mlp] == [nn.Linear, nn.LayerNorm, nn.SiLU, nn.Linear]
    assert blocks[0].mlp[0].weight.shape == (48, 12)
    nn.init.normal_(network.prognostic_head.weight)
    sum(y.square().sum() for y in network(torch.randn(2, 11, 5))).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
