# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""CF NetCDF of a roll-out: ``output: {land-netcdf: {path: ...}}``."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from anemoi_ailand.rollout.outputs.land_output import LandOutput
from anemoi_ailand.rollout.outputs.netcdf_file import NetCDFFile, count_times, joined
from anemoi_ailand.rollout.outputs.output_chunks import Chunks, check_chunks, choose_chunks
from anemoi_ailand.rollout.outputs.output_frame import Block, Frame
from anemoi_ailand.support.atomic_file import sync

LOG = logging.getLogger(__name__)


class LandNetCDFOutput(LandOutput):
    """Write prognostic and diagnostic variables as CF-1.11 NetCDF, dimensions (time, point) or (time, member, point).

    Names, units, standard names and cell methods come from the table of variables (``t2m`` for ``2t``: a NetCDF
    name begins with a letter); interval means have time bounds; global attributes name checkpoint, its
    SHA-256, start, versions and configuration. The file is written under a temporary name and renamed when it is
    complete. HDF5 files that are open when a process is killed are lost, so a run with restarts writes a part of its
    own for each, ``forecast.nc.parts/000001.nc``; at the end they are joined, a block of times at a time. The result
    is that of a run without restarts.

    Parameters
    ----------
    path : str
        The file. Its folder is made.
    compression : int
        zlib level, 0 to 9.
    layout : str, optional
        ``map``: all points of few times in a chunk; ``series``: many times of few points. By default, some of both.
    chunks : mapping, optional
        Instead of ``layout``, sizes ``time`` and ``point``.
    keep_parts : bool
        Leave the parts of a run with restarts as the result, a folder that ``xarray.open_mfdataset`` reads.
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
        keep_parts: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(context, metadata, path, **options)
        if compression not in range(10):
            raise ValueError(f"`compression` is {compression}. Give a zlib level from 0 to 9.")
        self.compression, self.layout, self.keep_parts = compression, layout, keep_parts
        self._given_chunks = check_chunks(layout, chunks)
        self._file: NetCDFFile | None = None
        self._parts: list[int] = []

    def required_bytes(self, n_states: int, n_rows: int, members: int = 1) -> int:
        """As in the base; while parts are joined, both are there."""
        twice = self.restart_every is not None and not self.keep_parts
        return (2 if twice else 1) * super().required_bytes(n_states, n_rows, members)

    def _own_options(self) -> dict[str, Any]:
        return {"compression": self.compression, "layout": self.layout, "chunks": self._given_chunks}

    def _block_times(self, frame: Frame) -> int:
        self._chunks = choose_chunks(frame, self.layout, self._given_chunks)
        return self._chunks.block

    def _create(self) -> None:
        if self.keep_parts and self.restart_every is None:
            raise ValueError(f"`keep_parts` of {self} needs a run with restarts. Ask for them, or remove `keep_parts`.")
        self.partial.unlink(missing_ok=True)
        self._file, self._parts = None, []
        if self.restart_every is None:
            self._file = self._new(self.partial, self._chunks)

    def _new(self, path: Path, chunks: Chunks) -> NetCDFFile:
        return NetCDFFile(path, self.frame, chunks, self.compression)

    def _write(self, block: Block) -> None:
        if self._file is None:
            rows = self.rows_of(self.laid_out_for or 1)
            self._file = self._new(
                self._unfinished(len(self._parts) + 1),
                replace(self._chunks, time=max(1, min(self._chunks.time, rows))),
            )
        self._file.append(block)

    def _part(self, number: int) -> Path:
        return self.work / f"{number:06d}.nc"

    def _unfinished(self, number: int) -> Path:
        return self._part(number).with_suffix(".nc.partial")

    def _secure(self) -> dict[str, Any]:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()
            sync(file.path)
            file.path.replace(self._part(len(self._parts) + 1))
            sync(self.work)
            self._parts.append(file.rows)
        return {"parts": list(self._parts)}

    def _reopen(self, secured: dict[str, Any], n_times: int) -> None:
        self._file, self._parts = None, list(secured["parts"])
        for number, n_rows in enumerate(self._parts, 1):
            path = self._part(number)
            if not path.is_file():
                raise FileNotFoundError(f"There is no part '{path}', which the restart file names. Start anew.")
            if (found := count_times(path, self.frame)) != n_rows:
                raise ValueError(
                    f"The part '{path}' has {found} times, not {n_rows}. It is of another run: start anew."
                )
        for path in self.work.glob("[0-9]*.nc*"):
            if path.suffix == ".partial" or int(path.stem) > len(self._parts):
                path.unlink()

    def _finish(self) -> None:
        if self.restart_every is None:
            self._complete()
            return
        self._secure()
        if self.keep_parts:
            LOG.info("The result is %d parts in %s", len(self._parts), self.work)
            return
        parts = [self._part(k) for k in range(1, len(self._parts) + 1)]
        self._file = self._new(self.partial, self._chunks)
        for block in joined(parts, self.frame, self._times):
            self._file.append(block)
        self._complete()
        for path in parts:
            path.unlink()

    def _complete(self) -> None:
        """Close the file and give it its name."""
        if self._file is not None:
            self._file.close()
            self._file = None
            sync(self.partial)
            self.partial.replace(self.path)
