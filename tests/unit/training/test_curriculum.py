# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The roll-out of every epoch."""

import pytest

from anemoi_ailand.training.curriculum import ListedRollout, rollout_of
from anemoi_ailand.training.task import LandForecaster


def epochs(task, first, last):
    sizes = []
    for epoch in range(first, last):
        sizes.append(task.num_steps)
        task.on_train_epoch_end(epoch)
    return sizes


def test_each_epoch_has_the_rollout_of_its_entry():
    """It may stay, jump and shrink, and the last repeats."""
    task = LandForecaster(rollout={"steps": [1, 1, 8, 2]})
    assert epochs(task, 0, 6) == [1, 1, 8, 2, 2, 2]
    assert (task.rollout.maximum, task.rollout.start) == (8, 1)


@pytest.mark.parametrize("steps", [[1, 1, 8, 2], [1, 4, 4, 4]])
def test_resumed_run_continues_its_epoch(steps):
    """Saved before the end of epoch 1 as anemoi-training does; the list may have been changed from epoch 2 on."""
    task = LandForecaster(rollout={"steps": [1, 1, 8, 2]})
    epochs(task, 0, 1)
    resumed = LandForecaster(rollout={"steps": steps})
    resumed.load_training_runtime_state_dict(task.training_runtime_state_dict())
    resumed.on_train_epoch_end(1)
    assert epochs(resumed, 2, 4) == steps[2:]


def test_processes_of_the_loader_stay_only_if_the_rollout_does():
    """A constant roll-out has no ``epoch_increment``, so the loader's processes stay."""
    assert [ListedRollout(s).epoch_increment for s in ([4], [4, 4], [4, 8], [4, 2])] == [0, 0, 1, 1]


def test_null_is_not_given():
    """Null counts as not given, so that a derived configuration can use the other form."""
    assert rollout_of({"steps": [4], "start": None, "maximum": None}).step == 4
    assert rollout_of({"steps": None, "start": 2, "maximum": 3}).step == 2
    assert rollout_of(None).maximum == 1


def test_wrong_options_are_refused():
    """The error says what to do."""
    for options, message in (
        ({"steps": [1, 2], "maximum": 4}, "both `steps` and"),
        ({"steps": []}, "at least 1"),
        ({"steps": [1, 0]}, "at least 1"),
        ({"steps": [1.5]}, "at least 1"),
        ({"begin": 1}, "no option"),
    ):
        with pytest.raises(ValueError, match=message):
            LandForecaster(rollout=options)
