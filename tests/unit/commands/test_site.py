# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command passes its arguments on, shows the table or what is wrong, and works on the packaged sample."""

import json

import pytest

from anemoi_ailand.__main__ import create_parser
from anemoi_ailand.commands.site import Site
from anemoi_ailand.evaluation.sites.places import Place
from anemoi_ailand.workflows import site as module


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """What is called, and with what."""
    found = []
    (tmp_path / "table.md").write_text("Bonn.\n")
    for name in ("site", "extract"):
        monkeypatch.setattr(module, name, lambda *a, name=name, **k: found.append((name, a, k)) or tmp_path)
    return found


def run(*line):
    Site().run(create_parser().parse_args(["site", *line]))


def test_arguments_are_passed_on(calls, capsys, tmp_path):
    """Pairs of coordinates, negative ones too; only what is given, so that defaults stand in one place."""
    run("--lat", "50.7", "--lon", "7.1", "--lat", "-33.9", "--lon", "-70", "--dataset", "d.zarr", "--lead", "364d")
    places = [Place("50.7N_7.1E", 50.7, 7.1), Place("33.9S_70W", -33.9, -70.0)]
    assert calls == [("site", (places, "d.zarr", "site"), {"lead": "364d"})]
    assert capsys.readouterr().out == f"Bonn.\n\nResult: {tmp_path}\n"


def test_file_of_places_and_extraction(calls, tmp_path):
    """With names of the file, into a file."""
    (tmp_path / "sites.csv").write_text("name,lat,lon\nBonn,50.7,7.1\n")
    given = ("--sites", str(tmp_path / "sites.csv"), "--dataset", "d.zarr", "--end", "2022-02", "--within", "9")
    run(*given, "--extract-only")
    expected = {"end": "2022-02", "within": 9.0}
    assert calls == [("extract", ([Place("Bonn", 50.7, 7.1)], "d.zarr", "site.nc"), expected)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["--lat", "50.7"], "1 latitudes and 0 longitudes"),
        (["--lat", "95", "--lon", "0"], "Latitude 95"),
        (["--sites", "s.csv", "--lat", "1"], "Give one of them"),
        (["--lat", "1", "--lon", "2", "--extract-only", "--device", "cuda"], "runs nothing"),
        (["--sites", "none.csv"], "no file of places"),
    ],
)
def test_wrong_arguments_are_refused(calls, line, message):
    """Before anything is opened."""
    with pytest.raises((ValueError, OSError), match=message):
        run(*line, "--dataset", "d.zarr")
    assert calls == []


def test_error_is_one_message_without_traceback(ailand, tmp_path):
    """A dataset that is not there; nothing is written."""
    result = ailand("site", "--lat", "50.7", "--lon", "7.1", "--dataset", "no.zarr")
    assert result.returncode == 1
    assert "There is no dataset" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_real_command_on_the_sample(ailand, tmp_path):
    """From nothing but the package: two days of the shipped network near a point of the sample.

    In them the first soil layer is within 1.5 K of ecLand.
    """
    place = ("--lat", "54.2", "--lon", "10.1", "--name", "Kiel", "--sample", "--start", "2022-01-01", "--lead", "2d")
    result = ailand("site", *place)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Kiel (54.2 N, 10.1 E): the nearest point is 6 km away")
    summary = json.loads((tmp_path / "site" / "site.json").read_text())
    assert (summary["dataset"], summary["held_out"], summary["soil"]["name"]) == (module.SAMPLE, True, "medium fine")
    assert {s["variable"]: s["rmse"] for s in summary["scores"]}["stl1"] < 1.5
    assert [p.name for p in tmp_path.iterdir()] == ["site"]
