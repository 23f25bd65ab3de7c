# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Means over days and months, accumulated step by step."""

import logging
from datetime import datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.rollout.outputs.period_means import PeriodMeans, period_of

STEP = timedelta(hours=6)


def field(date):
    return np.random.default_rng(int(date.timestamp())).normal(size=3).astype("f4")


def run(means, start, n_steps, first=1):
    dates = [start + k * STEP for k in range(first, n_steps + 1)]
    return [done for date in dates if (done := means.add(date, {"sd": field(date)}))]


@pytest.mark.parametrize(
    ("date", "period", "start", "end"),
    [
        ((2022, 1, 1, 6), "day", (2022, 1, 1), (2022, 1, 2)), ((2022, 1, 2, 0), "day", (2022, 1, 1), (2022, 1, 2)),
        ((2022, 3, 1, 0), "month", (2022, 2, 1), (2022, 3, 1)), ((2024, 2, 29, 6), "month", (2024, 2, 1), (2024, 3, 1)),
        ((2023, 1, 1, 0), "month", (2022, 12, 1), (2023, 1, 1)),
        ((2022, 12, 31, 18), "month", (2022, 12, 1), (2023, 1, 1)),
    ],
)  # fmt: skip
def test_period_of_a_stamp(date, period, start, end):
    """A stamp at midnight belongs to the day that ends."""
    assert period_of(datetime(*date), period) == (datetime(*start), datetime(*end))


@pytest.mark.parametrize(("period", "freq", "n"), [("day", "1D", 60), ("month", "1MS", 2)])
def test_means_are_those_of_xarray(period, freq, n):
    """Means are over the stamps in (start, end], in double precision, as xarray computes them."""
    start = datetime(2024, 2, 1)
    done = run(PeriodMeans(period, ["sd"], STEP), start, 4 * (29 + 31))
    stamps = [start + k * STEP for k in range(1, 4 * 60 + 1)]
    fields = xr.DataArray([field(d) for d in stamps], dims=("time", "x"), coords={"time": stamps}).astype("f8")
    expected = fields.resample(time=freq, closed="right", label="left").mean().dropna("time").values.astype("f4")
    np.testing.assert_array_equal([d.values["sd"] for d in done], expected)
    assert len(done) == n
    assert done[-1].end == datetime(2024, 4, 1)


@pytest.mark.parametrize("hour", [6, 12])
def test_incomplete_first_day_has_no_mean(hour, caplog):
    """A run that starts within a day has no mean of it, which is logged."""
    with caplog.at_level(logging.WARNING):
        done = run(PeriodMeans("day", ["sd"], STEP), datetime(2022, 1, 1, hour), 8)
    assert [d.start for d in done] == [datetime(2022, 1, 2)]
    assert "No mean over the day from 2022-01-01" in caplog.text


def test_incomplete_last_day_is_logged(caplog):
    """A run that ends within a day logs it."""
    means = PeriodMeans("day", ["sd"], STEP)
    run(means, datetime(2022, 1, 1), 6)
    with caplog.at_level(logging.WARNING):
        means.warn_of_rest()
    assert "No mean over the day from 2022-01-02: only 2 of its steps" in caplog.text


def test_missing_values_stay_missing():
    """A NaN in a step is a NaN in the mean of its period only."""
    means, start = PeriodMeans("day", ["sd"], STEP), datetime(2022, 1, 1)
    given = [np.array([1.0, np.nan if k == 2 else 1.0], "f4") for k in range(1, 9)]
    done = [d for k, v in enumerate(given, 1) if (d := means.add(start + k * STEP, {"sd": v}))]
    np.testing.assert_array_equal([d.values["sd"] for d in done], [[1.0, np.nan], [1.0, 1.0]])


def test_missing_variable_is_an_error():
    """A missing variable is named, with the date."""
    with pytest.raises(ValueError, match=r"\['sd'\] are not in the state at 2022-01-01 06:00"):
        PeriodMeans("day", ["sd"], STEP).add(datetime(2022, 1, 1, 6), {})
