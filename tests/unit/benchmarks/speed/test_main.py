# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command of the speed benchmark passes its options on and prints the table."""

import pytest

from benchmarks.speed import repeated
from benchmarks.speed import training as module
from benchmarks.speed.__main__ import main


@pytest.fixture
def run(monkeypatch):
    settings = []
    monkeypatch.setattr(module, "benchmark", lambda setting: settings.append(setting) or {})
    monkeypatch.setattr(module, "table", lambda results: "| table |\n")

    def command(*arguments):
        main(["training", *arguments])
        return settings[-1]

    return command


def test_options_reach_the_measurement(run, capsys):
    """Dataset and changes become overrides of the configuration."""
    setting = run("--dataset", "d.zarr", "--rollout", "2", "--rounds", "5", "--override", "land.points=7", "a=b")
    assert setting.overrides == ("system.input.dataset=d.zarr", "land.points=7", "a=b")
    assert (setting.config, setting.n_steps, setting.rounds) == ("ailand", 2, 5)
    assert capsys.readouterr().out == "| table |\n"


def test_larger_grid_is_temporary(run, monkeypatch):
    """Training uses a temporary dataset with repeated points, over all its dates."""
    made = []
    monkeypatch.setattr(repeated, "repeat_points", lambda *arguments: made.append(arguments))
    setting = run("--dataset", "d.zarr", "--points", "2000", "--dates", "50")
    source, target, n_points, n_dates = made[0]
    assert (str(source), n_points, n_dates) == ("d.zarr", 2000, 50)
    assert setting.overrides[0] == f"system.input.dataset={target}"
    assert not target.parent.exists()
