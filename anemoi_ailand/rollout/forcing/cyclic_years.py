# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Whole years of a dataset, repeated: the forcing of a run that is longer than the dataset."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cycle:
    """Whole years from one date to the same date some years later.

    A run ends a cycle at the last date and begins the next at the first, which is the same date of another year, so
    that sun and calendar go on as if nothing had happened; the weather jumps, between two steps. Every step has the
    forcing of one interval of the dataset. Years are as long as in the calendar: 1464 steps with 29 February, else
    1460; no day is dropped or made up, and years of a cycle of four have the mean length of the Julian year.

    Attributes
    ----------
    turns : tuple of int
        Indices of the date in each year of the dataset, the first and the last included.
    dates : numpy.ndarray, shape (year + 1,)
        These dates, ``datetime64[s]``.
    """

    turns: tuple[int, ...]
    dates: np.ndarray

    @property
    def n_years(self) -> int:
        """Years of a cycle."""
        return len(self.turns) - 1

    def year(self, number: int) -> range:
        """Indices of the dates at which the steps of a year of the run begin; ``number`` counts from 0."""
        place = number % self.n_years
        return range(self.turns[place], self.turns[place + 1])

    def steps(self, years: int) -> int:
        """Steps of the first ``years`` years of the run."""
        return sum(len(self.year(k)) for k in range(years))


def cycle_of(
    dates: np.ndarray, start: np.datetime64 | str | None = None, end: np.datetime64 | str | None = None
) -> Cycle:
    """Cut whole years out of the dates of a dataset.

    Parameters
    ----------
    dates : numpy.ndarray, shape (date,)
        Increasing, with a constant step.
    start : date, optional
        First date of a cycle; the first midnight of the dataset if not given.
    end : date, optional
        A cycle ends at or before it; the end of the dataset if not given.

    Raises
    ------
    ValueError
        ``start`` is not in the dataset or on 29 February, or there is no whole year.
    """
    dates = np.asarray(dates).astype("datetime64[s]")
    there = f"{dates[0]} to {dates[-1]}"
    midnights = dates[dates == dates.astype("datetime64[D]")]
    first = (midnights if midnights.size else dates)[0] if start is None else np.datetime64(start).astype(dates.dtype)
    last = dates[-1] if end is None else np.datetime64(end).astype(dates.dtype)
    if first not in dates:
        raise ValueError(f"The dataset has no date {first}; it has {there}. Give a `start` that it has.")
    month = first.astype("datetime64[M]")
    if (first - month) // np.timedelta64(1, "D") == 28 and month.astype(int) % 12 == 1:
        raise ValueError(f"The start {first} is not in every year. Give another one than 29 February.")
    anniversaries = month + 12 * np.arange(1 + len(dates) // 1460)
    turns = anniversaries.astype("datetime64[s]") + (first - month)
    turns = turns[(turns <= last) & np.isin(turns, dates)]
    if len(turns) < 2:
        raise ValueError(
            f"There is no whole year from {first} to {last} in the dataset, which has {there}. Years must be whole, so "
            "that sun and calendar fit where they are repeated. Give other dates, or a longer dataset."
        )
    return Cycle(tuple(int(i) for i in np.searchsorted(dates, turns)), turns)
