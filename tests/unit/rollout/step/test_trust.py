# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Checkpoints before they are unpickled: damaged, of unknown checksum, trusted; and weights without a pickle."""

import inspect
import json
import os
import pickle
import re
import shutil
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import anemoi_ailand as ail
from anemoi_ailand import load
from anemoi_ailand.evaluation.settings import settings_of
from anemoi_ailand.export.weights_export import export_weights
from anemoi_ailand.rollout.step import weights_file
from anemoi_ailand.rollout.step.checkpoint import load_step, training_origin
from anemoi_ailand.rollout.step.pretrained import pretrained_checkpoint
from anemoi_ailand.rollout.step.training_record import stored_record
from anemoi_ailand.rollout.step.trust import check_whole, trusting
from anemoi_ailand.rollout.step.weights_file import write_weights
from anemoi_ailand.support.checksum import file_sha256, record_of, record_sha256
from anemoi_ailand.training.callbacks import BestCheckpoint, record_checkpoints
from tests.faults.faults import words
from tests.support.land import CLOSED

#: Number of damaged copies of a file: at random places, half of them in one piece.
COPIES = 40


@pytest.fixture
def mine(tmp_path):
    """A checkpoint that is not that of the package."""
    return shutil.copy(pretrained_checkpoint("ailand-small"), tmp_path / "inference-best.ckpt")


@pytest.fixture
def weights(tmp_path):
    """The packaged network without a pickle."""
    return export_weights("ailand-small", tmp_path / "small.safetensors")


def damaged(path, number):
    """Flip 64 bytes of a copy, in one piece or anywhere."""
    rng = np.random.default_rng(number)
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    places = rng.integers(len(content) - 64) + np.arange(64) if number % 2 else rng.choice(len(content), 64, False)
    content[places] ^= 0xFF
    copy = path.with_name(f"damaged{path.suffix}")
    copy.write_bytes(content.tobytes())
    return copy


def test_a_checkpoint_of_unknown_checksum_needs_trust(mine, caplog):
    """The reason is one sentence, and says what to write; the checksum may be recorded or told."""
    with pytest.raises(ValueError, match=words("a checkpoint of unknown checksum")):
        load(mine)
    assert load(mine, trust=True).outputs == load("ailand-small").outputs
    assert re.search(words("a checkpoint of unknown checksum, trusted"), caplog.text)
    load(mine, trust=file_sha256(mine).upper())
    with pytest.raises(ValueError, match=words("a checkpoint of another checksum than the one told")):
        load(mine, trust="abc")
    with trusting(True):
        load(mine)
    with trusting(False), pytest.raises(ValueError, match="execute anything"):
        load(mine)
    assert record_sha256(mine).read_text() == f"{file_sha256(mine)}  inference-best.ckpt\n"  # as sha256sum does
    load(mine)


def test_nothing_is_executed_without_trust(tmp_path):
    """A trap in the pickle is sprung only where the user trusts it."""

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    path = tmp_path / "best.ckpt"
    with zipfile.ZipFile(pretrained_checkpoint("ailand-small")) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, pickle.dumps(Trap(), 2) if name.endswith("data.pkl") else old.read(name))
    with pytest.raises(ValueError, match="execute anything"):
        load_step(path)
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(AttributeError):
        load_step(path, trust=True)
    assert (tmp_path / "sprung").exists()


def test_a_damaged_checkpoint_is_refused(mine):
    """By its record always; by the checksums within the archive, unless the bytes mean nothing."""
    record = record_sha256(mine)
    for number in range(COPIES):
        copy = damaged(mine, number)
        record_of(copy).write_text(record.read_text().replace(mine.name, copy.name))
        with pytest.raises(ValueError, match=words("64 flipped bytes in a checkpoint with a record")):
            load_step(copy, trust=True)
        record_of(copy).unlink()
        with pytest.raises(ValueError, match=words("64 flipped bytes in a checkpoint without a record")):
            load_step(copy, trust=True)


def test_a_checkpoint_that_is_newer_than_its_record(mine):
    """It is refused, as nobody vouches for it, but not called damaged."""
    record = record_sha256(mine)
    record.write_text(f"{64 * '0'}  {mine.name}\n")
    os.utime(record, (1e9, 1e9))
    with pytest.raises(ValueError, match=words("a checkpoint that is newer than its record")):
        load_step(mine, trust=True)


def test_a_record_of_another_form_is_refused(mine):
    """It may be a page of errors that was downloaded instead."""
    record_of(mine).write_text("<html>404</html>")
    with pytest.raises(ValueError, match=words("a record of another form")):
        check_whole(mine)


def test_trainings_record_their_checkpoints(tmp_path):
    """Each when it gets its name, those of other callbacks at the end of an epoch; records of removed files go."""
    best = BestCheckpoint(str(tmp_path))
    (tmp_path / "inference-best.partial.ckpt").write_bytes(b"new")
    best.saved(tmp_path / "inference-best.partial.ckpt", tmp_path / "inference-best.ckpt")
    (tmp_path / "inference-last.ckpt").write_bytes(b"last")
    (tmp_path / "inference-gone.ckpt.sha256").write_text("left")
    (tmp_path / "last.ckpt").write_bytes(b"for another training")
    trainer = SimpleNamespace(is_global_zero=True, checkpoint_callbacks=[best])
    record_checkpoints(trainer)
    (tmp_path / "inference-last.ckpt").write_bytes(b"later")
    os.utime(tmp_path / "inference-last.ckpt", (2e9, 2e9))
    record_checkpoints(trainer)
    assert sorted(p.name for p in tmp_path.glob("*.sha256")) == [
        "inference-best.ckpt.sha256", "inference-last.ckpt.sha256",
    ]  # fmt: skip
    for name in ("inference-best.ckpt", "inference-last.ckpt"):
        assert record_of(tmp_path / name).read_text().startswith(file_sha256(tmp_path / name))


def test_weights_predict_bitwise_as_their_checkpoint(weights):
    """Of both packaged networks; columns, origin and statistics are in the file, and ``ail.load`` takes it."""
    for name, path in (
        ("ailand-small", weights),
        ("ailand", export_weights("ailand", weights.with_name("a.safetensors"))),
    ):
        step, read = load_step(name), load_step(path)
        x = torch.rand(2, 40, len(step.inputs))
        torch.testing.assert_close(step(x), read(x), rtol=0, atol=0, equal_nan=True)
        assert (read.inputs, read.outputs, read.dataset) == (step.inputs, step.outputs, step.dataset)
        assert training_origin(path) == training_origin(step.path)
    about = weights_file.read_about(weights)
    assert len(about["statistics"]["data"]["mean"]) >= len(step.inputs)
    assert load(weights).outputs == load("ailand-small").outputs


def test_weights_are_read_without_a_pickle(weights, monkeypatch):
    """Nothing is unpickled."""
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("unpickled"))
    monkeypatch.setattr(pickle, "load", lambda *_, **__: pytest.fail("unpickled"))
    assert load_step(weights).prognostic


def test_damaged_weights_are_refused(weights):
    """Wherever the bytes are."""
    for number in range(COPIES):
        with pytest.raises(ValueError, match=words("64 flipped bytes in a file of weights")):
            load_step(damaged(weights, number))


def test_weights_of_another_package_need_trust(weights):
    """A file that names another class imports nothing; one that names a function is refused even if trusted."""
    with safe_open(weights, "pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    about = json.loads(metadata["anemoi_ailand"])

    def renamed(name):
        about["modules"]["model"]["class"] = name
        text = json.dumps(about)
        save_file(tensors, weights, {"anemoi_ailand": text, "sha256": weights_file._checksum(text, tensors)})

    renamed("antigravity.Model")
    with pytest.raises(ValueError, match=words("weights that name a class of another package")):
        load_step(weights)
    renamed("os.system")
    with pytest.raises(ValueError, match=words("weights that name a function")):
        load_step(weights, trust=True)


def test_a_network_with_other_attributes_cannot_be_written(tmp_path):
    """Anything that is neither tensor nor JSON would be lost; no file is left."""
    step = CLOSED.land_step()
    step.model.model.network.told = object()
    step.model.n_step_input = 2
    with pytest.raises(ValueError, match=words("a network that has more than tensors and JSON")):
        write_weights(tmp_path / "w.safetensors", step.model, {})
    assert not list(tmp_path.iterdir())


def test_exports_are_not_overwritten(weights):
    """Unless asked for; the name says the format."""
    with pytest.raises(FileExistsError, match="--overwrite"):
        export_weights("ailand-small", weights)
    export_weights("ailand-small", weights, overwrite=True)
    with pytest.raises(ValueError, match=r"Give a name that ends with '.safetensors'"):
        export_weights("ailand-small", weights.with_suffix(".bin"))


def test_trust_is_an_argument_from_python(mine, tmp_path):
    """Of re-forecasts, sites, towers and centuries as of `load`; an evaluation has it among its options."""
    settings = {"dataset": "d.zarr", "checkpoints": {"mine": str(mine)}, "protocol_a": {"year": 2022}}
    assert settings_of(settings, {"trust": True}).trust and not settings_of(settings, {}).trust
    for function in (ail.reforecast, ail.site, ail.tower, ail.stability):
        assert inspect.signature(function).parameters["trust"].default is False, function.__name__
    for trust, error in ((False, ValueError), (True, FileNotFoundError)):  # then the dataset is missed
        with pytest.raises(error):
            ail.reforecast(mine, tmp_path / "no.zarr", tmp_path / "f.nc", starts=["2020-01-01"], leads=[6], trust=trust)
        with pytest.raises(error):
            ail.stability(mine, tmp_path / "no.zarr", tmp_path / "century", trust=trust)


def test_weights_keep_the_record_of_the_training_data(weights):
    """As the network of the package, which has it in a file next to it."""
    assert stored_record(weights) == stored_record(pretrained_checkpoint("ailand-small")) is not None
