# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command of the speed benchmark passes its options on and prints the table."""

from benchmarks.speed import repeated
from benchmarks.speed import training as module
from benchmarks.speed.__main__ import main


def test_options_reach_the_measurement(monkeypatch, capsys):
    """Changes become overrides; training uses a temporary dataset with repeated points."""
    settings, made = [], []
    monkeypatch.setattr(module, "benchmark", lambda setting: settings.append(setting) or {})
    monkeypatch.setattr(module, "table", lambda results: "| table |\n")
    monkeypatch.setattr(repeated, "repeat_points", lambda *arguments: made.append(arguments))
    main(["training", "--dataset", "d.zarr", "--points", "2000", "--dates", "50", "--rounds", "5", "--override", "a=b"])
    source, target, n_points, n_dates = made[0]
    assert (str(source), n_points, n_dates) == ("d.zarr", 2000, 50)
    assert settings[0].overrides[:2] == (f"system.input.dataset={target}", "a=b") and settings[0].rounds == 5
    assert not target.parent.exists()
    assert capsys.readouterr().out == "| table |\n"
