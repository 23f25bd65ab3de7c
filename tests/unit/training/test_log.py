# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The training log."""

import csv
from types import SimpleNamespace

import torch

from anemoi_ailand.training.log import TrainingLog, append

METRICS = {"val_rmse/2t": 0.5, "val_multi_dataset_loss_epoch": 0.5, "val_data_increment_loss": 9.0}


def module_and_trainer(rollout=2):
    module = SimpleNamespace(task=SimpleNamespace(rollout=SimpleNamespace(step=rollout)))
    trainer = SimpleNamespace(
        sanity_checking=False,
        is_global_zero=True,
        callback_metrics=METRICS,
        current_epoch=0,
        global_step=10,
        world_size=2,
    )
    return trainer, module


def read(path):
    return list(csv.DictReader(path.open(newline="")))


def test_one_row_per_epoch_is_appended(tmp_path):
    """The header once, then a row after each validation, none for the sanity check."""
    log = TrainingLog(str(tmp_path / "deep" / "log.csv"))
    trainer, module = module_and_trainer()
    trainer.sanity_checking = True
    log.on_validation_end(trainer, module)
    trainer.sanity_checking = False
    for trainer.current_epoch in (0, 1):
        log.on_validation_start(trainer, module)
        log.on_validation_end(trainer, module)
    rows = read(tmp_path / "deep" / "log.csv")
    assert [r["epoch"] for r in rows] == ["0", "1"]
    assert [name for name in rows[0] if name.startswith("rmse")] == ["rmse_2t"]
    assert (float(rows[0]["rmse_2t"]), float(rows[0]["val_loss"]), rows[0]["rollout"]) == (0.5, 0.5, "2")
    assert float(rows[0]["validation_seconds"]) <= float(rows[0]["seconds"])


def test_samples_are_counted_and_losses_averaged(tmp_path):
    """Windows x points x steps x processes and the mean over windows, of this epoch alone."""
    log = TrainingLog(str(tmp_path / "log.csv"))
    trainer, module = module_and_trainer(rollout=3)
    for _ in range(2):
        log.on_train_epoch_start(trainer, module)
        for windows, loss in ((3, 2.0), (1, 6.0)):
            batch = {"data": torch.zeros(windows, 4, 1, 5, 2)}
            log.on_train_batch_end(trainer, module, {"loss": torch.tensor([loss])}, batch, 0)
        log.on_validation_end(trainer, module)
    rows = read(tmp_path / "log.csv")
    assert [r["point_steps"] for r in rows] == [str(4 * 5 * 3 * 2)] * 2
    assert [float(r["train_loss"]) for r in rows] == [3.0, 3.0]


def test_a_column_that_is_new_is_added_to_all_rows(tmp_path):
    """A run resumed with another variable: old rows have no value there, and none moves to another column."""
    path = tmp_path / "log.csv"
    append(path, {"epoch": 0, "rmse_a": 1.0})
    append(path, {"epoch": 1, "rmse_b": 2.0, "rmse_a": 3.0})
    assert read(path) == [
        {"epoch": "0", "rmse_a": "1.0", "rmse_b": ""},
        {"epoch": "1", "rmse_a": "3.0", "rmse_b": "2.0"},
    ]
