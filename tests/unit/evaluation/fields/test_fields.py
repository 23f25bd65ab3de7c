# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Fields of datasets and files, and their daily means."""

import numpy as np
import pytest

from anemoi_ailand.evaluation.fields import fields as inputs
from anemoi_ailand.evaluation.fields.daily_means import daily_means, whole_days
from anemoi_ailand.evaluation.fields.fields import open_fields
from tests.support import worlds as world
from tests.support.worlds import fields_of, six_hourly


@pytest.fixture(scope="module")
def reference_file(tmp_path_factory):
    return world.write_reference(tmp_path_factory.mktemp("world") / "reference.nc")


def test_netcdf_has_dataset_names_units_and_constants(reference_file):
    """NetCDF names become dataset names; fields without time are constants."""
    fields = open_fields(reference_file)
    assert sorted(fields.variables) == ["2t", "avg_tprate", "slhf", "snowc", "stl1", "swvl1"]
    assert fields.units["stl1"] == "K"
    np.testing.assert_array_equal(fields.constant("point_id"), np.arange(10))
    np.testing.assert_array_equal(fields.times, world.times())
    assert fields.constant("theta_sat") is None


def test_load_gives_the_period_and_the_points_in_the_order_asked(reference_file):
    """Both ends of the period are included, and points keep the requested order."""
    points, start, end = np.array([7, 2]), np.datetime64("2021-02-01T06"), np.datetime64("2021-02-02T00")
    got = open_fields(reference_file).load(["stl1", "2t"], start, end, points)
    inside = (world.times() >= start) & (world.times() <= end)
    np.testing.assert_array_equal(got["2t"], world.values()["2t"][inside][:, points])
    np.testing.assert_array_equal(got["latitude"], world.reference().latitude[points])
    assert got.sizes == {"time": 4, "point": 2}


def test_blocks_are_bounded_and_join_to_the_whole(reference_file, monkeypatch):
    monkeypatch.setattr(inputs, "BLOCK_BYTES", 4 * 6 * 10 * 100)
    blocks = list(open_fields(reference_file).blocks(["swvl1"]))
    assert max(block.sizes["time"] for block in blocks) == 100
    np.testing.assert_array_equal(np.concatenate([b["swvl1"] for b in blocks]), world.values()["swvl1"])


def test_folder_that_is_not_a_dataset_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"is not an Anemoi dataset"):
        open_fields(tmp_path)


def test_missing_file_is_an_error_that_lists_the_folder(tmp_path):
    path = world.write_forecast(tmp_path / "forecast.nc")
    with pytest.raises(FileNotFoundError, match=r"no file or dataset '.*fc\.nc'.*forecast\.nc"):
        open_fields(path.with_name("fc.nc"))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.95])
def test_truncated_file_is_an_error(tmp_path, share):
    """A file truncated anywhere is an error when it is opened or read."""
    path = world.write_forecast(tmp_path / "forecast.nc")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"cannot be read as NetCDF.*truncated"):
        open_fields(path).load(["swvl1", "stl1", "snowc", "2t"])


def test_file_in_another_layout_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"no dimensions.*land-netcdf"):
        open_fields(world.write_forecast(tmp_path / "run.nc", change=lambda run: run.rename({"point": "values"})))


@pytest.mark.parametrize("keep", [[0, 1, 3, 4], [0, 2, 1, 3], [1, 1, 2, 3]], ids=["gap", "not in order", "twice"])
def test_times_without_a_constant_step_are_an_error(tmp_path, keep):
    """Gaps, disorder and duplicates in time are refused."""
    with pytest.raises(ValueError, match=r"no constant step.*is followed by"):
        open_fields(world.write_forecast(tmp_path / "run.nc", change=lambda run: run.isel(time=keep)))


def test_load_of_an_empty_period_is_an_error(reference_file):
    with pytest.raises(ValueError, match=r"no date between.*it covers 2020-01-01T00:00 to 2022-12-31T18:00"):
        open_fields(reference_file).load(["swvl1"], np.datetime64("2030-01-01"), np.datetime64("2030-02-01"))


@pytest.mark.parametrize("block_bytes", [4 * 3 * 3, 2**20], ids=["blocks that cut days", "one block"])
def test_mean_of_the_stamps_of_each_whole_day(monkeypatch, block_bytes):
    """Incomplete first and last days are left out; the others are means of four stamps, for any blocks."""
    monkeypatch.setattr(inputs, "BLOCK_BYTES", block_bytes)
    times = six_hourly("2021-02-27T06", "2021-03-03T12")
    values = np.arange(len(times) * 3, dtype=np.float32).reshape(-1, 3)
    fields = fields_of(times, {"sd": values})
    days, means = daily_means(fields, ["sd"], points=np.array([2, 0]))
    assert [str(d) for d in days] == ["2021-02-28", "2021-03-01", "2021-03-02"]
    expected = [values[3 + 4 * i : 7 + 4 * i].mean(0)[[2, 0]] for i in range(3)]
    np.testing.assert_array_equal(means["sd"], expected)
    np.testing.assert_array_equal(whole_days(fields), days)


def test_days_without_a_mean_are_an_error():
    """Half a day, a NaN in a day, and stamps every five hours."""
    days, still = six_hourly("2021-01-01T00", "2021-01-02T18"), np.zeros((8, 1))
    for times, values, message in (
        (days[:3], still[:3], "no whole day"),
        (days, still + np.nan, r"'sd' .* NaN"),
        (days[0] + np.arange(8) * np.timedelta64(5, "h"), still, "step of 5 h"),
    ):
        with pytest.raises(ValueError, match=message):
            daily_means(fields_of(times, {"sd": values}), ["sd"])
