# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""From a tower's file to a folder of results: files, rules in the attributes, initial state, input of other runs."""

from __future__ import annotations

import json
import logging
import re
from datetime import datetime

import numpy as np
import pytest
import xarray as xr
import yaml

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.stations.tower_reader import open_tower
from anemoi_ailand.evaluation.sites.places import Place
from anemoi_ailand.rollout.reforecast.point_run import PointRun
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.workflows import tower as module
from anemoi_ailand.workflows.tower import NearestPoint, _warn_of_albedo, tower
from tests.support.files import TOWER_SITE, write_tower
from tests.support.land import FORMER


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Twelve days of a tower with a gap, its site, and the result of a run over three days from a cold start."""
    folder = tmp_path_factory.mktemp("tower")
    path = write_tower(folder / "t.csv", 12.0, change=lambda c: c["WS_F"].__setitem__(slice(7, 9), np.nan))
    (folder / "site.yaml").write_text(TOWER_SITE)
    made = tower(path, folder / "out", site=folder / "site.yaml", lead="3d", spin_up=0, progress=False)
    return path, folder / "site.yaml", made


def test_files_of_the_result(files):
    """Series, figure, table and record, with twelve steps from the first midnight UTC."""
    *_, folder = files
    names = ["input.nc", "series.csv", "series.png", "site.nc", "table.md", "tower.json"]
    assert sorted(p.name for p in folder.iterdir()) == names
    with xr.open_dataset(folder / "site.nc") as found:
        assert found["time"].values[[0, -1]].astype("datetime64[h]").astype(str).tolist() == [
            "2020-01-02T06",
            "2020-01-05T00",
        ]
        assert {"swvl1", "t2m", "avg_tprate", "lai_lv"} <= set(found)
        assert all(np.isfinite(v.values).all() for v in found.data_vars.values())
    assert (folder / "series.png").stat().st_size > 10_000
    table = (folder / "table.md").read_text()
    assert all(re.search(rf"\| {n} .*mm d-1", table) for n in ("evap", "avg_tprate", "avg_tsrwe"))
    assert (folder / "series.csv").read_text().splitlines()[1].startswith("2020-01-02T06:00,")


def test_every_rule_is_in_the_attributes(files):
    """Clock, stamps, humidity, rain and snow, gaps by quantity, site, leaf area and state; the same in the record."""
    *_, folder = files
    with xr.open_dataset(folder / "site.nc") as found:
        rules = {k.removeprefix("rule_"): v for k, v in found.attrs.items() if k.startswith("rule_")}
    assert rules["changes_of_wind"] == "2 missing; 2 filled by interpolation over at most 3 h (of 576 values)"
    assert rules["time_zone"] == "local standard time is UTC-6 h, as given"
    assert rules["rain_and_snow"].startswith("all snow up to 0 degC")
    assert rules["initial_state"].startswith("no snow, soil halfway between")
    assert rules["spin_up"] == "none"
    stated = {
        "time_stamps",
        "humidity",
        "changes_of_temperature",
        "changes_of_long_wave",
        "site_properties",
        "leaf_area",
        "albedo",
    }
    assert stated <= set(rules)
    assert json.loads((folder / "tower.json").read_text())["rules"] == rules
    assert all(text in (folder / "table.md").read_text() for text in rules.values())


def test_result_is_the_roll_out_of_the_input_file(files):
    """``input.nc`` has forcing, properties and initial state: another run from it gives the same numbers."""
    path, site, folder = files
    step, reader = load_step("ailand"), open_reader(str(folder / "input.nc"))
    dates = reader.coverage.dates()
    assert dates[0] == datetime(2020, 1, 2)
    run = PointRun(step, reader, dates)
    state = dict(zip(run.layout.prognostic, reader.read(run.layout.prognostic, dates[:1])[:, 0], strict=True))
    found = run.run(run.state(state), progress=False)
    with xr.open_dataset(folder / "site.nc") as result:
        for name in ("swvl1", "stl1", "slhf"):
            np.testing.assert_array_equal(result[name], found[:, 0, step.outputs.index(name)])
    weather = open_tower(path, site)
    np.testing.assert_array_equal(weather.read(["avg_t"], dates[1:]), reader.read(["avg_t"], dates[1:]))


def test_properties_and_state_of_the_nearest_point(files, tmp_path, monkeypatch):
    """Of the packaged sample, on the same day of one of its years; the site's own properties come first."""
    path, *_ = files
    asked = []
    monkeypatch.setattr(module, "open_step", lambda *how: asked.append(how) or load_step(how[0]))
    here = {"latitude": 40.01, "longitude": -88.29, "utc_offset": -6, "spin_up": 0, "lead": "1d", "progress": False}
    folder = tower(path, tmp_path / "a", dataset="$AILAND_SAMPLE", within=3000.0, **here)
    sample = NearestPoint("$AILAND_SAMPLE", Place("t", 40.01, -88.29), 3000.0)
    start = datetime(2020, 1, 2)
    assert asked == [("ailand", "cpu", "auto", 4, "mean", None)]  # its steps, which decide what auto means
    reader = open_reader(str(folder / "input.nc"))
    names = ["swvl1", "stl4", "sd", "theta_sat", "cvl", "z", "lai_lv"]
    expected = list(sample.read(names, [start]).values())
    np.testing.assert_array_equal(reader.read(names, [start])[:, :, 0], expected)
    with xr.open_dataset(folder / "site.nc") as found:
        assert found.attrs["rule_initial_state"].startswith("the nearest point of '$AILAND_SAMPLE'")
        assert found.attrs["rule_site_properties"].startswith("given: none; others from the nearest point")
    with pytest.raises(ValueError, match="more than 100 km away"):
        tower(path, tmp_path / "b", dataset="$AILAND_SAMPLE", **here)
    assert not (tmp_path / "b").exists()


def test_same_day_of_another_year():
    """Also on 29 February in a year without."""
    sample = NearestPoint("$AILAND_SAMPLE", Place("t", 40.0, -88.0), 3000.0)
    assert sample.date(datetime(2021, 5, 3, 6)) == datetime(2021, 5, 3, 6)
    assert sample.date(datetime(1999, 5, 3, 6)) == datetime(2020, 5, 3, 6)
    assert sample.date(datetime(1996, 2, 29)) == datetime(2020, 2, 28)


def test_short_file_needs_no_spin_up(files, tmp_path):
    """The error says so, and nothing is written."""
    path, site, _ = files
    with pytest.raises(ValueError, match="shorter than a year"):
        tower(path, tmp_path / "out", site=site, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_an_assumed_albedo_is_warned_of_if_the_network_reads_it(files, caplog):
    """Not for a network that does not, nor if the site has one."""
    path, site, folder = files
    with xr.open_dataset(folder / "input.nc") as found:
        rule = found.attrs["rule_albedo"]
        assert found["al"].dims == ("time", "point")
    _warn_of_albedo(load_step(FORMER).inputs, rule)
    _warn_of_albedo(["al"], open_tower(path, site={**yaml.safe_load(site.read_text()), "al": 0.2}).rules["albedo"])
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    _warn_of_albedo(["al"], rule)
    assert "The site has no albedo `al`, so it is taken as 0." in caplog.text
