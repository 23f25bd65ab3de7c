# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Means of a roll-out over UTC days or calendar months, accumulated step by step."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from anemoi.inference.types import FloatArray

from anemoi_ailand.support.netcdf_writer import date_of, hours_since_epoch

LOG = logging.getLogger(__name__)

DAY, MONTH = "day", "month"
PERIODS = (DAY, MONTH)


@dataclass(frozen=True)
class PeriodMean:
    """Means over (start, end], float32, by short name."""

    start: datetime
    end: datetime
    values: dict[str, FloatArray]


class PeriodMeans:
    r"""Means :math:`\bar x = n^{-1} \sum_{t \in (a, b]} x_t` over the stamps of each period, in double precision.

    A value with stamp t represents the step that ends there, so 00 UTC belongs to the day before. A period that the run
    does not cover completely (it starts or ends at noon, say) has no mean; a warning is logged.
    """

    def __init__(self, period: str, names: Sequence[str], step: timedelta) -> None:
        self.period, self.names, self.step = period, tuple(names), step
        self._start: datetime | None = None
        self._count = 0
        self._sums: dict[str, np.ndarray] = {}

    def add(self, date: datetime, fields: Mapping[str, FloatArray]) -> PeriodMean | None:
        """Add the values at one stamp, of any shape; return the mean of the period that they complete, if any."""
        missing = [n for n in self.names if n not in fields]
        if missing:
            raise ValueError(f"{missing} are not in the state at {date:%Y-%m-%d %H:%M}, and means need them.")
        start, end = period_of(date, self.period)
        if start != self._start:
            self.warn_of_rest()
            self._start, self._count = start, 0
        for name in self.names:  # in the same memory as the period before
            if self._count == 0:
                self._sums[name] = np.add(fields[name], 0.0, dtype=np.float64, out=self._sums.get(name))
            else:
                self._sums[name] += fields[name]
        self._count += 1
        if date != end or self._count * self.step != end - start:
            return None
        means = {n: np.empty(total.shape, dtype=np.float32) for n, total in self._sums.items()}
        for name, mean in means.items():
            np.divide(self._sums[name], self._count, dtype=np.float64, out=mean, casting="same_kind")
        self._start, self._count = None, 0
        return PeriodMean(start, end, means)

    def warn_of_rest(self) -> None:
        """Log a warning if a period has begun that has no mean."""
        if self._start is not None:
            LOG.warning(
                "No mean over the %s from %s: only %d of its steps are in the run", self.period,
                f"{self._start:%Y-%m-%d}", self._count,
            )  # fmt: skip

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the sums so far, for a restart."""
        begun = -1 if self._start is None else hours_since_epoch(self._start)
        has_begun = 0 if self._start is None else 1
        return {"about": np.array([has_begun, begun, self._count]), **(self._sums if has_begun else {})}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Restore the sums of :meth:`arrays`."""
        has_begun, begun, self._count = map(int, arrays["about"])
        self._start = date_of(begun) if has_begun else None
        self._sums = {n: arrays[n] for n in self.names} if has_begun else {}


def period_of(date: datetime, period: str) -> tuple[datetime, datetime]:
    """Return start a and end b of the day or month with a < ``date`` <= b."""
    before = date - timedelta(microseconds=1)
    start = before.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == DAY:
        return start, start + timedelta(days=1)
    start = start.replace(day=1)
    return start, (start + timedelta(days=32)).replace(day=1)
