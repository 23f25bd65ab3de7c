# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command reads file and options, calls, and says where the results are or what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from anemoi_ailand.__main__ import create_parser
from anemoi_ailand.commands.contest import Contest
from benchmarks.contest import contest as module


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Function that runs the command with its arguments and gives the settings that it made of them."""

    def command(*arguments):
        found = []
        monkeypatch.setattr(module, "contest", lambda settings: found.append(settings) or tmp_path / "result")
        Contest().run(create_parser().parse_args(["contest", *arguments]))
        return found[0]

    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "table.md").write_text("Contest.\n")
    monkeypatch.chdir(tmp_path)
    return command


def test_without_a_name_it_is_the_reference_contest(run, capsys):
    """At the end, the table and the files."""
    settings = run("every_days=10", "entrants.xgboost=null", "--dataset", "d.zarr", "--output", "out")
    assert (settings.reference, settings.every_days, settings.dataset) == ("ailand-v1", 10, Path("d.zarr"))
    assert "xgboost" not in settings.entrants
    shown = capsys.readouterr().out
    assert shown.startswith("Contest.\n")
    assert shown.rstrip().endswith("result/table.md")


def test_packaged_contest_by_name(run):
    """As in the listing, without its folder."""
    assert run("sample", "dataset=d.zarr").output == Path("contest-sample")


def test_a_file_comes_before_a_packaged_name(run, tmp_path):
    """Whoever has written one means it."""
    (tmp_path / "sample").write_text("dataset: mine\nreference: A\nentrants: {A: {checkpoint: a.ckpt}}\n")
    assert run("sample").reference == "A"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.yaml"], "There is no configuration 'no.yaml'"),
        (["--dataset", "no.zarr"], "There is no 'no.zarr'"),
        (["sample", "reference=other"], "the reference 'other' is not among the entrants"),
        (["sample", "evry_days=3"], "'evry_days' is not an option. Nearest: ['every_days']"),
        (["sample", "entrants.ailand.stage=3"], "'entrants.ailand.stage' is not an option. Nearest: ['stages']"),
    ],
)
def test_error_is_one_message_without_traceback(ailand, tmp_path, arguments, message):
    """What is wrong, what is there, what to do; nothing is written."""
    result = ailand("contest", *arguments)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []
