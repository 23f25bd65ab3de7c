# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command of the contest reads a file and options, and reports results or mistakes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from anemoi_ailand.commands import USER_ERRORS
from benchmarks.contest import contest as module
from benchmarks.contest.__main__ import main


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Function that runs the command and returns its settings."""

    def command(*arguments):
        found = []
        monkeypatch.setattr(module, "contest", lambda settings: found.append(settings) or tmp_path / "result")
        main(arguments)
        return found[0]

    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "table.md").write_text("Contest.\n")
    monkeypatch.chdir(tmp_path)
    return command


def test_without_a_name_it_is_the_reference_contest(run, capsys):
    """Options reach the settings; table and files are shown."""
    settings = run("every_days=10", "entrants.xgboost=null", "--dataset", "d.zarr", "--output", "out")
    assert (settings.reference, settings.every_days, settings.dataset) == ("ailand-v1", 10, Path("d.zarr"))
    assert "xgboost" not in settings.entrants
    shown = capsys.readouterr().out
    assert shown.startswith("Contest.\n")
    assert shown.rstrip().endswith("result/table.md")


def test_file_comes_before_a_name(run, tmp_path):
    """A name stands for a packaged configuration, unless there is such a file in the working folder."""
    assert run("sample", "dataset=d.zarr").output == Path("contest-sample")
    (tmp_path / "sample").write_text("dataset: mine\nreference: A\nentrants: {A: {checkpoint: a.ckpt}}\n")
    assert run("sample").reference == "A"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.yaml"], r"There is no configuration 'no.yaml'.*\['reference', 'sample'\]"),
        (["--dataset", "no.zarr"], "There is no 'no.zarr'"),
        (["sample", "reference=other"], "the reference 'other' is not among the entrants"),
        (["sample", "entrants.ailand.stage=3"], r"'entrants.ailand.stage' is not an option. Nearest: \['stages'\]"),
    ],
)
def test_mistake_is_an_error_before_anything_is_written(tmp_path, monkeypatch, arguments, message):
    """The error says what is wrong and what is available; the folder stays empty."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(USER_ERRORS, match=message):
        main(arguments)
    assert list(tmp_path.iterdir()) == []


def test_error_is_one_message_without_traceback(repository, tmp_path):
    """The command ends with code 1 and one message."""
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.contest", "no.yaml"], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("contest: error: There is no configuration 'no.yaml'")
