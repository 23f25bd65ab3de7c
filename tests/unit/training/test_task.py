# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The forcing of a step goes with the step; the roll-out of every epoch."""

import pytest
import torch

from anemoi_ailand.training.curriculum import ListedRollout, rollout_of
from anemoi_ailand.training.task import LandForecaster
from tests.support.land import OPEN

#: Hours of the stamps of a hand-made sample: t = 0, 6, 12, 18 h.
HOURS = (0.0, 6.0, 12.0, 18.0)


def hand_made():
    """One point, one member: at stamp h every variable number v holds 1000 v + h."""
    fields = torch.tensor([[1000.0 * v + h for v in range(len(OPEN.variables))] for h in HOURS])
    return {"data": fields.reshape(1, len(HOURS), 1, 1, -1)}


def value(x, slot, name):
    indices = OPEN.indices()
    number = OPEN.variables.index(name)
    return float(x["data"][0, slot, 0, 0, indices.model.input.name_to_index[name]]) - 1000.0 * number


def task(**options):
    return LandForecaster(rollout={"start": 3, "epoch_increment": 0, "maximum": 3}, **options)


@pytest.mark.parametrize("mode", ["training", "validation"])
def test_every_step_of_a_rollout_has_its_own_forcing(mode):
    """Step k, from 6 k to 6 k + 6 h: means of 6 k + 6 h, instants of both ends, the predicted state."""
    land = task(validation_rollout=3)
    batch, indices = hand_made(), {"data": OPEN.indices()}
    assert [len(land.get_offsets(mode=mode)), len(land.steps(mode))] == [4, 3]
    x = land.get_inputs(batch, indices)
    assert (value(x, 0, "swvl1"), value(x, 1, "swvl1")) == (0.0, 0.0)
    for k in range(3):
        assert value(x, 1, "avg_tprate") == HOURS[k + 1]
        assert (value(x, 0, "t"), value(x, 1, "t")) == (HOURS[k], HOURS[k + 1])
        assert value(x, 0, "lai_lv") == HOURS[k]
        target = land.get_targets(batch, rollout_step=k)["data"]
        assert float(target[0, 0, 0, 0, OPEN.variables.index("2t")]) == HOURS[k + 1]
        if k < 2:
            y = torch.full((1, 1, 1, 1, len(OPEN.indices().model.output.name_to_index)), -7.0 - k)
            x = land.advance_input(x, {"data": y}, batch, rollout_step=k, data_indices=indices)
            state = x["data"][..., OPEN.indices().model.input.prognostic]
            assert torch.equal(state, torch.full_like(state, -7.0 - k))


def test_future_state_is_nowhere_in_the_input():
    """Spoiling state and diagnostics of all later stamps changes no input."""
    indices = {"data": OPEN.indices()}
    batch, spoilt = OPEN.batch(4), OPEN.batch(4)
    for name in [*OPEN.prognostic, *OPEN.diagnostic]:
        spoilt["data"][:, 1:, ..., OPEN.variables.index(name)] = float("nan")
    land = task()
    x, z = (land.get_inputs(b, indices) for b in (batch, spoilt))
    assert torch.equal(x["data"], z["data"])
    y = {"data": torch.zeros(2, 1, 1, 7, len(OPEN.indices().model.output.name_to_index))}
    x, z = (land.advance_input(i, y, b, rollout_step=0, data_indices=indices) for i, b in ((x, batch), (z, spoilt)))
    assert torch.equal(x["data"], z["data"])


def test_gradient_reaches_the_first_state_through_the_rollout():
    """Back-propagation through the steps of a sample is not cut by the task."""
    model, land, indices = OPEN.land_model().train(), task(), {"data": OPEN.indices()}
    batch = OPEN.batch(4)
    batch["data"].requires_grad_()
    x = land.get_inputs(batch, indices)
    for k in range(3):
        y = model(x)
        if k < 2:
            x = land.advance_input(x, y, batch, rollout_step=k, data_indices=indices)
    y["data"].sum().backward()
    assert batch["data"].grad[:, 0, ..., OPEN.variables.index("stl1")].abs().max() > 0
    assert batch["data"].grad[:, 1:, ..., OPEN.variables.index("stl1")].abs().max() == 0


def test_metadata_lets_inference_find_the_runner():
    """Task name and offsets as inference reads them: the initial state is that of the start alone."""
    metadata = {"metadata_inference": {"dataset_names": ["data"], "data": {}}}
    task().fill_metadata(metadata)
    assert metadata["metadata_inference"]["task"] == "land-forecaster"
    times = metadata["metadata_inference"]["data"]["timesteps"]
    assert (times["input_offsets"], times["output_offsets"], times["rollout_shift"]) == (["0h"], ["6h"], "6h")


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
    """Another roll-out, another time step or an unknown option is an error that says what to do."""
    for options, message in (
        ({"steps": [1, 2], "maximum": 4}, "both `steps` and"),
        ({"steps": []}, "at least 1"),
        ({"steps": [1, 0]}, "at least 1"),
        ({"steps": [1.5]}, "at least 1"),
        ({"begin": 1}, "no option"),
    ):
        with pytest.raises(ValueError, match=message):
            LandForecaster(rollout=options)
    for others, message in (({"timestep": "1H"}, "6 h"), ({"multistep_imput": 2}, "multistep_imput")):
        with pytest.raises(ValueError, match=message):
            LandForecaster(**others)
