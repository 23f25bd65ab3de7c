# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Base class of outputs in formats with chunks, NetCDF and zarr, and the sizes of these chunks."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from anemoi_ailand.rollout.outputs import output_frame
from anemoi_ailand.rollout.outputs.land_output import LandOutput
from anemoi_ailand.rollout.outputs.output_frame import Frame
from anemoi_ailand.support.netcdf_writer import CHUNK_SIZE
from anemoi_ailand.support.options import one_mapping

LAYOUTS = ("map", "series")
#: Largest number of times of a chunk for series: a year of steps.
SERIES_TIMES = 1460
#: Level of compression of NetCDF by default: none, as zlib takes as long as a third to a half of a compiled step.
UNCOMPRESSED = 0
#: Largest chunk of HDF5 [bytes].
LARGEST = 2**32 - 1


@dataclass(frozen=True)
class Chunks:
    """Sizes of a chunk, and times of a block, a multiple of the times of a chunk."""

    time: int
    member: int
    point: int
    block: int

    def shape(self, members: bool) -> tuple[int, ...]:
        """Return the chunk of a variable (time, point), or (time, member, point)."""
        return (self.time, self.member, self.point) if members else (self.time, self.point)


class ChunkedOutput(LandOutput):
    """Output with chunks of variables (time, point) or (time, member, point), compressed if asked for.

    Parameters
    ----------
    compression : int
        Level from 0 (none) to 9.
    layout : str, optional
        ``map``: all points of few times in a chunk; ``series``: many times of few points. By default, some of both.
    chunks : mapping, optional
        Sizes ``time`` and ``point`` instead of ``layout``.
    **options
        See :class:`~anemoi_ailand.rollout.outputs.land_output.LandOutput`.
    """

    def __init__(
        self,
        context: Any,
        metadata: Any,
        path: str,
        *,
        compression: int = UNCOMPRESSED,
        layout: str | None = None,
        chunks: dict[str, int] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(context, metadata, path, **options)
        if compression not in range(10):
            raise ValueError(f"`compression` is {compression}. Give a level from 0 to 9.")
        self.compression, self.layout = compression, layout
        self._given_chunks = check_chunks(layout, chunks)
        if not compression:
            self.least_share = 1.0

    def required_bytes(self, n_states: int, n_rows: int, members: int = 1) -> int:
        """Return an upper bound of the disk space [bytes]: a chunk that is not compressed is stored as a whole."""
        total = super().required_bytes(n_states, n_rows, members)
        return total + (0 if self.compression else min(total, output_frame.GATHERED_BYTES))

    def _format_options(self) -> dict[str, Any]:
        return {"compression": self.compression, "layout": self.layout, "chunks": self._given_chunks}

    def _block_times(self, frame: Frame) -> int:
        self._chunks: Chunks = self._chosen_chunks(frame)
        return self._chunks.block

    def _chosen_chunks(self, frame: Frame) -> Chunks:
        return choose_chunks(frame, self.layout, self._given_chunks, self._times_between_restarts())

    def _times_between_restarts(self) -> int:
        """Return the number of times that the default chunks should divide; 0 if it does not matter."""
        return 0


def check_chunks(layout: str | None, chunks: Any) -> dict[str, int] | None:
    """Check the options ``layout`` and ``chunks``."""
    if layout not in (None, *LAYOUTS):
        raise ValueError(f"`layout` is {layout!r}. Give one of {list(LAYOUTS)}, or leave it out.")
    if chunks is None:
        return None
    sizes = dict(one_mapping(chunks, ("time", "point"), "`chunks`"))
    whole = all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in sizes.values())
    if layout or not whole or len(sizes) < 2:
        raise ValueError(
            f"`chunks` is {sizes}, with `layout: {layout}`. Give whole numbers from 1 for `time` and `point`, "
            "and no `layout`."
        )
    return sizes


def choose_chunks(frame: Frame, layout: str | None, given: dict[str, int] | None, part: int = 0) -> Chunks:
    """Choose chunks of about 1 MiB, in blocks that fit into memory.

    ``map``: all points of few times. ``series``: all times of a block for few points. Default: up to 64 times and as
    many points as fit, which reads well both ways. With ``part`` times between two restarts, a chunk that divides them
    is preferred if it is not much shorter.
    """
    n_points, fit = frame.n_points, max(1, output_frame.GATHERED_BYTES // frame.row_bytes)
    if given:
        times, points = given["time"], min(given["point"], n_points)
        if 4 * times * points > LARGEST:
            raise ValueError(
                f"`chunks: {given}` takes {4 * times * points:,} bytes, more than HDF5 can store. Give smaller chunks."
            )
    elif layout == "map":
        points, times = n_points, _dividing(part, min(frame.times_in_memory, max(1, CHUNK_SIZE // n_points)))
    else:
        times = _dividing(part, min(SERIES_TIMES, fit) if layout == "series" else frame.times_in_memory)
        n_chunks = -(-n_points // (CHUNK_SIZE // times))
        points = -(-n_points // n_chunks)  # of equal size, as the last is stored as a whole
    members = min(frame.n_members or 1, max(1, CHUNK_SIZE // prod((times, points))))
    block = times * max(1, max(frame.times_in_memory, output_frame.LEAST_BYTES // frame.row_bytes) // times)
    return Chunks(times, members, points, block)


def _dividing(part: int, times: int) -> int:
    """Return the largest divisor of ``part`` up to ``times``, or ``times`` if it is less than a quarter of them."""
    best = max((n for n in range(1, times + 1) if part and part % n == 0), default=0)
    return best if 4 * best >= times else times
