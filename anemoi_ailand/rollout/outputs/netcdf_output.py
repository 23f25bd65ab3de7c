# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""CF NetCDF of a roll-out: ``output: {land-netcdf: {path: ...}}``."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from anemoi_ailand.rollout.outputs.chunked_output import UNCOMPRESSED, ChunkedOutput, Chunks
from anemoi_ailand.rollout.outputs.netcdf_file import NetCDFFile, count_times, joined
from anemoi_ailand.rollout.outputs.output_frame import Block
from anemoi_ailand.support.atomic import publish

LOG = logging.getLogger(__name__)


class LandNetCDFOutput(ChunkedOutput):
    """Write prognostic and diagnostic variables as CF-1.11 NetCDF, dimensions (time, point) or (time, member, point).

    Names, units, standard names and cell methods come from the table of variables (``t2m`` for ``2t``: a NetCDF
    name begins with a letter); interval means have time bounds; global attributes give checkpoint, its
    SHA-256, start, versions and configuration. The file is written under a temporary name and renamed when it is
    complete. An HDF5 file that is open when the process is killed is lost, so a run with restarts writes one part per
    restart, ``forecast.nc.parts/000001.nc``, and joins them at the end, block by block. The result is the same as
    without restarts.

    Parameters
    ----------
    path : str
        The file. Its folder is created.
    compression, layout, chunks
        See :class:`~anemoi_ailand.rollout.outputs.chunked_output.ChunkedOutput`; compression by zlib, by default none.
    keep_parts : bool
        Keep the parts of a run with restarts as the result, a folder that ``xarray.open_mfdataset`` reads.
    **options
        See :class:`~anemoi_ailand.rollout.outputs.land_output.LandOutput`.
    """

    suffixes = (".nc", ".nc4", ".cdf", ".netcdf")

    def __init__(self, context: Any, metadata: Any, path: str, *, keep_parts: bool = False, **options: Any) -> None:
        super().__init__(context, metadata, path, **options)
        self.keep_parts = keep_parts
        self._file: NetCDFFile | None = None
        self._parts: list[int] = []

    def required_bytes(self, n_states: int, n_rows: int, members: int = 1) -> int:
        """Return an upper bound of the disk space [bytes]; while parts are joined, both copies exist."""
        twice = self.restart_every is not None and not self.keep_parts
        return (2 if twice else 1) * super().required_bytes(n_states, n_rows, members)

    def _create(self) -> None:
        if self.keep_parts and self.restart_every is None:
            raise ValueError(f"`keep_parts` of {self} needs a run with restarts. Ask for them, or remove `keep_parts`.")
        self.partial.unlink(missing_ok=True)
        self._file, self._parts = None, []
        if self.restart_every is None:
            self._file = self._new(self.partial, self._chunks, self.compression)

    def _new(self, path: Path, chunks: Chunks, compression: int) -> NetCDFFile:
        return NetCDFFile(path, self.frame, chunks, compression)

    def _write(self, block: Block) -> None:
        if self._file is None:
            rows = self.rows_of(self.first_restart_every or 1)
            chunks = replace(self._chunks, time=max(1, min(self._chunks.time, rows)))
            level = self.compression if self.keep_parts else UNCOMPRESSED  # a part is read once, when all are joined
            self._file = self._new(self._unfinished(len(self._parts) + 1), chunks, level)
        self._file.append(block)

    def _part(self, number: int) -> Path:
        return self.work / f"{number:06d}.nc"

    def _unfinished(self, number: int) -> Path:
        return self._part(number).with_suffix(".nc.partial")

    def _secure(self) -> dict[str, Any]:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()
            publish(file.path, self._part(len(self._parts) + 1))
            self._parts.append(file.rows)
        return {"parts": list(self._parts)}

    def _reopen(self, secured: dict[str, Any], n_times: int) -> None:
        self._file, self._parts = None, list(secured["parts"])
        for number, n_rows in enumerate(self._parts, 1):
            path = self._part(number)
            if not path.is_file():
                raise FileNotFoundError(f"There is no part '{path}', which the restart file names. Start a new run.")
            if (found := count_times(path, self.frame)) != n_rows:
                raise ValueError(
                    f"The part '{path}' has {found} times, not {n_rows}. It belongs to another run: start a new one."
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
        self._file = self._new(self.partial, self._chunks, self.compression)
        for block in joined(parts, self.frame, self._opened.n_times):
            self._file.append(block)
        self._complete()
        for path in parts:
            path.unlink()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _complete(self) -> None:
        """Close the file and publish it under its name."""
        if self._file is not None:
            self._close()
            publish(self.partial, self.path)
