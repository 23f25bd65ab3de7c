# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Keep the checkpoint whose validation roll-out is best."""

from __future__ import annotations

from typing import Any

from anemoi.training.diagnostics.callbacks.checkpoint import AnemoiCheckpoint


class BestCheckpoint(AnemoiCheckpoint):
    """Save ``best.ckpt`` and ``inference-best.ckpt`` whenever the validation loss is the lowest so far.

    The validation loss is that of ``task.validation_rollout`` steps, the same at every epoch, so that epochs of a
    growing training rollout compare. anemoi-training's own checkpoints keep the last ones, not the best.

    Parameters
    ----------
    dirpath : str
        Folder of the checkpoint.
    monitor : str
        What is minimised.
    """

    def __init__(self, dirpath: str, monitor: str = "val_multi_dataset_loss_epoch", **kwargs: Any) -> None:
        options: dict[str, Any] = {
            "dirpath": dirpath,
            "filename": "best",
            "monitor": monitor,
            "mode": "min",
            "save_top_k": 1,
            "save_last": False,
            "auto_insert_metric_name": False,
            "save_on_train_epoch_end": False,
            "enable_version_counter": False,
            **kwargs,
        }
        super().__init__(**options)

    @property
    def state_key(self) -> str:
        """A key of its own, so that a resumed run keeps it apart from the other checkpoint callbacks."""
        return f"BestCheckpoint-{self.monitor}"
