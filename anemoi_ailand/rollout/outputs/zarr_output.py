# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Zarr of a roll-out with CF attributes: ``output: {land-zarr: {path: ...}}``."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from anemoi_ailand.constants import STEP
from anemoi_ailand.rollout.outputs.chunked_output import ChunkedOutput, Chunks, choose_chunks
from anemoi_ailand.rollout.outputs.output_frame import GATHERED_BYTES, TIME_AXES, Block, Frame
from anemoi_ailand.rollout.outputs.output_progress import KEPT, Progress
from anemoi_ailand.rollout.outputs.period_means import PeriodMeans
from anemoi_ailand.rollout.outputs.zarr_store import (
    Array,
    CompleteError,
    SharedStore,
    add_array,
    consolidate,
    open_group,
    places_sha256,
)
from anemoi_ailand.support.atomic import publish_folder
from anemoi_ailand.support.checksum import ROLL_OUT, loaded_sha256
from anemoi_ailand.support.netcdf_writer import COORDINATES, hours_since_epoch, versions
from anemoi_ailand.support.shards import Shard

#: Chunk of the time axis, so that opening a long run reads few files. The last chunk is rewritten as it fills, each
#: time as a whole, so times that were durable stay in it.
_TIME_CHUNK = 2**14


@dataclass(frozen=True)
class SharedPart:
    """Part of a store that shards write: the shard, all points [degrees], the steps of the run, and the run.

    ``identity`` is JSON that distinguishes the run from others.
    """

    shard: Shard
    latitudes: np.ndarray
    longitudes: np.ndarray
    n_steps: int
    identity: Mapping[str, Any]

    @property
    def points(self) -> slice:
        """Points of the shard among all."""
        n_points = self.latitudes.size
        return self.shard.points(n_points, self.shard.share(n_points))


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
        self._part: SharedPart | None = None
        self._store: SharedStore | None = None
        self._held, self._written, self._hours = ExitStack(), 0, np.empty((0, 3), np.int32)

    def share(self, part: SharedPart) -> None:
        """Write this shard into the store of all; called before the output is opened.

        A chunk then holds the points of a shard, so there is no choice of points, ``layout`` or ``chunks``.
        """
        if self.layout or self._given_chunks or self.points.kind:
            raise ValueError(
                f"{self} is divided into shards, and a chunk has the points of one. Leave out `points`, `layout` and "
                "`chunks`."
            )
        self._part = part
        self.work = self.path.with_name(f"{self.path.name}.shard-{part.shard.number}.parts")
        self._progress = Progress(self.work)

    def required_bytes(self, n_states: int, n_rows: int, members: int = 1) -> int:
        """Return an upper bound of the disk space [bytes], with the times kept at restarts."""
        total = super().required_bytes(n_states, n_rows, members)
        return total + (0 if self.restart_every is None else KEPT * min(GATHERED_BYTES, total))

    def _times_between_restarts(self) -> int:
        return self.rows_of(self.first_restart_every or 0)

    def _unit(self) -> int:
        return self._chunks.time

    def _chosen_chunks(self, frame: Frame) -> Chunks:
        if self._part is None:
            return super()._chosen_chunks(frame)
        share = replace(frame, index=np.arange(self._part.shard.share(self._part.latitudes.size)))
        return choose_chunks(share, "map", None, self._times_between_restarts())

    def _create(self) -> None:
        if self._part is not None:
            self._enter(self._part, 0)
            return
        if self.partial.exists():
            shutil.rmtree(self.partial)
        self._group = open_group(self.partial, "w")
        for name, array in self._arrays(np.empty((0, 3), np.int32), self.frame).items():
            add_array(self._group, name, array, self.compression)

    def _enter(self, part: SharedPart, written: int) -> None:
        """Open the store of all shards after the times that are written; an error if this shard is complete."""
        every = np.arange(part.latitudes.size)
        whole = replace(self.frame, latitudes=part.latitudes, longitudes=part.longitudes, index=every)
        identity = {
            **part.identity, **self._identity(whole, whole.attributes["checkpoint_sha256"]), "versions": versions(),
            "code_sha256": loaded_sha256(ROLL_OUT), "start": str(whole.date), "steps": part.n_steps,
            "points_sha256": places_sha256(part.latitudes, part.longitudes),
        }  # fmt: skip
        self._hours = self._planned(part.n_steps)
        arrays = self._arrays(self._hours, whole)
        self._store = SharedStore(self.path, part.shard, identity, arrays, whole.attributes, self.compression)
        self._written = written
        if not self._held.enter_context(self._store.opened()):
            self._progress.remove()
            raise CompleteError(f"{part.shard} of '{self.path}' is complete")

    def _planned(self, n_steps: int) -> np.ndarray:
        """Return stamp, start and end of all times of a run, shape (time, 3) [h]."""
        first = self.frame.date
        if self.means:
            means = PeriodMeans(self.means, (), STEP)
            done = [means.add(first + k * STEP, {}) for k in range(1, n_steps + 1)]
            rows = [(mean.start, mean.start, mean.end) for mean in done if mean is not None]
        else:
            every = (self.output_frequency or STEP) // STEP
            steps = range(0 if self.write_step_zero else every, n_steps + 1, every)
            rows = [(first + k * STEP, first + (k - 1) * STEP, first + k * STEP) for k in steps]
        return np.array([[hours_since_epoch(t) for t in row] for row in rows], dtype=np.int32).reshape(-1, 3)

    def _arrays(self, hours: np.ndarray, frame: Frame) -> dict[str, Array]:
        """Return all arrays of a store with ``hours`` (time, 3), stamp, start and end of each time [h]."""
        axes = {"time": hours[:, 0], "time_bnds": hours[:, 1:]}
        found = {
            name: Array(dimensions, COORDINATES[name], values)
            for name, (dimensions, values) in frame.coordinates().items()
        }
        for name, (dimensions, attributes) in TIME_AXES.items():
            chunks = (_TIME_CHUNK, 2)[: len(dimensions)]
            found[name] = Array(dimensions, attributes, axes[name], chunks=chunks)
        for c in frame.columns:
            shape, chunks = (len(hours), *frame.shape(c)), self._chunks.shape(c.members)
            found[c.netcdf_name] = Array(c.dimensions, c.attributes(), shape=shape, chunks=chunks, missing=np.nan)
        return found

    def _write(self, block: Block) -> None:
        hours = block.hours()
        if self._part is not None and self._store is not None:
            self._write_part(self._part, self._store, block, hours)
            return
        values = {"time": hours[:, 0], "time_bnds": hours[:, 1:], **{n: block.rows(n) for n in block.values}}
        for name, rows in values.items():
            array = self._group[name]
            first = array.shape[0]
            array.resize(first + block.filled, *array.shape[1:])
            array[first:] = rows

    def _write_part(self, part: SharedPart, store: SharedStore, block: Block, hours: np.ndarray) -> None:
        times = slice(self._written, self._written + block.filled)
        if not np.array_equal(self._hours[times], hours):
            raise ValueError(f"The times of {self} from {block.times[0][0]} on are not those that were laid out.")
        own = part.points
        for column in self.frame.columns:
            at = (times, slice(None), own) if column.members and self.frame.n_members else (times, own)
            store.write(column.netcdf_name, at, block.rows(column.netcdf_name))
        self._written = times.stop

    def _secure(self) -> dict[str, Any]:
        return {}

    def _reopen(self, secured: dict[str, Any], n_times: int) -> None:
        if self._part is not None:
            self._enter(self._part, n_times)
            return
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

    def leave(self, *, keep: bool) -> bool:
        """Close an output that will not be complete; the store of several shards stays for the next start."""
        return False if self._part is not None else super().leave(keep=keep)

    def _close(self) -> None:
        self._group.attrs.put(self.frame.attributes)
        consolidate(self.partial)

    def _finish(self) -> None:
        if self._store is not None:
            self._held.close()
            return
        self._close()
        publish_folder(self.partial, self.path)
