# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Training log: loss and error of every variable in its unit, as CSV and in the log."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import pandas as pd
from pytorch_lightning import Callback

from anemoi_ailand.support.atomic import complete_file

LOG = logging.getLogger(__name__)

#: Prefix of the names under which the validation errors of the variables are logged.
RMSE = "val_rmse/"


class TrainingLog(Callback):
    """Write one row per epoch to a CSV file: losses, roll-out, seconds, seconds of validation, RMSE of each variable.

    Of several training processes the first one writes; losses and errors are means over all.

    anemoi-training shows losses only with a tracking server; this log needs none. Rows are appended with their epoch,
    also where a resumed run repeats one. ``point_steps`` counts samples: windows x points x roll-out steps, summed over
    the batches of the epoch. RMSE have the unit of the variable. ``jacobian_loss`` is there if the loss has this term.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._began = self._validating = time.monotonic()
        self._point_steps = self._windows = 0
        self._loss: Any = 0.0

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the clock and the count of samples."""
        del trainer, pl_module
        self._began = time.monotonic()
        self._point_steps, self._windows, self._loss = 0, 0, 0.0

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count the samples of a batch ``(window, date, ensemble, point, variable)`` and add its loss."""
        del batch_idx
        windows, _, _, points, _ = next(iter(batch.values())).shape
        self._windows += windows
        self._loss = self._loss + windows * outputs["loss"].detach().mean()
        self._point_steps += windows * points * pl_module.task.rollout.step * trainer.world_size

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the clock of the validation."""
        del trainer, pl_module
        self._validating = time.monotonic()

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Append the row of this epoch; the errors of the whole validation are known only now."""
        if trainer.sanity_checking:
            return
        # Lightning has the mean loss of the epoch only after its validation
        train_loss = trainer.strategy.reduce(self._loss / self._windows, reduce_op="mean") if self._windows else None
        if not trainer.is_global_zero:
            return
        metrics = {k: float(v) for k, v in trainer.callback_metrics.items()}
        errors = {key.removeprefix(RMSE): metrics[key] for key in sorted(metrics) if key.startswith(RMSE)}
        now = time.monotonic()
        row = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "rollout": pl_module.task.rollout.step,
            "point_steps": self._point_steps,
            "seconds": round(now - self._began, 1),
            "validation_seconds": round(now - self._validating, 1),
            "train_loss": None if train_loss is None else float(train_loss),
            "val_loss": metrics.get("val_multi_dataset_loss_epoch", metrics.get("val_multi_dataset_loss")),
            **{k: metrics[f"train_{k}"] for k in ("jacobian_loss",) if f"train_{k}" in metrics},
            **{f"rmse_{n}": e for n, e in errors.items()},
        }
        append(self.path, row)
        LOG.info("Epoch %d: validation loss %.4g; RMSE %s", row["epoch"], row["val_loss"] or float("nan"),
                 ", ".join(f"{n} {e:.3g}" for n, e in errors.items()))  # fmt: skip


def append(path: Path, row: dict[str, Any]) -> None:
    """Append a row to a CSV file with a header; new columns are added to all rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = [pd.read_csv(path, dtype=str)] if path.exists() and path.stat().st_size else []
    rows = pd.concat([*before, pd.DataFrame([row], dtype=object)])
    with complete_file(path) as partial:  # rewritten as a whole: a killed training keeps the earlier rows
        rows.to_csv(partial, index=False)
