# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The configuration of an evaluation is checked as a whole before anything starts."""

import datetime
from pathlib import Path

import pytest

from anemoi_ailand.evaluation.settings import LEAD_DAYS, Settings, plain_name, read_settings
from anemoi_ailand.support.packaged import find


def written(tmp_path, text):
    path = tmp_path / "my.yaml"
    path.write_text(text)
    return path


def test_packaged_configuration_is_valid():
    """What we ship can be used as it is, and its lead times are those of the default."""
    settings = read_settings(find("configs", "evaluation/evaluate"))
    assert settings.protocol_a.lead_days == LEAD_DAYS
    assert settings.protocol_b.start == datetime.date(2022, 1, 1)
    assert list(settings.checkpoints) == ["emulator"]


def test_options_of_the_command_line_replace_those_of_the_file(tmp_path):
    """A dotted key changes one value and leaves its neighbours."""
    path = written(tmp_path, "dataset: a.zarr\ncheckpoints: {A: a.ckpt}\nprotocol_a: {year: 2022, every_days: 3}\n")
    settings = read_settings(path, ["checkpoints.B=b.ckpt", "protocol_a.lead_days=[1,7]"])
    assert settings.checkpoints == {"A": Path("a.ckpt"), "B": Path("b.ckpt")}
    assert (settings.protocol_a.every_days, settings.protocol_a.lead_days) == (3, (1, 7))


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
        ("dataset: [a\n", "cannot be read"),
    ],
)
def test_a_mistake_is_named_with_what_to_do(tmp_path, text, message):
    """Unknown, missing and senseless options are errors that name the option."""
    with pytest.raises(ValueError, match=message):
        read_settings(written(tmp_path, text))


def test_all_mistakes_are_told_at_once(tmp_path):
    """Nobody has to start three times to find three mistakes."""
    with pytest.raises(ValueError, match="has 3 mistakes"):
        read_settings(written(tmp_path, "a: 1\nb: 2\ncheckpoints: {A: a}\n"))


def test_missing_file_says_where_to_get_one(tmp_path):
    """A path that is not there is an error with the way to a copy."""
    with pytest.raises(FileNotFoundError, match="configs --copy evaluation/evaluate"):
        read_settings(tmp_path / "none.yaml")


def test_settings_cannot_be_changed_after_the_check():
    """What was checked is what runs."""
    settings = Settings(dataset="a", checkpoints={"A": "a"}, protocol_b={})
    with pytest.raises(ValueError, match="frozen"):
        settings.dataset = Path("b")


def test_null_takes_away_the_checkpoint_of_the_file(tmp_path):
    """An empty block on the command line would leave it in, as blocks are merged."""
    path = written(tmp_path, "dataset: a.zarr\ncheckpoints: {A: a.ckpt}\nforecasts: {B: b.nc}\n")
    assert read_settings(path, ["checkpoints=null"]).checkpoints == {}
    assert read_settings(path, ["forecasts=null", "protocol_b={}"]).forecasts == {}


def test_home_is_written_out(monkeypatch):
    """Wherever a path is given."""
    monkeypatch.setenv("HOME", "somewhere")
    settings = Settings(dataset="~/d", output="~/o", checkpoints={"A": "~/a"}, observations=["~/s"], protocol_b={})
    found = [settings.dataset, settings.output, settings.checkpoints["A"], *settings.observations]
    assert found == [Path("somewhere") / name for name in "doas"]


def test_names_that_would_be_one_file_are_an_error():
    """They would overwrite each other's roll-outs."""
    with pytest.raises(ValueError, match="differ in punctuation only; give names with other letters"):
        Settings(dataset="d", checkpoints={"my run": "a", "my-run": "b"}, protocol_b={})
    assert plain_name("my run/2°") == "my-run-2-"


def test_configuration_of_the_reference_set_is_valid():
    """The run over all years passes through those of the climatology, and says so."""
    settings = read_settings(find("configs", "evaluation/reference"))
    assert settings.climatology.overlap
    assert settings.protocol_a.year == 2022
    assert settings.protocol_b.end is None
