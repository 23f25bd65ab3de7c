# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Checks of fields during a run: finite and within the bounds of the table; forcing may be held or clipped instead."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date as Day
from datetime import datetime
from functools import lru_cache

import numpy as np

from anemoi_ailand.constants import STEP, STEP_HOURS
from anemoi_ailand.support.units import AMOUNTS, CONVERSIONS, Conversion, convert, table_units
from anemoi_ailand.variables import HOURLY_RAIN, variable

LOG = logging.getLogger(__name__)

#: Fraction of the range by which rounding (packing, interpolation, float32) may exceed a bound.
TOLERANCE = 1.0e-6

#: Treatments of bad values.
POLICIES = ("error", "hold", "clip")

#: Largest difference of the mean of hourly precipitation from that of the step [1], and what rounding may be: 0.01 kg
#: m-2 over the step [kg m-2 s-1].
_RAIN_TOLERANCE, _RAIN_ROUNDING = 0.01, 0.01 / STEP.total_seconds()

#: Number of bad points listed in a message.
_LISTED = 3
_LARGEST = float(np.finfo(np.float32).max)

#: Latitudes and longitudes, each of shape (point,) [degrees].
Where = tuple[np.ndarray, np.ndarray]


def suspicious(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return the indices of variables with a value that is not finite or not within bounds, shape (found,).

    Compares minimum and maximum, which NaN makes NaN: two passes over memory, no copy.
    """
    lowest, highest = limits(tuple(names))
    if values.shape[-1] == 0:
        return np.empty(0, dtype=int)
    good = (values.min(axis=-1) >= lowest) & (values.max(axis=-1) <= highest)
    return np.flatnonzero(~good)


class ForcingFilter:
    """Filter that returns good forcing unchanged and treats bad values by a policy.

    Parameters
    ----------
    policy : {'error', 'hold', 'clip'}
        ``error``: stop. ``hold``: replace a value that is missing, infinite or out of bounds by the last good one of
        its variable and point; stop if there is none. ``clip``: replace a value out of bounds by the bound; stop if one
        is missing.

    Attributes
    ----------
    totals : Counter
        Number of values replaced so far, by variable, without those of the current day (see :meth:`report`).

    Raises
    ------
    ValueError
        Unknown policy.

    Examples
    --------
    >>> from datetime import datetime
    >>> import numpy as np
    >>> from anemoi_ailand import ForcingFilter
    >>> clip, where = ForcingFilter("clip"), (np.array([47.0, 52.2]), np.array([8.0, 14.1]))
    >>> clip(np.array([[-1e-5, 2e-5]]), ["avg_tprate"], datetime(2022, 1, 1), where).tolist()  # kg m-2 s-1
    [[0.0, 2e-05]]
    """

    def __init__(self, policy: str = "error") -> None:
        if policy not in POLICIES:
            raise ValueError(f"The policy for bad forcing is '{policy}'. Give one of {list(POLICIES)}.")
        self.policy = policy
        self.totals: Counter[str] = Counter()
        self._today: Counter[str] = Counter()
        self._day: Day | None = None
        self._last: dict[str, np.ndarray] = {}

    def __call__(self, values: np.ndarray, names: Sequence[str], date: datetime, where: Where) -> np.ndarray:
        """Return ``values``, or a copy with replacements, shape (variable, point), in the units of the table.

        Raises
        ------
        ValueError
            A value that the policy does not replace, with variable, date, number of points, and the first places.
        """
        self._begin_day(date.date())
        rows = suspicious(values, names)
        if len(rows) and self.policy == "error":
            message = _message(values[rows[0]], names[rows[0]], date, where)
            raise ValueError(" ".join([message, *_would_fit(values[rows[0]], names[rows[0]])]))
        if len(rows):
            values = values.copy()
        for row in rows:
            name = names[row]
            bad = _bad(values[row], name)
            values[row, bad] = self._instead(name, values[row], bad, date, where)
            self._today[name] += int(bad.sum())
        if self.policy == "hold":
            for row, name in enumerate(names):
                self._last[name] = values[row].copy()
        return values

    def several(self, values: np.ndarray, names: Sequence[str], dates: Sequence[datetime], where: Where) -> np.ndarray:
        """Filter several dates, shape (variable, date, point), as one after the other."""
        if self.policy != "hold" and not len(suspicious(values.reshape(len(names), -1), names)):
            self._begin_day(dates[-1].date())
            return values
        return np.stack([self(values[:, k], names, date, where) for k, date in enumerate(dates)], axis=1)

    def state(self) -> dict[str, np.ndarray]:
        """Return the values that ``hold`` would use, by variable, shape (point,), for a restart file."""
        return {name: values.copy() for name, values in self._last.items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore the values returned by :meth:`state`."""
        self._last = {name: np.array(values) for name, values in state.items()}

    def report(self) -> None:
        """Log the replacements of the current day; called when a new day begins, and by the caller at the end."""
        if self._today:
            LOG.warning("Forcing of %s, values replaced (%s): %s", self._day, self.policy, dict(self._today))
            self.totals.update(self._today)
            self._today.clear()

    def _begin_day(self, day: Day) -> None:
        if day != self._day:
            self.report()
            self._day = day

    def _instead(self, name: str, values: np.ndarray, bad: np.ndarray, date: datetime, where: Where) -> np.ndarray:
        """Return replacements of the ``bad`` values of a variable."""
        if self.policy == "clip":
            if not np.isfinite(values[bad]).all():
                raise ValueError(_message(np.where(np.isfinite(values), 0.0, values), name, date, where))
            low, high = variable(name).bounds
            return np.clip(values[bad], low, high)
        if name not in self._last or self._last[name].shape != values.shape:
            raise ValueError(f"{_message(values, name, date, where)} No earlier value exists to hold.")
        return self._last[name][bad]


@lru_cache(maxsize=32)
def limits(names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest accepted values, each of shape (variable,)."""
    lowest, highest = np.array([_limit(name) for name in names], dtype="f8").reshape(-1, 2).T
    return lowest, highest


def _limit(name: str) -> tuple[float, float]:
    return _widened(name, TOLERANCE)


def _widened(name: str, share: float) -> tuple[float, float]:
    """Return the bounds of a variable, wider at both ends by a share of their range."""
    low, high = variable(name).bounds
    span = high - low if low is not None and high is not None else max(1.0, abs(low or 0.0), abs(high or 0.0))
    return -_LARGEST if low is None else low - share * span, _LARGEST if high is None else high + share * span


def _bad(values: np.ndarray, name: str) -> np.ndarray:
    """Return a mask of values that are not finite or not within bounds."""
    low, high = _limit(name)
    return ~((values >= low) & (values <= high))


def _message(
    values: np.ndarray, name: str, date: datetime, where: Where,
    advice: str = " Correct the input, leave these points out, or choose a treatment with `bad_forcing`.",
) -> str:  # fmt: skip
    """Describe the bad values of a variable, missing ones before those out of bounds."""
    missing = ~np.isfinite(values)
    bad = missing if missing.any() else _bad(values, name)
    row = variable(name)
    what = "missing or infinite" if missing.any() else f"outside its bounds {list(row.bounds)} {row.units}"
    first = np.flatnonzero(bad)[:_LISTED]
    places = [f"latitude {where[0][i]:.3f}, longitude {where[1][i]:.3f} ({values[i]:.6g})" for i in first]
    return (
        f"'{name}' at {date:%Y-%m-%d %H:%M} is {what} at {int(bad.sum())} of {bad.size} points, the first at "
        f"{'; '.join(places)}.{advice}"
    )


def check_finite(
    values: np.ndarray, names: Sequence[str], needed: Sequence[str], date: datetime, where: Where, given: bool = True
) -> None:
    """Refuse missing ``values`` (variable, point) of the variables ``needed``, with date, number and place.

    ``given`` is false of the result of a step, which the user cannot fill in.
    """
    if np.isfinite(values).all():
        return
    for name in needed:
        bad = ~np.isfinite(values[list(names).index(name)])
        if bad.any():
            i = int(np.argmax(bad))
            raise ValueError(
                f"{'' if given else 'The step gave no finite value: '}'{name}' at {date:%Y-%m-%d %H:%M} is "
                f"missing or infinite at {int(bad.sum())} of {bad.size} points, the first at latitude "
                f"{where[0][i]:.3f}, longitude {where[1][i]:.3f}. "
                + (
                    "Fill it in the input, or leave these points out."
                    if given
                    else "Check state, forcing and units there."
                )
            )


def check_hourly_rain(values: np.ndarray, names: Sequence[str], dates: Sequence[datetime], where: Where) -> None:
    """Refuse hourly precipitation whose mean is not that of the step, shape (variable, date, point).

    Nothing is checked without hourly precipitation, and missing values are left to the other checks.
    """
    if HOURLY_RAIN[0] not in names:
        return
    at = list(names).index
    mean = np.stack([values[at(n)] for n in HOURLY_RAIN]).mean(axis=0, dtype=np.float64)
    step = values[at("avg_tprate")]
    wrong = np.abs(mean - step) > np.maximum(_RAIN_TOLERANCE * np.abs(step), _RAIN_ROUNDING)
    if wrong.any():
        k, i = np.argwhere(wrong)[0]
        raise ValueError(
            f"The mean of `{HOURLY_RAIN[0]}` to `{HOURLY_RAIN[-1]}` is not `avg_tprate` at {wrong.sum()} of "
            f"{wrong.size} values, the first at {dates[k]:%Y-%m-%d %H:%M}, latitude {where[0][i]:.3f}, longitude "
            f"{where[1][i]:.3f}: {mean[k, i]:.4g} and {step[k, i]:.4g} kg m-2 s-1. Give rates of the six hours that "
            "end at the stamp, from the same source, or set `precipitation: mean`."
        )


def check_units_fit(values: np.ndarray, names: Sequence[str], date: datetime, where: Where) -> None:
    """Refuse finite ``values`` (variable, point) in another unit, with the unit that fits.

    An error is a value beyond the bounds by more than their range, such as a fill value, and a half or more of the
    points beyond the bounds if another unit would fit. Anything else is left to the rules of plausibility.
    """
    for row in suspicious(values, names):
        name, found = names[row], values[row]
        low, high = _widened(name, 1.0)
        message = _message(found, name, date, where, "")
        if found.min() < low or found.max() > high or _fitting(found, name):
            fits = _would_fit(found, name)
            instead = "or correct the attribute `units` of a dataset" if fits else "and leave out points of fill values"
            raise ValueError(" ".join([message, *fits, f"Give the values in {variable(name).units}, {instead}."]))


def _would_fit(values: np.ndarray, name: str) -> list[str]:
    """Return one sentence on the units that values out of bounds may be in, or none."""
    units = _fitting(values, name) or _fitting_rates(values, name)
    return [f"The unit {' or '.join(units)} would fit."] if units else []


def _fitting(values: np.ndarray, name: str) -> list[str]:
    """Return the other units that values would be in if most are out of bounds, one of each size."""
    if 2 * _bad(values, name).sum() < values.size:
        return []
    return _units_of(np.median(values, keepdims=True), name, _others(table_units(name)))


def _fitting_rates(values: np.ndarray, name: str) -> list[str]:
    """Return the units that all values of a rate would be in, such as rain, which is zero at most points."""
    expected = table_units(name)
    if expected not in AMOUNTS or not values.max() > _widened(name, 1.0)[1]:  # no unit explains a small excess, or NaN
        return []
    amount = {(1.0 / STEP.total_seconds(), 0.0): f"{AMOUNTS[expected]} over {STEP_HOURS} h"}
    return _units_of(values, name, _others(expected) | amount)


def _others(expected: str) -> dict[Conversion, str]:
    """Return the units that can be converted to ``expected``, one of each size."""
    found: dict[Conversion, str] = {}
    for unit, pair in CONVERSIONS.get(expected, {}).items():
        found.setdefault(pair, unit)
    return found


def _units_of(values: np.ndarray, name: str, units: Mapping[Conversion, str]) -> list[str]:
    """Return the units in which all values would be within bounds."""
    return [unit for pair, unit in units.items() if not _bad(convert(values, pair), name).any()]
