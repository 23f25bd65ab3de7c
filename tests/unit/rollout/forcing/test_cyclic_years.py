# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Whole years are cut out of a dataset, with the leap day of the calendar."""

import numpy as np
import pytest

from anemoi_ailand.rollout.forcing.cyclic_years import find_cycle

DATES = np.arange(np.datetime64("2018-01-01T06", "s"), np.datetime64("2023-01-01T00", "s"), np.timedelta64(6, "h"))


def test_years_are_those_of_the_calendar():
    """Years run from the first midnight to the last anniversary; 2020 has its leap day, four years are 1461 days."""
    cycle = find_cycle(DATES)
    assert [str(d) for d in cycle.dates[[0, -1]]] == ["2018-01-02T00:00:00", "2022-01-02T00:00:00"]
    assert [len(cycle.year(k)) for k in range(4)] == [1460, 1460, 1464, 1460]
    assert cycle.steps(100) == 25 * 4 * 1461
    assert (DATES[list(cycle.turns)] == cycle.dates).all()
    chosen = find_cycle(DATES, "2019-07-01", "2021-12-31")
    assert [str(d)[:10] for d in chosen.dates] == ["2019-07-01", "2020-07-01", "2021-07-01"]


def test_years_are_repeated_without_a_gap_or_a_seam():
    """Each year begins where the one before ended, and the first one follows the last."""
    cycle = find_cycle(DATES)
    for k in range(3):
        assert cycle.year(k).stop == cycle.year(k + 1).start
    assert cycle.year(4) == cycle.year(0)
    assert DATES[cycle.year(3).stop] == np.datetime64("2022-01-02T00")


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
        find_cycle(DATES, start, end)
