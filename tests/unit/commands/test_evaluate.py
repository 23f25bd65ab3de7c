# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command reads file and options, calls, and says where the report is or what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from anemoi_ailand.__main__ import create_parser
from anemoi_ailand.commands.evaluate import Evaluate
from anemoi_ailand.workflows import evaluate as module


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Function that runs the command with its arguments and gives the settings that it made of them."""

    def command(*arguments):
        found = []
        monkeypatch.setattr(module, "evaluate", lambda settings: found.append(settings) or page)
        Evaluate().run(create_parser().parse_args(["evaluate", *arguments]))
        return found[0]

    page = tmp_path / "report" / "index.html"
    (tmp_path / "table.md").write_text("RMSE.\n")
    return command


def test_short_options_change_the_packaged_configuration(run, capsys):
    """Nothing but these three is needed; at the end, the table and the page."""
    settings = run("--checkpoint", "best.ckpt", "--dataset", "d.zarr", "--output", "out")
    assert settings.checkpoints == {"emulator": Path("best.ckpt")}
    assert (settings.dataset, settings.output, settings.protocol_a.year) == (Path("d.zarr"), Path("out"), 2022)
    shown = capsys.readouterr().out
    assert shown.startswith("RMSE.\n")
    assert shown.rstrip().endswith("report/index.html")


def test_options_without_a_file_are_for_the_packaged_configuration(run):
    """The first is not taken for a file."""
    settings = run("checkpoints=null", "forecasts.mine=run.nc", "protocol_c=null", "--dataset", "d.zarr")
    assert (settings.checkpoints, settings.forecasts) == ({}, {"mine": Path("run.nc")})
    assert settings.protocol_c is None


def test_options_change_the_file_that_is_given(run, tmp_path):
    """And what the file says stays otherwise."""
    path = tmp_path / "my.yaml"
    path.write_text("dataset: a.zarr\ncheckpoints: {A: a.ckpt}\nprotocol_b: {start: 2021-01-01}\nseed: 5\n")
    settings = run(str(path), "seed=7", "--dataset", "b.zarr")
    assert (settings.seed, settings.dataset, list(settings.checkpoints)) == (7, Path("b.zarr"), ["A"])
    assert str(settings.protocol_b.start) == "2021-01-01"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "no.zarr"], "There is no 'no.zarr'"),
        (["no.yaml"], "There is no configuration 'no.yaml'"),
        (["protocol_a.yeer=2022"], "'protocol_a.yeer' is not an option. Nearest: ['year']"),
    ],
)
def test_error_is_one_message_without_traceback(ailand, tmp_path, arguments, message):
    """What is wrong, what is there, what to do; nothing is written."""
    result = ailand("evaluate", *arguments)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []
