# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A trained model as a function of rows."""

import zipfile

import pytest
import torch

from anemoi_ailand.rollout.step import checkpoint as under_test
from anemoi_ailand.rollout.step.checkpoint import load_step
from tests.support.land import OPEN


def test_step_is_the_prediction_of_the_model():
    """A step equals the prediction; the state is both input and output, in the order of the outputs."""
    step = OPEN.land_step()
    x = torch.rand(2, 6, len(step.inputs))
    out = step(x)
    assert out.shape == (6, len(step.outputs))
    torch.testing.assert_close(out, step.model.predict_step({"data": x[None]})["data"][0, 0, 0], rtol=0, atol=0)
    assert set(step.prognostic) == set(OPEN.prognostic)
    assert sorted(step.prognostic, key=step.outputs.index) == list(step.prognostic)


def test_nothing_there(tmp_path):
    """The error lists the checkpoints of the folder."""
    (tmp_path / "other.ckpt").write_text("")
    with pytest.raises(FileNotFoundError, match=r"There is no checkpoint .*best.ckpt.*\['other.ckpt'\]"):
        load_step(tmp_path / "best.ckpt")


@pytest.mark.parametrize("kind", ["text", "zip"])
def test_another_file_is_refused(tmp_path, kind):
    """A training checkpoint without metadata, or any other file, is an error."""
    path = tmp_path / "best.ckpt"
    if kind == "text":
        path.write_text("weights")
    else:
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("archive/data.pkl", "")
    with pytest.raises(ValueError, match=r"best.ckpt' is not an inference checkpoint \(.*Give the file 'inference-"):
        load_step(path)


def test_another_task_is_refused_before_the_weights_are_read(tmp_path, monkeypatch):
    """The error names the task, and nothing is unpickled."""

    class Other:
        task, multi_dataset_metadata = "forecaster", {"data": None}

        def __init__(self, path):
            pass

    monkeypatch.setattr(under_test, "Checkpoint", Other)
    (tmp_path / "best.ckpt").write_text("weights")
    with pytest.raises(ValueError, match="is of task 'forecaster', not 'land-forecaster'"):
        load_step(tmp_path / "best.ckpt")
