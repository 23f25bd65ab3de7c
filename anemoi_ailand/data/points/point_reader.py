# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reader of NetCDF with dimensions (time, point): the reference layout of the project, and our own CF output.

The two differ in names only: reference files have ``Tair`` and ``clim_cvl``, our own ``avg_t``, ``cvl``, and ``t2m``
for ``2t``. One reader accepts either name for each variable.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.constants import C4_CODE, STEP
from anemoi_ailand.data.derived import MONTHLY, ONE_SUFFICES, Rule, halves, rules
from anemoi_ailand.data.files import paths
from anemoi_ailand.data.files.netcdf import POINT_DIMENSIONS, filled, labels, open_file, read_records, times
from anemoi_ailand.data.reader import MARKS, Coverage, check_request, common_period
from anemoi_ailand.physics.vegetation import climatology_of_day
from anemoi_ailand.support.sphere import check_coordinates, same_points
from anemoi_ailand.support.units import Conversion, conversion, convert, table_units
from anemoi_ailand.variables import VARIABLES, Time, Variable

LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class _File:
    """Content of one file: stamps, variables by kind of dimensions, points."""

    path: Path
    stamps: list[datetime]
    dynamic: set[str] = field(default_factory=set)
    constant: set[str] = field(default_factory=set)
    monthly: set[str] = field(default_factory=set)
    units: dict[str, str] = field(default_factory=dict)
    conversion: dict[str, Conversion] = field(default_factory=dict)
    coordinates: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.record = {s: i for i, s in enumerate(self.stamps)}

    def converted(self, name: str, values: np.ndarray) -> np.ndarray:
        """Return values of a variable in the units of the table."""
        return convert(values, self.conversion[name])


def _index(path: Path) -> _File:
    with open_file(path) as dataset:
        out = _File(path, times(dataset, path))
        for name, v in dataset.variables.items():
            if v.dimensions and v.dimensions[-1] in POINT_DIMENSIONS:
                group = {("time",): out.dynamic, (): out.constant, ("month",): out.monthly}.get(v.dimensions[:-1])
                if group is not None:
                    group.add(name)
                    out.units[name] = getattr(v, "units", "1")
        for name in ("latitude", "longitude", "point_id", "climate_class"):
            if name in dataset.variables:
                out.coordinates[name] = filled(dataset.variables[name])
    return out


#: Names of constant fields in files, which labels of points (a site, a year) are not.
_CONSTANTS = {
    part for v in VARIABLES.values() if v.time is Time.CONSTANT and v.name not in MARKS
    for expression in filter(None, (v.reference, v.netcdf_name, v.name)) for part in expression.split("+")
}  # fmt: skip


@dataclass(frozen=True)
class _Origin:
    """Source of one dataset variable: the sum of ``parts`` in each of ``files``, a kind of their variables."""

    parts: tuple[str, ...]
    files: tuple[_File, ...]
    kind: str


class PointReader:
    """Reader of the reference layout and of our own output; see :class:`anemoi_ailand.data.reader.Reader`.

    The files have dimensions (time, point) and are joined by their time axes. The constant fields are by default in
    ``static.nc`` or ``<file>_static.nc`` in the folder of the first file. Leaf area and background albedo may be there
    too, as monthly climatologies (month, point), and albedo as one value for all times. Parameters of types that are
    not in the files are derived from the types.
    """

    def __init__(self, files: Sequence[Path], static: Sequence[Path] = ()) -> None:
        indexed = [_index(p) for p in dict.fromkeys([*files, *static])]
        if not static and not any(f.constant & _CONSTANTS for f in indexed):
            indexed += [_index(p) for p in _static_beside(files[0]) if p not in files]
        self.name = paths.description([f.path for f in indexed])
        self._files = indexed
        self._take_points()
        rows = [v for v in VARIABLES.values() if not v.computed and v.name not in MARKS]
        self._origins = {v.name: o for v in rows if (o := self._origin(v))}
        if not self._origins:
            raise ValueError(
                f"No variable of the table is in {self.name}, which holds "
                f"{sorted(set().union(*(f.dynamic | f.constant for f in indexed)))}. Correct `path` or `layout`."
            )
        held = [n for n, o in self._origins.items() if VARIABLES[n].time is Time.CONSTANT]
        self._derived: dict[str, Rule] = rules(held) | halves(self._origins)
        self.variables = tuple(v.name for v in rows if v.name in {*self._origins, *self._derived})
        self.coverage = self._find_coverage()
        LOG.info("%d variables at %d points, %s", len(self.variables), len(self.point_id), self.coverage)

    def _take_points(self) -> None:
        first = next((f for f in self._files if "latitude" in f.coordinates and "longitude" in f.coordinates), None)
        if first is None:
            raise ValueError(f"{self.name} has no 'latitude' and 'longitude'. Add them to the file, per point.")
        self.latitudes, self.longitudes = first.coordinates["latitude"], first.coordinates["longitude"]
        check_coordinates(self.latitudes, self.longitudes, first.path)
        ids = next((f.coordinates["point_id"] for f in self._files if "point_id" in f.coordinates), None)
        self.point_id = (np.arange(len(self.latitudes)) if ids is None else ids).astype("i8")
        classes = next((f.coordinates["climate_class"] for f in self._files if "climate_class" in f.coordinates), None)
        self.climate_class = None if classes is None else classes.astype("i8")
        for f in self._files:
            latitudes = f.coordinates.get("latitude", self.latitudes)
            longitudes = f.coordinates.get("longitude", self.longitudes)
            same = same_points((latitudes, longitudes), (self.latitudes, self.longitudes))
            if not same or not np.array_equal(f.coordinates.get("point_id", self.point_id), self.point_id):
                raise ValueError(
                    f"'{f.path.name}' and '{first.path.name}' hold different points "
                    f"({'`point_id`' if same else 'coordinates'} of {latitudes.size} and "
                    f"{self.latitudes.size} points). Give files of one set of points in `path` and `static`."
                )

    def _origin(self, row: Variable) -> _Origin | None:
        """Return the files and names behind one row of the table, under the reference name or our own."""
        names = dict.fromkeys(filter(None, (row.reference, row.netcdf_name, row.name)))
        kinds = {"constant" if row.time is Time.CONSTANT else "dynamic": names}
        if row.name in MONTHLY:
            kinds |= {"monthly": {MONTHLY[row.name]: None, **names}}
        if row.name in ONE_SUFFICES:
            kinds |= {"constant": names}
        for kind, expression in ((k, n) for k, group in kinds.items() for n in group):
            parts = tuple(expression.split("+"))
            found = tuple(f for f in self._files if set(parts) <= getattr(f, kind))
            for f in found:
                for part in parts:
                    f.conversion[part] = conversion(f.units.get(part), table_units(row.name), part, f.path)
                    if f.conversion[part] != (1.0, 0.0):
                        LOG.info("'%s' in %s: %s to %s", part, f.path.name, f.units[part], row.units)
            if found:
                if row.time is not Time.CONSTANT and kind != "dynamic":
                    LOG.info("'%s' from %s values in %s", row.name, kind, found[0].path.name)
                return _Origin(parts, found, kind)
        return None

    def _find_coverage(self) -> Coverage:
        chains = {o.files: n for n, o in self._origins.items() if o.kind == "dynamic"}
        if not chains:
            raise ValueError(
                f"{self.name} holds nothing that changes in time. Add files with dimensions (time, point) to `path`."
            )
        spans = {name: _span([(s, f.path) for f in files for s in f.stamps], name) for files, name in chains.items()}
        return Coverage(*common_period(spans, self.name))

    def read(self, names: Sequence[str], dates: Sequence[datetime]) -> np.ndarray:
        """See :meth:`anemoi_ailand.data.reader.Reader.read`."""
        check_request(self, names, dates)
        inputs = [i for n in names if n in self._derived for i in self._derived[n][0]]
        wanted = [n for n in dict.fromkeys([*names, *inputs]) if n in self._origins]
        found = dict(zip(wanted, self._read(wanted, dates), strict=True))
        return np.stack([found[n] if n in found else self._derive(n, found) for n in names])

    def label(self, name: str) -> np.ndarray:
        """Return a label of the points in the files, such as ``site``, shape (point,): text, or float64.

        Raises
        ------
        ValueError
            No file has a variable of this name with the dimension of points only.
        """
        file = next((f for f in self._files if name in f.constant), None)
        if file is None:
            known = sorted(set().union(*(f.constant for f in self._files)) - _CONSTANTS - {"latitude", "longitude"})
            raise ValueError(f"{self.name} has no label '{name}' of its points; it has {known}. Correct `held_out`.")
        with open_file(file.path) as dataset:
            return labels(dataset.variables[name])

    def _derive(self, name: str, found: dict[str, np.ndarray]) -> np.ndarray:
        inputs, make = self._derived[name]
        return make(*(found[n] for n in inputs)).astype("f4")

    def _read(self, names: Sequence[str], dates: Sequence[datetime]) -> np.ndarray:
        """Return values in the files, shape (name, date, point)."""
        out = np.full((len(names), len(dates), len(self.point_id)), np.nan, "f4")
        origins = [(i, self._origins[n]) for i, n in enumerate(names)]
        for f in self._files:
            numbers = np.array([f.record.get(d, -1) for d in dates], int)
            here = np.flatnonzero(numbers >= 0)
            moving = [(i, o.parts) for i, o in origins if o.kind == "dynamic" and f in o.files and len(here)]
            fixed = [(i, o) for i, o in origins if o.kind != "dynamic" and f is o.files[0]]
            if not moving and not fixed:
                continue
            with open_file(f.path) as dataset:  # once: opening takes longer than reading a few records
                for i, parts in moving:
                    out[i, here] = sum(f.converted(p, read_records(dataset.variables[p], numbers[here])) for p in parts)
                for i, o in fixed:
                    values = _constant(f, dataset, o.parts)
                    out[i] = values if o.kind == "constant" else [climatology_of_day(values, d) for d in dates]
        return out


def _constant(file: _File, dataset: Any, parts: Sequence[str]) -> np.ndarray:
    values = np.asarray(sum(file.converted(p, filled(dataset.variables[p])) for p in parts))
    return np.asarray(values == C4_CODE, "f8") if parts == ("clim_ctype",) else values


def _static_beside(path: Path) -> list[Path]:
    candidates = (path.parent / "static.nc", path.with_name(f"{path.stem}_static.nc"))
    return [p for p in candidates if p.is_file()][:1]


def _span(stamps: list[tuple[datetime, Path]], name: str) -> tuple[datetime, datetime]:
    """Return the first and last stamp; refuse a gap, a duplicate stamp, or a step other than 6 h."""
    stamps = sorted(stamps)
    for (a, file_a), (b, file_b) in pairwise(stamps):
        if b == a:
            raise ValueError(f"{a} of '{name}' is in '{file_a}' and in '{file_b}'. Give each date once in `path`.")
        if b - a != STEP:
            raise ValueError(
                f"'{name}' has a gap in time: after {a} ('{file_a.name}') comes {b} ('{file_b.name}'); records every "
                f"{STEP} are needed. Add the missing files to `path`, or give the parts as separate datasets."
            )
    return stamps[0][0], stamps[-1][0]
