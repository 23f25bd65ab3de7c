# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The training log."""

import csv
from types import SimpleNamespace

import pytest

from anemoi_ailand.training.log import TrainingLog, rmse_by_variable

METRICS = {
    "val_data_mse_metric/data/sfc_swvl1/1": 4.0,
    "val_data_mse_metric/data/sfc_swvl1/2": 16.0,
    "val_data_mse_metric/data/2t/1": 0.25,
    "val_multi_dataset_loss_epoch": 0.5,
    "train_multi_dataset_loss_epoch": 0.7,
}


def test_rmse_is_over_all_steps_of_the_rollout():
    """Root of the mean of the squared errors, by variable."""
    assert rmse_by_variable(METRICS) == {"2t": 0.5, "swvl1": pytest.approx(10.0**0.5)}


def test_groups_of_variables_are_left_out():
    """A mean over variables of different units says nothing."""
    assert rmse_by_variable({"val_data_mse_metric/data/all/1": 9.0, "val_data_mse_metric/data/sfc/1": 9.0}) == {}


def test_one_row_per_epoch_is_appended(tmp_path):
    """The header once, then a row after each validation, none for the sanity check."""
    log = TrainingLog(str(tmp_path / "deep" / "log.csv"))
    module = SimpleNamespace(task=SimpleNamespace(rollout=SimpleNamespace(step=2)))
    trainer = SimpleNamespace(
        sanity_checking=True, is_global_zero=True, callback_metrics=METRICS, current_epoch=0, global_step=10
    )
    log.on_validation_epoch_end(trainer, module)
    trainer.sanity_checking = False
    for trainer.current_epoch in (0, 1):
        log.on_validation_epoch_end(trainer, module)
    rows = list(csv.DictReader((tmp_path / "deep" / "log.csv").open()))
    assert [r["epoch"] for r in rows] == ["0", "1"]
    assert (float(rows[0]["rmse_2t"]), float(rows[0]["val_loss"]), rows[0]["rollout"]) == (0.5, 0.5, "2")
