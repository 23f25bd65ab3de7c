# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command parses, calls, and says what is wrong."""

from __future__ import annotations

from anemoi_ailand import evaluation
from anemoi_ailand.__main__ import create_parser
from anemoi_ailand.commands.compare import Compare


def test_arguments_reach_the_comparison(monkeypatch):
    """Each option has its counterpart."""
    calls = []
    monkeypatch.setattr(evaluation, "compare", lambda *args, **kwargs: calls.append((args, kwargs)))
    line = "compare --forecast f.nc --reference d.zarr --output out --training-period 2018 2020-06 --held-out-every 7"
    Compare().run(create_parser().parse_args([*line.split(), "--map-date", "2022-07-01"]))
    period = {"training_period": ("2018", "2020-06"), "held_out_every": 7, "map_date": "2022-07-01"}
    assert calls == [(("f.nc", "d.zarr", "out"), period)]


def test_defaults_are_left_to_the_comparison(monkeypatch):
    """Nothing given is ``None``."""
    calls = []
    monkeypatch.setattr(evaluation, "compare", lambda *args, **kwargs: calls.append(kwargs))
    Compare().run(create_parser().parse_args(["compare", "--forecast", "f", "--reference", "d", "--output", "o"]))
    assert calls == [{"training_period": None, "held_out_every": None, "map_date": None}]


def test_error_is_one_message_without_traceback(ailand, tmp_path):
    """A file that is not there: what is wrong, what is there, what to do; nothing is written."""
    result = ailand("compare", "--forecast", "no.nc", "--reference", "no.zarr", "--output", "out")
    assert result.returncode == 1
    assert "There is no 'no.nc'" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []
