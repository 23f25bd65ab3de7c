# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Records of another time: values that leave the series of all points at one date, and come back at the next.

A damaged chunk of a dataset, or one that was written twice, holds all fields of another day. Each of its values is
possible. What tells it is that leaf area and deep soil hardly change in a step, so that they never leave and return,
and that weather leaves its course everywhere at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import numpy as np

from anemoi_ailand.constants import STEP
from anemoi_ailand.data.plausibility.findings import Finding
from anemoi_ailand.data.plausibility.rules import Rule
from anemoi_ailand.data.plausibility.rules_over_days import DAY
from anemoi_ailand.data.plausibility.sunshine import Places
from anemoi_ailand.variables import variable

#: Spike of one record, the mean over points in the unit of the table, that is a warning and one that is an error. In
#: the reference set and at any single point of it and of the tower sets: leaf area and albedo 0, stl3 0.11, stl4 7e-4,
#: swvl3 0.019, swvl4 1.2e-3. Of a day two weeks away, leaf area has 0.1 and more, stl4 0.3 to 0.9.
SLOW = {
    "lai_lv": (0.04, 0.5), "lai_hv": (0.04, 0.5), "al": (0.005, 0.1), "stl3": (0.3, 3.0), "stl4": (0.1, 2.0),
    "swvl3": (0.03, 0.15), "swvl4": (0.003, 0.05),
}  # fmt: skip

#: Weather whose records are compared with those of the day before and the day after.
WEATHER = ("avg_t", "avg_q", "avg_sdlwrf", "avg_sp")

#: Spikes against a day before and after over those usual in the period, the median of variables.
#: At most 2.5 at twenty places of the reference set, 1.8 at forty; of a month away 2.6 to 4, of half a year 3.5 to 10.
_UNUSUAL = 3.0

_ADVICE = "A chunk of the dataset, or a record of the file, may hold another day: copy it or make it again."


def spikes(values: np.ndarray, lag: int = 1) -> np.ndarray:
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
    >>> spikes(np.array([[1.0], [1.1], [4.0], [1.2]])).tolist()
    [0.0, 2.8]
    """
    before, after = values[lag:-lag] - values[: -2 * lag], values[lag:-lag] - values[2 * lag :]
    same = before * after > 0.0  # false of NaN
    return np.where(same, np.minimum(np.abs(before), np.abs(after)), 0.0).mean(axis=1)


class Jumps:
    """Series of what changes slowly, down to single records; ``keep`` takes a finding."""

    def __init__(self, keep: Callable[[Finding], None]) -> None:
        self._keep = keep
        self._dates: list[datetime] = []
        self._last: dict[str, np.ndarray] = {}

    def add(self, fields: Mapping[str, np.ndarray], dates: Sequence[datetime], where: Places) -> None:
        """Add fields (date, point) at consecutive dates, and judge the record before each; known dates are skipped."""
        new = sum(date > self._dates[-1] for date in dates) if self._dates else len(dates)
        slow = {n: fields[n][len(dates) - new :] for n in SLOW if n in fields}
        if not new or not slow:
            return
        stamps = list(dates[len(dates) - new :])
        if self._dates and (
            stamps[0] - self._dates[-1] != STEP or self._last.keys() != slow.keys()
            or any(self._last[n].shape[1] != v.shape[1] for n, v in slow.items())
        ):  # fmt: skip
            self._dates, self._last = [], {}
        if self._dates:
            slow = {n: np.concatenate([self._last[n], v]) for n, v in slow.items()}
        stamps = [*self._dates, *stamps]
        if len(stamps) > 2:
            self._judge({n: spikes(v) for n, v in slow.items()}, stamps, where)
        self._dates, self._last = stamps[-2:], {n: v[-2:].copy() for n, v in slow.items()}

    def _judge(self, found: Mapping[str, np.ndarray], dates: Sequence[datetime], where: Places) -> None:
        for k, date in enumerate(dates[1:-1]):
            beyond = [n for n, size in found.items() if size[k] > SLOW[n][0]]
            if beyond:
                error = any(found[n][k] > SLOW[n][1] for n in beyond)
                apart = ", ".join(f"{n} by {found[n][k]:.2g} {variable(n).units}" for n in beyond)
                self._keep(another_time(
                    f"leaves those before and after it, on average over points: {apart}", date, error, where
                ))  # fmt: skip


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


def another_time(what: str, date: datetime, error: bool, where: Places) -> Finding:
    """Return the finding of a record of all points that is of another time."""
    rule = Rule("another_time", "", "1", (), lambda: np.empty(0), advice=_ADVICE)
    detail = f"The record of {date:%Y-%m-%d %H:%M} may be of another time: it {what}"
    number = where[0].size
    return Finding(rule, error, number, number, 0.0, date, (float(where[0][0]), float(where[1][0])), 1, detail)
