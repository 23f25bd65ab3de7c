# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observations of stations as fields with gaps, by the layout ``stations``."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest

from anemoi_ailand.data.land_data import open_data
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.source import EcLandSource
from anemoi_ailand.data.stations.observation_reader import open_observations
from anemoi_ailand.support.options import UnknownOption
from anemoi_ailand.workflows.diagnose import read_observations, within
from tests.support.files import times_between, write_plumber2

SAMPLE = open_data("$AILAND_SAMPLE")
STARTS = times_between("2021-05-01", 480, 30)
PLACES = [(float(SAMPLE.reader.latitudes[k]), float(SAMPLE.reader.longitudes[k])) for k in (3, 7)]


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two towers at points of the sample; the second measures soil moisture in the last half only."""
    folder = tmp_path_factory.mktemp("towers")
    rows = np.arange(480)
    for k, place in enumerate(PLACES):
        fluxes = {"Qle": (np.full(480, 50.0 + k), "W m-2"), "Qh": (np.full(480, 20.0), "W m-2")}
        soil = {"SWC1": (np.where((rows < 240) & (k == 1), np.nan, 0.2 + 0.01 * k), "m3 m-3")}
        path = write_plumber2(folder / f"site{k}.nc", STARTS, {**fluxes, **soil}, zone="UTC+0", place=place)
        with netCDF4.Dataset(path, "a") as file:
            file.site_code = f"site{k}"
    return folder


def test_gaps_are_missing_values_and_sites_are_points(towers: Path) -> None:
    """Variables of the table, one point a station, NaN where nothing was measured."""
    reader = open_reader(towers, layout="stations")
    assert reader.variables == ("swvl1", "slhf", "sshf")
    assert list(reader.label("site")) == ["site0", "site1"]
    values = reader.read(["slhf", "swvl1"], reader.coverage.dates())
    np.testing.assert_array_equal(np.isnan(values).sum(1), [[1, 1], [0, 20]])  # fluxes begin 6 h after the first state
    np.testing.assert_allclose(np.nanmean(values[0], 0), [-50.0, -51.0])


def test_places_and_mean_soil_moisture_of_a_dataset(towers: Path) -> None:
    """At the nearest points of the sample, the mean of soil moisture is that of ecLand at the dates of both."""
    reader = open_reader(towers, layout="stations", at="$AILAND_SAMPLE", soil_offset=2021)
    np.testing.assert_array_equal(reader.latitudes, SAMPLE.reader.latitudes[[3, 7]])
    dates = reader.coverage.dates()
    values = reader.read(["swvl1"], dates)[0]
    model = SAMPLE.reader.read(["swvl1"], dates)[0][:, [3, 7]]
    np.testing.assert_allclose(np.nanmean(values - model, 0), 0.0, atol=1e-6)
    wrong = {"is at the dates": {"soil_offset": 2018, "at": "$AILAND_SAMPLE"}, "it as `at`": {"soil_offset": True}}
    for message, options in wrong.items():
        with pytest.raises(ValueError, match=message):
            open_reader(towers, layout="stations", **options)
    with pytest.raises(UnknownOption, match=r"no option 'closures'. Nearest: \['closure'\]"):
        open_reader(towers, layout="stations", closures="raw")


def test_stations_far_away_or_at_one_point_are_left_out(towers: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The nearest to a point is kept; without any, the message gives the distance."""
    moved = open_reader(towers, layout="stations")
    one = open_reader(towers, layout="stations", at="$AILAND_SAMPLE", within=1e5)
    assert len(one.stations) == 2
    moved.latitudes, moved.longitudes = moved.latitudes[:1] + 0.1, moved.longitudes[:1]
    assert [s.name for s in open_observations(towers, at=moved, within=1e5).stations] == ["site0"]
    assert "site1 is left out: site0 is nearer to its point" in caplog.text
    with pytest.raises(ValueError, match=r"No station is within 5 km.*site0, is 11 km away"):
        open_observations(towers, at=moved, within=5.0)


def test_a_recipe_keeps_gaps_and_has_observed_variables_only(towers: Path) -> None:
    """The source of datasets adds no sun, calendar or labels to observations."""
    source = EcLandSource(None, path=str(towers), layout="stations", held_out={"site": ["site1"]})
    assert source.names == ("swvl1", "slhf", "sshf")
    assert source.held_out.tolist() == [False, True]
    found = source.execute_valid_dates([np.datetime64("2021-05-01T06"), np.datetime64("2021-05-02T00")])
    assert np.isnan(found.block[:, found.names.index("swvl1")]).tolist() == [[False, True], [False, True]]


def test_diagnosis_reads_the_same_files(towers: Path) -> None:
    """A folder of towers, or one file, is observations (time, point), ending with the dataset."""
    found = read_observations(towers)
    assert dict(found.sizes) == {"time": 41, "point": 2}
    assert within(found, SAMPLE).sizes["time"] == 41
    assert within(found, SAMPLE, "2021-05-03").sizes["time"] == 33
    assert set(read_observations(towers / "site0.nc").data_vars) == {"swvl1", "slhf", "sshf"}
    with pytest.raises(ValueError, match="`start` is 2022"):
        within(found, SAMPLE, "2022")
