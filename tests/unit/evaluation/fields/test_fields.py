# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Fields of datasets and files: names, blocks, and errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anemoi_ailand.evaluation.fields import fields as inputs
from anemoi_ailand.evaluation.fields.fields import open_fields


def test_netcdf_has_dataset_names_units_and_constants(reference_file, truth):
    """NetCDF names become dataset names; fields without time are constants."""
    fields = open_fields(reference_file)
    assert sorted(fields.variables) == ["2t", "snowc", "stl1", "swvl1"]
    assert fields.units["stl1"] == "K"
    np.testing.assert_array_equal(fields.constant("point_id"), np.arange(10))
    np.testing.assert_array_equal(fields.times, truth["time"].values)
    assert fields.constant("climate_class") is None


def test_load_gives_the_period_and_the_points_in_the_order_asked(reference_file, truth):
    """Both ends of the period are included, and points keep the requested order."""
    points, start, end = np.array([7, 2]), np.datetime64("2021-02-01T06"), np.datetime64("2021-02-02T00")
    got = open_fields(reference_file).load(["stl1", "2t"], start, end, points)
    expected = truth[["stl1", "2t"]].sel(time=slice(start, end)).isel(point=points)
    np.testing.assert_array_equal(got["2t"], expected["2t"])
    np.testing.assert_array_equal(got["latitude"], expected["latitude"])
    assert got.sizes == {"time": 4, "point": 2}


def test_blocks_are_bounded_and_join_to_the_whole(reference_file, truth, monkeypatch):
    """Blocks keep the memory limit, and together are the whole."""
    monkeypatch.setattr(inputs, "BLOCK_BYTES", 4 * 4 * 10 * 100)
    blocks = list(open_fields(reference_file).blocks(["swvl1"]))
    assert max(block.sizes["time"] for block in blocks) == 100
    np.testing.assert_array_equal(np.concatenate([b["swvl1"] for b in blocks]), truth["swvl1"])


class FakeDataset:
    """What an opened anemoi dataset offers, with values that tell their place."""

    def __init__(self, missing=(), members=1):
        self.variables, self.missing = ["swvl1", "held_out", "stl1"], set(missing)
        self.dates = np.datetime64("2020-01-01T00") + np.arange(5) * np.timedelta64(6, "h")
        self.latitudes, self.longitudes = np.array([10.0, 20.0], np.float32), np.array([0.0, 300.0], np.float32)
        self.name_to_index = {name: i for i, name in enumerate(self.variables)}
        self.variables_metadata = {"swvl1": {"units": "m3 m-3"}}
        self.shape = (5, 3, members, 2)
        self.values = np.arange(30.0).reshape(5, 3, 1, 2)

    def __getitem__(self, index):
        return self.values[index]


@pytest.fixture
def zarr(tmp_path, monkeypatch):
    """Function that makes ``open_dataset`` give a fake dataset, and returns the folder to open."""

    def make(**kwargs) -> Path:
        import anemoi.datasets

        monkeypatch.setattr(anemoi.datasets, "open_dataset", lambda path: FakeDataset(**kwargs))
        return tmp_path

    return make


def test_anemoi_dataset_is_read_by_variable_and_point(zarr):
    """(date, variable, member, point) becomes (time, point) of each variable."""
    fields = open_fields(zarr())
    got = fields.load(["stl1", "swvl1"], points=np.array([1]))
    np.testing.assert_array_equal(got["stl1"][:, 0], [5, 11, 17, 23, 29])
    np.testing.assert_array_equal(got["swvl1"][:, 0], [1, 7, 13, 19, 25])
    assert fields.units == {"swvl1": "m3 m-3", "held_out": None, "stl1": None}
    np.testing.assert_array_equal(fields.constant("held_out"), [2, 3])


@pytest.mark.parametrize(
    ("kwargs", "message"), [({"missing": [2]}, "1 missing dates.*12"), ({"members": 2}, "2 members")]
)
def test_dataset_that_is_not_one_run_without_gaps_is_an_error(zarr, kwargs, message):
    """Missing dates and ensembles are refused."""
    with pytest.raises(ValueError, match=message):
        open_fields(zarr(**kwargs))


def test_folder_that_is_no_dataset_is_an_error(tmp_path):
    """The message says how to finish the dataset."""
    with pytest.raises(ValueError, match=r"cannot be opened as an anemoi dataset.*finalise"):
        open_fields(tmp_path)


def test_missing_file_is_an_error_that_lists_the_folder(write_forecast):
    """The message lists the files of the folder."""
    path = write_forecast()
    with pytest.raises(FileNotFoundError, match=r"no '.*fc\.nc'.*forecast\.nc"):
        open_fields(path.with_name("fc.nc"))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.95])
def test_truncated_file_is_an_error(write_forecast, share):
    """A file truncated anywhere is an error when it is opened or read."""
    path = write_forecast()
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"cannot be read as NetCDF.*truncated"):
        open_fields(path).load(["swvl1", "stl1", "snowc", "2t"])


def test_file_in_another_layout_is_an_error(write_forecast):
    """A file without the dimension point is refused."""
    with pytest.raises(ValueError, match=r"no dimensions.*land-netcdf"):
        open_fields(write_forecast(change=lambda run: run.rename({"point": "values"})))


@pytest.mark.parametrize(
    "keep",
    [
        pytest.param([0, 1, 3, 4], id="gap"),
        pytest.param([0, 2, 1, 3], id="not in order"),
        pytest.param([1, 1, 2, 3], id="twice"),
    ],
)
def test_times_without_a_constant_step_are_an_error(write_forecast, keep):
    """Gaps, disorder and duplicates in time are refused."""
    with pytest.raises(ValueError, match=r"no constant step.*is followed by"):
        open_fields(write_forecast(change=lambda run: run.isel(time=keep)))


def test_load_of_an_empty_period_is_an_error(reference_file):
    """The message gives the period of the file."""
    with pytest.raises(ValueError, match=r"no date between.*it covers 2020-01-01T00:00 to 2022-12-31T18:00"):
        open_fields(reference_file).load(["swvl1"], np.datetime64("2030-01-01"), np.datetime64("2030-02-01"))


def test_span_of_no_times_is_nothing():
    """An empty period has a readable text."""
    assert inputs.span(np.array([], "datetime64[ns]")) == "nothing"
