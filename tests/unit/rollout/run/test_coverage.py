# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""What is checked before a roll-out starts: checkpoint, period, points."""

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import numpy as np
import pytest

from anemoi_ailand.rollout.forcing.common_points import on_same_points
from anemoi_ailand.rollout.run.coverage import available_dates, check_coverage
from anemoi_ailand.rollout.step.checkpoint import check_task

STEP = timedelta(hours=6)
START = datetime(2022, 1, 1)
DATES = np.datetime64("2022-01-01T00", "s") + np.arange(9) * np.timedelta64(6, "h")


@pytest.mark.parametrize("task", ["forecaster", None])
def test_checkpoint_of_another_task_is_refused(task):
    """The error names task and checkpoint."""
    with pytest.raises(ValueError, match=rf"atmosphere.ckpt is of task '{task}'"):
        check_task(task, "atmosphere.ckpt")


def test_forcing_up_to_the_last_step_is_enough():
    """The last step needs the forcing stored at its end, and no more."""
    check_coverage(DATES, START, timedelta(days=2), STEP)


def test_forcing_that_ends_too_early_is_refused():
    """The error gives the first missing date and the available period."""
    with pytest.raises(ValueError, match=r"2022-01-03T06:00:00 \(1 of 9 stamps.*2022-01-03T00:00:00, 9 stamps"):
        check_coverage(DATES, START, timedelta(hours=54), STEP)


def test_gap_in_the_forcing_is_refused():
    """A missing date in the middle is an error."""
    with pytest.raises(ValueError, match="2022-01-01T18:00:00"):
        check_coverage(np.delete(DATES, 3), START, timedelta(days=1), STEP)


def test_start_in_a_time_zone_is_refused():
    """A start with a time zone is an error, as all dates are UTC."""
    start = datetime(2022, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    with pytest.raises(ValueError, match=r"`date` is 2022-01-01 00:00:00\+02:00, with a time zone"):
        check_coverage(None, start, STEP, STEP)


def test_inputs_that_cannot_say_are_not_checked():
    """Inputs without a list of dates, such as MARS, are not checked."""
    assert available_dates(SimpleNamespace()) is None
    check_coverage(None, START, timedelta(days=1), STEP)


def test_dates_of_files_and_datasets():
    """Files and datasets report their dates."""
    files = SimpleNamespace(available_dates=DATES)
    dataset = SimpleNamespace(open_dataset_args=(), ds_dates=DATES.astype("datetime64[ns]"))
    np.testing.assert_array_equal(available_dates(files), available_dates(dataset))


def state(latitudes, longitudes, name="forcing"):
    return {"latitudes": np.array(latitudes), "longitudes": np.array(longitudes), "_input": name}


LAND = state([50.0, 60.0, 70.0], [10.0, 20.0, 350.0], "state")


def test_rounding_and_branch_of_coordinates_do_not_matter():
    """Float32 coordinates and longitudes from -180 to 180 count as the same points."""
    rounded = state(np.float32([50.0004, 60.0, 70.0]), [10.0, 20.0, -10.0])
    for got in on_same_points([LAND, rounded]):
        assert got["latitudes"] is LAND["latitudes"]
        assert got["longitudes"] is LAND["longitudes"]


def test_inputs_without_points_are_left_alone():
    """An input without points takes those of the others."""
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
