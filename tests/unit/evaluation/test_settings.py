# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The configuration of an evaluation is validated on load."""

import datetime
from pathlib import Path

import pytest

from anemoi_ailand.evaluation.report.v1_tables import DAYS
from anemoi_ailand.evaluation.settings import LEAD_DAYS, Settings, plain_name, read_settings, settings_of
from anemoi_ailand.support.packaged import find


def written(tmp_path, text):
    path = tmp_path / "my.yaml"
    path.write_text(text)
    return path


def test_packaged_configurations_are_valid():
    """They load, with the default lead times; that of the reference set has an overlapping climatology."""
    settings = read_settings(find("configs", "evaluation/evaluate"))
    assert settings.protocol_a.lead_days == LEAD_DAYS
    assert settings.protocol_b.start == datetime.date(2022, 1, 1)
    assert list(settings.checkpoints) == ["emulator"]
    reference = read_settings(find("configs", "evaluation/reference"))
    assert reference.climatology.overlap
    assert reference.protocol_a.year == 2022
    assert reference.protocol_b.end is None
    paper = read_settings(find("configs", "evaluation/ailand-v1-paper"))
    assert set(DAYS) <= set(paper.protocol_a.lead_days)
    assert (paper.leave_out, paper.weights, paper.v1_tables) == (("glacier", "coast"), None, True)


def test_options_of_the_command_line_replace_those_of_the_file(tmp_path):
    """A dotted key changes one value only, and ``null`` removes an entry."""
    path = written(tmp_path, "dataset: a.zarr\ncheckpoints: {A: a.ckpt}\nprotocol_a: {year: 2022, every_days: 3}\n")
    settings = read_settings(path, ["checkpoints.B=b.ckpt", "protocol_a.lead_days=[1,7]"])
    assert settings.checkpoints == {"A": Path("a.ckpt"), "B": Path("b.ckpt")}
    assert (settings.protocol_a.every_days, settings.protocol_a.lead_days) == (3, (1, 7))
    assert read_settings(path, ["checkpoints=null", "forecasts.B=b.nc"]).checkpoints == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset: a\nchekpoints: {A: a}", "'chekpoints' is not an option. Nearest: ..checkpoints"),
        (
            "dataset: a\ncheckpoints: {A: a}\nprotocol_a: {year: 2022, lead_day: [1]}",
            "'protocol_a.lead_day' is not an option",
        ),
        ("checkpoints: {A: a}\nprotocol_b: {}", "'dataset'"),
        ("dataset: a\ncheckpoints: {A: a}", "nothing would run"),
        ("dataset: a", "neither a checkpoint nor a forecast"),
        ("dataset: a\ncheckpoints: {A: a}\nforecasts: {A: b}\nprotocol_b: {}", "share the names"),
        ("dataset: a\ncheckpoints: {A: a}\nprotocol_a: {year: 2022, lead_days: [7, 1]}", "increasing"),
        ("dataset: a\ncheckpoints: {A: a}\nprotocol_a: {year: 2022, every_days: 0}", "at least 1"),
        ("dataset: a\ncheckpoints: {A: a}\nprotocol_b: {start: 2022-02-01, end: 2022-01-01}", "before it starts"),
        ("dataset: a\ncheckpoints: {A: a}\nprotocol_b: {}\nprotocol_c: {}", "set protocol_a"),
        ("dataset: a\ncheckpoints: {A: a}\nprotocol_b: {}\nleave_out: [lake]", "'glacier' or 'coast'"),
        ("dataset: a\ncheckpoints: {A: a}\nprotocol_b: {}\nworkers: 0", "workers"),
        ("dataset: a\ncheckpoints: {A: a}\nprotocol_b: {}\nprocesses: false\nproducts: true", "products are compared"),
        ("dataset: [a\n", "cannot be read"),
    ],
)
def test_mistake_is_named_with_a_remedy(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_settings(written(tmp_path, text))


def test_one_network_is_not_evaluated_twice(tmp_path):
    """Two names of one file are refused, however it is written."""
    checkpoints = {"A": tmp_path / "a.ckpt", "B": tmp_path / "x" / ".." / "a.ckpt"}
    with pytest.raises(ValueError, match=r"the checkpoints \['A', 'B'\] are one file; give it once"):
        Settings(dataset="d", checkpoints=checkpoints, protocol_b={})


def test_settings_from_a_call(tmp_path):
    """Options are the whole configuration, or replace those of a file or of other settings; mistakes are explained."""
    whole = settings_of(None, {"dataset": "d", "checkpoints": {"A": "a"}, "protocol_b": {}})
    assert whole == Settings(dataset="d", checkpoints={"A": "a"}, protocol_b={})
    path = written(tmp_path, "dataset: d\ncheckpoints: {A: a}\nprotocol_b: {}\n")
    for given in (path, str(path), whole, {"dataset": "d", "checkpoints": {"A": "a"}, "protocol_b": {}}):
        assert settings_of(given, {}) == whole
        assert settings_of(given, {"seed": 3}) == whole.model_copy(update={"seed": 3})
    with pytest.raises(
        ValueError, match=r"The evaluation has 1 mistake:\n.*'sed' is not an option. Nearest: \['seed'\]"
    ):
        settings_of(whole, {"sed": 3})


def test_home_is_written_out(monkeypatch):
    """``~`` is expanded in every path."""
    monkeypatch.setenv("HOME", "somewhere")
    settings = Settings(dataset="~/d", output="~/o", checkpoints={"A": "~/a"}, observations=["~/s"], protocol_b={})
    found = [settings.dataset, settings.output, settings.checkpoints["A"], *settings.observations]
    assert found == [Path("somewhere") / name for name in "doas"]


def test_names_that_would_be_one_file_are_an_error():
    with pytest.raises(ValueError, match="differ in punctuation only; give names with other letters"):
        Settings(dataset="d", checkpoints={"my run": "a", "my-run": "b"}, protocol_b={})
    assert plain_name("my run/2°") == "my-run-2-"
