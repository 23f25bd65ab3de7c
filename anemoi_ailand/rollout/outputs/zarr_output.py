# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Zarr of a roll-out with CF attributes: ``output: {land-zarr: {path: ...}}``."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np

from anemoi_ailand.rollout.outputs.chunked_output import ChunkedOutput
from anemoi_ailand.rollout.outputs.output_frame import GATHERED_BYTES, TIME_AXES, Block
from anemoi_ailand.rollout.outputs.output_progress import KEPT
from anemoi_ailand.rollout.outputs.zarr_store import Array, add_array, consolidate, open_group
from anemoi_ailand.support.atomic import publish_folder
from anemoi_ailand.support.netcdf_writer import COORDINATES

#: Chunk of the time axis, so that opening a long run reads few files. The last chunk is rewritten as it fills, each
#: time as a whole, so times that were durable stay in it.
_TIME_CHUNK = 2**14


class LandZarrOutput(ChunkedOutput):
    """Write prognostic and diagnostic variables as zarr (format 2, consolidated), readable by ``xarray.open_zarr``.

    Variables, attributes and options are those of
    :class:`~anemoi_ailand.rollout.outputs.netcdf_output.LandNetCDFOutput`. The store is written under a temporary name
    and renamed when it is complete. Only whole chunks of fields are written, and each once; times that do not fill a
    chunk at a restart are kept in a separate file.

    Parameters
    ----------
    path : str
        Folder of the store. Its parent folder is created.
    compression, layout, chunks
        See :class:`~anemoi_ailand.rollout.outputs.chunked_output.ChunkedOutput`; compression by zstd in Blosc.
    **options
        See :class:`~anemoi_ailand.rollout.outputs.land_output.LandOutput`.
    """

    suffixes = (".zarr",)

    def __init__(self, context: Any, metadata: Any, path: str, *, compression: int = 1, **options: Any) -> None:
        super().__init__(context, metadata, path, compression=compression, **options)

    def required_bytes(self, n_states: int, n_rows: int, members: int = 1) -> int:
        """Return an upper bound of the disk space [bytes], with the times kept at restarts."""
        total = super().required_bytes(n_states, n_rows, members)
        return total + (0 if self.restart_every is None else KEPT * min(GATHERED_BYTES, total))

    def _times_between_restarts(self) -> int:
        return self.rows_of(self.first_restart_every or 0)

    def _unit(self) -> int:
        return self._chunks.time

    def _create(self) -> None:
        if self.partial.exists():
            shutil.rmtree(self.partial)
        self._group = open_group(self.partial, "w")
        for name, array in self._arrays(np.empty((0, 3), np.int32)).items():
            add_array(self._group, name, array, self.compression)

    def _arrays(self, hours: np.ndarray) -> dict[str, Array]:
        """Return all arrays of the store with ``hours`` (time, 3), stamp, start and end of each time [h]."""
        axes = {"time": hours[:, 0], "time_bnds": hours[:, 1:]}
        found = {
            name: Array(dimensions, COORDINATES[name], values)
            for name, (dimensions, values) in self.frame.coordinates().items()
        }
        for name, (dimensions, attributes) in TIME_AXES.items():
            chunks = (_TIME_CHUNK, 2)[: len(dimensions)]
            found[name] = Array(dimensions, attributes, axes[name], chunks=chunks)
        for c in self.frame.columns:
            shape, chunks = (len(hours), *self.frame.shape(c)), self._chunks.shape(c.members)
            found[c.netcdf_name] = Array(c.dimensions, c.attributes(), shape=shape, chunks=chunks, missing=np.nan)
        return found

    def _write(self, block: Block) -> None:
        hours = block.hours()
        values = {"time": hours[:, 0], "time_bnds": hours[:, 1:], **{n: block.rows(n) for n in block.values}}
        for name, rows in values.items():
            array = self._group[name]
            first = array.shape[0]
            array.resize(first + block.filled, *array.shape[1:])
            array[first:] = rows

    def _secure(self) -> dict[str, Any]:
        return {}

    def _reopen(self, secured: dict[str, Any], n_times: int) -> None:
        if not self.partial.is_dir():
            raise FileNotFoundError(f"There is no '{self.partial}', which the stopped run wrote. Start a new run.")
        for path in self.partial.rglob("*.partial"):  # temporary file of an interrupted chunk
            path.unlink()
        self._group = open_group(self.partial, "r+")
        for name in (*TIME_AXES, *(c.netcdf_name for c in self.frame.columns)):
            array = self._group.get(name)
            if array is None or array.shape[0] < n_times:
                raise ValueError(
                    f"'{self.partial}' has {0 if array is None else array.shape[0]} times of '{name}', fewer than the "
                    f"{n_times} of the restart file. Use an older restart, or start a new run."
                )
            array.resize(n_times, *array.shape[1:])

    def _finish(self) -> None:
        self._group.attrs.put(self.frame.attributes)
        consolidate(self.partial)
        publish_folder(self.partial, self.path)
