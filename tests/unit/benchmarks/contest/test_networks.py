# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Properties that every network has in common, the packaged one and those of the contest."""

import pickle

import pytest
import torch

from anemoi_ailand.model.networks import NetworkShape, build_network

SHAPE = NetworkShape(n_in=6, n_prognostic=3, n_diagnostic=2, static=(1, 4))
TREES = "benchmarks.contest.trees.Trees"
SMALL = {
    "mlp": {"width": 16, "depth": 2, "activation": "relu", "skip": False},
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
def test_shapes_keep_leading_dimensions(name):
    """(..., n_in) gives (..., n_prognostic) and (..., n_diagnostic)."""
    increments, diagnostics = awake(name)(torch.randn(2, 1, 7, 6))
    assert increments.shape == (2, 1, 7, 3)
    assert diagnostics.shape == (2, 1, 7, 2)


@ALL
def test_untrained_network_is_persistence(name):
    """Increments are exactly zero before training."""
    increments, _ = built(name)(torch.randn(7, 6))
    assert torch.equal(increments, torch.zeros_like(increments))


@ALL
def test_points_never_mix(name):
    """Another point changes nothing, and its own inputs do, static ones and others."""
    network, z = awake(name), torch.randn(40, 6)
    before = torch.cat(network(z), dim=-1)
    z[7] += 1.5
    change = (torch.cat(network(z), dim=-1) - before).abs().amax(dim=-1)
    assert (change > 0).nonzero().flatten().tolist() == [7]


@ALL
def test_pickled_network_gives_the_same(name):
    """An inference checkpoint is a pickle."""
    network, z = awake(name), torch.randn(9, 6)
    again = pickle.loads(pickle.dumps(network))
    assert all(torch.equal(a, b) for a, b in zip(network(z), again(z), strict=True))


@ALL
def test_weights_carry_the_network(name):
    """A training checkpoint is a state that a newly built network loads."""
    network, other, z = awake(name), built(name), torch.randn(9, 6)
    other.load_state_dict(network.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(network(z), other(z), strict=True))


@ALL
def test_no_diagnostics_gives_empty_tensor(name):
    """A network without diagnostics returns none."""
    network = built(name, NetworkShape(6, 3, 0, (1, 4)))
    assert network(torch.randn(7, 6))[1].shape == (7, 0)
