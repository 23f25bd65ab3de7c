# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A progress bar that knows how long an epoch is."""

from __future__ import annotations

import math
from typing import Any

from pytorch_lightning.callbacks import TQDMProgressBar


class EpochProgressBar(TQDMProgressBar):
    """Lightning's bar with the number of batches of an epoch, which its datasets, iterable only, cannot tell."""

    @property
    def total_train_batches(self) -> int | float:
        """Batches of a training epoch, from samples, batch size, processes and ``limit_batches``."""
        trainer: Any = self.trainer
        samples = len(trainer.datamodule.ds_train.valid_date_indices)
        batch_size = trainer.datamodule.config.dataloader.batch_size.training
        return n_batches(samples, batch_size, trainer.world_size, trainer.limit_train_batches)


def n_batches(samples: int, batch_size: int, processes: int, limit: Any) -> int:
    r"""Batches per epoch and process, :math:`\min(\lceil \lfloor n / p \rfloor / b \rceil, \mathrm{limit})`.

    Parameters
    ----------
    samples, batch_size, processes : int
        All samples; samples per batch; processes that share them.
    limit : int, float or None
        Lightning's limit: a number of batches, a fraction of them, or none.
    """
    whole = math.ceil((samples // processes) / batch_size)
    if limit is None:
        return whole
    return int(whole * limit) if isinstance(limit, float) else min(whole, limit)
