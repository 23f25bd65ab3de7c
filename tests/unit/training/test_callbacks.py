# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Checkpoint callbacks resume apart; the progress bar knows the length of an epoch."""

from datetime import timedelta
from types import SimpleNamespace

from anemoi_ailand.training.callbacks import BestCheckpoint, n_batches, time_limit


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


def test_limit_of_time_ends_a_training():
    """A training ends after the epoch in which the time passes; without a limit it never does."""
    for limit, ends in (("0s", True), ("1h", False), (None, False)):
        trainer = SimpleNamespace(should_stop=False, checkpoint_callback=None)
        time_limit(limit).on_train_epoch_end(trainer, None)
        assert trainer.should_stop == ends, limit
    assert time_limit("11h").limit == timedelta(hours=11)
