# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Trees are fitted to the samples and with the columns of the training."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from anemoi_ailand.training.task import LandForecaster
from benchmarks.contest.fit_trees import FitTrees, gather
from tests.support.land import OPEN

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


TREES = "benchmarks.contest.trees.Trees"


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
    """The error says what to set."""
    mlp = {"network": "mlp", "width": 8, "depth": 1}
    for options, message in (
        (mlp, "PointwiseMLP.*`model.model.network: benchmarks.contest.trees.Trees`"),
        ({"steps": (4,)}, r"has 4 steps.*task.rollout.steps=\[1\]"),
    ):
        with pytest.raises(ValueError, match=message):
            FitTrees().on_fit_start(trainer(), module(**options))
    with pytest.raises(ValueError, match="`samples` is 0"):
        FitTrees(samples=0)
