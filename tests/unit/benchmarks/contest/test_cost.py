# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Operations are counted while the model runs, physics and all."""

from __future__ import annotations

import torch
from torch import nn

from anemoi_ailand.model.pointwise_mlp import PointwiseMLP
from benchmarks.contest.cost import Cost, cost_of, n_parameters, stated_by
from tests.support.land import CLOSED


class Model(nn.Module):
    """A step with a network and some physics."""

    def __init__(self, network, physics=lambda x: x):
        super().__init__()
        self.network, self.physics = network, physics

    def advance(self, start, end):
        return self.physics(self.network(torch.cat([start, end], dim=-1)))


class Trees(nn.Module):
    """Network that computes outside torch."""

    flops_per_point = 120.0

    def n_parameters(self):
        return 1000

    def forward(self, x):
        return x[..., :1]


def test_linear_layer_costs_two_operations_a_weight():
    """A multiplication and an addition."""
    assert cost_of(Model(nn.Linear(6, 5, bias=False)), 3) == Cost(parameters=30, linear=60.0, other=0.0)


def test_same_as_counting_the_layers_of_the_network():
    """All linear layers of the emulator's network are found, each once."""
    network = PointwiseMLP(n_in=8, n_prognostic=3, n_diagnostic=2, width=16, depth=2)
    layers = [m for m in network.modules() if isinstance(m, nn.Linear)]
    cost = cost_of(Model(network, physics=lambda heads: torch.cat(heads, dim=-1)), 4)
    assert cost.linear == sum(2 * m.in_features * m.out_features for m in layers)
    assert cost.parameters == sum(p.numel() for p in network.parameters())
    assert 0 < cost.other < cost.linear
    assert cost.flop == cost.linear + cost.other


def test_physics_counts_an_operation_for_each_value():
    """Moving values about is free."""
    network = nn.Linear(4, 10, bias=False)
    assert cost_of(Model(network, lambda x: x.exp() * 2 + 1), 2).other == 30.0
    assert cost_of(Model(network, lambda x: x.flip(-1)[..., 2:].clone()), 2).other == 0.0


def test_cost_outside_torch_is_reported():
    """An attribute or a method, of any module inside."""
    network = nn.Sequential(Trees())
    assert cost_of(Model(network), 2) == Cost(parameters=1000, linear=120.0, other=0.0)
    assert n_parameters(nn.Linear(2, 3)) == 9
    assert stated_by(nn.Linear(2, 3), "flops_per_point") is None


def test_closed_step_costs_more_than_its_network():
    """The physics of the real model is counted, the linear layers are those of its network."""
    model = CLOSED.land_model(width=16, depth=2)
    layers = [m for m in model.network.modules() if isinstance(m, nn.Linear)]
    cost = cost_of(model, len(CLOSED.variables))
    assert cost.linear == sum(2 * m.in_features * m.out_features for m in layers)
    assert cost.other > 1000
