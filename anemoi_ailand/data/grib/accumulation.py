# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
r"""Means over an interval from archived accumulations. Pure functions of times.

An archive holds amounts :math:`A(b, e)` of a flux, accumulated from time :math:`b` to time :math:`e`: from the start of
a forecast to each of its steps (IFS), or from step to step (ERA5). The mean over :math:`(t_0, t_1]` is

.. math:: \bar F = \frac{1}{t_1 - t_0} \sum_i s_i A(b_i, e_i), \qquad s_i = \pm 1,

where the signed intervals add up to exactly :math:`(t_0, t_1]`. A time mean over :math:`(b, e]` is an amount divided by
:math:`e - b` and is treated alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Largest number of consecutive accumulations in an interval (6 h of 10-minute amounts).
_MAX_CHAIN = 36


@dataclass(frozen=True)
class Intervals:
    """Archived accumulations of one parameter, sorted by end and then by forecast step [s since 1970-01-01]."""

    begin: np.ndarray
    end: np.ndarray
    base: np.ndarray  #: start of the forecast
    row: np.ndarray  #: position of the field in the scan

    @classmethod
    def of(cls, begin: np.ndarray, end: np.ndarray, base: np.ndarray, row: np.ndarray) -> Intervals:
        """Return sorted intervals: by end, then the shortest forecast step first, then the longest interval."""
        order = np.lexsort((begin, end - base, end))
        return cls(begin[order], end[order], base[order], row[order])

    def ending(self, end: int) -> range:
        """Return the positions of the intervals that end at ``end``, best first."""
        return range(*(int(i) for i in np.searchsorted(self.end, [end, end + 1])))


def cover(intervals: Intervals, begin: int, end: int) -> list[tuple[int, int]] | None:
    """Return signed rows whose intervals add up to exactly (``begin``, ``end``], or None.

    In order of preference: one interval; consecutive intervals; the difference of two accumulations of one forecast
    from the same start; each time from the forecast with the shortest step.
    """
    chain = _chain(intervals, begin, end, _MAX_CHAIN)
    if chain is not None:
        return [(1, int(intervals.row[i])) for i in chain]
    for i in intervals.ending(end):
        if intervals.begin[i] >= begin:
            continue
        for j in intervals.ending(begin):
            if intervals.base[j] == intervals.base[i] and intervals.begin[j] == intervals.begin[i]:
                return [(1, int(intervals.row[i])), (-1, int(intervals.row[j]))]
    return None


def simple_ends(intervals: Intervals, length: int) -> np.ndarray:
    """Return the ends at which one interval, or one difference, has ``length`` [s].

    This is fast and finds most ends; at others :func:`cover` may still find consecutive intervals.
    """
    kind = np.dtype([("base", "i8"), ("begin", "i8"), ("end", "i8")])
    first, second = np.empty(len(intervals.end), kind), np.empty(len(intervals.end), kind)
    for field, values in (("base", intervals.base), ("begin", intervals.begin), ("end", intervals.end)):
        first[field] = second[field] = values
    first["end"] += length
    whole = intervals.end[intervals.end - intervals.begin == length]
    return np.union1d(whole, np.intersect1d(first, second)["end"])


def _chain(intervals: Intervals, begin: int, end: int, longest: int) -> list[int] | None:
    """Return the positions of consecutive intervals from ``begin`` to ``end``, the first ones found."""
    if longest == 0:
        return None
    inside = [i for i in intervals.ending(end) if begin <= intervals.begin[i] < end]
    for i in inside:
        if intervals.begin[i] == begin:
            return [i]
    for i in inside:
        rest = _chain(intervals, begin, int(intervals.begin[i]), longest - 1)
        if rest is not None:
            return [*rest, i]
    return None
