# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A CF NetCDF file (time, point) that grows in time; every call holds the lock of the library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from netCDF4 import Dataset

from anemoi_ailand.rollout.outputs.output_chunks import Chunks
from anemoi_ailand.rollout.outputs.output_columns import Column
from anemoi_ailand.rollout.outputs.output_frame import EPOCH, Block, Frame, date_of, hours_since_epoch
from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK

#: Cache of the library for the chunks of a variable [bytes]. Blocks are whole chunks; a cache would hold them, 16 MiB a
#: variable, and compress them when the file is closed, not beside the model.
NO_CACHE = 1
#: Attributes of a time in hours.
HOURS = {"units": f"hours since {EPOCH:%Y-%m-%d %H:%M:%S}", "calendar": "standard"}
#: Attributes of the coordinates that do not depend on the run; of a file in any format.
COORDINATES: dict[str, dict[str, str]] = {
    "latitude": {"standard_name": "latitude", "units": "degrees_north"},
    "longitude": {"standard_name": "longitude", "units": "degrees_east"},
    "time": {"standard_name": "time", "axis": "T", "bounds": "time_bnds", **HOURS},
    "time_bnds": HOURS,
    "forecast_reference_time": {"standard_name": "forecast_reference_time", **HOURS},
    "member": {"standard_name": "realization", "long_name": "member of the ensemble", "units": "1"},
}


def dimensions(column: Column) -> tuple[str, ...]:
    """Dimensions of a column."""
    return ("time", "member", "point") if column.members else ("time", "point")


class NetCDFFile:
    """A new file, to which blocks of times are appended.

    Parameters
    ----------
    path : Path
        The file; one that is there is replaced.
    frame : Frame
        Points, members, columns, attributes.
    chunks : Chunks
        Of the variables.
    compression : int
        zlib level, 0 to 9.
    """

    def __init__(self, path: Path, frame: Frame, chunks: Chunks, compression: int) -> None:
        self.path, self.frame, self.rows = path, frame, 0
        path.unlink(missing_ok=True)  # of a failed run, which may still hold its lock in this process
        with NETCDF_LOCK:
            self._file: Any = Dataset(path, "w", format="NETCDF4")
            self._file.setncatts(frame.attributes)
            self._coordinates()
            for column in frame.columns:
                self._variable(column, chunks, compression)

    def _coordinates(self) -> None:
        frame, file = self.frame, self._file
        file.createDimension("time", None)
        file.createDimension("bnds", 2)
        file.createDimension("point", frame.n_points)
        file.createVariable("latitude", "f8", ("point",))[:] = frame.latitudes
        file.createVariable("longitude", "f8", ("point",))[:] = frame.longitudes
        file.createVariable("time", "i4", ("time",))
        file.createVariable("time_bnds", "i4", ("time", "bnds"))
        file.createVariable("forecast_reference_time", "i4")[...] = hours_since_epoch(frame.date)
        if any(c.members for c in frame.columns):
            file.createDimension("member", frame.n_members)
            file.createVariable("member", "i4", ("member",))[:] = np.arange(frame.n_members or 0)
        for name in file.variables:
            file[name].setncatts(COORDINATES[name])

    def _variable(self, column: Column, chunks: Chunks, compression: int) -> None:
        var = self._file.createVariable(
            column.netcdf_name,
            "f4",
            dimensions(column),
            fill_value=np.float32(np.nan),
            chunksizes=chunks.shape(column.members),
            zlib=compression > 0,
            complevel=compression or None,
            shuffle=compression > 0,
            chunk_cache=NO_CACHE,
        )
        var.setncatts(column.attributes())

    def append(self, block: Block) -> None:
        """Write the times of a block that are set. Between variables others may use the library."""
        rows, hours = slice(self.rows, self.rows + block.filled), block.hours()
        with NETCDF_LOCK:
            self._file["time"][rows] = hours[:, 0]
            self._file["time_bnds"][rows] = hours[:, 1:]
        for name in block.values:
            with NETCDF_LOCK:
                self._file[name][rows] = block.of(name)
        self.rows += block.filled

    def close(self) -> None:
        """Close the file; nothing happens if it is closed."""
        if self._file is not None:
            file, self._file = self._file, None
            with NETCDF_LOCK:
                file.close()


def count_times(path: Path, frame: Frame) -> int:
    """Times in a file of this frame.

    Raises
    ------
    ValueError
        The file cannot be read, or has other points or variables.
    """
    try:
        with NETCDF_LOCK, Dataset(path) as file:
            sizes = {name: len(dimension) for name, dimension in file.dimensions.items()}
            missing = [c.netcdf_name for c in frame.columns if c.netcdf_name not in file.variables]
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"The part '{path}' cannot be read ({error}). Go back to an older restart, or start anew."
        ) from error
    if missing or sizes.get("point") != frame.n_points:
        raise ValueError(
            f"The part '{path}' lacks {missing} or has {sizes} instead of {frame.n_points} points. It is of another "
            "run: start anew."
        )
    return sizes["time"]


def joined(paths: list[Path], frame: Frame, n_times: int) -> Iterator[Block]:
    """Times of several files in blocks of ``n_times``, the last one shorter; one block is in memory."""
    block = Block.empty(frame, n_times)
    for path in paths:
        first, size = 0, count_times(path, frame)
        while first < size:
            taken = min(size - first, n_times - block.filled)
            _read_into(block, path, slice(first, first + taken))
            first += taken
            if block.filled == n_times:
                yield block
                block = Block.empty(frame, n_times)
    if block.filled:
        yield block


def _read_into(block: Block, path: Path, rows: slice) -> None:
    to = slice(block.filled, block.filled + rows.stop - rows.start)
    with NETCDF_LOCK, Dataset(path) as file:
        file.set_auto_mask(False)
        stamps, bounds = file["time"][rows], file["time_bnds"][rows]
        for name, values in block.values.items():
            file[name].set_var_chunk_cache(size=NO_CACHE)
            values[to] = file[name][rows]
    block.times.extend((date_of(t), date_of(a), date_of(b)) for t, (a, b) in zip(stamps, bounds, strict=True))
