# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""CF NetCDF file or zarr of a re-forecast, dimensions (start, lead, point), written in parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np

from anemoi_ailand.rollout.outputs.zarr_store import Array, SharedStore, places_sha256
from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK
from anemoi_ailand.support.netcdf_writer import (
    CHUNK_SIZE,
    COORDINATES,
    add_coordinate,
    add_field,
    add_points,
    global_attributes,
    new_file,
    variable_attributes,
    versions,
)
from anemoi_ailand.support.shards import Shard
from anemoi_ailand.variables import variable

TITLE = "Re-forecasts of the anemoi-ailand land emulator"

_ABOUT_ID = {"long_name": variable("point_id").long_name}


@dataclass(frozen=True)
class Layout:
    """Coordinates, variables and chunks of the file or store.

    Initial dates ``starts`` (start,) are ``datetime64[s]``, ``leads`` (lead,) hours, places (point,) degrees.
    ``attributes`` are added to convention and provenance. A compressed chunk has one start, ``lead_chunk`` leads and
    ``point_chunk`` points; a written part should consist of whole chunks.
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
    """An open file of a layout, to which parts are written."""

    def __init__(self, file: netCDF4.Dataset, layout: Layout) -> None:
        self._file, self.layout = file, layout

    @classmethod
    @contextmanager
    def create(cls, path: Path, layout: Layout) -> Iterator[ReforecastFile]:
        """Create a file that is published on success, when it replaces an earlier one, and removed on failure."""
        with new_file(path) as file:
            with NETCDF_LOCK:
                _define(file, layout)
            yield cls(file, layout)

    def write(self, start: int, leads: slice, points: slice, values: np.ndarray) -> None:
        """Write ``values`` (lead, variable, point) of one start."""
        for i, name in enumerate(self.layout.variables):
            with NETCDF_LOCK:
                self._file[variable(name).netcdf_name][start, leads, points] = values[:, i]


class ReforecastStore:
    """A zarr of a layout, to which shards write their parts; see :class:`SharedStore`."""

    def __init__(self, path: Path, layout: Layout, shard: Shard) -> None:
        self.layout = layout
        identity = {
            **layout.attributes, "versions": versions(), "starts": layout.starts.astype(str).tolist(),
            "leads": layout.leads.tolist(), "variables": layout.variables,
            "points_sha256": places_sha256(layout.latitudes, layout.longitudes),
        }  # fmt: skip
        self.store = SharedStore(path, shard, identity, _arrays(layout), global_attributes(TITLE, **layout.attributes))

    def write(self, start: int, leads: slice, points: slice, values: np.ndarray) -> None:
        """Write ``values`` (lead, variable, point) of one start."""
        for i, name in enumerate(self.layout.variables):
            self.store.write(variable(name).netcdf_name, (start, leads, points), values[:, i])


def _arrays(layout: Layout) -> dict[str, Array]:
    found = {
        "start": Array(("start",), COORDINATES["start"], _hours(layout)),
        "lead": Array(("lead",), COORDINATES["lead"], layout.leads.astype(np.int32)),
        "latitude": Array(("point",), COORDINATES["latitude"], layout.latitudes),
        "longitude": Array(("point",), COORDINATES["longitude"], layout.longitudes),
    }
    if layout.point_id is not None:
        found["point_id"] = Array(("point",), _ABOUT_ID, layout.point_id)
    shape = (len(layout.starts), len(layout.leads), len(layout.latitudes))
    chunks = (1, layout.lead_chunk, layout.point_chunk)
    for name in layout.variables:
        attributes = variable_attributes(name, coordinates=_coordinates(layout))
        found[variable(name).netcdf_name] = Array(
            ("start", "lead", "point"), attributes, shape=shape, chunks=chunks, missing=np.nan
        )
    return found


def _hours(layout: Layout) -> np.ndarray:
    return ((layout.starts - np.datetime64(0, "s")) // np.timedelta64(1, "h")).astype(np.int32)


def _coordinates(layout: Layout) -> str:
    return "latitude longitude" + ("" if layout.point_id is None else " point_id")


def _define(file: netCDF4.Dataset, layout: Layout) -> None:
    file.setncatts(global_attributes(TITLE, **layout.attributes))
    file.createDimension("start", len(layout.starts))
    file.createDimension("lead", len(layout.leads))
    add_coordinate(file, "start", ("start",), _hours(layout), "i4")
    add_coordinate(file, "lead", ("lead",), layout.leads, "i4")
    add_points(file, layout.latitudes, layout.longitudes)
    if layout.point_id is not None:
        add_coordinate(file, "point_id", ("point",), layout.point_id, "i8", _ABOUT_ID)
    for name in layout.variables:
        add_field(
            file,
            variable(name).netcdf_name,
            ("start", "lead", "point"),
            variable_attributes(name, coordinates=_coordinates(layout)),
            chunks=(1, layout.lead_chunk, layout.point_chunk),
            chunk_cache=8 * CHUNK_SIZE,  # bytes, two chunks: only whole chunks are written, so a larger cache is idle
        )
