# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Commands in a process of their own: output, progress, time, errors."""

from __future__ import annotations

import sys

import pytest

from anemoi_ailand.support.subprocesses import remove, run_logged


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
