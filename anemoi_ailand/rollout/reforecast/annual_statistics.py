# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Statistics of a long run by year and point: accumulated step by step, appended to a CF NetCDF file year by year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import netCDF4
import numpy as np

from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK
from anemoi_ailand.support.netcdf_writer import HOURS, add_coordinate, add_field, add_points, create, global_attributes
from anemoi_ailand.variables import variable

#: Statistics of a year, in the order of the file.
STATISTICS = ("mean", "min", "max", "end", "at_lower", "at_upper")

#: Fraction of the typical change in 6 h within which a value is at its bound; the rounding of ecLand is smaller.
AT_BOUND = 1e-3

#: Cell methods and descriptions of the statistics in the file.
_METHODS = {"mean": "year: mean", "min": "year: minimum", "max": "year: maximum", "end": "year: point"}
_TEXTS = {
    "mean": "mean of the year", "min": "smallest of the year", "max": "largest of the year",
    "end": "at the end of the year", "at_lower": "steps of the year at the lower bound",
    "at_upper": "steps of the year at the upper bound",
}  # fmt: skip


class YearStatistics:
    r"""Mean, extremes, last value and number of steps at a bound, for every variable and point.

    A value is at its bound if it is beyond it or nearer than :data:`AT_BOUND` times the table's ``increment_scale``.
    Values that are not finite are counted; they spoil the mean and are left out of the other statistics.

    Bounds ``lower`` and ``upper``, shape (variable,) or (point, variable), are in the units of the table, infinite for
    none.
    """

    def __init__(self, names: Sequence[str], lower: np.ndarray, upper: np.ndarray, n_points: int) -> None:
        self.names = tuple(names)
        margin = AT_BOUND * np.array([variable(n).increment_scale or 0.0 for n in self.names])
        self._lower, self._upper = lower + margin, upper - margin
        self._shape = (n_points, len(self.names))
        self.begin()

    def begin(self) -> None:
        """Reset for another year."""
        self.steps = 0
        self.not_finite = np.zeros(self._shape[0], np.int32)
        self._sum = np.zeros(self._shape)
        self._min, self._max = np.full(self._shape, np.inf), np.full(self._shape, -np.inf)
        self._at_lower, self._at_upper = (np.zeros(self._shape, np.int32) for _ in range(2))
        self._end = np.full(self._shape, np.nan)

    def add(self, values: np.ndarray, finite: np.ndarray | None = None) -> None:
        """Add the values (point, variable) of one step.

        ``finite`` (point,) is true where all outputs of the model are finite; by default, where ``values`` are.
        """
        finite = np.isfinite(values).all(axis=1) if finite is None else finite
        self.steps += 1
        self.not_finite += ~finite
        self._sum += values
        np.fmin(self._min, values, out=self._min)
        np.fmax(self._max, values, out=self._max)
        self._at_lower += values <= self._lower
        self._at_upper += values >= self._upper
        self._end = values

    def result(self) -> dict[str, np.ndarray]:
        """Return the statistics by name, each of shape (point, variable); counts are integers, the rest float32."""
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = self._sum / self.steps
        found = dict(zip(STATISTICS[:4], (mean, self._min, self._max, self._end), strict=True))
        out = {name: np.asarray(v, np.float32) for name, v in found.items()}
        return out | {"at_lower": self._at_lower, "at_upper": self._at_upper}


def recorded_execution(path: Path) -> str | None:
    """Return the execution of the years in a file; None if there is no file of years."""
    try:
        with NETCDF_LOCK, netCDF4.Dataset(path) as file:
            return getattr(file, "execution", None)
    except OSError:  # no file, or one of another kind, which YearsFile refuses
        return None


class YearsFile:
    """File of the years of a run, appended one by one; an existing file of the same run is continued.

    ``places`` are ``latitude``, ``longitude`` and marks of the points such as ``point_id``, each (point,). ``identity``
    are global attributes that distinguish the run: an existing file with others is a ``FileExistsError``.
    """

    def __init__(
        self, path: Path, names: Sequence[str], places: Mapping[str, np.ndarray], identity: Mapping[str, str]
    ) -> None:
        self.path, self.names, self.identity = path, tuple(names), dict(identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        with NETCDF_LOCK:
            if path.exists():
                self._file = self._open()
            else:
                self._file = create(path)
                self._define(places)

    def __enter__(self) -> YearsFile:
        return self

    def __exit__(self, *_: object) -> None:
        with NETCDF_LOCK:
            self._file.close()

    @property
    def years(self) -> int:
        """Complete years in the file: the number of a year is written last."""
        with NETCDF_LOCK:
            return int(np.ma.count(self._file["year"][:]))

    def last_state(self) -> np.ndarray:
        """Return the state at the end of the last complete year, or at the start, shape (point, variable), float32."""
        last = self.years - 1
        with NETCDF_LOCK:
            of = [self._file[f"{n}_start"][:] if last < 0 else self._file[f"{n}_end"][last] for n in self._names()]
        return np.stack([np.ma.filled(v, np.nan) for v in of], axis=-1).astype(np.float32)

    def begin(self, state: np.ndarray) -> None:
        """Write the state (point, variable) at the start."""
        for i, name in enumerate(self._names()):
            with NETCDF_LOCK:
                self._file[f"{name}_start"][:] = state[:, i]

    def write(self, statistics: YearStatistics, first: np.datetime64) -> None:
        """Add a year whose forcing begins at ``first``."""
        k, found = self.years, statistics.result()
        for i, name in enumerate(self._names()):
            for kind in STATISTICS:
                with NETCDF_LOCK:
                    self._file[f"{name}_{kind}"][k] = found[kind][:, i]
        with NETCDF_LOCK:
            self._file["not_finite"][k] = statistics.not_finite
            self._file["steps"][k] = statistics.steps
            self._file["forcing"][k] = int((first - np.datetime64(0, "s")) / np.timedelta64(1, "h"))
            self._file["year"][k] = k + 1
            self._file.sync()

    def _names(self) -> list[str]:
        return [variable(n).netcdf_name for n in self.names]

    def _open(self) -> netCDF4.Dataset:
        try:
            file = netCDF4.Dataset(self.path, "a")
        except OSError as error:
            raise FileExistsError(
                f"'{self.path}' exists and cannot be continued ({error}). Remove it, or give another output."
            ) from error
        found = {k: getattr(file, k, None) for k in self.identity}
        if found != self.identity:
            file.close()
            differ = {k: (found[k], v) for k, v in self.identity.items() if found[k] != v}
            raise FileExistsError(
                f"'{self.path}' belongs to another run: {differ} (in the file, wanted). Remove it, "
                "or give another output."
            )
        return file

    def _define(self, places: Mapping[str, np.ndarray]) -> None:
        file = self._file
        file.setncatts(global_attributes("Long run of the anemoi-ailand land emulator", **self.identity))
        file.createDimension("year", None)
        add_points(file, places["latitude"], places["longitude"])
        for name in (n for n in places if n not in ("latitude", "longitude")):
            add_coordinate(file, name, ("point",), places[name], attributes={})
        for name, text, more in (
            ("year", "year of the run, from 1", {}),
            ("steps", "steps of the year", {}),
            ("forcing", "date at which the forcing of the year begins", HOURS),
        ):
            add_coordinate(file, name, ("year",), (), "i4", {"long_name": text, **more})
        self._field(
            "not_finite", "i4", {"long_name": "steps of the year with a value that is not finite", "units": "1"}
        )
        for name in self.names:
            row = variable(name)
            add_field(file, f"{row.netcdf_name}_start", ("point",), {"units": row.units})
            for kind in STATISTICS:
                counted = kind.startswith("at_")
                attributes = {"long_name": f"{row.long_name}, {_TEXTS[kind]}", "units": "1" if counted else row.units}
                if not counted:
                    attributes["cell_methods"] = _METHODS[kind]
                self._field(f"{row.netcdf_name}_{kind}", "i4" if counted else "f4", attributes)

    def _field(self, name: str, kind: str, attributes: Mapping[str, str]) -> None:
        chunks = (1, len(self._file.dimensions["point"]))
        add_field(self._file, name, ("year", "point"), attributes, kind, chunks)
