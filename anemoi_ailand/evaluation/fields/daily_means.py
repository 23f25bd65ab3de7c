# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Daily means of a run, read in blocks of dates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from anemoi_ailand.evaluation.fields.fields import Fields, check_finite

_DAY = np.timedelta64(1, "D")

#: Function from values ``(time, point)`` by name to the values to average by name.
Derive = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def daily_means(
    fields: Fields,
    names: Sequence[str],
    start: np.datetime64 | None = None,
    end: np.datetime64 | None = None,
    points: np.ndarray | None = None,
    derive: Derive | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Average the values of each whole UTC day from ``start`` to ``end``, both included; incomplete days are left out.

    ``points`` are indices, and ``derive`` is applied to each block before averaging. Returns the days ``(day,)``,
    ``datetime64[D]``, and means ``(day, point)``, float32, by name.

    Raises
    ------
    ValueError
        The period contains no whole day, the step is longer than a day, or a value is NaN.
    """
    days, count, whole = _days(fields, start, end)
    sums: dict[str, np.ndarray] = {}
    for block in fields.blocks(names, start, end, points):
        check_finite(fields, block)
        values = {name: block[name].values for name in names}
        index, begin = np.unique(np.searchsorted(days, block["time"].values.astype("datetime64[D]")), return_index=True)
        for name, each in (derive(values) if derive else values).items():
            total = sums.setdefault(name, np.zeros((len(days), each.shape[1])))
            total[index] += np.add.reduceat(each, begin, axis=0, dtype=np.float64)
    means = {name: (total[whole] / count[whole, None]).astype(np.float32) for name, total in sums.items()}
    return days[whole], means


def whole_days(fields: Fields, start: np.datetime64 | None = None, end: np.datetime64 | None = None) -> np.ndarray:
    """Return the days ``(day,)`` of :func:`daily_means` for the same arguments, without reading values."""
    days, _, whole = _days(fields, start, end)
    return days[whole]


def _days(
    fields: Fields, start: np.datetime64 | None, end: np.datetime64 | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Days of the period, the number of their stamps, and whether each day is complete."""
    times = fields.times
    times = times[(times >= (times[0] if start is None else start)) & (times <= (times[-1] if end is None else end))]
    days, first = np.unique(times.astype("datetime64[D]"), return_index=True)
    count = np.diff(np.append(first, len(times)))
    whole = count == _stamps_a_day(fields)
    if not whole.any():
        raise ValueError(
            f"'{fields.path}' has no whole day between {start} and {end}, only {len(times)} dates. "
            "Give a longer period or run."
        )
    return days, count, whole


def _stamps_a_day(fields: Fields) -> int:
    if len(fields.times) < 2:
        return 1
    stamps = _DAY / (fields.times[1] - fields.times[0])
    if stamps < 1 or stamps != int(stamps):
        raise ValueError(
            f"'{fields.path}' has a step of {24 / stamps:g} h, which does not divide a day. "
            "Give a run with steps of 24, 12, 6, ... hours."
        )
    return int(stamps)
