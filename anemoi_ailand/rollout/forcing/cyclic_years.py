# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Whole years of a dataset, repeated as the forcing of a run longer than the dataset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Cycle:
    """Cycle of whole years, from a date to the same date some years later.

    A cycle ends at its last date and the next one begins at its first, the same date of another year: sun and calendar
    are continuous, the weather jumps between two steps. Every step has the forcing of one interval of the dataset.
    Years have calendar length (1464 steps with 29 February, else 1460), so a cycle of four years has the mean length of
    the Julian year.

    Attributes
    ----------
    turns : tuple of int
        Indices of that date in each year of the dataset, first and last included.
    dates : numpy.ndarray, shape (year + 1,)
        Dates of ``turns``, ``datetime64[s]``.
    """

    turns: tuple[int, ...]
    dates: np.ndarray

    @property
    def n_years(self) -> int:
        """Number of years of a cycle."""
        return len(self.turns) - 1

    def year(self, number: int) -> range:
        """Return the indices of the dates at which the steps of year ``number`` (from 0) of the run begin."""
        place = number % self.n_years
        return range(self.turns[place], self.turns[place + 1])

    def steps(self, years: int) -> int:
        """Return the number of steps of the first ``years`` years of the run."""
        return sum(len(self.year(k)) for k in range(years))


def find_cycle(
    dates: np.ndarray, start: np.datetime64 | str | None = None, end: np.datetime64 | str | None = None
) -> Cycle:
    """Select whole years from the increasing dates (date,) of a dataset.

    A cycle begins at ``start``, by default the first midnight, and ends at ``end`` or before.
    """
    dates = np.asarray(dates).astype("datetime64[s]")
    period = f"{dates[0]} to {dates[-1]}"
    midnights = dates[dates == dates.astype("datetime64[D]")]
    first = (midnights if midnights.size else dates)[0] if start is None else np.datetime64(start).astype(dates.dtype)
    last = dates[-1] if end is None else np.datetime64(end).astype(dates.dtype)
    if first not in dates:
        raise ValueError(f"The dataset has no date {first} (available: {period}). Give a `start` within it.")
    month = first.astype("datetime64[M]")
    if (first - month) // np.timedelta64(1, "D") == 28 and month.astype(int) % 12 == 1:
        raise ValueError(f"The start {first} does not occur in every year. Give a date other than 29 February.")
    anniversaries = month + 12 * np.arange(1 + len(dates) // 1460)
    turns = anniversaries.astype("datetime64[s]") + (first - month)
    turns = turns[(turns <= last) & np.isin(turns, dates)]
    if len(turns) < 2:
        raise ValueError(
            f"The dataset ({period}) has no whole year from {first} to {last}. Years must be whole, so that sun and "
            "calendar are continuous where they are repeated. Give other dates, or a longer dataset."
        )
    return Cycle(tuple(int(i) for i in np.searchsorted(dates, turns)), turns)
