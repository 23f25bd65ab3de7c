# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Around a training: checks of data, callbacks, log, strategy."""

import csv
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from anemoi.training.distributed.single import SingleDeviceStrategy
from anemoi.training.distributed.strategy import DDPGroupStrategy
from omegaconf import OmegaConf

from anemoi_ailand.training.callbacks import BestCheckpoint, n_batches, time_limit
from anemoi_ailand.training.checks import check_dataset, check_length, check_versions, warn_of_warm_up
from anemoi_ailand.training.log import TrainingLog, append
from anemoi_ailand.training.point_blocks import PointBlocks
from anemoi_ailand.training.strategy import device_strategy
from anemoi_ailand.variables import variable

NAMES = ["swvl1", "t", "avg_tprate", "z", "cos_julian_day", "al"]


class Data:
    """Stand-in for an opened Anemoi dataset."""

    def __init__(self, values=None, units=None, constant=("z",), missing=()):
        self.variables = NAMES
        self.dates = np.arange(100).astype("datetime64[D]")
        self.missing = set(missing)
        self.values = np.random.default_rng(0).random((100, 6, 1, 3)) if values is None else values
        self.typed_variables = {
            n: SimpleNamespace(units=(units or {}).get(n, variable(n).units), is_constant_in_time=n in constant)
            for n in NAMES
        }

    def __getitem__(self, i):
        return self.values[i]


def test_good_data_pass():
    """Valid data raise no error, nor do computed variables of any unit, nor an albedo that is the same all year."""
    check_dataset(Data(units={"cos_julian_day": "degree"}), "training")
    check_dataset(Data(constant=("z", "al")), "training")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": {"swvl1": "mm"}}, "mm in the data, m3 m-3 in the table"),
        ({"constant": ("z", "avg_tprate")}, r"\['avg_tprate'\] never change"),  # Anemoi would never update it
        ({"missing": [7, 9]}, "1970-01-08"),
        ({"values": np.where(np.arange(6)[:, None, None] == 2, np.nan, np.ones((100, 6, 1, 3)))}, "avg_tprate"),
    ],
    ids=["unit", "constant forcing", "gap", "NaN"],
)
def test_bad_data_are_refused(changes, message):
    """The error gives both units, the constant variable, the first missing date, or the variable with gaps."""
    with pytest.raises(ValueError, match=message):
        check_dataset(Data(**changes), "training")


def test_period_shorter_than_the_longest_rollout_is_refused():
    """The curriculum reaches its last roll-out long after the start; the period must have room for it."""
    check_length(9, 8, "training")
    with pytest.raises(ValueError, match="8 dates, too few for a roll-out of 8 steps"):
        check_length(8, 8, "training")


def test_processes_with_different_versions_are_refused():
    """The message names package, versions and process."""
    with pytest.raises(ValueError, match=r"versions of torch: 2.10.0 in process 0, 2.9.1 in process 2\. Use one"):
        check_versions([{"anemoi-ailand": "1", "torch": t} for t in ("2.10.0", "2.10.0", "2.9.1")])


def test_state_keys_of_checkpoint_callbacks_differ(tmp_path):
    """A resumed run restores each callback by its key."""
    assert BestCheckpoint(str(tmp_path)).state_key != BestCheckpoint(str(tmp_path), monitor="val_other").state_key


def test_batches_of_an_epoch():
    """The last batch may be smaller; processes share the samples; the limit is a number or a fraction."""
    for *given, expected in (
        (100, 32, 1, None, 4), (100, 32, 1, 1.0, 4), (100, 32, 1, 0.5, 2), (100, 32, 2, None, 2), (100, 32, 1, 3, 3),
        (5, 32, 1, 9, 1),
    ):  # fmt: skip
        assert n_batches(*given) == expected


def test_a_limit_above_the_batches_of_an_epoch_is_lifted(caplog):
    """Lightning would wait for the last one to validate and to save a checkpoint, which never comes."""
    rollout = SimpleNamespace(maximum=16, step=1)
    for limit, kept in ((10, 10), (11, 1.0), (1.0, 1.0)):
        trainer = SimpleNamespace(
            limit_train_batches=limit,
            world_size=2,
            datamodule=SimpleNamespace(
                ds_train=SimpleNamespace(valid_date_indices=range(495)), task=SimpleNamespace(rollout=rollout)
            ),
        )
        PointBlocks()._limit_batches(trainer, 24)  # 480 windows at the longest roll-out
        assert trainer.limit_train_batches == kept, limit
    assert "an epoch of one process has only 10 batches" in caplog.text


def test_limit_of_time_ends_a_training():
    """A training ends after the epoch in which the time passes; without a limit it never does."""
    for limit, ends in (("0s", True), ("1h", False), (None, False)):
        trainer = SimpleNamespace(should_stop=False, checkpoint_callback=None)
        time_limit(limit).on_train_epoch_end(trainer, None)
        assert trainer.should_stop == ends, limit
    assert time_limit("11h").limit == timedelta(hours=11)


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
        strategy=SimpleNamespace(reduce=lambda loss, reduce_op: loss + 1.0),  # of another process, 2 more
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
    """Windows x points x steps x processes, and the mean over windows and processes, of this epoch alone."""
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
    assert [float(r["train_loss"]) for r in rows] == [4.0, 4.0]


def test_a_column_that_is_new_is_added_to_all_rows(tmp_path):
    """A run resumed with another variable: old rows have no value there, and none moves to another column."""
    path = tmp_path / "log.csv"
    append(path, {"epoch": 0, "rmse_a": 1.0})
    append(path, {"epoch": 1, "rmse_b": 2.0, "rmse_a": 3.0})
    assert read(path) == [
        {"epoch": "0", "rmse_a": "1.0", "rmse_b": ""},
        {"epoch": "1", "rmse_a": "3.0", "rmse_b": "2.0"},
    ]


OPTIONS = {"num_gpus_per_model": 1, "read_group_size": 1, "use_local_synchronization": True, "static_graph": True}


def test_only_several_devices_communicate():
    """Data parallel as soon as there are two, on one node or on two; the CPU where it is requested."""
    single = device_strategy(1, 1, "cpu", **OPTIONS)
    assert type(single) is SingleDeviceStrategy and str(single.root_device) == "cpu"
    assert all(type(device_strategy(*n, "cpu", **OPTIONS)) is DDPGroupStrategy for n in ((2, 1), (1, 2)))


@pytest.mark.parametrize(("warm_up", "batches", "warned"), [(200, 30, True), (15, 150, False), (None, 30, False)])
def test_a_training_shorter_than_its_warm_up_is_told(warm_up, batches, warned, caplog):
    """It never reaches its learning rate."""
    options = {"optimization": {"lr_scheduler": {"warmup_t": warm_up}}, "max_steps": batches}
    warn_of_warm_up(OmegaConf.create({"training": options}))
    assert ("over the first 200 batches, but the training has 30: it reaches 15 %" in caplog.text) is warned
