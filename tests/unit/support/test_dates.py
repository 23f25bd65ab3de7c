# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Dates of a user: kinds, whole days and months, open periods, clear refusals."""

from datetime import date, datetime, timedelta, timezone

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.support.dates import bounds_of, to_datetime

MAY = datetime(2020, 5, 1)


@pytest.mark.parametrize(
    "given",
    [
        "2020-05", "2020-05-01", "2020-05-01 00:00", MAY, np.datetime64("2020-05"), np.datetime64("2020-05-01", "ns"),
        date(2020, 5, 1), datetime(2020, 5, 1, 3, tzinfo=timezone(timedelta(hours=3))),
        xr.DataArray(np.datetime64("2020-05-01", "ns")),
    ],
)  # fmt: skip
def test_kinds_of_dates(given):
    """Text, numpy, datetime with and without a time zone, and a scalar of xarray are the same date."""
    assert to_datetime(given) == MAY


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("2020-05", "2020-05-01T00", "2020-05-31T23:59:59"),
        ("2020", "2020-01-01T00", "2020-12-31T23:59:59"),
        (("2020-05-01", "2020-06-01"), "2020-05-01T00", "2020-06-01T23:59:59"),
        (("2020-05-01", "2020-06-01T00"), "2020-05-01T00", "2020-06-01T00"),
        ([MAY, date(2020, 5, 2)], "2020-05-01T00", "2020-05-02T23:59:59"),
        (MAY, "2020-05-01T00", "2020-05-01T00"),
        (np.datetime64("2020-05"), "2020-05-01T00", "2020-05-31T23:59:59"),
        (("2020-05", None), "2020-05-01T00", None),
        (None, None, None),
    ],
)
def test_bounds_of_a_period(period, first, last):
    """A day, month or year stands for all of it, also as the last of a pair; None is open."""
    assert bounds_of(period) == tuple(None if d is None else np.datetime64(d) for d in (first, last))


@pytest.mark.parametrize("given", ["May 2020", "2020-13", 2020, np.datetime64("NaT"), np.arange(3)])
def test_other_things_are_refused(given):
    """The error repeats what was given, and says how to write a date."""
    with pytest.raises(ValueError, match=r"is not understood: .* Give UTC as text"):
        to_datetime(given)


def test_three_dates_are_no_period():
    """A period is one date or two."""
    with pytest.raises(ValueError, match="Give one date, or a pair"):
        bounds_of(("2020", "2021", "2022"))
