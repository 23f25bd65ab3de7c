# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The file of a long run: statistics of every year and point, CF NetCDF, a year at a time, to be gone on with."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import netCDF4
import numpy as np

from anemoi_ailand.rollout.reforecast.annual_statistics import STATISTICS, YearStatistics
from anemoi_ailand.variables import variable

LOG = logging.getLogger(__name__)

_METHODS = {"mean": "year: mean", "min": "year: minimum", "max": "year: maximum", "end": "year: point"}
_TEXTS = {
    "mean": "mean of the year", "min": "smallest of the year", "max": "largest of the year",
    "end": "at the end of the year", "at_lower": "steps of the year at the lower bound",
    "at_upper": "steps of the year at the upper bound",
}  # fmt: skip


class YearsFile:
    """Years of a run, written one after the other; a file that is there already is gone on with.

    Parameters
    ----------
    path : Path
        The file. Its folder is made.
    names : sequence of str
        Variables.
    places : mapping of str to numpy.ndarray, shape (point,)
        ``latitude``, ``longitude`` and marks of the points such as ``point_id``.
    identity : mapping of str to str
        What the run is, as global attributes: a file with another identity is not gone on with.

    Raises
    ------
    FileExistsError
        The file is there and holds something else.
    """

    def __init__(
        self, path: Path, names: Sequence[str], places: Mapping[str, np.ndarray], identity: Mapping[str, str]
    ) -> None:
        self.path, self.names, self.identity = path, tuple(names), dict(identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            self._file = self._open()
        else:
            self._file = netCDF4.Dataset(path, "w", format="NETCDF4")
            self._define(places)

    def __enter__(self) -> YearsFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def years(self) -> int:
        """Complete years that the file holds: the number of a year is written last."""
        return int(np.ma.count(self._file["year"][:]))

    def last_state(self) -> np.ndarray:
        """State at the end of the last complete year, or at the start, shape (point, variable), float32."""
        last = self.years - 1
        of = [self._file[f"{n}_start"][:] if last < 0 else self._file[f"{n}_end"][last] for n in self._names()]
        return np.stack([np.ma.filled(v, np.nan) for v in of], axis=-1).astype(np.float32)

    def begin(self, state: np.ndarray) -> None:
        """Write the state (point, variable) at the start."""
        for i, name in enumerate(self._names()):
            self._file[f"{name}_start"][:] = state[:, i]

    def write(self, statistics: YearStatistics, first: np.datetime64) -> None:
        """Add a year whose forcing begins at ``first``."""
        k, found = self.years, statistics.result()
        for i, name in enumerate(self._names()):
            for kind in STATISTICS:
                self._file[f"{name}_{kind}"][k] = found[kind][:, i]
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
                f"'{self.path}' is there and cannot be gone on with ({error}). Remove it, or give another output."
            ) from error
        there = {k: getattr(file, k, None) for k in self.identity}
        if there != self.identity:
            file.close()
            differ = {k: (there[k], v) for k, v in self.identity.items() if there[k] != v}
            raise FileExistsError(
                f"'{self.path}' is of another run: {differ} (there, wanted). Remove it, or give another output."
            )
        return file

    def _define(self, places: Mapping[str, np.ndarray]) -> None:
        file, n_points = self._file, len(places["latitude"])
        file.setncatts({"Conventions": "CF-1.11", **self.identity})
        file.createDimension("year", None)
        file.createDimension("point", n_points)
        for name, values in places.items():
            file.createVariable(name, "f8", ("point",))[:] = values
        for name, units in (("latitude", "degrees_north"), ("longitude", "degrees_east")):
            file[name].setncatts({"standard_name": name, "units": units})
        numbers = (("year", "year of the run, from 1 on"), ("steps", "steps of the year"),
                   ("forcing", "date at which the forcing of the year begins"))  # fmt: skip
        for name, text in numbers:
            file.createVariable(name, "i4", ("year",)).long_name = text
        file["forcing"].units = "hours since 1970-01-01 00:00:00"
        self._field("not_finite", "i4", "steps of the year with a value that is not finite", "1", {})
        for name in self.names:
            row = variable(name)
            file.createVariable(f"{row.netcdf_name}_start", "f4", ("point",)).units = row.units
            for kind in STATISTICS:
                counted = kind.startswith("at_")
                methods = {} if counted else {"cell_methods": _METHODS[kind]}
                text, units = f"{row.long_name}, {_TEXTS[kind]}", "1" if counted else row.units
                self._field(f"{row.netcdf_name}_{kind}", "i4" if counted else "f4", text, units, methods)

    def _field(self, name: str, kind: str, text: str, units: str, attributes: Mapping[str, str]) -> None:
        n_points = len(self._file.dimensions["point"])
        chunks = (1, n_points)
        field = self._file.createVariable(name, kind, ("year", "point"), chunksizes=chunks, zlib=True, complevel=1)
        field.setncatts({"long_name": text, "units": units, **attributes})
