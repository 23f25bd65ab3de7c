# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Climatology: windowed mean over the circular year, without the period of the forecast."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.evaluation.fields.climatology import (
    SLOTS,
    climatology,
    climatology_at,
    climatology_period,
    slot,
)


def dataset(times, values):
    return xr.Dataset({"swvl1": (("time", "point"), values)}, coords={"time": times})


def test_date_has_the_same_slot_in_all_years():
    """A date has the same slot in all years; 29 February shares 28 February."""
    same = [slot(np.array([f"{year}-12-31T18"], "datetime64[ns]"))[0] for year in (2019, 2020, 2100)]
    assert same == [SLOTS - 1] * 3
    days = slot(np.array(["2020-02-28T06", "2020-02-29T06", "2020-03-01T06", "2019-03-01T06"], "datetime64[ns]"))
    assert days.tolist() == [58 * 4 + 1, 58 * 4 + 1, 59 * 4 + 1, 59 * 4 + 1]


@pytest.mark.parametrize("window", [0, 3])
def test_climatology_equals_a_naive_loop(make_dates, window):
    """The mean covers all dates of the same hour within the window of days."""
    times = make_dates("2019-01-01T06", "2020-12-31T18")
    values = np.random.default_rng(0).standard_normal((len(times), 2))
    got = climatology([dataset(times, values)], window)["swvl1"].values
    day, hour = np.divmod(slot(times), 4)
    for d, h in [(0, 0), (0, 1), (2, 3), (58, 2), (200, 0), (364, 3)]:
        distance = np.abs(day - d)
        near = (np.minimum(distance, 365 - distance) <= window) & (hour == h)
        if near.any():
            np.testing.assert_allclose(got[4 * d + h], values[near].mean(0), rtol=1e-12)
        else:
            assert np.isnan(got[4 * d + h]).all()


def test_climatology_at_times_gives_the_slot_of_each(make_dates):
    """Each time has the value of its slot, also on 29 February."""
    mean = xr.DataArray(np.arange(SLOTS * 2.0).reshape(SLOTS, 2), dims=("slot", "point"), coords={"slot": range(SLOTS)})
    times = make_dates("2020-02-28T00", "2020-03-01T18")
    got = climatology_at(mean, times)
    assert got.dims == ("time", "point")
    np.testing.assert_array_equal(got[:, 0], 2.0 * slot(times))
    np.testing.assert_array_equal(got[:4], got[4:8])


@pytest.fixture
def reference(make_fields, make_dates):
    times = make_dates("2018-01-01T06", "2022-12-31T18")
    return make_fields(times, {"swvl1": np.zeros((len(times), 2))})


INITIAL, LAST = np.datetime64("2022-01-01T00", "ns"), np.datetime64("2022-12-31T18", "ns")


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        (None, ("2018-01-01T06", "2021-12-31T18")),
        ((2018, 2020), ("2018-01-01T06", "2020-12-31T18")),
        (("2018", "2018"), ("2018-01-01T06", "2018-12-31T18")),
        (("2019-03", "2020-06"), ("2019-03-01T00", "2020-06-30T18")),
        (("2019-03-01T06:00", "2020-06-30T12:00"), ("2019-03-01T06", "2020-06-30T12")),
    ],
)
def test_period_is_cut_to_the_reference_and_includes_both_ends(reference, period, expected):
    """A year or month as an end is included as a whole; the default is all before the forecast."""
    got = climatology_period(reference, INITIAL, LAST, period)
    assert got == tuple(np.datetime64(e, "ns") for e in expected)


@pytest.mark.parametrize("period", [("2018-01", "2018-06"), (2030, 2031), (2020, 2019), ("2017", "2018-05")])
def test_period_shorter_than_a_year_is_an_error(reference, period):
    """Periods that are short, outside the reference or reversed are refused."""
    with pytest.raises(ValueError, match=r"at least one year.*covers 2018-01-01T06:00 to 2022-12-31T18:00"):
        climatology_period(reference, INITIAL, LAST, period)


@pytest.mark.parametrize("period", [(2019, 2022), ("2021-01-01", "2022-01-02")])
def test_period_that_contains_the_forecast_is_an_error(reference, period):
    """Periods with dates of the forecast are refused."""
    with pytest.raises(ValueError, match="contains dates of the forecast"):
        climatology_period(reference, INITIAL, LAST, period)


def test_period_that_is_not_a_date_is_an_error(reference):
    """The message shows the format of dates."""
    with pytest.raises(ValueError, match=r"'last year' is not a date.*2020-12-31"):
        climatology_period(reference, INITIAL, LAST, ("last year", 2020))
