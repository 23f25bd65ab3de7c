# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The checkpoint of the best validation."""

from anemoi_ailand.training.best import BestCheckpoint


def test_it_minimises_the_validation_loss(tmp_path):
    """One file, chosen by the lowest loss of the validation roll-out."""
    callback = BestCheckpoint(str(tmp_path))
    assert (callback.monitor, callback.mode, callback.save_top_k) == ("val_multi_dataset_loss_epoch", "min", 1)
    assert callback.filename == "best"


def test_its_state_is_apart_from_other_checkpoint_callbacks(tmp_path):
    """A resumed run restores each callback by its key."""
    assert BestCheckpoint(str(tmp_path)).state_key != BestCheckpoint(str(tmp_path), monitor="val_other").state_key
