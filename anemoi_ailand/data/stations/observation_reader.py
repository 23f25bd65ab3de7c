# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observations of stations as fields with gaps: for datasets, fine-tuning and diagnosis alike."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.constants import EARTH_RADIUS
from anemoi_ailand.data.reader import Coverage, Reader, check_request
from anemoi_ailand.data.stations.closure import RAW
from anemoi_ailand.data.stations.sampling import GOOD_QUALITY, MINIMUM_COVERAGE
from anemoi_ailand.data.stations.sites import Site
from anemoi_ailand.data.stations.station import ONE, Station
from anemoi_ailand.data.stations.station_reader import AUTO, read_stations
from anemoi_ailand.support.dates import bounds_of
from anemoi_ailand.support.packaged import expand
from anemoi_ailand.support.sphere import nearest_points
from anemoi_ailand.variables import VARIABLES

LOG = logging.getLogger(__name__)

#: Largest distance of a station from its point [km].
WITHIN = 50.0

#: Soil moisture, whose offset between probe and model depends on depth and calibration.
_SOIL_WATER = tuple(f"swvl{k}" for k in range(1, 5))

#: Dates of a dataset read at once, with all points.
_BLOCK = 256


class ObservationReader:
    """Observations at stations; see :class:`anemoi_ailand.data.reader.Reader`. Gaps are NaN.

    Attributes
    ----------
    gaps : bool
        True: values may be missing.
    stations : list of Station
        Stations, one a point.
    """

    climate_class: np.ndarray | None = None
    gaps = True

    def __init__(self, stations: Sequence[Station], places: tuple[np.ndarray, np.ndarray] | None = None) -> None:
        self.stations = list(stations)
        self.name = f"the observations of {len(self.stations)} stations"
        own = [np.array([getattr(s, n) for s in self.stations]) for n in ("latitude", "longitude")]
        self.latitudes, self.longitudes = own if places is None else places
        self.point_id = np.arange(len(self.stations))
        observed = {n for s in self.stations for n in s.variables}
        self.variables = tuple(n for n in VARIABLES if n in observed)
        if not self.variables:
            raise ValueError(f"No variable of the table is among {sorted(observed)} of {self.name}. Give other files.")
        times = np.concatenate([s.series["time"].values for s in self.stations]).astype("datetime64[s]")
        self.coverage = Coverage(times.min().item(), times.max().item())
        LOG.info("Observations of %s: %s, %s", [s.name for s in self.stations], self.variables, self.coverage)

    def label(self, name: str) -> np.ndarray:
        """Return the names of the stations, the label ``site``."""
        if name != "site":
            raise ValueError(f"{self.name} have no label '{name}'; they have ['site']. Correct `held_out`.")
        return np.array([s.name for s in self.stations])

    def read(self, names: Sequence[str], dates: Sequence[datetime]) -> np.ndarray:
        """See :meth:`anemoi_ailand.data.reader.Reader.read`."""
        check_request(self, names, dates)
        wanted = np.array(dates, "datetime64[ns]")
        out = np.full((len(names), len(dates), len(self.stations)), np.nan, "f4")
        for k, station in enumerate(self.stations):
            series = station.series.reindex(time=wanted)
            for i, name in enumerate(names):
                if name in series:
                    out[i, :, k] = series[name].values
        return out


def open_observations(
    path: str | Path | Sequence[str | Path],
    *,
    kind: str = AUTO,
    sites: Mapping[str, Site] | str | Path | None = None,
    per_layer: str = ONE,
    closure: str = RAW,
    quality: Sequence[int] = GOOD_QUALITY,
    coverage: float = MINIMUM_COVERAGE,
    at: Reader | None = None,
    within: float = WITHIN,
    soil_offset: bool | Any = False,
) -> ObservationReader:
    """Open station files as observations at points.

    Parameters
    ----------
    path : path or list of paths
        Folders, searched recursively, and files of any archive.
    kind, sites, per_layer, closure, quality, coverage
        See :func:`~anemoi_ailand.data.stations.station_reader.read_stations`.
    at : Reader, optional
        Land data whose nearest points give the places, so that forcing and static fields are found there; of several
        stations at one point, the nearest is kept. By default the places are those of the stations.
    within : float
        Largest distance of a station from its point [km]; farther ones are left out with a warning.
    soil_offset : bool or period
        Shift soil moisture so that its mean is that of ``at`` over the dates of both, or over those of a period such as
        ``2018`` or ``[2018, 2020]``: a probe differs from the mean of a layer by its calibration and depth.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`~anemoi_ailand.data.stations.station_reader.read_stations`; no station is near a point; no offset can
        be known.

    Examples
    --------
    >>> from anemoi_ailand.data.stations.observation_reader import open_observations
    >>> towers = open_observations("towers", closure="bowen")  # doctest: +SKIP
    >>> towers.read(["slhf"], towers.coverage.dates()).shape  # doctest: +SKIP
    (1, 5844, 12)
    """
    entries = [path] if isinstance(path, str | Path) else list(path)
    table = expand(str(sites)) if isinstance(sites, str | Path) else sites
    stations = read_stations([expand(str(p)) for p in entries], kind, sites=table, per_layer=per_layer, closure=closure,
                             quality=quality, coverage=coverage)  # fmt: skip
    if at is None:
        if soil_offset:
            raise ValueError("`soil_offset` needs a dataset with soil moisture at the stations. Give it as `at`.")
        return ObservationReader(stations)
    stations, points = _placed(stations, at, within)
    if soil_offset:
        stations = _shifted(stations, at, points, None if soil_offset is True else soil_offset)
    return ObservationReader(stations, (at.latitudes[points], at.longitudes[points]))


def _placed(stations: Sequence[Station], at: Reader, within: float) -> tuple[list[Station], np.ndarray]:
    """Return the stations near a point, one a point, and the positions of their points."""
    where = np.array([s.latitude for s in stations]), np.array([s.longitude for s in stations])
    points, degrees = nearest_points((at.latitudes, at.longitudes), where)
    apart = np.radians(degrees) * EARTH_RADIUS
    kept: dict[int, int] = {}
    for k in np.argsort(apart, kind="stable"):
        if apart[k] > within:
            LOG.warning("%s is left out: the nearest point of %s is %.0f km away", stations[k].name, at.name, apart[k])
        elif (other := kept.setdefault(int(points[k]), int(k))) != k:
            LOG.warning("%s is left out: %s is nearer to its point", stations[k].name, stations[other].name)
    if not kept:
        raise ValueError(
            f"No station is within {within:g} km of a point of {at.name}; the nearest, "
            f"{stations[apart.argmin()].name}, is {apart.min():.0f} km away. Give a dataset at the stations "
            "as `at`, or a larger `within`."
        )
    chosen = sorted(kept.values())
    return [stations[k] for k in chosen], points[chosen]


def _shifted(stations: Sequence[Station], at: Reader, points: np.ndarray, period: Any) -> list[Station]:
    """Return the stations with the mean soil moisture of their points."""
    given = [str(p) for p in period] if isinstance(period, list | tuple) else period and str(period)
    first, last = bounds_of(given)
    stamps = np.array(at.coverage.dates(), "datetime64[s]")
    stamps = stamps[
        (stamps >= (stamps[0] if first is None else first)) & (stamps <= (stamps[-1] if last is None else last))
    ]
    names = [n for n in _SOIL_WATER if n in at.variables and any(n in s.variables for s in stations)]
    stamps = stamps[np.isin(stamps, np.concatenate([s.series["time"].values for s in stations]))]
    dates = stamps.tolist()
    blocks = [at.read(names, dates[k : k + _BLOCK])[..., points] for k in range(0, len(dates), _BLOCK)]
    if not names or not blocks:
        raise ValueError(
            f"No soil moisture of {at.name} ({at.coverage}) is at the dates of the observations and in the period of "
            "`soil_offset`. Give another dataset as `at`, or leave `soil_offset` out."
        )
    model, out = np.concatenate(blocks, axis=1), []
    for k, station in enumerate(stations):
        series = station.series.copy()
        for i, name in enumerate(names):
            if name not in series:
                continue
            seen = series[name].reindex(time=stamps.astype("datetime64[ns]")).values
            offset = float(np.nanmean(model[i, :, k] - seen)) if np.isfinite(seen).any() else np.nan
            LOG.info("Offset of %s at %s: %+.3f m3 m-3", name, station.name, offset)
            series[name] = series[name] + offset  # NaN without a common date: the offset is unknown
        out.append(replace(station, series=series))
    return out
