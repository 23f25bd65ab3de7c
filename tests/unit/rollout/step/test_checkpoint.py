# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A trained model as a function of rows; the network of the package, checked before anything is unpickled."""

import hashlib
import json
import pickletools
import re
import zipfile
from datetime import datetime

import numpy as np
import pytest
import torch
from anemoi.models.interface import AnemoiModelInterface
from anemoi.models.layers.normalization import AutocastLayerNorm
from anemoi.utils.checkpoints import load_metadata
from clean_checkpoint import machine_paths

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.evaluation.settings import read_settings
from anemoi_ailand.hosts.anemoi_models import StoredModel, load_model
from anemoi_ailand.rollout.step import checkpoint as under_test
from anemoi_ailand.rollout.step import pretrained
from anemoi_ailand.rollout.step.advance import StepLayout
from anemoi_ailand.rollout.step.batch_invariance import make_batch_invariant
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.rollout.step.physical_step import PhysicalStep
from anemoi_ailand.rollout.step.pretrained import checkpoint_path, pretrained_checkpoint, pretrained_record
from anemoi_ailand.support import packaged as resources
from anemoi_ailand.support.packaged import find, folder
from anemoi_ailand.variables import END, START, variable
from tests.support import stepper as case
from tests.support.land import CLOSED, OPEN
from tests.support.packages import copy_package


def test_step_is_the_prediction_of_the_model():
    """A step equals the prediction; the state is both input and output, in the order of the outputs."""
    step = OPEN.land_step()
    x = torch.rand(2, 6, len(step.inputs))
    out = step(x)
    assert out.shape == (6, len(step.outputs))
    torch.testing.assert_close(out, step.model.predict_step({"data": x[None]})["data"][0, 0, 0], rtol=0, atol=0)
    assert set(step.prognostic) == set(OPEN.prognostic)
    assert sorted(step.prognostic, key=step.outputs.index) == list(step.prognostic)


def test_checkpoint_predicts_as_the_interface_of_the_host():
    """Read without the graph library of the host, it gives the same to the last bit."""
    step, host = load_step("ailand"), torch.load(pretrained_checkpoint(), weights_only=False).eval()
    assert type(step.model) is StoredModel
    assert type(host) is AnemoiModelInterface
    make_batch_invariant(host.model)
    sample = open_reader(str(folder("sample")))
    dates = [datetime(2021, 7, 1, 0), datetime(2021, 7, 1, 6)]
    held = [n for n in step.inputs if n in sample.variables]
    x = torch.full((2, 44, len(step.inputs)), 0.1)
    x[..., [step.inputs.index(n) for n in held]] = torch.from_numpy(sample.read(held, dates)).permute(1, 2, 0)
    mine, theirs = (m.predict_step({"data": x[None].clone()})["data"] for m in (step.model, host))
    assert torch.isfinite(mine).all()
    assert torch.equal(mine, theirs)


def test_model_made_of_parts_of_the_host_is_loaded_by_the_host(tmp_path):
    """It may have a graph, which is not read otherwise."""
    whole = AnemoiModelInterface.__new__(AnemoiModelInterface)
    torch.nn.Module.__init__(whole)
    whole.model = AutocastLayerNorm(4)
    torch.save(whole, tmp_path / "best.ckpt")
    assert type(load_model(tmp_path / "best.ckpt", "cpu")) is AnemoiModelInterface


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
    stepper = case.LandStepper(step, threads=1, plausibility="off")
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


#: For every network that ships.
NETWORKS = pytest.mark.parametrize("name", pretrained.pretrained_names())

#: Most that ships [bytes].
LARGEST = 20e6

#: Packages whose classes and functions a checkpoint may name.
TRUSTED = {"anemoi", "anemoi_ailand", "torch", "torch_geometric", "omegaconf", "numpy", "collections", "typing"}

#: Functions that a pickle may call besides: they make containers, or decode bytes.
HARMLESS = {"__builtin__ set", "__builtin__ list", "__builtin__ dict", "__builtin__ long", "_codecs encode"}
#: Reads an attribute; protocol 2 names enumerations and nested classes in this way.
HARMLESS |= {"__builtin__ getattr"}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package's files, which the code takes for the package."""
    copy = copy_package(tmp_path)
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path)
    return copy


@NETWORKS
def test_shipped_network_is_the_released_one(name):
    """Checksum and size equal those of the record, and the file is small."""
    path, record = pretrained_checkpoint(name), pretrained_record(name)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == record["sha256"]
    assert path.stat().st_size == record["size"] < LARGEST


@NETWORKS
def test_record_documents_the_training(name):
    """The record holds command, seed, commit, versions, data and scores, with held-out points and years apart."""
    record = pretrained_record(name)
    training = record["training"]
    assert training["commands"]
    assert isinstance(training["seed"], int)
    assert {"anemoi_ailand", "anemoi.models", "torch"} <= training["versions"].keys()
    assert re.fullmatch(r"[0-9a-f]{40}( with \d+ changed files)?", training["commit"])
    assert int(record["data"]["trained"][1][:4]) < int(record["data"]["chosen"][0][:4])
    assert int(record["data"]["chosen"][1][:4]) < int(record["evaluation"]["protocols"]["A"]["first"][:4])
    there = {(r["group"], r["lead"]) for r in record["scores"]}
    assert {(g, d) for g in ("held_out", "trained") for d in (30, 90)} <= there
    assert all(r["low"] <= r["rmse"] <= r["high"] for r in record["scores"])


@NETWORKS
def test_card_states_limits(name):
    """The card states limits and checksum."""
    card = " ".join(pretrained.model_card(name).split())
    for text in ("synthetic", "Not for warnings", "not an ECMWF product", "pickle", "Apache-2.0", "held out here, too"):
        assert text in card
    assert pretrained_record(name)["sha256"] in card


@NETWORKS
def test_no_file_names_a_machine(name):
    """Metadata, pickle, record and card hold no absolute path."""
    assert machine_paths(pretrained_checkpoint(name)) == []
    for file in (f"{name}.json", pretrained_record(name)["card"]):
        text = (folder("pretrained") / file).read_text()
        assert re.findall(r"(?<![\w.:/)}\]])/(?:\w+/)+|file:/|~/", text) == []


def test_search_for_paths_finds_them(tmp_path):
    """The search finds paths in metadata, in a pickle and in any other bytes."""
    path = tmp_path / "x.ckpt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x/anemoi-metadata/anemoi.json", json.dumps({"a": ["/srv/me/d.zarr"], "file:/b": 1}))
        file.writestr("x/data.pkl", b"\x80\x02X\x0b\x00\x00\x00/srv/me/pklq\x00.")
        file.writestr("x/data/0", b"\x00\x01/home/me/x\x00")
    found = machine_paths(path)
    assert {"/srv/me/d.zarr", "file:/b", "/srv/me/pkl", "/home/me/x"} <= set(found)


@NETWORKS
def test_held_out_points_of_the_sample_were_never_trained_on(name):
    """The held-out points of the sample are among those left out of the training."""
    arrays = load_metadata(str(pretrained_checkpoint(name)), supporting_arrays=True)[1]["data"]
    n_trained = pretrained_record(name)["data"]["points"]["trained"]
    sample = open_reader(str(folder("sample")))
    held_out = np.asarray(sample.point_id) % 5 == 0
    apart = np.abs(arrays["latitudes"] - sample.latitudes[:, None])
    apart += np.abs((arrays["longitudes"] - sample.longitudes[:, None] + 180) % 360 - 180)
    assert (apart.min(axis=1) < 1e-3).all()
    np.testing.assert_array_equal(apart.argmin(axis=1) >= n_trained, held_out)
    assert held_out.sum() == 11


@NETWORKS
def test_pickle_contains_only_needed_classes(name):
    """The pickle names classes of torch, Anemoi and this package only."""
    with zipfile.ZipFile(pretrained_checkpoint(name)) as file:
        (inside,) = [n for n in file.namelist() if n.endswith("data.pkl")]
        named = {arg for op, arg, _ in pickletools.genops(file.read(inside)) if "GLOBAL" in op.name}
    assert None not in named, "a STACK_GLOBAL hides its name"
    assert {n for n in named if n.split()[0].split(".")[0] not in TRUSTED} <= HARMLESS


@pytest.mark.parametrize("given", ["name", "path", "link"])
def test_exchanged_checkpoint_is_not_unpickled(package, tmp_path, given):
    """A wrong checksum is refused before unpickling, however the checkpoint is given."""
    package.set_trap(released=False)
    (tmp_path / "link.ckpt").symlink_to(package.checkpoint)
    where = {"name": "ailand", "path": package.checkpoint, "link": tmp_path / "link.ckpt"}[given]
    with pytest.raises(ValueError, match=r"is not the released one and is not loaded: .*Install .* again"):
        load_step(where)
    assert not package.witness.exists()


def test_the_trap_works(package):
    """With a matching checksum the trap is sprung: without the check, code would be executed."""
    package.set_trap(released=True)
    with pytest.raises(AttributeError):
        load_step("ailand")
    assert package.witness.is_dir()


def test_invalid_network_is_refused(package):
    """An unknown name, an incomplete and a missing file, and a record of another layout are errors."""
    with pytest.raises(ValueError, match=r"no pretrained network 'island' \(available: \['ailand', 'ailand-small'\]\)"):
        pretrained_checkpoint("island")
    package.checkpoint.write_bytes(package.checkpoint.read_bytes()[:1000])
    with pytest.raises(ValueError, match=rf"it has 1000 bytes .*expected were {pretrained_record()['size']} bytes"):
        pretrained_checkpoint()
    package.checkpoint.unlink()
    with pytest.raises(FileNotFoundError, match=r"ailand.ckpt' is missing. Install .* again"):
        pretrained_checkpoint()
    for text in ("{", "[]", '{"schema": "anemoi-ailand/pretrained/0"}'):
        package.record.write_text(text)
        with pytest.raises(ValueError, match=r"ailand.json' is broken \(.*Install .* again"):
            pretrained_checkpoint()


def test_path_or_name(tmp_path, monkeypatch):
    """A name is a packaged network; existing files and unknown names are paths."""
    monkeypatch.chdir(tmp_path)
    assert checkpoint_path("ailand") == pretrained_checkpoint()
    assert checkpoint_path("no/such.ckpt").name == "such.ckpt"
    (tmp_path / "ailand").write_text("mine")
    assert checkpoint_path("ailand").read_text() == "mine"


def test_evaluation_takes_the_name():
    """``--checkpoint ailand`` is the packaged network."""
    settings = read_settings(find("configs", "evaluation/evaluate"), ["checkpoints.emulator=ailand", "dataset=d.zarr"])
    assert settings.checkpoints == {"emulator": pretrained_checkpoint()}


def test_device_that_is_not_there():
    """An unknown device is refused before anything is loaded."""
    with pytest.raises(ValueError, match=r"device 'gpu' is not available here.*Give cpu"):
        load_step("ailand", "gpu")
