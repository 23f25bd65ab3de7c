# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Small Lightning callbacks: the checkpoint of the best validation, the progress bar, limits of time and patience."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from anemoi.training.diagnostics.callbacks.checkpoint import AnemoiCheckpoint
from anemoi.training.diagnostics.callbacks.stopping import TimeLimit
from pytorch_lightning.callbacks import Callback, EarlyStopping, TQDMProgressBar

from anemoi_ailand.hosts.anemoi_training import CheckpointHooks
from anemoi_ailand.support.atomic import publish
from anemoi_ailand.support.checksum import record_of, record_sha256
from anemoi_ailand.support.lock import InUse, acquire, release

#: Loss of the validation, under the name that anemoi-training logs.
VALIDATION_LOSS = "val_multi_dataset_loss_epoch"


class BestCheckpoint(CheckpointHooks, AnemoiCheckpoint):
    """Save ``best.ckpt`` and ``inference-best.ckpt`` in ``dirpath`` whenever ``monitor`` is the lowest so far.

    Each gets its name when it is complete, and the checksum of every checkpoint for inference, those of anemoi-training
    included, is recorded next to it: ``inference-best.ckpt.sha256``, without which it is not loaded unless trusted.

    The validation roll-out has ``task.validation_rollout`` steps in every epoch, so that epochs of a growing training
    roll-out are comparable. anemoi-training's own checkpoints keep the last ones, not the best.
    """

    def __init__(self, dirpath: str, monitor: str = VALIDATION_LOSS, **kwargs: Any) -> None:
        options: dict[str, Any] = {
            "dirpath": dirpath,
            "monitor": monitor,
            "filename": "best",
            "mode": "min",
            "save_top_k": 1,
            "save_last": False,
            "auto_insert_metric_name": False,
            "save_on_train_epoch_end": False,
            "enable_version_counter": False,
            **kwargs,
        }
        super().__init__(**options)
        self._folder = Path(dirpath)

    @property
    def state_key(self) -> str:
        """Own key, so that a resumed run keeps it apart from the other checkpoint callbacks."""
        return f"BestCheckpoint-{self.monitor}"

    def saved(self, partial: Path, path: Path) -> None:
        """Force a complete checkpoint to disk, give it its name, and record its checksum."""
        recorded = path.name.startswith(_FOR_INFERENCE)
        if recorded:
            record_sha256(path, coming=partial)  # before: a process killed in between leaves a sound file known
        publish(partial, path)
        if recorded:
            record_sha256(path)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Save, and record the checkpoints of the last epoch."""
        super().on_train_epoch_end(trainer, pl_module)
        record_checkpoints(trainer)

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Take the folder for this training: another one would replace its best checkpoint.

        The end of the process, without a traceback, if another training has it.
        """
        super().setup(trainer, pl_module, stage)
        if trainer.is_global_zero:
            try:
                acquire(self._folder)
            except InUse as error:
                raise SystemExit(f"anemoi-training: {error.strerror}") from None

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Record the last checkpoints, and give the folder back."""
        super().teardown(trainer, pl_module, stage)
        record_checkpoints(trainer)
        if trainer.is_global_zero:
            release(self._folder)


#: Beginning of the name of a checkpoint for inference.
_FOR_INFERENCE = "inference-"


def record_checkpoints(trainer: Any) -> None:
    """Record the checksums of all checkpoints for inference that have none, and remove records without a file."""
    if not trainer.is_global_zero:
        return
    for folder in {Path(callback.dirpath) for callback in trainer.checkpoint_callbacks if callback.dirpath}:
        for path in folder.glob(f"{_FOR_INFERENCE}*.ckpt"):
            record = record_of(path)
            if not path.is_symlink() and not (record.is_file() and record.stat().st_mtime >= path.stat().st_mtime):
                record_sha256(path)
        for record in folder.glob(f"{_FOR_INFERENCE}*.ckpt.sha256"):
            if not record.with_suffix("").exists():
                record.unlink()


def time_limit(limit: str | None) -> Callback:
    """Make a callback that ends a training after the epoch in which ``limit`` (``11h``) passes; None never ends it."""
    return Callback() if limit is None else TimeLimit(limit)


def early_stop(patience: int | None) -> Callback:
    """Make a callback that ends a training after ``patience`` epochs without a lower validation loss; None, never."""
    return Callback() if patience is None else EarlyStopping(VALIDATION_LOSS, patience=patience, verbose=True)


class EpochProgressBar(TQDMProgressBar):
    """Lightning's progress bar with the number of batches in an epoch, which its iterable datasets cannot report."""

    @property
    def total_train_batches(self) -> int | float:
        """Batches of a training epoch."""
        return batches_of_epoch(self.trainer)


def batches_of_epoch(trainer: Any) -> int:
    """Return the batches of a training epoch."""
    samples = len(trainer.datamodule.ds_train.valid_date_indices)
    batch_size = trainer.datamodule.config.dataloader.batch_size.training
    return n_batches(samples, batch_size, trainer.world_size, trainer.limit_train_batches)


def n_batches(samples: int, batch_size: int, processes: int, limit: Any) -> int:
    """Return the batches per epoch and process; Lightning's limit is a number of batches, a fraction, or none."""
    whole = math.ceil((samples // processes) / batch_size)
    if limit is None:
        return whole
    return int(whole * limit) if isinstance(limit, float) else min(whole, limit)
