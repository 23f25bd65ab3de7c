# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Protocol that the reader of every layout of input files follows.

A reader speaks the names, units, signs and time semantics of the table ``anemoi_ailand/variables.py`` and nothing
else; what the files call it stays inside the reader. Whoever needs land data from files (the dataset source, the
inference input, the comparison) asks a reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

import numpy as np

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.support.options import nearest
from anemoi_ailand.variables import VARIABLES, Time

#: One emulator step.
STEP = timedelta(hours=STEP_HOURS)

#: Marks of points: attributes of a reader, not variables of it.
MARKS = ("climate_class", "point_id", "held_out")


@dataclass(frozen=True)
class Coverage:
    """Dates for which every variable of a reader has a value: ``first, first + step, ..., last`` (UTC, no zone)."""

    first: datetime
    last: datetime
    step: timedelta = STEP

    def __contains__(self, date: datetime) -> bool:
        return self.first <= date <= self.last and (date - self.first) % self.step == timedelta(0)

    def dates(self) -> list[datetime]:
        """All dates, first to last."""
        return [self.first + i * self.step for i in range((self.last - self.first) // self.step + 1)]

    def __str__(self) -> str:
        return f"{self.first:%Y-%m-%d %H:%M} to {self.last:%Y-%m-%d %H:%M} every {self.step}"


@runtime_checkable
class Reader(Protocol):
    """Land data from files, under the names of the table.

    Attributes
    ----------
    name : str
        The files in words, for messages.
    variables : tuple of str
        Dataset names of the table that it can give, in the order of the table; never a computed one (sun, calendar)
        nor one of :data:`MARKS`.
    latitudes, longitudes : numpy.ndarray, shape (point,), float64
        Degrees north, degrees east.
    point_id : numpy.ndarray, shape (point,), int64
        Identity of a point, kept through every re-ordering; 0, 1, ... when the files have none.
    climate_class : numpy.ndarray or None, shape (point,), int64
        Stratum of a point, when the files have one.
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
        """Return float32 of shape (name, date, point), in the units of the table.

        Constants are repeated for every date. NaN stands only where the file has a missing value.

        Raises
        ------
        ValueError
            A name is not among :attr:`variables`, or a date is not in :attr:`coverage`.
        """
        ...


def check_request(reader: Reader, names: Sequence[str], dates: Sequence[datetime]) -> None:
    """Refuse names or dates that ``reader`` cannot give, in the words every reader shares.

    Raises
    ------
    ValueError
        See :meth:`Reader.read`.
    """
    missing = [n for n in names if n not in reader.variables]
    if missing:
        near = {n: nearest(n, reader.variables, n=2) for n in missing}
        unknown = [n for n in missing if n not in VARIABLES]
        raise ValueError(
            f"Variables {missing} are not in {reader.name}, which has {list(reader.variables)}. "
            f"Nearest: {near}. "
            + (f"{unknown} are not in the table anemoi_ailand/variables.py either. " if unknown else "")
            + "Correct the names, or add the files that hold them to `path` or `static`."
        )
    if all(VARIABLES[n].time is Time.CONSTANT for n in names):
        return
    outside = [d for d in dates if d not in reader.coverage]
    if outside:
        raise ValueError(
            f"{len(outside)} of {len(dates)} dates are not in {reader.name}, first {outside[0]:%Y-%m-%d %H:%M}; "
            f"it covers {reader.coverage}. Correct `dates` in the recipe, or add files to `path`."
        )
