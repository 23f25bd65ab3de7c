# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Zarr of a roll-out with CF attributes: ``output: {land-zarr: {path: ...}}``."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr
from numcodecs import Blosc

from anemoi_ailand.rollout.outputs.land_output import LandOutput
from anemoi_ailand.rollout.outputs.netcdf_file import COORDINATES, dimensions
from anemoi_ailand.rollout.outputs.output_chunks import GATHERED_BYTES, check_chunks, choose_chunks
from anemoi_ailand.rollout.outputs.output_frame import Block, Frame, hours_since_epoch
from anemoi_ailand.rollout.outputs.output_progress import KEPT

LOG = logging.getLogger(__name__)

_TIMES = ("time", "time_bnds")
#: Chunk of the time axis: opening a long run must not read thousands. It is written again as it fills, whole or not at
#: all, so that what was durable stays in it.
_TIME_CHUNK = 2**14


class LandZarrOutput(LandOutput):
    """Write prognostic and diagnostic variables as zarr (format 2, consolidated), which ``xarray.open_zarr`` reads.

    Variables, attributes and options are those of
    :class:`~anemoi_ailand.rollout.outputs.netcdf_output.LandNetCDFOutput`. The store is written under a temporary name
    and renamed when it is complete. Only whole chunks of fields are written, so that none is written again; what does
    not fill a chunk at a restart waits in a file beside it.

    Parameters
    ----------
    path : str
        The folder of the store. The folder around it is made.
    compression : int
        Level of zstd in Blosc, 0 (none) to 9.
    layout, chunks
        As for NetCDF.
    **options
        Of :class:`~anemoi_ailand.rollout.outputs.land_output.LandOutput`.

    Raises
    ------
    TypeError, ValueError
        An unknown option, a value that is none; as in the base.
    """

    def __init__(
        self,
        context: Any,
        metadata: Any,
        path: str,
        *,
        compression: int = 4,
        layout: str | None = None,
        chunks: dict[str, int] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(context, metadata, path, **options)
        if compression not in range(10):
            raise ValueError(f"`compression` is {compression}. Give a level from 0 to 9.")
        self.compression, self.layout = compression, layout
        self._given_chunks = check_chunks(layout, chunks)

    def required_bytes(self, n_states: int, n_rows: int, members: int = 1) -> int:
        """As in the base, with what waits at a restart."""
        total = super().required_bytes(n_states, n_rows, members)
        return total + (0 if self.restart_every is None else KEPT * min(GATHERED_BYTES, total))

    def _own_options(self) -> dict[str, Any]:
        return {"compression": self.compression, "layout": self.layout, "chunks": self._given_chunks}

    def _block_times(self, frame: Frame) -> int:
        self._chunks = choose_chunks(frame, self.layout, self._given_chunks, self.rows_of(self.laid_out_for or 0))
        return self._chunks.block

    def _unit(self) -> int:
        return self._chunks.time

    def _create(self) -> None:
        if self.partial.exists():
            shutil.rmtree(self.partial)
        self._group = zarr.open_group(zarr.DirectoryStore(str(self.partial)), mode="w")
        frame = self.frame
        self._array("latitude", ("point",), frame.latitudes, None, COORDINATES["latitude"])
        self._array("longitude", ("point",), frame.longitudes, None, COORDINATES["longitude"])
        start = np.array(hours_since_epoch(frame.date), dtype=np.int32)
        self._array("forecast_reference_time", (), start, None, COORDINATES["forecast_reference_time"])
        if any(c.members for c in frame.columns):
            numbers = np.arange(frame.n_members or 0, dtype=np.int32)
            self._array("member", ("member",), numbers, None, COORDINATES["member"])
        none = np.empty((0, 2), dtype=np.int32)
        self._array("time", ("time",), none[:, 0], (_TIME_CHUNK,), COORDINATES["time"])
        self._array("time_bnds", ("time", "bnds"), none, (_TIME_CHUNK, 2), COORDINATES["time_bnds"])
        for column in frame.columns:
            empty = np.empty((0, *frame.shape(column)), dtype=np.float32)
            self._array(
                column.netcdf_name, dimensions(column), empty, self._chunks.shape(column.members), column.attributes()
            )

    def _array(
        self, name: str, dims: tuple[str, ...], values: np.ndarray, chunks: Any, attributes: Mapping[str, Any]
    ) -> None:
        compressor = Blosc("zstd", self.compression, Blosc.SHUFFLE) if self.compression else None
        data = dims[0:1] == ("time",) and name not in _TIMES
        array = self._group.create_dataset(
            name, data=values, shape=values.shape, dtype=values.dtype, chunks=chunks or False, compressor=compressor,
            fill_value=np.nan if data else None, overwrite=True,
        )  # fmt: skip
        array.attrs.put({"_ARRAY_DIMENSIONS": list(dims), **attributes})

    def _write(self, block: Block) -> None:
        hours = block.hours()
        values = {"time": hours[:, 0], "time_bnds": hours[:, 1:], **{n: block.of(n) for n in block.values}}
        for name, rows in values.items():
            array = self._group[name]
            first = array.shape[0]
            array.resize(first + block.filled, *array.shape[1:])
            array[first:] = rows

    def _secure(self) -> dict[str, Any]:
        return {}

    def _reopen(self, secured: dict[str, Any], n_times: int) -> None:
        del secured
        if not self.partial.is_dir():
            raise FileNotFoundError(f"There is no '{self.partial}', which the stopped run had written. Start anew.")
        for path in self.partial.rglob("*.partial"):  # of a chunk that was being written
            path.unlink()
        self._group = zarr.open_group(zarr.DirectoryStore(str(self.partial)), mode="r+")
        for name in (*_TIMES, *(c.netcdf_name for c in self.frame.columns)):
            array = self._group.get(name)
            if array is None or array.shape[0] < n_times:
                raise ValueError(
                    f"'{self.partial}' has {0 if array is None else array.shape[0]} times of '{name}', fewer than the "
                    f"{n_times} of the restart file. Go back to an older restart, or start anew."
                )
            array.resize(n_times, *array.shape[1:])

    def _finish(self) -> None:
        self._group.attrs.put(self.frame.attributes)
        zarr.consolidate_metadata(self._group.store)
        old = self.path.with_name(self.path.name + ".old")
        if self.path.exists():
            self.path.replace(old)
        self.partial.replace(self.path)
        if old.exists():
            shutil.rmtree(old)
