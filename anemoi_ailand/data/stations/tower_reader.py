# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reader of a tower as forcing of the land: six-hourly means and instants, leaf area, albedo, and other properties."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.data.native.interval_means import Kind, window
from anemoi_ailand.data.reader import STEP, Coverage, check_request
from anemoi_ailand.data.stations.tower_file import TowerRecords, read_tower
from anemoi_ailand.data.stations.tower_series import clean
from anemoi_ailand.data.stations.tower_site import TowerSite, complete, site_of
from anemoi_ailand.physics.vegetation import climatology_of_day
from anemoi_ailand.support.options import check_known
from anemoi_ailand.variables import HOURLY_RAIN, VARIABLES, Time

LOG = logging.getLogger(__name__)

#: Values (date,) of leaf area and albedo, by name, at dates.
Seasons = Mapping[str, Callable[[Sequence[datetime]], np.ndarray]]

_LEAF_AREA, _ALBEDO = ("lai_lv", "lai_hv"), "al"

#: Series behind each variable, and the time semantics of its records: instants at the end, or means.
_SERIES = {"t": "temperature", "q": "humidity", "sp": "pressure", "u": "wind", "v": "northward"}
_MEANS = {"sdswrf": "short_wave", "sdlwrf": "long_wave", "tprate": "precipitation", "tsrwe": "snowfall"}

#: Length of a mean by the prefix of the variable [h].
_HOURS = {"avg": 6, "late": 3}

_HOUR = np.timedelta64(1, "h")


class TowerReader:
    """Forcing of the land from a tower; see :class:`anemoi_ailand.data.reader.Reader`.

    Instants hold the record that ends at the stamp. Six-hourly means of them follow the trapezoidal rule, those of
    radiation and precipitation are means of the records. Instants begin one step before :attr:`coverage`, so a run can
    start there.

    Attributes
    ----------
    rules : dict of str
        Every rule that made the forcing, with the number of values that were changed.
    static : dict of float
        Constants of the site by name; empty without properties.
    """

    climate_class: np.ndarray | None = None

    def __init__(
        self,
        records: TowerRecords,
        static: Mapping[str, float] | None = None,
        seasons: Seasons | None = None,
        rules: Mapping[str, str] | None = None,
    ) -> None:
        self.name = f"the tower file '{records.path.name}'"
        self.latitudes, self.longitudes = np.array([records.latitude]), np.array([records.longitude])
        self.point_id = np.zeros(1, np.int64)
        self.static, self._seasons = dict(static or {}), dict(seasons or {})
        series, made = clean(records)
        self.rules = made | dict(rules or {})
        self._dates, self._values = _six_hourly(records, series)
        self.variables = tuple(n for n in VARIABLES if n in (*self._values, *self.static, *self._seasons))
        first, last = (d.astype(datetime) for d in self._dates[[1, -1]])
        self.coverage = Coverage(first, last)
        self._spans = {n: (first - STEP * (VARIABLES[n].time is Time.INSTANT), last) for n in self._values}
        LOG.info("Tower '%s': %s", records.path, self.coverage)

    def read(self, names: Sequence[str], dates: Sequence[datetime]) -> np.ndarray:
        """See :meth:`anemoi_ailand.data.reader.Reader.read`."""
        check_request(self, names, dates, self._spans)
        at = np.searchsorted(self._dates, np.array(dates, "datetime64[s]"))
        out = np.empty((len(names), len(dates), 1), "f4")
        for i, name in enumerate(names):
            if name in self._values:
                out[i, :, 0] = self._values[name][at]
            elif name in self._seasons:
                out[i, :, 0] = self._seasons[name](dates)
            else:
                out[i] = self.static[name]
        return out


def open_tower(
    path: str | Path, site: str | Path | Mapping[str, Any] | TowerSite | None = None, **options: Any
) -> TowerReader:
    """Open a tower's own file as forcing of the land.

    Parameters
    ----------
    path : str or Path
        FLUXNET CSV, ALMA or PLUMBER2 NetCDF, or another CSV with a mapping of columns.
    site : str, Path, mapping or TowerSite, optional
        Properties of the site, a file or a mapping, see :func:`~anemoi_ailand.data.stations.tower_site.read_site`;
        without them the reader has meteorology only.
    **options
        Those of :func:`~anemoi_ailand.data.stations.tower_file.read_tower`; they take precedence over the site.

    Returns
    -------
    TowerReader
        Values of shape (variable, date, point) in the units of the table of variables, by ``read(names, dates)``;
        ``rules`` states how they were made.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`~anemoi_ailand.data.stations.tower_file.read_tower`; a gap is too long to be filled; a property of the
        site is missing.

    Examples
    --------
    >>> from anemoi_ailand.data.stations.tower_reader import open_tower
    >>> tower = open_tower("tower.csv", "site.yaml", utc_offset=-7)  # doctest: +SKIP
    >>> tower.read(["avg_t"], tower.coverage.dates()).shape  # doctest: +SKIP
    (1, 1460, 1)
    """
    known = site_of(site)
    records = read_records(path, known, **options)
    if site is None:
        return TowerReader(records)
    return with_properties(records, known)


def read_records(path: str | Path, site: TowerSite, **options: Any) -> TowerRecords:
    """Read a tower's file with place, clock and columns of the site unless ``options`` give them."""
    others = ("path", "static", "layout", "site")
    check_known(options, [*inspect.signature(read_tower).parameters][1:], "The layout 'tower'", others)
    of_site = {n: getattr(site, n) for n in ("latitude", "longitude", "elevation", "utc_offset", "stamp")}
    given = {n: v for n, v in options.items() if v is not None}
    columns = {**site.columns, **given.pop("columns", {})}
    return read_tower(path, **(of_site | given), columns=columns)


def with_properties(
    records: TowerRecords,
    site: TowerSite,
    static: Mapping[str, float] | None = None,
    seasons: Seasons | None = None,
    source: str = "",
) -> TowerReader:
    """Return a reader with properties of the site, else those in ``static`` and ``seasons``, which are of ``source``.

    Properties in ``static`` that follow from a type given by the site are derived again from that type.
    """
    if site.elevation is None and records.elevation is not None:
        site = site.model_copy(update={"elevation": records.elevation})
    own = site.static()
    kept = {n: v for n, v in (static or {}).items() if not _follows(n, own)}
    constants, assumed = complete(kept | own, f"'{records.path.name}'")
    given = ", ".join(sorted(own)) or "none"
    others = f"others from {source}; " if source else ""
    rules = {"site_properties": f"given: {given}; {others}assumed: {assumed}"}
    found = dict(seasons or {})
    rules["leaf_area"] = rules["albedo"] = f"that of {source}, on the same date or the same day of another year"
    own_leaf = site.lai_lv is not None or site.lai_hv is not None
    if not set(_LEAF_AREA) <= set(found) or own_leaf or {"tvl", "tvh"} & set(own):
        monthly, rules["leaf_area"] = site.leaf_area(records.latitude, constants)
        found |= {n: partial(_of_climatology, values) for n, values in monthly.items()}
    if _ALBEDO not in found or site.al is not None or {"cvl", "cvh"} & set(own):
        values, rules["albedo"] = site.albedo(constants)
        found[_ALBEDO] = partial(_of_climatology, values)
    return TowerReader(records, constants, found, rules)


def _of_climatology(monthly: np.ndarray, dates: Sequence[datetime]) -> np.ndarray:
    return np.array([climatology_of_day(monthly, d) for d in dates])


def _follows(name: str, own: Mapping[str, float]) -> bool:
    """Return whether a constant is a parameter of a type that the site gives."""
    return (name.startswith("theta_") and "slt" in own) or (
        name.startswith("veg_") and ("tvl" if name.endswith("_lv") else "tvh") in own
    )


def _six_hourly(records: TowerRecords, series: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the six-hourly stamps, and the variables at them (date,); means are NaN at the first."""
    step = np.timedelta64(STEP, "s")
    first, last = records.ends[0], records.ends[-1]
    epoch = np.datetime64(0, "s")
    dates = np.arange(first + (epoch - first) % step, last + np.timedelta64(1, "s"), step)
    what = f"the tower file '{records.path.name}'"
    at = np.searchsorted(records.ends, dates)
    if len(dates) < 2 or (records.ends[at] != dates).any():
        raise ValueError(
            f"{what} has records from {first} to {last} UTC, which do not end at two consecutive six-hourly stamps "
            "(00, 06, 12, 18 UTC). Give at least 12 h of records that end at full hours UTC."
        )
    series = {**series, "northward": np.zeros_like(series["wind"])}
    out = {name: series[key][at] for name, key in _SERIES.items()}
    for prefix, hours in _HOURS.items():
        kinds = {Kind.INSTANT: _SERIES if prefix == "avg" else {}, Kind.MEAN: _MEANS}
        for kind, group in kinds.items():
            records_of, weights = window(records.ends, dates[1:], hours, kind, what)
            for name, key in group.items():
                if f"{prefix}_{name}" in VARIABLES:
                    out[f"{prefix}_{name}"] = np.r_[np.nan, series[key][records_of] @ weights]
    for before, name in enumerate(reversed(HOURLY_RAIN)) if records.step <= _HOUR else ():
        records_of, weights = window(records.ends, dates[1:] - before * _HOUR, 1, Kind.MEAN, what)
        out[name] = np.r_[np.nan, series["precipitation"][records_of] @ weights]
    out["avg_cpfr"] = np.r_[np.nan, np.zeros(len(dates) - 1)]
    return dates, out
