# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Sampling of station records at 6-hourly stamps."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.data.stations.sampling import instants, interval_means, offset_of_longitude
from tests.support.files import times_between

HALF_HOUR = np.timedelta64(30, "m")


def naive_means(starts: np.ndarray, values: np.ndarray, coverage: float) -> dict[np.datetime64, float]:
    """Return means computed minute by minute."""
    minutes: dict[np.datetime64, list[float]] = {}
    for start, value in zip(starts, values, strict=True):
        for minute in range(30):
            at = start + np.timedelta64(minute, "m")
            begin = at.astype("datetime64[h]") - np.timedelta64(int(str(at)[11:13]) % 6, "h")
            minutes.setdefault((begin + np.timedelta64(6, "h")).astype("datetime64[ns]"), []).append(value)
    means = {}
    for stamp, found in minutes.items():
        good = [v for v in found if not np.isnan(v)]
        if len(good) >= coverage * 360:
            means[stamp] = float(np.mean(good))
    return means


@pytest.mark.parametrize("offset_minutes", [0, 30, 15])
def test_interval_means_equal_a_naive_loop(offset_minutes: int) -> None:
    """With gaps, and with records that straddle the stamps as in time zones with half hours."""
    rng = np.random.default_rng(3)
    starts = times_between("2019-03-01T02:00", 480, 30) + np.timedelta64(offset_minutes, "m")
    values = rng.standard_normal(480)
    values[rng.random(480) < 0.15] = np.nan
    stamps, means = interval_means(starts, starts + HALF_HOUR, values)
    expected = naive_means(starts, values, 0.8)
    assert 5 < len(expected) < 40
    assert list(stamps) == sorted(expected)
    np.testing.assert_allclose(means, [expected[s] for s in stamps], rtol=1e-12)


@pytest.mark.parametrize(("n_bad", "n_means"), [(2, 1), (3, 0)])
def test_mean_needs_80_percent(n_bad: int, n_means: int) -> None:
    """Ten of 12 half hours are enough, nine are not."""
    starts = times_between("2019-03-01T00:00", 12, 30)
    values = np.where(np.arange(12) < n_bad, np.nan, 1.0)
    assert len(interval_means(starts, starts + HALF_HOUR, values)[0]) == n_means


def test_instant_is_the_nearest_good_value_within_half_an_hour() -> None:
    """At a tie the earlier value is used; a value more than 30 minutes away is not."""
    day = np.datetime64("2019-03-01T00:00", "ns")
    minutes = np.array([-10, 5, 6 * 60 - 15, 6 * 60 + 15, 12 * 60 + 31, 18 * 60 - 30])
    values = np.array([1.0, np.nan, 2.0, 3.0, 4.0, 5.0])
    stamps, taken = instants(day + minutes * np.timedelta64(1, "m"), values)
    assert list((stamps - day) / np.timedelta64(1, "h")) == [0.0, 6.0, 18.0]
    assert list(taken) == [1.0, 2.0, 5.0]


def test_no_good_value() -> None:
    """The result is empty."""
    times, bad = times_between("2019-03-01", 5), np.full(5, np.nan)
    assert len(instants(times, bad)[0]) == len(interval_means(times, times + HALF_HOUR, bad)[0]) == 0


@pytest.mark.parametrize(("longitude", "hours"), [(-88.3, -6.0), (11.0, 1.0), (271.7, -6.0), (0.0, 0.0), (149.0, 10.0)])
def test_offset_of_a_longitude(longitude: float, hours: float) -> None:
    """One hour for 15 degrees, positive to the east, in either convention."""
    assert offset_of_longitude(longitude) == hours
