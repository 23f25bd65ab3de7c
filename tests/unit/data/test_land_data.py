# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Land data as a labelled dataset: periods, names, points, and what the object prints."""

from datetime import datetime

import numpy as np
import pytest

from anemoi_ailand.data.land_data import open_data
from anemoi_ailand.variables import VARIABLES
from tests.support import dataset as case


@pytest.fixture(scope="module")
def sample():
    return open_data("$AILAND_SAMPLE")


def test_values_and_labels_are_those_of_the_reader(sample):
    """Values, coordinates, units and names; a constant field has no time."""
    found = sample.to_xarray("2020-05", points=[3, 1])
    dates = [date for date in sample.coverage.dates() if (date.year, date.month) == (2020, 5)]
    np.testing.assert_array_equal(found["time"], np.array(dates, "datetime64[ns]"))
    for name in sample.variables:
        row = VARIABLES[name]
        array, values = found[row.netcdf_name], sample.reader.read([name], dates)[0][:, [3, 1]]
        np.testing.assert_array_equal(array, values if "time" in array.dims else values[0])
        assert ("time" in array.dims) == (row.time != "constant")
        assert (array.attrs["units"], array.attrs["long_name"]) == (row.units, row.long_name)
    np.testing.assert_array_equal(found["latitude"], sample.reader.latitudes[[3, 1]])
    np.testing.assert_array_equal(found["point_id"], sample.reader.point_id[[3, 1]])


def test_choices(sample):
    """Variables by either name, one point, and one date."""
    for name in ("2t", "t2m", ["2t", "t2m"]):
        found = sample.to_xarray(datetime(2020, 5, 1, 6), name, points=2)
        assert list(found) == ["t2m"] and dict(found.sizes) == {"time": 1, "point": 1}


def test_nearest_point(sample):
    """One place gives a number, several an array, in any convention of longitudes; a distant one is refused."""
    latitudes, longitudes = sample.reader.latitudes, sample.reader.longitudes
    assert sample.nearest(latitudes[7] + 0.1, longitudes[7] + 360.0 * (longitudes[7] < 0.0)) == 7
    np.testing.assert_array_equal(sample.nearest(latitudes[[3, 1]], longitudes[[3, 1]]), [3, 1])
    with pytest.raises(ValueError, match=r"nearest to 0, -150 is number .* km away. Give another place, or `within="):
        sample.nearest(0.0, -150.0)
    assert sample.nearest(0.0, -150.0, within=2e4) in range(44)


def test_what_is_not_there_is_refused(sample):
    """The error names period and nearest variable."""
    with pytest.raises(ValueError, match=r"no date in the period '2019'; it covers 2020-01-01 00:00 to 2022-12-31 18"):
        sample.to_xarray("2019")
    with pytest.raises(ValueError, match=r"no variable 'swlv1' in 'ecland_2020.nc' and 3 more. Nearest: .'swvl1'"):
        sample.to_xarray("2020", ["swlv1"])


def test_object_prints_its_content(sample):
    """Period, points and variables by role, as text and as a table of a notebook."""
    for text in (repr(sample), sample._repr_html_()):
        for part in ("2020-01-01 00:00 to 2022-12-31 18:00", "44, latitudes -42.61 to 70.92", "2t (t2m)", "prognostic"):
            assert part in text
    assert "<td" in sample._repr_html_()


def test_anemoi_dataset(monkeypatch, tmp_path):
    """A dataset of Anemoi is read like files, across its blocks; constants have no date."""
    made = case.FakeDataset()
    monkeypatch.setattr("anemoi.datasets.open_dataset", lambda _path: made)
    path = tmp_path / "land.zarr"
    path.mkdir()
    data = open_data(path)
    assert "swvl1" in data.variables and not {"insolation", "point_id"} & set(data.variables)
    assert str(data.coverage).startswith("2022-01-01 00:00 to 2022-01-10 18:00")
    found = data.to_xarray(("2022-01-02", "2022-01-08"), ["stl1", "z"])
    values = made.values[4:32, [made.name_to_index[n] for n in ("stl1", "z")], 0]
    np.testing.assert_array_equal(found["stl1"], values[:, 0])
    np.testing.assert_array_equal(found["z"], values[0, 1])
    np.testing.assert_array_equal(found["point_id"], made.values[0, made.name_to_index["point_id"], 0])
    with pytest.raises(ValueError, match=r"takes `mapping` only, no \['number'\]"):
        open_data(path, number=1)
    made.variables_metadata["stl1"] = {"units": "degC"}
    with pytest.raises(ValueError, match=r"'stl1' in .* has units 'degC'; 'K' is expected"):
        open_data(path)
    with pytest.raises(FileNotFoundError, match=r"Its folder holds \['land.zarr'\]"):
        open_data(tmp_path / "other.zarr")
    made.variables_metadata["stl1"] = {"units": "K"}
    made.dates = case.DATES[::2]
    with pytest.raises(ValueError, match="has steps of 43200 seconds"):
        open_data(path)
