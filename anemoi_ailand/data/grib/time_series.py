# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Series of a variable in an archive: its fields and weights at each time.

Every value is a weighted sum of fields. A series gives the stamps that have a value (:meth:`Series.covers`), and the
rows of the scan with their weights (:meth:`Series.terms`). Times are int64 seconds since 1970-01-01; weights include
the conversion of units.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS, STEP_HOURS
from anemoi_ailand.data.derived import MONTHLY, ONE_SUFFICES
from anemoi_ailand.data.grib.accumulation import Intervals, cover, simple_ends
from anemoi_ailand.data.grib.index import Header, Scan
from anemoi_ailand.data.grib.parameters import MEANS_OF_INSTANTS, PARAMETERS, Level, Parameter, factor
from anemoi_ailand.physics.vegetation import middles_around
from anemoi_ailand.variables import HOURLY_RAIN, Time, variable

HOUR = 3600
#: Tolerance of the depth of the lower bound of a soil layer [m].
_SAME_DEPTH = 0.015
#: Length of the mean, by time semantics of the table [s].
_LENGTH = {Time.INTERVAL_MEAN: STEP_HOURS * HOUR, Time.LATE_MEAN: STEP_HOURS * HOUR // 2, Time.HOUR_MEAN: HOUR}
#: Time from the end of the mean to the stamp [s], where there is any.
_BEFORE = {name: number * HOUR for number, name in enumerate(reversed(HOURLY_RAIN))}

_MONTHS = 12

#: Pairs of weight and row of the scan.
Terms = list[tuple[float, int]]


def date_of(seconds: int) -> datetime:
    """Return a time as naive UTC date."""
    return datetime.fromtimestamp(int(seconds), UTC).replace(tzinfo=None)


def text(seconds: int) -> str:
    """Return a time as text."""
    return f"{date_of(seconds):%Y-%m-%d %H:%M}"


class Series(Protocol):
    """Series of one variable."""

    @property
    def way(self) -> Parameter:
        """GRIB parameter of the fields."""
        ...

    @property
    def rows(self) -> np.ndarray:
        """All rows of the series."""
        ...

    def covers(self, stamps: np.ndarray) -> np.ndarray:
        """Return whether there is a value at each of ``stamps``."""
        ...

    def terms(self, stamp: int) -> Terms:
        """Return weights and rows whose sum is the value at ``stamp``; ValueError if there is none."""
        ...


@dataclass(frozen=True)
class Constant:
    """Constant field: the first one in time."""

    way: Parameter
    rows: np.ndarray
    scale: float

    def covers(self, stamps: np.ndarray) -> np.ndarray:
        """Return True for every stamp."""
        return np.ones(len(stamps), bool)

    def terms(self, stamp: int) -> Terms:
        """Return the only field."""
        return [(self.scale, int(self.rows[0]))]


@dataclass(frozen=True)
class Climatology:
    """Monthly climatology, one field for each month of any year: linear between the 15th of months."""

    way: Parameter
    rows: np.ndarray  #: by month
    scale: float

    def covers(self, stamps: np.ndarray) -> np.ndarray:
        """Return True for every stamp."""
        return np.ones(len(stamps), bool)

    def terms(self, stamp: int) -> Terms:
        """Return the fields of the months around ``stamp`` with their weights."""
        around = middles_around(date_of(stamp))
        return [(weight * self.scale, int(self.rows[month - 1])) for month, weight in around]


@dataclass(frozen=True)
class Instants:
    """Instantaneous fields: at each time the shortest forecast step, an analysis before step 0."""

    way: Parameter
    times: np.ndarray
    rows: np.ndarray
    scale: float

    def covers(self, stamps: np.ndarray) -> np.ndarray:
        """Return whether each stamp has a field."""
        return np.isin(stamps, self.times)

    def terms(self, stamp: int) -> Terms:
        """Return the field at ``stamp``."""
        at = int(np.searchsorted(self.times, stamp))
        if at == len(self.times) or self.times[at] != stamp:
            raise ValueError(f"There is no {self.way.short_name} at {text(stamp)}; {self.describe()}.")
        return [(self.scale, int(self.rows[at]))]

    def describe(self) -> str:
        """Return the number of times, the first and the last one."""
        return f"there are {len(self.times)} times from {text(self.times[0])} to {text(self.times[-1])}"


@dataclass(frozen=True)
class Trapezoid:
    r"""Mean over the step ending at the stamp, by the trapezoidal rule from instants.

    :math:`\bar x = \sum_i (x_i + x_{i+1}) (t_{i+1} - t_i) / 2 / (t_1 - t_0)` over the instants at both ends and between
    them, which must be evenly spaced. Instants at the ends alone miss the daily cycle within the step.
    """

    way: Parameter
    instants: Instants

    @property
    def rows(self) -> np.ndarray:
        """Rows of the instants."""
        return self.instants.rows

    def covers(self, stamps: np.ndarray) -> np.ndarray:
        """Return whether each stamp has instants at both ends of the step and no gap between them."""
        return np.array([self._inside(int(s)) is not None for s in stamps], bool)

    def terms(self, stamp: int) -> Terms:
        """Return the instants with the weights of the trapezoidal rule."""
        times = self._inside(stamp)
        if times is None:
            raise ValueError(
                f"The mean of {self.way.short_name} over the {STEP_HOURS} h to {text(stamp)} needs it at both ends "
                f"and evenly spaced between them; {self.instants.describe()}."
            )
        weights = np.gradient(times.astype("f8"))  # (t[i+1] - t[i-1]) / 2, one-sided at the ends
        weights[[0, -1]] /= 2.0
        return [
            (w / (times[-1] - times[0]) * scale, row)
            for w, t in zip(weights, times, strict=True)
            for scale, row in self.instants.terms(int(t))
        ]

    def _inside(self, stamp: int) -> np.ndarray | None:
        begin = stamp - _LENGTH[Time.INTERVAL_MEAN]
        at = np.searchsorted(self.instants.times, [begin, stamp + 1])
        times = self.instants.times[at[0] : at[1]]
        whole = len(times) > 1 and times[0] == begin and times[-1] == stamp and np.ptp(np.diff(times)) == 0
        return times if whole else None


@dataclass(frozen=True)
class Means:
    """Mean over an interval ending ``before`` the stamp [s], from archived amounts or means over intervals."""

    way: Parameter
    intervals: Intervals
    length: int
    scale: float
    before: int = 0

    @property
    def rows(self) -> np.ndarray:
        """Rows of all intervals."""
        return self.intervals.row

    def covers(self, stamps: np.ndarray) -> np.ndarray:
        """Return whether the archive can form the interval of each stamp."""
        known, stamps = self.intervals, stamps - self.before
        covered = np.isin(stamps, simple_ends(known, self.length))
        possible = np.isin(stamps, known.end) & np.isin(stamps - self.length, np.append(known.begin, known.end))
        for i in np.flatnonzero(possible & ~covered):
            covered[i] = cover(known, int(stamps[i]) - self.length, int(stamps[i])) is not None
        return covered

    def terms(self, stamp: int) -> Terms:
        """Return amounts divided by the length of the interval, or means weighted by their own lengths."""
        k, stamp = self.intervals, stamp - self.before
        found = cover(k, stamp - self.length, stamp)
        if found is None:
            raise ValueError(
                f"The mean of {self.way.short_name} over the {self.length // HOUR} h to {text(stamp)} cannot be "
                f"formed; {self.describe()}. Give files with steps at both ends of the interval, or with the "
                "intervals that add up to it."
            )
        if not self.way.mean:
            return [(sign * self.scale / self.length, row) for sign, row in found]
        spans = [int(np.ptp([k.begin[k.row == row], k.end[k.row == row]])) for _, row in found]
        return [(sign * self.scale * span / self.length, row) for (sign, row), span in zip(found, spans, strict=True)]

    def describe(self) -> str:
        """Return the number of intervals and some of them."""
        i = self.intervals
        some = [
            f"{text(i.base[k])} +{(i.begin[k] - i.base[k]) / HOUR:g}-{(i.end[k] - i.base[k]) / HOUR:g} h"
            for k in range(min(4, len(i.end)))
        ]
        return f"there are {len(i.end)} intervals: {', '.join(some)} ... to {text(i.end[-1])}"


def series(scan: Scan, name: str, rows: np.ndarray, restart: int | None = None) -> Series | None:
    """Return the series of a variable from ``rows`` of a scan; None if the files have no such field.

    ``restart`` is the time of the forecast after which accumulations restart, overriding the messages [s].
    """
    for way in PARAMETERS.get(MEANS_OF_INSTANTS.get(name, name), ()):
        chosen = _select(scan, way, rows)
        if len(chosen):
            return _build(scan, name, way, chosen, restart)
    return None


def _select(scan: Scan, way: Parameter, rows: np.ndarray) -> np.ndarray:
    """Return the rows with the parameter ``way``; of a parameter on model levels, the lowest level."""
    wanted = np.array([_matches(h, way) for h in scan.headers], bool)
    rows = rows[wanted[scan.rows["header"][rows]]]
    if len(rows) and Level.MODEL in way.levels and not way.logarithm:
        level = scan.column("level")[rows]
        rows = rows[level == level.max()]
    return rows


def _matches(header: Header, way: Parameter) -> bool:
    if header.param != way.param or header.kind not in way.levels or header.spectral:
        return False
    if way.layer is not None and not _is_layer(header, way.layer):
        return False
    return header.step_type in (("accum", "avg", "instant") if way.interval else ("instant", ""))


def _is_layer(header: Header, layer: int) -> bool:
    if header.by_depth:
        return abs(header.level - sum(SOIL_LAYER_THICKNESS[:layer])) < _SAME_DEPTH
    return header.level == layer


def _build(scan: Scan, name: str, way: Parameter, rows: np.ndarray, restart: int | None) -> Series:
    headers = [scan.headers[i] for i in np.unique(scan.rows["header"][rows])]
    scales = {factor(name, way, h.units) for h in headers}
    if len(scales) > 1:
        raise ValueError(f"{way.short_name} is in {sorted({h.units for h in headers})}. Give files with one of them.")
    scale, row = scales.pop(), variable(name)
    base, end = scan.rows["base"][rows], scan.column("end")[rows]
    if row.time is Time.CONSTANT:
        return Constant(way, rows[[np.argmin(base + end)]], scale)
    _check_once(scan, way, rows)
    if way.interval:
        start = _starts(scan, way, rows, restart)
        keep = end > start
        begin, end, base, rows = (base + start)[keep], (base + end)[keep], base[keep], rows[keep]
        return Means(way, Intervals.of(begin, end, base, rows), _LENGTH[row.time], scale, _BEFORE.get(name, 0))
    order = np.lexsort((~scan.column("analysis")[rows], end, base + end))
    times, first = np.unique((base + end)[order], return_index=True)
    rows = rows[order][first]
    if name in MONTHLY and len(times) == _MONTHS:
        months = [date_of(t).month for t in times]
        if len(set(months)) == _MONTHS:
            return Climatology(way, rows[np.argsort(months)], scale)
    if name in ONE_SUFFICES and len(times) == 1:
        return Constant(way, rows, scale)
    instants = Instants(way, times, rows, scale)
    return Trapezoid(way, instants) if name in MEANS_OF_INSTANTS else instants


def _starts(scan: Scan, way: Parameter, rows: np.ndarray, restart: int | None) -> np.ndarray:
    """Return the step at which each accumulation begins [s]."""
    start, end = scan.column("start")[rows], scan.column("end")[rows]
    if restart is not None:
        return (end - 1) // restart * restart
    unsaid = (start == end) & (end > 0)  # GRIB1 of ECMWF may give the end only; it begins at the start of the forecast
    if way.mean and unsaid.any():
        raise ValueError(
            f"{unsaid.sum()} fields of {way.short_name}, a mean over an interval, do not give the interval. "
            "Give the length of the intervals with the option `restart_hours`."
        )
    return np.where(unsaid, 0, start)


def _check_once(scan: Scan, way: Parameter, rows: np.ndarray) -> None:
    """Refuse duplicate fields, as either may be right."""
    columns = [scan.rows["base"], *(scan.column(c) for c in ("start", "end", "analysis"))]
    what = np.stack([c[rows].astype("i8") for c in columns], axis=1)
    _, first, count = np.unique(what, axis=0, return_index=True, return_counts=True)
    if (count > 1).any():
        base, _, end, _ = what[i := int(first[np.argmax(count > 1)])]
        twice = rows[(what == what[i]).all(axis=1)]
        files = sorted({scan.files[f].name for f in scan.rows["file"][twice]})
        raise ValueError(
            f"{way.short_name} from {text(base)} at step {end / HOUR:g} h occurs {len(twice)} times, in {files}. "
            "Give each field once (one stream, one experiment version)."
        )
