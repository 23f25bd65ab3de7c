# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Records of another time: series of all points that jump from one date to the next.

A damaged chunk of a dataset, or one that was written twice, holds all fields of another day. Each of its values is
possible. What tells it is that leaf area and deep soil hardly change in a step, and that weather leaves its course
everywhere at once and comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np

from anemoi_ailand.constants import STEP
from anemoi_ailand.data.plausibility.findings import Finding
from anemoi_ailand.data.plausibility.rules import MANY_POINTS, Rule
from anemoi_ailand.data.plausibility.rules_over_days import DAY
from anemoi_ailand.data.plausibility.sunshine import Places
from anemoi_ailand.support.sphere import identical
from anemoi_ailand.variables import variable

#: Change in one step that is a warning at few points, as the mean over ten points and more, and an error as that mean
#: (none of vegetation, see :data:`_BACK`), in the unit of the table. In the reference and the tower sets at
#: most 0.04, 0.04, 2e-4, 0.82, 0.14, 0.09, 0.016 at a point and 0.03, 0.03, 2e-4, 0.14, 0.03, 0.009, 0.002 as a mean.
SLOW = {
    "lai_lv": (0.1, 0.06, np.inf), "lai_hv": (0.1, 0.06, np.inf), "al": (0.005, 0.003, np.inf),
    "stl3": (1.5, 0.4, 5.0), "stl4": (0.3, 0.08, 2.0), "swvl3": (0.15, 0.03, 0.3), "swvl4": (0.03, 0.005, 0.1),
}  # fmt: skip

#: Steps after which a jump of vegetation has gone back, and the share of it that is left then at most: leaf area and
#: albedo that are given by month, or as composites of four days and more, jump and stay.
_BACK, _LEFT = 12, 0.5

#: Weather whose records are compared with those of the day before and the day after.
WEATHER = ("avg_t", "avg_q", "avg_sdlwrf", "avg_sp")

#: Spikes against a day before and after over those usual in the period, the median of variables.
#: At most 2.5 at twenty places of the reference set, 1.8 at forty; of a month away 2.6 to 4, of half a year 3.5 to 10.
_UNUSUAL = 3.0

_ADVICE = "A chunk of the dataset, or a record of the file, may hold another day: copy it or make it again."


def spikes(values: np.ndarray, lag: int) -> np.ndarray:
    r"""Return how far records leave both neighbours to the same side, the mean over points, shape (date - 2 lag,).

    .. math:: \overline{\min(|x_t - x_{t-k}|, |x_t - x_{t+k}|)}

    with lag k where both differences have one sign, else 0.

    Parameters
    ----------
    values : numpy.ndarray
        Values (date, point); NaN counts as no difference.
    lag : int
        Records between neighbours.

    Examples
    --------
    >>> import numpy as np
    >>> from anemoi_ailand.data.plausibility.jumps import spikes
    >>> spikes(np.array([[1.0], [1.1], [4.0], [1.2]]), 1).tolist()
    [0.0, 2.8]
    """
    before, after = values[lag:-lag] - values[: -2 * lag], values[lag:-lag] - values[2 * lag :]
    same = before * after > 0.0  # false of NaN
    return np.where(same, np.minimum(np.abs(before), np.abs(after)), 0.0).mean(axis=1)


@dataclass(frozen=True)
class _Jump:
    """Jump that may go back: its date, size, and the values (point,) before it."""

    date: datetime
    size: float
    before: np.ndarray


class Jumps:
    """Series of what changes slowly, down to single records; ``keep`` takes a finding."""

    def __init__(self, keep: Callable[[Finding], None]) -> None:
        self._keep = keep
        self._date: datetime | None = None
        self._where: Places | None = None
        self._last: dict[str, np.ndarray] = {}
        self._open: dict[str, list[_Jump]] = {}

    def add(self, fields: Mapping[str, np.ndarray], dates: Sequence[datetime], where: Places) -> None:
        """Judge fields (date, point) at consecutive dates against the record before each; known dates are skipped."""
        if self._where is None or not identical(self._where, where):
            self._date, self._where, self._open = None, where, {}
        known = sum(date <= self._date for date in dates) if self._date is not None else 0
        slow, stamps = {n: fields[n][known:] for n in SLOW if n in fields}, list(dates[known:])
        if not stamps or not slow:
            return
        if self._date is not None:
            slow = {n: np.concatenate([self._last[n], v]) for n, v in slow.items() if n in self._last}
            stamps.insert(0, self._date)
        follows = np.array([b - a == STEP for a, b in pairwise(stamps)], dtype=bool)
        for name, values in slow.items():
            self._judge(name, values, stamps[1:], follows, where)
        self._date, self._last = stamps[-1], {n: fields[n][-1:].copy() for n in SLOW if n in fields}

    def _judge(
        self, name: str, values: np.ndarray, dates: Sequence[datetime], follows: np.ndarray, where: Places
    ) -> None:  # fmt: skip
        """Judge values (date + 1, point) at dates that follow one by a step; vegetation jumps if it goes back."""
        one, many, error = SLOW[name]
        size = _sizes(np.diff(values, axis=0))
        large = follows & (size > (many if values.shape[1] >= MANY_POINTS else one))
        if np.isfinite(error):
            for k in np.flatnonzero(large).tolist():
                self._tell(name, float(size[k]), dates[k], bool(size[k] > error), where)
            return
        waiting = self._open.get(name, [])
        if not waiting and not large.any():
            return
        for k, date in enumerate(dates):
            waiting = [jump for jump in waiting if date - jump.date <= _BACK * STEP]
            left = [_sizes(values[k + 1] - jump.before) / jump.size for jump in waiting]
            for jump, share in zip(waiting, left, strict=True):
                if share < _LEFT:
                    self._tell(name, jump.size, jump.date, False, where)
            waiting = [jump for jump, share in zip(waiting, left, strict=True) if share >= _LEFT]
            if large[k]:
                waiting.append(_Jump(date, float(size[k]), values[k].copy()))
        self._open[name] = waiting

    def _tell(self, name: str, size: float, date: datetime, error: bool, where: Places) -> None:
        apart = f"{size:.2g} {variable(name).units}".removesuffix(" 1")
        what = f"'{name}' jumps by {apart} in a step, on average over all points"
        self._keep(another_time(f"jump of {name}", what, date, error, where))


def _sizes(differences: np.ndarray) -> np.ndarray:
    """Return the mean magnitude over points, the last axis; missing values count as no difference."""
    return np.nan_to_num(np.abs(differences)).mean(axis=-1)


def unusual_weather(fields: Mapping[str, np.ndarray]) -> tuple[int, float] | None:
    """Return the record (date, point) that leaves the weather of the days around it most, and how far, if it is far.

    The size is that of :func:`spikes` over a day as a multiple of the usual one, the median of variables.
    """
    given = [fields[n] for n in WEATHER if n in fields]
    if len(given) < len(WEATHER) or len(given[0]) < 4 * DAY:
        return None
    sizes = [spikes(values, DAY) for values in given]
    score = np.median([size / max(float(np.median(size)), 1.0e-12) for size in sizes], axis=0)
    k = int(score.argmax())
    return (k + DAY, float(score[k])) if score[k] > _UNUSUAL else None


def another_time(name: str, what: str, date: datetime, error: bool, where: Places) -> Finding:
    """Return the finding of a record of all points that is of another time."""
    rule = Rule(name, "", "1", (), lambda: np.empty(0), advice=_ADVICE)
    detail = f"The record of {date:%Y-%m-%d %H:%M} or the one before may be of another time: {what}"
    number = where[0].size
    return Finding(rule, error, number, number, 0.0, date, (float(where[0][0]), float(where[1][0])), 1, detail)
