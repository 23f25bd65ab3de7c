# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Processors of a run, commands in a process of their own, libraries in one process."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import anemoi_ailand
from anemoi_ailand.rollout.step import row_blocks as threads
from anemoi_ailand.support.subprocesses import remove, run_logged


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Return the quota file of a container on a machine of 64 processors."""
    quota = tmp_path / "cpu.max"
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(threads, "_QUOTA", quota)
    return quota


@pytest.mark.parametrize(
    ("text", "expected"),
    [("200000 100000", 2), ("150000 100000", 1), ("50000 100000", 1), ("max 100000", threads.MOST), ("", threads.MOST)],
)
def test_quota_of_the_container_limits(machine, monkeypatch, text, expected):
    """Whole processors, at least one; without a quota those that the process is bound to, up to a maximum."""
    machine.write_text(text)
    assert threads.usable_processors() == expected
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: {4, 5, 6})
    assert threads.usable_processors() == min(expected, 3)


@pytest.mark.parametrize(("asked", "expected"), [("5", 5), ("40", 40), ("0", 2), ("many", 2), ("", 2)])
def test_omp_num_threads_wins(machine, monkeypatch, asked, expected):
    """A number above zero; anything else is ignored."""
    machine.write_text("200000 100000")
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert threads.usable_processors() == expected


def test_error_of_a_failed_command_names_its_log(tmp_path):
    """The error has the end of the output, the log all of it."""
    with pytest.raises(ChildProcessError, match=r"no such data(.|\n)*exit code 1.*log/dataset\.log") as error:
        run_logged(tmp_path / "log" / "dataset.log", ["timeit", "-n", "1", "raise SystemExit('no such data')"])
    assert sys.executable in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == ["log"]


def test_time_is_that_of_the_command(tmp_path):
    """Sleeping takes wall-clock time and no processor time."""
    spent = run_logged(tmp_path / "log", ["timeit", "-n", "1", "-r", "1", "-s", "import time", "time.sleep(0.5)"])
    assert spent.wall_seconds > 0.5
    assert 0 < spent.cpu_seconds < spent.wall_seconds
    assert "1 loop" in (tmp_path / "log").read_text()


def test_command_gets_folder_and_variables(tmp_path):
    """The environment is that of this process with additions."""
    (tmp_path / "there").mkdir()
    code = "import os; print('it is', os.environ['WHO'], os.environ['OMP_NUM_THREADS'], os.getcwd())"
    run_logged(tmp_path / "log", ["timeit", "-n", "1", "-r", "1", code], tmp_path / "there", {"WHO": "me"})
    assert f"it is me 1 {tmp_path / 'there'}" in (tmp_path / "log").read_text()


def test_messages_of_the_training_are_shown(tmp_path, capfd):
    """Other lines are not."""
    code = "print('Epoch 3: validation loss 0.1'); print('nothing')"
    run_logged(tmp_path / "log", ["timeit", "-n", "1", "-r", "1", code])
    shown = capfd.readouterr().err
    assert "Epoch 3: validation loss 0.1" in shown
    assert "nothing" not in shown


def test_remove_takes_files_folders_and_missing_paths(tmp_path):
    """Nothing is left, and a missing path is not an error."""
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "file").touch()
    for name in ("folder", "file", "none"):
        remove(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


ROOT = Path(anemoi_ailand.__file__).parent


def test_one_module_imports_eccodes():
    """All others take it from there, so that pyproj comes first."""
    modules = [p for p in sorted(ROOT.rglob("*.py")) if re.search(r"^\s*(import|from) eccodes", p.read_text(), re.M)]
    assert [p.relative_to(ROOT).as_posix() for p in modules] == ["support/eccodes.py"]


@pytest.mark.parametrize("order", ["import eccodes; {use}", "{use}; import pyproj"])
def test_process_ends_well_in_either_order(order):
    """No crash with ecCodes imported before the package, or pyproj after its first use."""
    code = order.format(use="from anemoi_ailand.support.eccodes import eccodes; eccodes.codes_get_api_version()")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{code}: {result.stderr[-2000:]}"
