# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A command is run as a user types it; what it says is kept, and what it took is known."""

from __future__ import annotations

import sys

import pytest

from anemoi_ailand.support.subprocesses import remove, run_logged


def test_a_failed_command_names_its_log(tmp_path):
    """The end of the output is in the error, all of it in the log."""
    with pytest.raises(ChildProcessError, match=r"no such data(.|\n)*exit code 1.*log/dataset\.log") as error:
        run_logged(tmp_path / "log" / "dataset.log", ["timeit", "-n", "1", "raise SystemExit('no such data')"])
    assert sys.executable in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == ["log"]


def test_time_is_that_of_the_command(tmp_path):
    """Sleeping takes time on the clock and none of a processor."""
    spent = run_logged(tmp_path / "log", ["timeit", "-n", "1", "-r", "1", "-s", "import time", "time.sleep(0.5)"])
    assert spent.wall_seconds > 0.5
    assert 0 < spent.cpu_seconds < spent.wall_seconds
    assert "1 loop" in (tmp_path / "log").read_text()


def test_command_gets_folder_and_variables(tmp_path):
    """The environment is that of this process and what is added."""
    (tmp_path / "there").mkdir()
    code = "import os; print('it is', os.environ['WHO'], os.environ['OMP_NUM_THREADS'], os.getcwd())"
    run_logged(tmp_path / "log", ["timeit", "-n", "1", "-r", "1", code], tmp_path / "there", {"WHO": "me"})
    assert f"it is me 1 {tmp_path / 'there'}" in (tmp_path / "log").read_text()


def test_what_is_worth_it_is_shown(tmp_path, capfd):
    """A message of the training; not every line."""
    code = "print('Epoch 3: validation loss 0.1'); print('nothing')"
    run_logged(tmp_path / "log", ["timeit", "-n", "1", "-r", "1", code])
    shown = capfd.readouterr().err
    assert "Epoch 3: validation loss 0.1" in shown
    assert "nothing" not in shown


def test_remove_takes_files_folders_and_nothing(tmp_path):
    """Whatever is there, it is not afterwards."""
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "file").touch()
    for name in ("folder", "file", "none"):
        remove(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
