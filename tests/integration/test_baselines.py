# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The entrants of the contest train for a few steps and roll out; test_contest.py does so by the command line."""

import csv
from functools import cache

import pytest
import torch

from anemoi_ailand.model.networks import MLP, network_class
from anemoi_ailand.rollout.step.checkpoint import load_step
from benchmarks.contest.training import CONFIGS
from tests.support.training import train

pytestmark = pytest.mark.slow

PERIOD = (
    "land.points=null",  # of 33
    "dataloader.training.datasets.data.start=2020-03-01",
    "dataloader.training.datasets.data.end=2020-04-30",
    "dataloader.validation.datasets.data.start=2020-05-01",
    "dataloader.validation.datasets.data.end=2020-05-31",
    "dataloader.batch_size.training=4",
    "dataloader.limit_batches.validation=1",
    "task.validation_rollout=3",
)
SHORT = (*PERIOD, "training.max_steps=4", "dataloader.limit_batches.training=2",
         "training.optimization.lr_scheduler.warmup_t=1")  # fmt: skip
SMALL = ("model.model.width=16", "model.model.depth=2")

#: Entrants of one stage: what makes each small, and its network.
FIRST_STAGES = {
    "ailand-v1-forcing": ((*SHORT, *SMALL), MLP),
    "prototype-2024": ((*SHORT, "model.model.width=16"), "benchmarks.contest.split_mlp.SplitMLP"),
    "stock-pointwise": ((*SHORT, *SMALL), "benchmarks.contest.stock_blocks.StockBlocks"),
    "xgboost": ((*PERIOD, "land.samples=2000", "model.model.trees=3", "model.model.depth=3"),
                "benchmarks.contest.trees.Trees"),
}  # fmt: skip
SECOND_STAGE = "ailand-v1-forcing-rollout8"

#: Trained by the command line in test_contest.py.
ELSEWHERE = {"ailand-21m", "ailand-v1", "ailand-v1-rollout8"}


@pytest.fixture(scope="module")
def first_stage(small_dataset, tmp_path_factory):
    """Folder of the best checkpoint of an entrant, trained once."""
    root = tmp_path_factory.mktemp("entrants")
    return cache(lambda name: train(name, small_dataset, root / name, *FIRST_STAGES[name][0]))


def rows(step, n_rows=6):
    """Made-up inputs in physical units: the state of a mild day."""
    x = torch.full((2, n_rows, len(step.inputs)), 0.2)
    for i, name in enumerate(step.inputs):
        if name.startswith("stl") or name in ("t", "avg_t"):
            x[..., i] = 285.0
    return x


def rolled_out(checkpoint, n_steps=4):
    """Outputs of some steps, each beginning with the state of the one before."""
    step = load_step(checkpoint)
    x = rows(step)
    for _ in range(n_steps):
        y = step(x)
        for name in step.prognostic:
            x[..., step.inputs.index(name)] = y[:, step.outputs.index(name)]
    return y


def test_every_entrant_is_tried():
    """A new configuration gets its line in this file."""
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == {*FIRST_STAGES, SECOND_STAGE, *ELSEWHERE}


@pytest.mark.parametrize("name", FIRST_STAGES)
def test_an_entrant_trains_and_rolls_out(first_stage, name):
    """The checkpoint steps from its own state with the network of its configuration."""
    checkpoint = first_stage(name) / "inference-best.ckpt"
    assert torch.isfinite(rolled_out(checkpoint)).all()
    assert isinstance(load_step(checkpoint).model.model.network, network_class(FIRST_STAGES[name][1]))


def test_second_stage_continues_with_a_longer_rollout(first_stage, small_dataset, tmp_path):
    """It begins with the weights of the first, and its checkpoint rolls out."""
    name = "ailand-v1-forcing"
    warm = f"system.input.warm_start={first_stage(name) / 'best.ckpt'}"
    best = train(SECOND_STAGE, small_dataset, tmp_path / "second", *FIRST_STAGES[name][0], warm)
    assert torch.isfinite(rolled_out(best / "inference-best.ckpt")).all()
    log = csv.DictReader((tmp_path / "second" / "training_log.csv").open())
    assert {row["rollout"] for row in log} == {"8"}


def test_trees_are_in_the_checkpoint(first_stage):
    """A checkpoint of trees predicts with them, not with persistence."""
    step = load_step(first_stage("xgboost") / "inference-best.ckpt")
    network = step.model.model.network
    assert network.fitted
    assert network.flops_per_point == 3 * 3 * 12
    start = rows(step)
    moved = step(start)[:, step.outputs.index("stl1")] - start[0, :, step.inputs.index("stl1")]
    assert moved.abs().max() > 0.0
