# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""SIGKILL while something is published: nothing half-written has a final name, and the next start tidies."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress

import pytest
import torch

import anemoi_ailand as ail
from anemoi_ailand.export.weights_export import export_weights
from anemoi_ailand.rollout.step.trust import check_whole
from anemoi_ailand.support import atomic
from anemoi_ailand.support.atomic import complete_folder
from anemoi_ailand.support.checksum import file_sha256, record_sha256, recorded_sha256
from anemoi_ailand.training import callbacks
from tests.integration.conftest import Chain

#: Program that kills itself before a function of `atomic` publishes for the nth time.
PROGRAM = """
import os, signal, sys
from pathlib import Path
from anemoi_ailand.support import atomic
left = [{n}]
def deadly(publish):
    def replacement(partial, path):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        publish(partial, path)
    return replacement
atomic.publish, atomic.publish_folder = deadly(atomic.publish), deadly(atomic.publish_folder)
{work}
"""


def killed(work, n, folder):
    """Run Python until it kills itself before the nth publication."""
    command = [sys.executable, "-c", PROGRAM.format(n=n, work=work)]
    with tempfile.TemporaryFile("w+") as said:  # not a pipe, which a process of a library may hold longer
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said, start_new_session=True)
        code = process.wait(timeout=900)
        with suppress(ProcessLookupError):  # anemoi-datasets leaves a process that waits for ever
            os.killpg(process.pid, signal.SIGKILL)
        said.seek(0)
        assert code == -signal.SIGKILL, said.read()[-2000:]


def names(folder):
    """Names in a folder, without locks, which their file system gives up with the process."""
    return sorted(p.name for p in folder.iterdir() if not p.name.endswith(".lock"))


def test_results_of_several_files(tmp_path):
    """An earlier result stays until the new one is complete; the next start removes the remains."""
    work = """
with atomic.complete_folder("result", "proof") as folder:
    (folder / "proof").write_text("{text}")
"""
    killed(work.replace("{text}", "first"), 1, tmp_path)
    assert not (tmp_path / "result").exists()
    with complete_folder(tmp_path / "result", "proof") as folder:
        (folder / "proof").write_text("second")
    killed(work.replace("{text}", "third"), 1, tmp_path)
    assert (tmp_path / "result" / "proof").read_text() == "second"
    with complete_folder(tmp_path / "result", "proof") as folder:
        (folder / "proof").write_text("fourth")
    assert names(tmp_path) == ["result"] and (tmp_path / "result" / "proof").read_text() == "fourth"


@pytest.mark.slow
def test_an_export(tmp_path):
    """Weights have their name when they are whole."""
    work = """
from anemoi_ailand.export.weights_export import export_weights
export_weights("ailand-small", "s.safetensors")
"""
    killed(work, 1, tmp_path)
    assert not (tmp_path / "s.safetensors").exists()
    path = export_weights("ailand-small", tmp_path / "s.safetensors")
    assert names(tmp_path) == ["s.safetensors"]
    assert ail.load(path).outputs == ail.load("ailand-small").outputs


def test_a_graph(tmp_path):
    """It has its name when it is whole; an earlier one stays, and is known."""
    work = """
from types import SimpleNamespace
from anemoi_ailand.export import onnx_export
onnx_export.graph_of = lambda *_: SimpleNamespace(metadata_props={})
onnx_export._save = lambda _, path: path.write_bytes(os.urandom(8))
onnx_export._checked = lambda *_: None
onnx_export.export_step("ailand-small", "s.onnx", overwrite=True)
"""
    killed(work, 2, tmp_path)  # with the record, before the description
    assert not (tmp_path / "s.onnx").exists()
    (tmp_path / "s.onnx").write_bytes(b"earlier")
    record_sha256(tmp_path / "s.onnx")
    killed(work, 3, tmp_path)
    assert (tmp_path / "s.onnx").read_bytes() == b"earlier"
    assert file_sha256(tmp_path / "s.onnx") in recorded_sha256(tmp_path / "s.onnx")


class Killed(BaseException):
    """End of a process."""


def test_a_checkpoint_and_its_record(tmp_path, monkeypatch):
    """Whenever a training ends while it replaces its best checkpoint, the record is true of the file."""
    best, new, left = tmp_path / "inference-best.ckpt", tmp_path / "inference-best.partial.ckpt", [0]

    def deadly(partial, path, publish=atomic.publish):
        left[0] -= 1
        if not left[0]:
            raise Killed
        publish(partial, path)

    for n in (1, 2, 3):  # before the record of both, the checkpoint, its own record
        torch.save({"old": 1}, best)
        record_sha256(best)
        torch.save({"new": 1}, new)
        left[0] = n
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(atomic, "publish", deadly)
            patch.setattr(callbacks, "publish", deadly)
            callbacks.BestCheckpoint(str(tmp_path)).saved(new, best)
        assert check_whole(best)
        assert ("new" in torch.load(best)) == (n == 3)


@pytest.mark.slow
def test_a_training(tmp_path, dataset):
    """Its best checkpoint is whole and known, and it resumes from its newest one."""
    chain = Chain(tmp_path, dataset, tmp_path / "training")
    many = ("training.max_epochs=200", "training.max_steps=100000")
    command = [sys.executable, "-m", "anemoi.training", *chain.training_arguments(chain.training, *many)]
    with (tmp_path / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 300.0
        # the host's own checkpoint, and the best one: the next epoch trains
        while not (found := [*chain.training.glob("checkpoint/*/last.ckpt")]) or not chain.checkpoint.exists():
            assert process.poll() is None and time.monotonic() < end, (tmp_path / "log.txt").read_text()[-2000:]
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert ail.load(chain.checkpoint).outputs
    done = chain.train(chain.training, f"training.run_id={found[0].parent.name}", "training.max_epochs=200",
                       "training.max_steps=25")  # fmt: skip
    assert "Restor" in done.stdout + done.stderr


@pytest.mark.slow
def test_re_forecasts(tmp_path, dataset):
    """An earlier file stays; the next start replaces it."""
    what = {"starts": ["2020-04-01"], "leads": [6], "points": [0, 1]}
    work = f'import anemoi_ailand as ail\nail.reforecast("ailand-small", "{dataset}", "f.nc", overwrite=True, **{what})'
    killed(work, 1, tmp_path)
    assert not (tmp_path / "f.nc").exists()
    path = ail.reforecast("ailand-small", dataset, tmp_path / "f.nc", **what)
    before = path.read_bytes()
    killed(work, 1, tmp_path)
    assert path.read_bytes() == before
    ail.reforecast("ailand-small", dataset, path, overwrite=True, **what)
    assert names(tmp_path) == ["f.nc"]
