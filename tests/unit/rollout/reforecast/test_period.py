# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Dates, lengths and days of a user among the dates of a dataset."""

import numpy as np
import pytest

from anemoi_ailand.rollout.reforecast.period import period

DATES = np.arange(np.datetime64("2021-12-31T06", "s"), np.datetime64("2022-03-01T00", "s"), np.timedelta64(6, "h"))


@pytest.mark.parametrize(
    ("start", "lead", "end", "first", "last"),
    [
        (None, None, None, "2022-01-01T00", "2022-02-28T18"),
        ("2022-02", None, None, "2022-02-01T00", "2022-02-28T18"),
        ("2022", "36h", None, "2022-01-01T00", "2022-01-02T12"),
        ("2022-01-05T06", "2d", None, "2022-01-05T06", "2022-01-07T06"),
        ("2022-01-05 06:00", None, "2022-01-06", "2022-01-05T06", "2022-01-06T18"),
        ("2021-12-31T06", None, "2022-01-06T00", "2021-12-31T06", "2022-01-06T00"),
        (None, None, "2022-01", "2022-01-01T00", "2022-01-31T18"),
    ],
)
def test_period(start, lead, end, first, last):
    """Defaults are the first midnight and the last date; a day or month as the end stands for its last date."""
    found = period(DATES, start, lead, end)
    assert [DATES[i] for i in found] == [np.datetime64(first), np.datetime64(last)]
    assert period(DATES[:3], None, None, None) == (0, 2)  # there is no midnight


@pytest.mark.parametrize(
    ("start", "lead", "end", "message"),
    [
        ("2021-12-30", None, None, "`--start` leads to 2021-12-30T00:00, which is not in the dataset. The dataset has"),
        ("2022-01-01", "364d", None, "`--lead` leads to 2022-12-31T00:00"),
        ("2022-01-01", "7h", None, "`--lead` leads to 2022-01-01T07:00"),
        ("2022-01-01", None, "2022", "`--end` leads to 2022-12-31T18:00"),
        ("2022-01-05", None, "2022-01-05T00", "no step from"),
        ("2022-01-05", "1d", "2022-01-08", "Give one of them"),
        ("yesterday", None, None, "`--start yesterday` is not a date"),
        ("2022-01-01T00+01:00", None, None, "Give UTC"),
        (None, "a while", None, "not a duration"),
    ],
)
def test_wrong_period_is_refused(start, lead, end, message):
    """The error names option, available period and remedy."""
    with pytest.raises(ValueError, match=message):
        period(DATES, start, lead, end)
