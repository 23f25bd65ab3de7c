# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Sizes of compressed chunks: for maps, for series, or as given."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from anemoi_ailand.rollout.outputs.output_frame import Frame
from anemoi_ailand.support.options import one_mapping

MAP, SERIES = "map", "series"
LAYOUTS = (MAP, SERIES)

#: Largest number of times of a chunk, by default and for series (a year of steps).
CHUNK_TIMES, SERIES_TIMES = 64, 1460
#: Memory of a block of times [bytes]; a single time is never divided. Twice as much is used, as one block is gathered
#: while the block before is written.
GATHERED_BYTES = 2**27
#: Values of a compressed chunk: 1 MiB.
CHUNK_SIZE = 2**18
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


def check_chunks(layout: str | None, chunks: Any) -> dict[str, int] | None:
    """Check ``layout`` and ``chunks``.

    Raises
    ------
    TypeError
        An unknown key of ``chunks``, with the nearest one.
    ValueError
        An unknown layout, sizes that are not positive integers, or both options.
    """
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
    """Choose chunks of about 1 MiB, in blocks that fit into :data:`GATHERED_BYTES`.

    ``map``: all points of few times. ``series``: all times of a block for few points. Default: up to 64 times and as
    many points as fit, which reads well both ways. With ``part`` times between two restarts, a chunk that divides them
    is preferred if it is not much shorter.

    Raises
    ------
    ValueError
        A given chunk that is too large for HDF5.
    """
    n_points, fit = frame.n_points, max(1, GATHERED_BYTES // frame.row_bytes)
    if given:
        times, points = given["time"], min(given["point"], n_points)
        if 4 * times * points > LARGEST:
            raise ValueError(
                f"`chunks: {given}` takes {4 * times * points:,} bytes, more than HDF5 can store. Give smaller ones."
            )
    elif layout == MAP:
        points, times = n_points, _dividing(part, min(CHUNK_TIMES, fit, max(1, CHUNK_SIZE // n_points)))
    else:
        times = _dividing(part, min(SERIES_TIMES if layout == SERIES else CHUNK_TIMES, fit))
        points = min(n_points, CHUNK_SIZE // times)
    members = min(frame.n_members or 1, max(1, CHUNK_SIZE // prod((times, points))))
    block = times * max(1, min(CHUNK_TIMES, fit) // times)
    return Chunks(times, members, points, block)


def _dividing(part: int, times: int) -> int:
    """Return the largest divisor of ``part`` up to ``times``, or ``times`` if it is less than a quarter of them."""
    best = max((n for n in range(1, times + 1) if part and part % n == 0), default=0)
    return best if 4 * best >= times else times
