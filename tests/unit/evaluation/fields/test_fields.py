# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Fields of datasets and files: names, blocks, and errors."""

from __future__ import annotations

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


def test_folder_that_is_not_a_dataset_is_an_error(tmp_path):
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
