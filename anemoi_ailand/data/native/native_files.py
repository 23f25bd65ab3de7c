# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""ecLand's own files: their roles, points, and records joined by time.

Peculiarities of the layout: points along ``x`` or along ``lat`` and ``lon``; order (time, level, point); another time
reference in every file; files that repeat variables of others (``soilinit``) or are empty (``o_ggd``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import netCDF4
import numpy as np

from anemoi_ailand.data.files.netcdf import filled, open_file, read_records, times
from anemoi_ailand.data.files.paths import description
from anemoi_ailand.support.sphere import same_points
from anemoi_ailand.support.units import Conversion, convert

LOG = logging.getLogger(__name__)

#: Horizontal dimensions: the point vector, and the grid.
_HORIZONTAL = ("x", "lat", "lon", "latitude", "longitude")

#: Role of an output file, by a variable that no other file has.
_OUTPUT = {"SoilMoist": "o_gg", "Qle": "o_efl", "Qsb": "o_wat", "D2m": "o_d2m", "Ag": "o_co2", "SoilFC": "o_fix"}

#: Variables that identify a forcing file.
_FORCING = {"Tair", "Qair", "PSurf", "Wind_E", "Wind_N"}


def role(names: set[str]) -> str | None:
    """Return the role of a file with variables ``names``: 'forcing', 'surfclim', 'soilinit', 'o_gg', ..., or None."""
    if "landsea" in names and "SoilMoist" not in names:
        return "surfclim"
    if "SoilMoist" in names and ("cvl" in names or "timestp" not in names):
        return "soilinit"
    if names & _FORCING and "timestp" not in names:
        return "forcing"
    return next((kind for marker, kind in _OUTPUT.items() if marker in names), None)


@dataclass(frozen=True)
class NativeFile:
    """One file: its role, variables with their units and conversions, stamps and points."""

    path: Path
    role: str
    units: dict[str, str]
    stamps: np.ndarray
    latitudes: np.ndarray
    longitudes: np.ndarray
    conversions: dict[str, Conversion] = field(default_factory=dict)

    def read(self, name: str, records: np.ndarray | None = None) -> np.ndarray:
        """Return converted values of a variable, float64 of shape ([record], [level], point); NaN where missing."""
        with open_file(self.path) as dataset:
            variable = dataset.variables[name]
            values = filled(variable) if records is None else read_records(variable, records)
            tail = sum(d in _HORIZONTAL for d in variable.dimensions)
        values = convert(values, self.conversions.get(name, (1.0, 0.0)))
        return values.reshape(*values.shape[: values.ndim - tail], -1)


def scan(paths: Sequence[Path]) -> list[NativeFile]:
    """Inspect all files and return those with a role; refuse none at all, and different points."""
    found = [f for p in paths if (f := _scan_one(p)) is not None]
    if not found:
        raise ValueError(
            f"None of {[p.name for p in paths][:8]} is a file of ecLand offline (forcing, surfclim, o_gg, o_efl, "
            "o_wat, o_d2m, o_co2, o_fix). Correct `path`, or set `layout`."
        )
    first = found[0]
    for f in found[1:]:
        if not same_points((f.latitudes, f.longitudes), (first.latitudes, first.longitudes)):
            raise ValueError(
                f"'{first.path.name}' ({first.latitudes.size} points) and '{f.path.name}' ({f.latitudes.size} points) "
                "hold different points. Give the files of one run in `path`."
            )
    return found


def _scan_one(path: Path) -> NativeFile | None:
    with open_file(path) as dataset:
        kind = role(set(dataset.variables))
        if kind is None or kind == "soilinit":
            LOG.info("'%s' is not used: %s", path.name, "initial state" if kind else "no known variable")
            return None
        stamps = times(dataset, path) if kind not in ("surfclim", "o_fix") else []
        lat, lon = _points(dataset, path)
        units = {n: getattr(v, "units", "1") for n, v in dataset.variables.items()}
    return NativeFile(path, kind, units, np.array(stamps, "datetime64[s]"), lat, lon)


def _points(dataset: netCDF4.Dataset, path: Path) -> tuple[np.ndarray, np.ndarray]:
    pair = next((p for p in (("lat", "lon"), ("latitude", "longitude")) if set(p) <= set(dataset.variables)), None)
    if pair is None:
        raise ValueError(f"'{path}' has no 'lat' and 'lon'. Add them, along 'x' or as dimensions.")
    lat, lon = (filled(dataset.variables[n]) for n in pair)
    if dataset.variables[pair[0]].dimensions != dataset.variables[pair[1]].dimensions:
        lat, lon = (a.ravel() for a in np.meshgrid(lat, lon, indexing="ij"))
    return lat.ravel(), lon.ravel()


@dataclass
class Series:
    """Records of all files of one role, joined by time.

    Consecutive runs may share a stamp, the end of one and the start of the next; it is read from the earlier file.
    """

    files: list[NativeFile]
    stamps: np.ndarray = field(init=False)
    _where: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        pairs = [(s, i, j) for i, f in enumerate(self.files) for j, s in enumerate(f.stamps)]
        pairs.sort()
        first = [p for k, p in enumerate(pairs) if k == 0 or p[0] != pairs[k - 1][0]]
        if len(first) < len(pairs) and self.files[0].role != "o_gg":
            twice = next(p[0] for k, p in enumerate(pairs) if k and p[0] == pairs[k - 1][0])
            raise ValueError(
                f"{twice} is in two of {[f.path.name for f in self.files]}. Give each record once in `path`."
            )
        self.stamps = np.array([p[0] for p in first], "datetime64[s]")
        self._where = np.array([p[1:] for p in first], int).reshape(-1, 2)

    @property
    def name(self) -> str:
        """Description of the files, for messages."""
        return description([f.path for f in self.files])

    def read(self, variable: str, records: np.ndarray) -> np.ndarray:
        """Return ``variable`` at record numbers of the joined series, shape (record, [level], point)."""
        out: np.ndarray | None = None
        for i, f in enumerate(self.files):
            here = np.flatnonzero(self._where[records, 0] == i)
            if len(here):
                values = f.read(variable, self._where[records[here], 1])
                out = np.empty((len(records), *values.shape[1:])) if out is None else out
                out[here] = values
        return np.empty((0,)) if out is None else out

    def at(self, dates: Sequence[datetime]) -> np.ndarray:
        """Return the record numbers of dates; refuse a date without a record."""
        wanted = np.array(dates, "datetime64[s]")
        place = np.minimum(np.searchsorted(self.stamps, wanted), len(self.stamps) - 1)
        absent = self.stamps[place] != wanted
        if absent.any():
            raise ValueError(
                f"{self.name} has no record at {wanted[absent][0]}; its records are {self.stamps[0]} to "
                f"{self.stamps[-1]}. Correct the dates, or add the files."
            )
        return place
