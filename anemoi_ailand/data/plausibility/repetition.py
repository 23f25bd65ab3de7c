# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Days of forcing that are repeated after four days to half a year, such as a week in the place of a month."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import numpy as np

from anemoi_ailand.constants import STEP
from anemoi_ailand.data.plausibility.findings import Finding
from anemoi_ailand.data.plausibility.rules import Rule
from anemoi_ailand.data.plausibility.rules_over_days import DAY
from anemoi_ailand.data.plausibility.sunshine import Places

#: Weather that is compared; two records of it are never the same at all points but by repetition.
_COMPARED = ("avg_t", "avg_q", "avg_sdlwrf")

#: Steps in a row that prove a repetition, and steps between both, from what rules of eight days do not see to half a
#: year: whole years are repeated on purpose.
_ENOUGH, _LEAST, _MOST = 2 * DAY, 4 * DAY, 183 * DAY


class Repetition:
    """Hashes of the records of half a year; ``keep`` takes a finding, once for each series."""

    def __init__(self, keep: Callable[[Finding], None]) -> None:
        self._keep = keep
        self.forget()

    def forget(self) -> None:
        """Begin a series."""
        self._count, self._lag, self._run, self._told = 0, 0, 0, False
        self._order: deque[int] = deque(maxlen=_MOST)
        self._at: dict[int, int] = {}

    def add(self, fields: Mapping[str, np.ndarray], dates: Sequence[datetime], where: Places) -> None:
        """Compare records (date, point) at dates that follow one another with those before them."""
        if self._told or any(n not in fields for n in _COMPARED):
            return
        for k, date in enumerate(dates):
            key = hash(b"".join(fields[n][k].tobytes() for n in _COMPARED))
            lag = self._count - self._at.get(key, self._count)
            self._run = self._run + 1 if lag == self._lag else 1
            self._lag = lag
            if len(self._order) == _MOST and self._at.get(self._order[0]) == self._count - _MOST:
                del self._at[self._order[0]]
            self._order.append(key)
            self._at[key] = self._count
            self._count += 1
            if lag >= _LEAST and self._run >= _ENOUGH:
                self._tell(date - (_ENOUGH - 1) * STEP, lag, where)
                return

    def _tell(self, date: datetime, lag: int, where: Places) -> None:
        self._told = True
        rule = Rule("repetition", "", "1", _COMPARED, lambda x: x, advice=(
            "Files may have been joined twice, or a short period been repeated: the land has no such weather."
        ))  # fmt: skip
        detail = (
            f"Air temperature, humidity and long-wave radiation of the two days from {date:%Y-%m-%d %H:%M} are exactly "
            f"those of {lag / DAY:g} days before"
        )
        place, number = (float(where[0][0]), float(where[1][0])), where[0].size
        self._keep(Finding(rule, False, number, number, lag / DAY, date, place, 1, detail))
