# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Protocol of a reader of land data, for any layout of files.

A reader gives data with the names, units, signs and time semantics of the table ``anemoi_ailand/variables.py``; the
conventions of the files stay inside the reader. Readers serve the dataset source, the inference input, the
ensemble and the export check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

import numpy as np

from anemoi_ailand.constants import STEP
from anemoi_ailand.support.options import nearest
from anemoi_ailand.variables import VARIABLES, Time

#: Labels of points, which are attributes of a reader and not among its variables.
MARKS = ("climate_class", "point_id", "held_out")


@dataclass(frozen=True)
class Coverage:
    """Dates at which all variables of a reader have a value: ``first, first + step, ..., last`` (naive UTC)."""

    first: datetime
    last: datetime
    step: timedelta = STEP

    def __contains__(self, date: datetime) -> bool:
        return self.first <= date <= self.last and (date - self.first) % self.step == timedelta(0)

    def dates(self) -> list[datetime]:
        """Return all dates, first to last."""
        return [self.first + i * self.step for i in range((self.last - self.first) // self.step + 1)]

    def __str__(self) -> str:
        return f"{self.first:%Y-%m-%d %H:%M} to {self.last:%Y-%m-%d %H:%M} every {self.step}"


@runtime_checkable
class Reader(Protocol):
    """Land data from files, in the terms of the table of variables.

    Attributes
    ----------
    name : str
        Description of the files, for messages.
    variables : tuple of str
        Available variables, in the order of the table; without computed ones (sun, calendar) and :data:`MARKS`.
    latitudes, longitudes : numpy.ndarray, shape (point,), float64
        Degrees north, degrees east.
    point_id : numpy.ndarray, shape (point,), int64
        Identity of a point, independent of the order; 0, 1, ... if the files have none.
    climate_class : numpy.ndarray or None, shape (point,), int64
        Stratum of a point, if the files have one.
    coverage : Coverage
        Dates at which all of ``variables`` have a value.
    """

    name: str
    variables: tuple[str, ...]
    latitudes: np.ndarray
    longitudes: np.ndarray
    point_id: np.ndarray
    climate_class: np.ndarray | None
    coverage: Coverage

    def read(self, names: Sequence[str], dates: Sequence[datetime]) -> np.ndarray:
        """Return values in the units of the table, float32 of shape (name, date, point).

        Constants are repeated for every date. NaN marks missing values of the file only.

        Raises
        ------
        ValueError
            A name is not among :attr:`variables`, or a date is not in :attr:`coverage`.
        """
        ...


def common_period(spans: Mapping[str, tuple[datetime, datetime]], name: str) -> tuple[datetime, datetime]:
    """Return the first and last date that all variables have, given those of each."""
    first, last = max(a for a, _ in spans.values()), min(b for _, b in spans.values())
    if first > last:
        each = {n: f"{a:%Y-%m-%d %H:%M} to {b:%Y-%m-%d %H:%M}" for n, (a, b) in spans.items()}
        raise ValueError(f"The variables of {name} have no date in common: {each}. Give files of the same period.")
    return first, last


def check_request(
    reader: Reader,
    names: Sequence[str],
    dates: Sequence[datetime],
    spans: Mapping[str, tuple[datetime, datetime]] | None = None,
) -> None:
    """Refuse names or dates that a reader does not have, as :meth:`Reader.read` does.

    ``spans`` holds the first and last date of variables, which may lie before the coverage: instants begin one step
    before means over the step, so that a run can start there. Variables without a span have a value at any date.
    """
    missing = [n for n in names if n not in reader.variables]
    if missing:
        near = {n: found for n in missing if (found := nearest(n, reader.variables, n=2))}
        unknown = [n for n in missing if n not in VARIABLES]
        raise ValueError(
            f"Variables {missing} are not in {reader.name}, which has {list(reader.variables)}. "
            + (f"Nearest: {near}. " if near else "")
            + (f"{unknown} are not in the table anemoi_ailand/variables.py either. " if unknown else "")
            + "Correct the names, or add the files that hold them to `path` or `static`."
        )
    if all(VARIABLES[n].time is Time.CONSTANT for n in names):
        return
    outside = [d for d in dates if d not in reader.coverage]
    if spans is not None:
        held = [spans[n] for n in names if n in spans]
        first = reader.coverage.first
        outside = [d for d in outside if d > first or (first - d) % STEP or not all(a <= d <= b for a, b in held)]
    if outside:
        raise ValueError(
            f"{len(outside)} of {len(dates)} dates are not in {reader.name}, first {outside[0]:%Y-%m-%d %H:%M}; "
            f"it covers {reader.coverage}. Choose dates in this period, or add files."
        )
