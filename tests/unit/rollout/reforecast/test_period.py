# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Periods of a user and whole years among the dates of a dataset."""

import numpy as np
import pytest

from anemoi_ailand.rollout.forcing.cyclic_years import find_cycle
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


YEARS = np.arange(np.datetime64("2018-01-01T06", "s"), np.datetime64("2023-01-01T00", "s"), np.timedelta64(6, "h"))


def test_years_are_those_of_the_calendar():
    """Years run from the first midnight to the last anniversary; 2020 has its leap day, four years are 1461 days."""
    cycle = find_cycle(YEARS)
    assert [str(d) for d in cycle.dates[[0, -1]]] == ["2018-01-02T00:00:00", "2022-01-02T00:00:00"]
    assert [len(cycle.year(k)) for k in range(4)] == [1460, 1460, 1464, 1460]
    assert cycle.steps(100) == 25 * 4 * 1461
    assert (YEARS[list(cycle.turns)] == cycle.dates).all()
    chosen = find_cycle(YEARS, "2019-07-01", "2021-12-31")
    assert [str(d)[:10] for d in chosen.dates] == ["2019-07-01", "2020-07-01", "2021-07-01"]


def test_years_are_repeated_without_a_gap_or_a_seam():
    """Each year begins where the one before ended, and the first one follows the last."""
    cycle = find_cycle(YEARS)
    for k in range(3):
        assert cycle.year(k).stop == cycle.year(k + 1).start
    assert cycle.year(4) == cycle.year(0)
    assert YEARS[cycle.year(3).stop] == np.datetime64("2022-01-02T00")


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2017-01-01", None, "no date 2017-01-01"),
        ("2018-01-01T03", None, "no date 2018-01-01T03"),
        ("2020-02-29", None, "29 February"),
        ("2022-06-01", None, "no whole year from 2022-06-01"),
        (None, "2018-12-01", "no whole year"),
    ],
)
def test_invalid_cycle_is_refused(start, end, message):
    """The error names the available period."""
    with pytest.raises(ValueError, match=message):
        find_cycle(YEARS, start, end)
