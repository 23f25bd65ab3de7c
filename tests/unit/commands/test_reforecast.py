# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command hands starts and leads on."""

import pytest

from anemoi_ailand.__main__ import create_parser
from anemoi_ailand.commands.reforecast import Reforecast


@pytest.fixture
def run(monkeypatch):
    import anemoi_ailand.rollout.reforecast.reforecast as module

    calls = []

    def reforecast(*arguments, **options):
        calls.append((arguments, options))
        return arguments[2]

    monkeypatch.setattr(module, "reforecast", reforecast)

    def command(*arguments):
        Reforecast().run(create_parser().parse_args(["reforecast", "--dataset", "d.zarr", *arguments]))
        return calls[-1]

    return command


def test_starts_every_so_many_days(run, capsys):
    """First and last included; leads of every run."""
    arguments, options = run("--first", "2022-01-01", "--last", "2022-01-07", "--every", "3", "--days", "1")
    assert arguments == ("ailand", "d.zarr", "reforecast.nc")
    assert options["starts"] == ["2022-01-01T00:00:00", "2022-01-04T00:00:00", "2022-01-07T00:00:00"]
    assert list(options["leads"]) == [6, 12, 18, 24]
    assert capsys.readouterr().out == "reforecast.nc: 3 starts\n"


def test_starts_one_by_one(run):
    """As they are given, with a choice of variables and points."""
    _, options = run("--starts", "2022-01-01", "2022-02-11T12:00", "--variables", "stl1", "--points", "3", "5")
    assert options["starts"] == ["2022-01-01", "2022-02-11T12:00"]
    assert (options["variables"], options["points"]) == (["stl1"], [3, 5])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "either --starts, or --first and --last"),
        (["--starts", "2022-01-01", "--first", "2022-01-01"], "either --starts"),
        (["--first", "2022-01-01", "--last", "tomorrow"], "dates such as"),
        (["--first", "2022-01-02", "--last", "2022-01-01"], "no start"),
        (["--starts", "2022-01-01", "--days", "0"], "Give 1 or more"),
    ],
)
def test_dates_that_make_no_sense(run, arguments, message):
    """Said before anything is opened."""
    with pytest.raises(ValueError, match=message):
        run(*arguments)
