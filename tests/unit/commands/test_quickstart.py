# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""``anemoi-ailand quickstart``: options and what it prints."""

from argparse import ArgumentParser
from pathlib import Path

import pytest

from anemoi_ailand.commands.quickstart import Quickstart
from anemoi_ailand.workflows import quickstart as module


@pytest.fixture
def called(monkeypatch, tmp_path):
    """Replace the chain by one that makes a table; returns the calls."""
    calls = []

    def quickstart(output, size, force):
        calls.append((output, size, force))
        comparison = tmp_path / "comparison"
        comparison.mkdir(exist_ok=True)
        (comparison / "table.md").write_text("| swvl1 |\n")
        return comparison

    monkeypatch.setattr(module, "quickstart", quickstart)
    return calls


def run(*argv):
    parser = ArgumentParser()
    command = Quickstart()
    command.add_arguments(parser)
    command.run(parser.parse_args(argv))


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], (Path("build/quickstart"), module.FULL, False)),
        (["--smallest"], (Path("build/quickstart-smallest"), module.SMALLEST, False)),
        (["--output", "here", "--force"], (Path("here"), module.FULL, True)),
    ],
)
def test_options(called, argv, expected):
    """Each size has a folder of its own, unless one is given."""
    run(*argv)
    assert called == [expected]


def test_it_says_where_the_results_are(called, capsys, tmp_path):
    """The table, then the folder and the files in it."""
    run()
    out = capsys.readouterr().out
    assert out.startswith("| swvl1 |")
    assert str(tmp_path / "comparison" / "table.md") in out
