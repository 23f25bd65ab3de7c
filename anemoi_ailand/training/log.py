# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Training log: loss and the error of every variable in its unit, as a CSV and in the log."""

from __future__ import annotations

import csv
import logging
import re
import time
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback

from anemoi_ailand.variables import VARIABLES

LOG = logging.getLogger(__name__)

#: How anemoi-training names the squared error of one variable at one step of the validation rollout.
_METRIC = re.compile(r"^val_data_mse_metric/data/(?:sfc_)?(?P<name>.+)/(?P<step>\d+)$")


class TrainingLog(Callback):
    """Write one row per epoch: losses, rollout, seconds, RMSE of each variable on validation, in its unit.

    anemoi-training shows no loss without a tracking server; this needs none. An epoch that is run again after
    a resume replaces nothing: rows are appended, with the epoch in them.

    Parameters
    ----------
    path : str
        The CSV file; its folder is made.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._began = time.monotonic()

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the clock."""
        del trainer, pl_module
        self._began = time.monotonic()

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Append the row of this epoch."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        metrics = {k: float(v) for k, v in trainer.callback_metrics.items()}
        errors = rmse_by_variable(metrics)
        row = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "rollout": pl_module.task.rollout.step,
            "seconds": round(time.monotonic() - self._began, 1),
            "train_loss": metrics.get("train_multi_dataset_loss_epoch", metrics.get("train_multi_dataset_loss")),
            "val_loss": metrics.get("val_multi_dataset_loss_epoch", metrics.get("val_multi_dataset_loss")),
            **{f"rmse_{n}": e for n, e in errors.items()},
        }
        self._append(row)
        LOG.info("Epoch %d: validation loss %.4g; RMSE %s", row["epoch"], row["val_loss"] or float("nan"),
                 ", ".join(f"{n} {e:.3g}" for n, e in errors.items()))  # fmt: skip

    def _append(self, row: dict) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)


def rmse_by_variable(metrics: dict[str, float]) -> dict[str, float]:
    r"""Root of the mean squared error of each variable over all steps of the validation rollout, in its unit.

    .. math:: \mathrm{RMSE} = \sqrt{\tfrac1R \sum_r \mathrm{MSE}_r}
    """
    squares: dict[str, list[float]] = {}
    for key, value in metrics.items():
        if (match := _METRIC.match(key)) and match["name"] in VARIABLES:
            squares.setdefault(match["name"], []).append(value)
    return {name: (sum(v) / len(v)) ** 0.5 for name, v in sorted(squares.items())}
