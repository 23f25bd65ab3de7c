# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The file of a re-forecast: CF NetCDF with dimensions (start, lead, point), written part by part."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType

import netCDF4
import numpy as np

from anemoi_ailand.variables import variable

LOG = logging.getLogger(__name__)

#: Values of a compressed chunk: 1 MiB.
CHUNK_SIZE = 2**18


@dataclass(frozen=True)
class Layout:
    """What a file holds.

    Attributes
    ----------
    starts : numpy.ndarray, shape (start,)
        Initial dates, ``datetime64[s]``.
    leads : numpy.ndarray, shape (lead,)
        Hours after the start.
    latitudes, longitudes : numpy.ndarray, shape (point,)
        Degrees.
    point_id : numpy.ndarray, shape (point,), optional
        Identity of the points.
    variables : tuple of str
        Dataset names, which are in the table.
    attributes : dict
        Global attributes beside those of the convention.
    lead_chunk, point_chunk : int
        Leads and points of a compressed chunk; a part that is written should hold whole ones.
    """

    starts: np.ndarray
    leads: np.ndarray
    latitudes: np.ndarray
    longitudes: np.ndarray
    point_id: np.ndarray | None
    variables: tuple[str, ...]
    attributes: dict[str, str]
    lead_chunk: int
    point_chunk: int


class ReforecastFile:
    """Context in which a file is written under a temporary name; it gets its own at the end, if all went well.

    Parameters
    ----------
    path : Path
        The file; one of that name is replaced at the end. Its folder is made.
    layout : Layout
        What it holds.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path, self.layout = path, layout
        self.partial = path.with_name(path.name + ".partial")

    def __enter__(self) -> ReforecastFile:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.partial.unlink(missing_ok=True)  # of a run that was killed
        self._file = netCDF4.Dataset(self.partial, "w", format="NETCDF4")
        try:
            self._define()
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        self._file.close()
        self.partial.replace(self.path)

    def write(self, start: int, leads: slice, points: slice, values: np.ndarray) -> None:
        """Write ``values`` (lead, variable, point) of one start."""
        for i, name in enumerate(self.layout.variables):
            self._file[variable(name).netcdf_name][start, leads, points] = values[:, i]

    def _discard(self) -> None:
        self._file.close()
        self.partial.unlink(missing_ok=True)

    def _define(self) -> None:
        layout = self.layout
        self._file.setncatts({"Conventions": "CF-1.11", **provenance(), **layout.attributes})
        for name, size in (("start", layout.starts), ("lead", layout.leads), ("point", layout.latitudes)):
            self._file.createDimension(name, len(size))
        hours = (layout.starts - np.datetime64(0, "s")) // np.timedelta64(1, "h")
        self._coordinate("start", "start", "i4", hours, "forecast_reference_time", "hours since 1970-01-01 00:00:00")
        self._file["start"].setncatts({"calendar": "standard", "axis": "T"})
        self._coordinate("lead", "lead", "i4", layout.leads, "forecast_period", "h")
        self._coordinate("latitude", "point", "f8", layout.latitudes, "latitude", "degrees_north")
        self._coordinate("longitude", "point", "f8", layout.longitudes, "longitude", "degrees_east")
        if layout.point_id is not None:
            self._file.createVariable("point_id", "i8", ("point",))[:] = layout.point_id
            self._file["point_id"].long_name = variable("point_id").long_name
        for name in layout.variables:
            self._variable(name)

    def _coordinate(self, name: str, axis: str, kind: str, values: np.ndarray, standard: str, units: str) -> None:
        coordinate = self._file.createVariable(name, kind, (axis,))
        coordinate.setncatts({"standard_name": standard, "units": units})
        coordinate[:] = values

    def _variable(self, name: str) -> None:
        row = variable(name)
        created = self._file.createVariable(
            row.netcdf_name,
            "f4",
            ("start", "lead", "point"),
            fill_value=np.float32(np.nan),
            chunksizes=(1, self.layout.lead_chunk, self.layout.point_chunk),
            zlib=True,
            complevel=1,  # the highest level saves a few per cent more, and takes many times as long
            shuffle=True,
            chunk_cache=8 * CHUNK_SIZE,  # bytes: two chunks; whole ones are written, so that more would hold nothing
        )
        attributes = {
            "standard_name": row.standard_name,
            "long_name": row.long_name,
            "units": row.units,
            "cell_methods": row.cell_methods,
            "short_name": name,
            "coordinates": "latitude longitude" + ("" if self.layout.point_id is None else " point_id"),
        }
        created.setncatts({k: v for k, v in attributes.items() if v is not None})


def provenance() -> dict[str, str]:
    """When, by what and with which versions a file is written."""
    packages = ("anemoi-ailand", "anemoi-inference", "anemoi-models", "torch")
    return {
        "title": "Re-forecasts of the anemoi-ailand land emulator",
        "source": "anemoi-ailand, an emulator of ecLand",
        "created": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "versions": ", ".join(f"{p} {version(p)}" for p in packages),
    }
