# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A trained model as a function of rows: columns, bits, precision."""

import zipfile

import pytest
import torch

from anemoi_ailand.rollout.step import checkpoint as under_test
from anemoi_ailand.rollout.step.advance import StepLayout
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.rollout.step.physical_step import PhysicalStep
from anemoi_ailand.variables import END, START, variable
from tests.support import stepper as case
from tests.support.land import CLOSED, OPEN


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


INPUTS = ("avg_tprate", "lai_lv", "stl1", "swvl1", "t", "theta_sat")
OUTPUTS = ("2t", "swvl1", "stl1")


def test_roles_follow_from_the_table():
    """State is input and output; forcing varies in time; the table tells at which end it is read."""
    layout = StepLayout(INPUTS, OUTPUTS)
    assert (layout.prognostic, layout.diagnostic) == (("swvl1", "stl1"), ("2t",))
    assert (layout.static, layout.forcing) == (("theta_sat",), ("avg_tprate", "lai_lv", "t"))
    assert (layout.forcing_start, layout.forcing_end) == (("lai_lv", "t"), ("avg_tprate", "t"))
    assert all(START in variable(n).taken for n in layout.fields_start)
    assert all(END in variable(n).taken for n in layout.forcing_end)
    given = StepLayout(INPUTS, OUTPUTS, forcing=["t", "avg_tprate"])  # lai_lv was constant in training
    assert (given.static, given.forcing) == (("lai_lv", "theta_sat"), ("t", "avg_tprate"))


def test_double_precision_agrees_with_single():
    """The difference has the size of single precision; the checkpoint is unchanged, the result within the bounds."""
    step = CLOSED.land_step()
    stepper = case.LandStepper(step, threads=1)
    state = case.start(stepper, 64)
    start, end = state.columns, stepper.forcing_columns(state, case.forcings(64)[0])
    single = PhysicalStep(step)(start, end)
    double = PhysicalStep(step).double()(start.double(), end.double())
    assert double.dtype is torch.float64
    error = ((double - single) / (1e-6 + double.abs().amax(0))).abs()
    assert 0 < error.max() < 1e-3
    assert all(p.dtype is torch.float32 for p in step.model.parameters())  # the weights are copies
    lower, upper = step.model.model.physical_bounds
    assert (single >= lower).all()
    assert (single <= upper).all()


def test_other_processors_are_refused():
    """A checkpoint with more than a normaliser is an error."""
    step = CLOSED.land_step(others=("imputer",))
    with pytest.raises(ValueError, match=r"has the processors \['imputer', 'normalizer'\]"):
        PhysicalStep(step)
