# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""CF NetCDF file of a long run: statistics by year and point, appended year by year, resumable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import netCDF4
import numpy as np

from anemoi_ailand.rollout.reforecast.annual_statistics import STATISTICS, YearStatistics
from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK
from anemoi_ailand.support.netcdf_writer import (
    HOURS,
    add_coordinate,
    add_field,
    add_points,
    create,
    global_attributes,
)
from anemoi_ailand.variables import variable

_METHODS = {"mean": "year: mean", "min": "year: minimum", "max": "year: maximum", "end": "year: point"}
_TEXTS = {
    "mean": "mean of the year", "min": "smallest of the year", "max": "largest of the year",
    "end": "at the end of the year", "at_lower": "steps of the year at the lower bound",
    "at_upper": "steps of the year at the upper bound",
}  # fmt: skip


class YearsFile:
    """Years of a run, appended one by one; an existing file of the same run is continued.

    Parameters
    ----------
    path : Path
        The file. Its folder is created.
    names : sequence of str
        Variables.
    places : mapping of str to numpy.ndarray, shape (point,)
        ``latitude``, ``longitude`` and marks of the points such as ``point_id``.
    identity : mapping of str to str
        Global attributes that distinguish the run: an existing file with others is a ``FileExistsError``.
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
