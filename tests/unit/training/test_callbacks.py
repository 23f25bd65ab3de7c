# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The best checkpoint follows the validation; the progress bar knows the length of an epoch."""

import pytest

from anemoi_ailand.training.callbacks import BestCheckpoint, n_batches


def test_best_checkpoint_minimises_the_validation_loss(tmp_path):
    """One file, chosen by the lowest loss of the validation roll-out."""
    callback = BestCheckpoint(str(tmp_path))
    assert (callback.monitor, callback.mode, callback.save_top_k) == ("val_multi_dataset_loss_epoch", "min", 1)
    assert callback.filename == "best"


def test_state_keys_of_checkpoint_callbacks_differ(tmp_path):
    """A resumed run restores each callback by its key."""
    assert BestCheckpoint(str(tmp_path)).state_key != BestCheckpoint(str(tmp_path), monitor="val_other").state_key


@pytest.mark.parametrize(
    ("samples", "batch_size", "processes", "limit", "expected"),
    [
        (100, 32, 1, None, 4),
        (100, 32, 1, 1.0, 4),
        (100, 32, 1, 0.5, 2),
        (100, 32, 2, None, 2),
        (100, 32, 1, 3, 3),
        (5, 32, 1, 9, 1),
    ],
)
def test_batches_of_an_epoch(samples, batch_size, processes, limit, expected):
    """The last batch may be smaller; processes share the samples; the limit is a number or a fraction."""
    assert n_batches(samples, batch_size, processes, limit) == expected
