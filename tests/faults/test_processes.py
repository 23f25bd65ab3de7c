# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Runs that share a place, are interrupted or killed; files that change, names that lead elsewhere, full disks."""

import errno
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import xarray as xr
from omegaconf.errors import InterpolationResolutionError

from anemoi_ailand import open_data
from anemoi_ailand.data.anemoi_dataset import check_finished
from anemoi_ailand.data.files.unchanged import check_unchanged, watch
from anemoi_ailand.export.weights_export import export_weights
from anemoi_ailand.hosts.anemoi_inference import dataset_paths
from anemoi_ailand.rollout.forcing import file_input
from anemoi_ailand.rollout.outputs.output_progress import Progress
from anemoi_ailand.rollout.run.launch import Failure, launch
from anemoi_ailand.support import disk_errors
from anemoi_ailand.support.atomic import child, complete_folder
from anemoi_ailand.support.lock import lock_file
from anemoi_ailand.support.netcdf_writer import new_file
from anemoi_ailand.support.packaged import folder
from tests.faults.faults import TABLES, words
from tests.faults.test_training import composed

#: A run that writes a restart file a day, and lasts until it is stopped.
FILES = "inference/rollout-files"
RESTART = ("date=2020-01-01", "output.land-netcdf.path=f.nc", "runner.land-forecaster.restart.folder=restarts",
           "runner.land-forecaster.restart.every=1d")  # fmt: skip


def started(folder, *options):
    """Start the command, and wait for its first restart file."""
    command = [sys.executable, "-m", "anemoi_ailand", "run", FILES, *RESTART, "lead_time=1000d", *options]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    end = time.monotonic() + 300.0
    while not list(folder.glob("restarts/step-*.restart")):
        assert process.poll() is None, (folder / "log.txt").read_text()
        assert time.monotonic() < end
        time.sleep(0.01)
    return process


@pytest.mark.slow
def test_a_run_has_its_places_for_itself_and_obeys_the_keyboard(tmp_path, monkeypatch):
    """A second run is refused at once; Ctrl-C leaves a restart file, one line and 130; the next run resumes."""
    monkeypatch.chdir(tmp_path)
    first = started(tmp_path)
    with pytest.raises(Failure, match=words("a second run on an output")):
        launch(FILES, ["date=2021-01-01", "lead_time=1d", "output.land-netcdf.path=f.nc"])
    with pytest.raises(Failure, match=words("a second run on a restart folder")) as refused:
        launch(FILES, [*RESTART, "lead_time=1d", "output.land-netcdf.path=other.nc"])
    assert refused.value.what == "input"
    assert first.poll() is None
    first.send_signal(signal.SIGINT)
    assert first.wait(100.0) == 130
    said = (tmp_path / "log.txt").read_text()
    assert "Traceback" not in said
    assert re.search(words("Ctrl-C during a run"), said.splitlines()[-1])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.nc.parts", "log.txt", "restarts"]
    steps = max(int(p.stem.partition("-")[2]) for p in tmp_path.glob("restarts/*.restart"))
    launch(FILES, [*RESTART, f"lead_time={6 * (steps + 4)}h"])
    with xr.open_dataset("f.nc") as whole:
        assert whole.sizes["time"] == steps + 5


@pytest.mark.slow
def test_a_killed_run_is_taken_over(tmp_path, monkeypatch):
    """Its lock is that of a dead process; the run resumes, and leaves no lock."""
    monkeypatch.chdir(tmp_path)
    first = started(tmp_path)
    first.kill()
    first.wait(100.0)
    assert lock_file(tmp_path / "f.nc").exists()
    steps = max(int(p.stem.partition("-")[2]) for p in tmp_path.glob("restarts/*.restart"))
    launch(FILES, [*RESTART, f"lead_time={6 * (steps + 4)}h"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.nc", "log.txt"]


def test_a_killed_result_is_tidied(tmp_path):
    """Remains are removed; a result that was being exchanged is brought back, also if the new one fails."""
    (tmp_path / ".result.partial-1").mkdir()
    (tmp_path / ".result.old-1").mkdir()
    (tmp_path / ".result.old-1" / "proof").write_text("earlier")
    with pytest.raises(ValueError, match="failed"), complete_folder(tmp_path / "result", "proof"):
        raise ValueError("failed")
    assert [p.name for p in tmp_path.iterdir()] == ["result"]
    assert (tmp_path / "result" / "proof").read_text() == "earlier"


def test_files_that_change_under_a_run(tmp_path):
    """Written to, exchanged or removed; other files do not matter."""
    for name in ("a.nc", "b.nc"):
        (tmp_path / name).write_text("one")
    stamps = watch(str(tmp_path), str(tmp_path / "no.nc"), [])
    (tmp_path / "c.nc").write_text("new")
    check_unchanged(stamps)
    (tmp_path / "b.nc").write_text("another")
    with pytest.raises(OSError, match=words("a file of forcing is changed under a run")):
        check_unchanged(stamps)
    (tmp_path / "a.nc").unlink()
    with pytest.raises(OSError, match=words("a file of forcing is removed under a run")):
        check_unchanged(stamps)


def test_forcing_that_changes_under_a_run(tmp_path, monkeypatch):
    """A run from files that are rewritten fails, and names the file."""
    copy = tmp_path / "data"
    copy.mkdir()
    for path in folder("sample").glob("*.nc"):
        (copy / path.name).write_bytes(path.read_bytes())
    read = file_input.EcLandInput._read

    def changing(self, names, dates):
        found = read(self, names, dates)
        (copy / "ecland_2022.nc").touch()
        return found

    monkeypatch.setattr(file_input.EcLandInput, "_read", changing)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Failure, match=words("a file of forcing is changed under a run")) as failed:
        launch(FILES, [f"input.ecland.path={copy}", "lead_time=2d"])
    assert failed.value.what == "input"  # found with the state, before the first step


def test_a_dataset_that_was_interrupted(tmp_path, monkeypatch):
    """Anemoi would open it, with missing values; it is refused by readers, runs and trainings."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.zarr" / "_build").mkdir(parents=True)
    expected = words("SIGKILL during `anemoi-datasets create`")
    with pytest.raises(ValueError, match=expected):
        open_data(tmp_path / "d.zarr")
    with pytest.raises(InterpolationResolutionError, match=expected):
        _ = composed("ailand", "system.input.dataset=d.zarr").dataloader.training.datasets.data.dataset_config.select
    source = SimpleNamespace(open_dataset_args=("d.zarr",), open_dataset_kwargs={"dataset": "d.zarr", "start": 2020})
    assert dataset_paths(source) == ["d.zarr", "d.zarr"]
    assert dataset_paths(SimpleNamespace()) == []
    (tmp_path / "d.zarr" / "mean").mkdir()  # complete, only not tidied
    check_finished("d.zarr")


@pytest.mark.parametrize("name", ["../waits-000001.npz", "/etc/passwd", "..", ""])
def test_names_in_restart_files_stay_in_their_folder(tmp_path, name):
    """A file that was made by somebody else leads nowhere."""
    with pytest.raises(ValueError, match=words("a name in a restart file that leads elsewhere")):
        child(tmp_path, name)
    with pytest.raises(ValueError, match=words("a name in a restart file that leads elsewhere")):
        Progress(tmp_path).restore(name, None)


def test_a_full_disk(tmp_path, monkeypatch):
    """The error of the NetCDF library is explained, and nothing is left; another one passes as it is."""
    path = tmp_path / "scores.nc"
    with pytest.raises(RuntimeError, match="HDF error"), new_file(path):
        raise RuntimeError("NetCDF: HDF error")
    monkeypatch.setattr(disk_errors, "free_bytes", lambda _: 1000)
    with (
        pytest.raises(OSError, match=words("a full disk")) as full,
        new_file(path),
    ):
        raise RuntimeError("NetCDF: HDF error")
    assert full.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


def test_nothing_is_loaded_that_executes(repository):
    """YAML is read as data and arrays without pickles; only checked checkpoints are unpickled, in one place."""
    unsafe = ("yaml.load(", "yaml.unsafe_load", "allow_pickle=True", "pickle.load", "joblib.load")
    found = {
        str(path.relative_to(repository)): words
        for path in (repository / "anemoi_ailand").rglob("*.py")
        if (words := [w for w in (*unsafe, "torch.load(") if w in path.read_text(encoding="utf-8")])
    }
    # messages between the tasks of one command, in pipes that no other process has, or between its ranks
    messages = {f"anemoi_ailand/coupling/{name}.py": ["pickle.load"] for name in ("transports", "mpi_transport")}
    assert found == {"anemoi_ailand/hosts/anemoi_models.py": ["torch.load("], **messages}


def test_weights_are_not_the_checkpoint_of_a_run(tmp_path, monkeypatch):
    """The host reads its own metadata."""
    monkeypatch.chdir(tmp_path)
    export_weights("ailand-small", "small.safetensors")
    with pytest.raises(Failure, match=words("weights as the checkpoint of a run")) as refused:
        launch(FILES, ["checkpoint=small.safetensors", "lead_time=1d"])
    assert refused.value.what == "input"


def test_an_exchanged_graph(tmp_path, repository):
    """The program of the documentation compares it with the record that the export has written."""
    (tmp_path / "ailand.onnx").write_bytes(b"another")
    (tmp_path / "ailand.onnx.sha256").write_text(f"{64 * '0'}  ailand.onnx\n")
    command = [sys.executable, str(repository / "docs" / "examples" / "host.py"), "ailand.onnx", "in.npz", "out.npz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.search(words("an exchanged ONNX graph"), done.stderr)


def test_every_fault_has_its_test(repository):
    """Names within a table differ; those of files and processes are looked up by a test, or told by its docstring."""
    for table in TABLES.values():
        assert len({fault.name for fault in table}) == len(table)
    tests = [*(repository / "tests" / "faults").glob("test_*.py"), *(repository / "tests" / "unit").rglob("test_*.py")]
    written = "".join(path.read_text(encoding="utf-8") for path in tests)
    assert [f.name for f in TABLES["Files and processes"] if f.words and f'words("{f.name}")' not in written] == []
