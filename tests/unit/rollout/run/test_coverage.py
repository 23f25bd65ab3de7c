# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Checks before a rollout starts: period of the forcing, and points of the inputs."""

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import numpy as np
import pytest

from anemoi_ailand.rollout.forcing.common_points import on_same_points
from anemoi_ailand.rollout.run.coverage import available_dates, check_coverage

START = datetime(2022, 1, 1)
DATES = np.datetime64("2022-01-01T00", "s") + np.arange(9) * np.timedelta64(6, "h")


def test_forcing_must_hold_the_end_of_every_step():
    """The last step needs the forcing stored at its end; an error gives the first missing date."""
    check_coverage(DATES, START, timedelta(days=2))
    with pytest.raises(ValueError, match=r"2022-01-03T06:00:00 \(1 of 9 stamps.*2022-01-03T00:00:00, 9 stamps"):
        check_coverage(DATES, START, timedelta(hours=54))
    with pytest.raises(ValueError, match="2022-01-01T18:00:00"):
        check_coverage(np.delete(DATES, 3), START, timedelta(days=1))


def test_start_in_a_time_zone_is_refused():
    """A start with a time zone is an error, as all dates are UTC."""
    start = datetime(2022, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    with pytest.raises(ValueError, match=r"`date` is 2022-01-01 00:00:00\+02:00, with a time zone"):
        check_coverage(None, start, timedelta(hours=6))


def test_dates_of_files_datasets_and_other_inputs():
    """Files and datasets report their dates; inputs that cannot, such as MARS, are not checked."""
    files = SimpleNamespace(available_dates=DATES)
    dataset = SimpleNamespace(open_dataset_args=(), ds_dates=DATES.astype("datetime64[ns]"))
    np.testing.assert_array_equal(available_dates(files), available_dates(dataset))
    assert available_dates(SimpleNamespace()) is None
    check_coverage(None, START, timedelta(days=1))


def forecasts(steps, start):
    """An input of a dataset with forecasts from two dates."""
    bases = np.array(["2022-01-01", "2022-01-02"], "datetime64[s]")
    ds = SimpleNamespace(base_dates=bases, steps=np.array(steps, "timedelta64[h]"))
    return SimpleNamespace(ds=ds, ds_dates=bases, use_trajectories=True, open_dataset_args=(), reference_date=start)


def test_dates_of_a_dataset_of_forecasts():
    """Dates are those of the forecast that starts with the run."""
    expected = np.datetime64("2022-01-02", "s") + np.array([0, 6, 12], "timedelta64[h]")
    np.testing.assert_array_equal(available_dates(forecasts([0, 6, 12], datetime(2022, 1, 2))), expected)
    with pytest.raises(ValueError, match=r"starts at 2022-01-02 06:00; there are 2, from 2022-01-01T00:00:00 to 2022"):
        available_dates(forecasts([0, 6], datetime(2022, 1, 2, 6)))


@pytest.mark.parametrize("steps", [[6, 12, 18], [0, 3, 6], [0, 6, 18]])
def test_steps_that_anemoi_would_miscount(steps):
    """Steps of forecasts that do not begin at 0, have another frequency or a gap are errors."""
    with pytest.raises(ValueError, match=r"steps from 0 on, every 6 h, are needed"):
        available_dates(forecasts(steps, START))


def state(latitudes, longitudes, name="forcing"):
    return {"latitudes": np.array(latitudes), "longitudes": np.array(longitudes), "_input": name}


LAND = state([50.0, 60.0, 70.0], [10.0, 20.0, 350.0], "state")


def test_rounding_and_branch_of_coordinates_do_not_matter():
    """Float32 coordinates and longitudes from -180 to 180 count as the same points; an input may have none."""
    rounded = state(np.float32([50.0004, 60.0, 70.0]), [10.0, 20.0, -10.0])
    for got in on_same_points([LAND, rounded]):
        assert got["latitudes"] is LAND["latitudes"]
        assert got["longitudes"] is LAND["longitudes"]
    empty = {"fields": {}}
    assert on_same_points([empty]) == [empty]
    assert on_same_points([empty, LAND]) == [empty, LAND]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (state([50.0, 60.0], [10.0, 20.0]), "forcing and state are on different points: 2 and 3"),
        (state([50.0, 61.0, 70.0], [10.0, 20.0, 350.0]), r"1 of 3 differ, the first at latitude 61\.000, .* 60\.000"),
        (state([50.0, 60.0, 70.0], [10.0, 20.0, 351.0]), r"1 of 3 differ, .*longitude 351\.000"),
        (state([60.0, 50.0, 70.0], [20.0, 10.0, 350.0]), r"2 of 3 differ \(the same points in another order\)"),
    ],
)
def test_other_points_are_refused(other, message):
    """Another number, place or order of points is an error that names both inputs."""
    with pytest.raises(ValueError, match=message):
        on_same_points([LAND, other])
