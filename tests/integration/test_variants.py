# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Variants train: forcing every 3 h, leaf area as a part of the state."""

import csv

import pytest
import torch
from anemoi.datasets import open_dataset

from tests.integration.conftest import TINY
from tests.support.training import train

pytestmark = pytest.mark.slow

FEW = (
    "land.points=null", "dataloader.batch_size.training=4", "dataloader.batch_size.validation=4",
    "dataloader.limit_batches.training=2", "dataloader.limit_batches.validation=1", "training.max_epochs=1",
)  # fmt: skip
LEAVES = ("lai_lv", "lai_hv")


def columns_of(dataset, folder, config, *options):
    """Train some steps; return the columns of the network in the inference checkpoint."""
    best = train(config, dataset, folder, *TINY, *FEW, *options)
    rows = list(csv.DictReader((folder / "training_log.csv").open()))
    assert float(rows[-1]["train_loss"]) > 0
    return torch.load(best / "inference-best.ckpt", map_location="cpu", weights_only=False).model.columns


def test_three_hourly_forcing_trains_and_is_read(small_dataset, tmp_path):
    """The means of the last three hours are inputs at the end of the step, besides those of the whole step."""
    columns = columns_of(small_dataset, tmp_path, "ailand-3h")
    late = {"late_sdswrf", "late_tprate", "late_tsrwe"}
    assert late <= set(open_dataset(str(small_dataset)).variables)
    assert late <= set(columns.end)
    assert not late & set(columns.start)


@pytest.mark.parametrize("step", ["increments", "closed"])
def test_leaf_area_can_be_state_by_overrides_alone(small_dataset, tmp_path, step):
    """As docs/guide/model.md says: out of the forcing, into the state; it is predicted and takes a training step."""
    options = ["land.forcing.vegetation=[]", f"land.prognostic.vegetation=[{','.join(LEAVES)}]"]
    if step == "increments":  # it reads no categories
        options.append("land.forcing.types=[]")
    columns = columns_of(small_dataset, tmp_path, "ailand", f"model.model.step={step}", *options)
    assert set(LEAVES) <= set(columns.prognostic)
    assert set(LEAVES) <= set(columns.start)
