# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Networks of the contest: common properties, what each is known for, how it is fitted, and its cost."""

import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from anemoi.models.layers.block import PointWiseMLPProcessorBlock
from torch import nn

from anemoi_ailand.model.networks import NetworkShape, build_network
from anemoi_ailand.model.pointwise_mlp import PointwiseMLP
from anemoi_ailand.training.task import LandForecaster
from benchmarks.contest.cost import Cost, cost_of, n_parameters, stated_by
from benchmarks.contest.fit_trees import FitTrees, gather
from benchmarks.contest.split_mlp import SplitMLP
from benchmarks.contest.stock_blocks import StockBlocks
from benchmarks.contest.trees import Trees
from tests.support.land import CLOSED, OPEN

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


def test_cost_size_and_the_missing_gradient_are_stated():
    """Comparisons at most: trees x depth x outputs; numbers found: leaves, and two for each comparison."""
    trees, rows, _ = fitted(trees=3, depth=1)
    assert trees.flops_per_point == 3 * 1 * 3
    assert trees.n_parameters == 9 * (2 + 2 * 1)
    with pytest.raises(ValueError, match=r"no gradient.*task.rollout.steps=\[1\]"):
        trees(rows.requires_grad_())
    with torch.no_grad():  # an unused gradient is not an error
        trees(rows)


def test_missing_xgboost_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(ImportError, match="pip install xgboost-cpu"):
        Trees(4, 2, 1)


#: Windows of the made-up training data, and points of each.
N_WINDOWS, N_POINTS = 150, 4

#: What stands for the normalisation, so that it is seen when it is left out.
HALF = 0.5


def trainer():
    fields = OPEN.batch(2, N_POINTS, N_WINDOWS)["data"] / HALF
    dataset = SimpleNamespace(
        valid_date_indices=np.arange(N_WINDOWS), get_sample=lambda i: {"data": fields[i]}, fields=fields
    )
    return SimpleNamespace(datamodule=SimpleNamespace(ds_train=dataset))


def module(network=TREES, steps=(1,), **options):
    given = {"trees": 4, "depth": 3, **options} if network == TREES else options
    config = OPEN.model_config(**{"width": None, "activation": None, "depth": None, "network": network, **given})
    interface = SimpleNamespace(
        model=OPEN.land_model(config=config), pre_processors={"data": lambda x, in_place: HALF * x}
    )
    return SimpleNamespace(
        model=interface, task=LandForecaster(rollout={"steps": list(steps)}), data_indices={"data": OPEN.indices()},
        device=torch.device("cpu"),
    )  # fmt: skip


def test_samples_are_steps_as_the_model_sees_them():
    """A network that gives the targets for its columns makes every step end where the data do."""
    pl_module, dataset = module(), trainer().datamodule.ds_train
    model = pl_module.model.model
    inputs, targets = gather(dataset, pl_module, None, seed=1)
    assert len(inputs) == len(targets) == N_WINDOWS * N_POINTS
    assert [len(part) for part in gather(dataset, pl_module, 50, seed=1)] == [50, 50]
    normalised = HALF * dataset.fields[np.random.default_rng(1).permutation(N_WINDOWS)]
    ends = normalised[..., OPEN.indices().data.input.full]
    z = model.read(ends[:, 0], ends[:, 1])
    np.testing.assert_array_equal(inputs, z.reshape(len(inputs), -1))
    answers = torch.from_numpy(targets).reshape(*z.shape[:-1], -1).split([3, 2], dim=-1)
    model.network.forward = lambda z: answers
    model._lower.fill_(-1e9), model._upper.fill_(1e9)
    expected = normalised[:, 1][..., OPEN.indices().data.output.full]
    torch.testing.assert_close(model.advance(ends[:, 0], ends[:, 1]), expected, rtol=1e-5, atol=1e-5)


def test_trees_are_fitted_once():
    """A fit makes predictions; trees of a checkpoint stay."""
    pl_module = module()
    network = pl_module.model.model.network
    FitTrees(samples=200).on_fit_start(trainer(), pl_module)
    assert network.fitted
    stored = network._stored
    FitTrees(samples=300).on_fit_start(trainer(), pl_module)
    assert network._stored is stored


def test_unsupported_setup_is_refused():
    mlp = {"network": "mlp", "width": 8, "depth": 1}
    for options, message in (
        (mlp, "PointwiseMLP.*`model.model.network: benchmarks.contest.trees.Trees`"),
        ({"steps": (4,)}, r"has 4 steps.*task.rollout.steps=\[1\]"),
    ):
        with pytest.raises(ValueError, match=message):
            FitTrees().on_fit_start(trainer(), module(**options))
    with pytest.raises(ValueError, match="`samples` is 0"):
        FitTrees(samples=0)


class Model(nn.Module):
    """A step with a network and some physics."""

    def __init__(self, network, physics=lambda x: x):
        super().__init__()
        self.network, self.physics = network, physics

    def advance(self, start, end):
        return self.physics(self.network(torch.cat([start, end], dim=-1)))


class OutsideTorch(nn.Module):
    """Network that computes outside torch."""

    flops_per_point = 120.0

    def n_parameters(self):
        return 1000

    def forward(self, x):
        return x[..., :1]


def linear_operations(module):
    """Two operations a weight of each linear layer: a multiplication and an addition."""
    return sum(2 * m.in_features * m.out_features for m in module.modules() if isinstance(m, nn.Linear))


def test_cost_is_counted_by_layer_and_value():
    """All linear layers are found, each once; physics counts an operation a value, and moving values is free."""
    network = PointwiseMLP(n_in=8, n_prognostic=3, n_diagnostic=2, width=16, depth=2)
    cost = cost_of(Model(network, physics=lambda heads: torch.cat(heads, dim=-1)), 4)
    assert cost.linear == linear_operations(network)
    assert cost.parameters == sum(p.numel() for p in network.parameters())
    assert cost.flop == cost.linear + cost.other
    plain = nn.Linear(4, 10, bias=False)
    assert cost_of(Model(plain, lambda x: x.exp() * 2 + 1), 2).other == 30.0
    assert cost_of(Model(plain, lambda x: x.flip(-1)[..., 2:].clone()), 2).other == 0.0


def test_closed_step_costs_more_than_its_network():
    """The physics of the real model is counted."""
    model = CLOSED.land_model(width=16, depth=2)
    cost = cost_of(model, len(CLOSED.variables))
    assert cost.linear == linear_operations(model.network)
    assert cost.other > 1000


def test_cost_outside_torch_is_reported():
    """An attribute or a method, of any module inside."""
    network = nn.Sequential(OutsideTorch())
    assert cost_of(Model(network), 2) == Cost(parameters=1000, linear=120.0, other=0.0)
    assert n_parameters(nn.Linear(2, 3)) == 9
    assert stated_by(nn.Linear(2, 3), "flops_per_point") is None
