# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reader of GRIB as archived: states of analyses, fluxes accumulated since the start of forecasts.

The files are indexed once on opening without decoding values; a field is then read by its position in its file.
Parts: ``parameters`` (names, units, signs), ``index``, ``accumulation`` and ``time_series`` (fields behind a value),
``coverage`` (dates), ``decode``, ``static`` (NetCDF files with coordinates or constants), ``grid_points``.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from anemoi_ailand.data.derived import MONTHLY, halves, rules
from anemoi_ailand.data.files.netcdf import is_netcdf
from anemoi_ailand.data.files.paths import description
from anemoi_ailand.data.grib.coverage import common_coverage
from anemoi_ailand.data.grib.decode import Decoder
from anemoi_ailand.data.grib.grid_points import find_points
from anemoi_ailand.data.grib.index import Scan, scan
from anemoi_ailand.data.grib.parameters import NEVER_DECREASING
from anemoi_ailand.data.grib.static import read_static
from anemoi_ailand.data.grib.time_series import HOUR, Means, Series, date_of, series, text
from anemoi_ailand.data.reader import MARKS, check_request
from anemoi_ailand.physics.vegetation import climatology_of_day
from anemoi_ailand.variables import VARIABLES, Time, variable

LOG = logging.getLogger(__name__)

#: Relative rounding of a value [1]: the reference value of a field is a 32-bit float.
_ROUNDING = 1.0e-6
#: Forcing at the lowest model level, which must be the same for all.
_LOWEST_LEVEL = ("t", "q", "u", "v")


class GribReader:
    """Reader of GRIB; see :class:`anemoi_ailand.data.reader.Reader`.

    Parameters
    ----------
    files : list of Path
        GRIB files, editions 1 and 2, in any number and order.
    static : list of Path
        GRIB files with the constant fields, and NetCDF files with coordinates or constants on the same grid.
    land : bool
        Keep land points only: land-sea mask of at least 0.5 or, without a mask, soil moisture not missing.
    number : int, optional
        Ensemble member, if there are several.
    forecast : str, optional
        Start of the only forecast to use, e.g. ``2020-01-01T00``. Default: the shortest step at each time.
    restart_hours : int, optional
        Hours of the forecast after which accumulations restart (1 for ERA5, 24 for ERA5-Land), if the messages do not
        give it.
    leave_out : list of str
        Variables to leave out, e.g. one with gaps.
    """

    #: Values are read by ecCodes, which is thread-safe; the NetCDF library is not.
    safe_for_threads = True

    def __init__(
        self,
        files: Sequence[Path],
        static: Sequence[Path] = (),
        land: bool = True,
        number: int | None = None,
        forecast: str | None = None,
        restart_hours: int | None = None,
        leave_out: Sequence[str] = (),
    ) -> None:
        leave_out = [variable(name).name for name in leave_out]
        given = list(dict.fromkeys([*files, *static]))
        self.name = description(given)
        grib = [p for p in given if not is_netcdf(p)]
        if not grib:
            raise ValueError(f"{self.name} is NetCDF, not GRIB. Correct `path` or `layout`, or add the GRIB files.")
        index = scan(grib)
        sources = _find(index, number, forecast, restart_hours, set(leave_out))
        _check_levels(index, sources)
        self.coverage, self._series = common_coverage(sources, self.name)
        fixed = read_static([p for p in given if p not in grib])
        fixed.fields = {n: f for n, f in fixed.fields.items() if n not in MONTHLY or n not in self._series}
        self._points = find_points(index, self._series, fixed, land, self.name)
        self._decoder = Decoder(index, self._points.keep)
        self.latitudes, self.longitudes = self._points.latitudes, self._points.longitudes
        marks = {n: f.astype("i8") for n, f in self._points.fields.items() if n in MARKS}
        self.point_id = marks.get("point_id", self._points.keep.astype("i8"))
        self.climate_class = marks.get("climate_class")
        held = {*self._series, *self._points.fields}
        self._rules = rules(held) | halves(held)
        self.variables = tuple(n for n in VARIABLES if n in {*held, *self._rules} - {*leave_out, *MARKS})
        if made := [n for n in self.variables if n not in held]:
            LOG.info("Derived from other variables in the files: %s", made)
        LOG.info("%d variables at %d points, %s", len(self.variables), len(self.point_id), self.coverage)

    def read(self, names: Sequence[str], dates: Sequence[datetime]) -> np.ndarray:
        """See :meth:`anemoi_ailand.data.reader.Reader.read`.

        A date outside :attr:`coverage` is read if the requested variables have a value there: a roll-out begins with
        the state at the start of a forecast, which has no fluxes yet.
        """
        check_request(self, names, [])
        if not self._available(names, [d for d in dates if d not in self.coverage]):
            check_request(self, names, dates)
        out = np.empty((len(names), len(dates), len(self.point_id)), "f4")
        for i, name in enumerate(names):
            if VARIABLES[name].time is Time.CONSTANT:
                out[i] = self._value(name, 0)
                continue
            for j, date in enumerate(dates):
                out[i, j] = self._value(name, _seconds(date))
        return out

    def _available(self, names: Sequence[str], dates: Sequence[datetime]) -> bool:
        """Return whether all of ``names`` have a value at all of ``dates``."""
        stamps = np.array([_seconds(d) for d in dates], "i8")
        needed = {i for n in names for i in (self._rules[n][0] if n in self._rules else (n,))}
        return all(self._series[n].covers(stamps).all() for n in needed if n in self._series)

    def _value(self, name: str, stamp: int) -> np.ndarray:
        """Return a variable at a time, from the files or derived from others."""
        if name not in self._rules:
            return self._held(name, stamp)
        inputs, make = self._rules[name]
        return make(*(self._held(n, stamp) for n in inputs))

    def _held(self, name: str, stamp: int) -> np.ndarray:
        """Return the weighted sum of the fields that form a variable at a time."""
        if name in self._points.fields:
            found = self._points.fields[name]
            return climatology_of_day(found, date_of(stamp)) if found.ndim > 1 else found
        source = self._series[name]
        terms = source.terms(stamp)
        fields = [self._decoder(row) for _, row in terms]
        values = [np.exp(f.values) if source.way.logarithm else f.values for f in fields]
        total = np.asarray(sum(weight * value for (weight, _), value in zip(terms, values, strict=True)))
        if (
            isinstance(source, Means)
            and source.way.param in NEVER_DECREASING
            and min(weight for weight, _ in terms) < 0.0
        ):
            largest = max(float(np.nanmax(np.abs(v), initial=0.0)) for v in values)
            noise = sum(f.quantum for f in fields) + _ROUNDING * largest
            return _not_below_zero(total, noise * abs(terms[0][0]), source, stamp)
        return total


def _seconds(date: datetime) -> int:
    """Return the seconds since 1970-01-01 of a naive UTC date."""
    return int(date.replace(tzinfo=UTC).timestamp())


def _find(
    index: Scan, number: int | None, forecast: str | None, restart_hours: int | None, leave_out: set[str]
) -> dict[str, Series]:
    """Return the series of every variable in the files."""
    restart = None if restart_hours is None else restart_hours * HOUR
    constants = _of_member(index, number)
    moving = constants if forecast is None else _of_forecast(index, constants, forecast)
    found = {}
    for name, row in VARIABLES.items():
        rows = constants if row.time is Time.CONSTANT else moving
        if name not in leave_out and (source := series(index, name, rows, restart)) is not None:
            found[name] = source
    if spectral := {h.short_name for h in index.headers if h.spectral}:
        LOG.warning("Ignored, because spherical harmonics are not on a grid: %s", sorted(spectral))
    return found


def _of_member(index: Scan, number: int | None) -> np.ndarray:
    """Return the rows of one ensemble member, and those without a member."""
    numbers = index.column("number")
    members = sorted(set(numbers.tolist()) - {-1})
    if (number is None and len(members) > 1) or (number is not None and members and number not in members):
        raise ValueError(
            f"The files hold ensemble members {members}, `number` is {number}. Choose one with the option `number`."
        )
    return np.flatnonzero((numbers == -1) | (numbers == number) | (number is None))


def _of_forecast(index: Scan, rows: np.ndarray, forecast: str) -> np.ndarray:
    """Return the rows of the forecast that starts at a time."""
    start = _seconds(datetime.fromisoformat(str(forecast)))
    chosen = rows[index.rows["base"][rows] == start]
    if len(chosen) == 0:
        starts = [text(t) for t in np.unique(index.rows["base"][rows])]
        raise ValueError(
            f"No forecast starts at {text(start)}; there are {starts[:8]} ... {starts[-1]}. Correct `forecast`."
        )
    return chosen


def _check_levels(index: Scan, sources: dict[str, Series]) -> None:
    """Refuse forcing from different model levels, which is not the air at one height."""
    levels = {n: index.headers[index.rows["header"][sources[n].rows[0]]].level for n in _LOWEST_LEVEL if n in sources}
    if len(set(levels.values())) > 1:
        raise ValueError(
            f"The lowest model level differs between the forcing variables: {levels}. Give all of them on one level."
        )
    for header in {index.headers[index.rows["header"][sources[n].rows[0]]] for n in levels}:
        if header.level < header.levels:
            raise ValueError(
                f"The lowest model level in the files is {header.level:g} of {header.levels}, which is air above that "
                "of the surface. Give the lowest level, or declare the air of another height by a mapping."
            )


def _not_below_zero(values: np.ndarray, noise: float, source: Means, stamp: int) -> np.ndarray:
    """Set negative values explained by packing to zero; refuse others."""
    lowest = float(np.nanmin(values, initial=0.0))
    if lowest < -noise:
        raise ValueError(
            f"The accumulated {source.way.short_name} decreases before {text(stamp)}: its mean would be {lowest:.3g}, "
            f"packing explains {-noise:.3g}; {source.describe()}. If accumulations restart during the forecast, set "
            "`restart_hours`; else retrieve the files again."
        )
    return np.maximum(values, 0.0)
