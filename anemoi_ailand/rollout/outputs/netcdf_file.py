# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""CF NetCDF file (time, point) that grows in time, and the joining of several, under the lock of the library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import netCDF4

from anemoi_ailand.rollout.outputs.chunked_output import Chunks
from anemoi_ailand.rollout.outputs.output_frame import TIME_AXES, Block, Frame
from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK
from anemoi_ailand.support.netcdf_writer import add_coordinate, add_field, create, date_of

#: Chunk cache of the library [bytes]. Blocks are whole chunks; a larger cache would hold them, 16 MiB a variable, and
#: compress them when the file is closed instead of during the run.
NO_CACHE = 1


class NetCDFFile:
    """New file to which blocks of times are appended; an earlier one is replaced. ``compression`` is a zlib level."""

    def __init__(self, path: Path, frame: Frame, chunks: Chunks, compression: int) -> None:
        self.path, self.frame, self.rows = path, frame, 0
        with NETCDF_LOCK:
            self._file: netCDF4.Dataset | None = create(path)
            _define(self._file, frame, chunks, compression)

    def append(self, block: Block) -> None:
        """Append the times of a block. Other threads may use the library between two variables."""
        file, rows, hours = self._file, slice(self.rows, self.rows + block.filled), block.hours()
        assert file is not None
        with NETCDF_LOCK:
            file["time"][rows] = hours[:, 0]
            file["time_bnds"][rows] = hours[:, 1:]
        for name in block.values:
            with NETCDF_LOCK:
                file[name][rows] = block.rows(name)
        self.rows += block.filled

    def close(self) -> None:
        """Close the file; does nothing if it is closed."""
        if self._file is not None:
            file, self._file = self._file, None
            with NETCDF_LOCK:
                file.close()


def _define(file: netCDF4.Dataset, frame: Frame, chunks: Chunks, compression: int) -> None:
    file.setncatts(frame.attributes)
    file.createDimension("time", None)
    file.createDimension("bnds", 2)
    file.createDimension("point", frame.n_points)
    if frame.has_members:
        file.createDimension("member", frame.n_members)
    for name, (dimensions, values) in frame.coordinates().items():
        add_coordinate(file, name, dimensions, values, values.dtype.str[1:])
    for name, (dimensions, attributes) in TIME_AXES.items():
        add_coordinate(file, name, dimensions, (), "i4", attributes)
    for c in frame.columns:
        shape = chunks.shape(c.members)
        add_field(file, c.netcdf_name, c.dimensions, c.attributes(), "f4", shape, compression, chunk_cache=NO_CACHE)


def count_times(path: Path, frame: Frame) -> int:
    """Return the number of times in a file of this frame; refuse a file that is broken or belongs to another run."""
    try:
        with NETCDF_LOCK, netCDF4.Dataset(path) as file:
            sizes = {name: len(dimension) for name, dimension in file.dimensions.items()}
            missing = [c.netcdf_name for c in frame.columns if c.netcdf_name not in file.variables]
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"The part '{path}' cannot be read ({error}). Use an older restart, or start a new run."
        ) from error
    if missing or sizes.get("point") != frame.n_points:
        raise ValueError(
            f"The part '{path}' lacks {missing} or has {sizes} instead of {frame.n_points} points. It belongs to "
            "another run: start a new one."
        )
    return sizes["time"]


def joined(paths: list[Path], frame: Frame, n_times: int) -> Iterator[Block]:
    """Iterate over the times of several files in blocks of ``n_times``, the last one shorter; one block in memory."""
    block = Block.empty(frame, n_times)
    for path in paths:
        first, size = 0, count_times(path, frame)
        while first < size:
            count = min(size - first, n_times - block.filled)
            _read_into(block, path, slice(first, first + count))
            first += count
            if block.filled == n_times:
                yield block
                block = Block.empty(frame, n_times)
    if block.filled:
        yield block


def _read_into(block: Block, path: Path, rows: slice) -> None:
    to = slice(block.filled, block.filled + rows.stop - rows.start)
    with NETCDF_LOCK, netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        stamps, bounds = file["time"][rows], file["time_bnds"][rows]
        for name, values in block.values.items():
            file[name].set_var_chunk_cache(size=NO_CACHE)
            values[to] = file[name][rows]
    block.times.extend((date_of(t), date_of(a), date_of(b)) for t, (a, b) in zip(stamps, bounds, strict=True))
