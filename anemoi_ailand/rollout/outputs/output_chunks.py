# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Sizes of the compressed chunks of a file: for maps, for series, or as given."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from anemoi_ailand.rollout.outputs.output_frame import Frame
from anemoi_ailand.support.options import one_mapping

MAP, SERIES = "map", "series"
LAYOUTS = (MAP, SERIES)

#: Most times of a chunk; of one for series, a year of steps.
CHUNK_TIMES, SERIES_TIMES = 64, 1460
#: Memory of the times that are gathered before they are written [bytes]; one time is always kept whole. Twice as much
#: is used: one block is gathered while the one before it is written.
GATHERED_BYTES = 2**27
#: Values of a compressed chunk: 1 MiB.
CHUNK_SIZE = 2**18
#: HDF5 has no larger chunk [bytes].
LARGEST = 2**32 - 1


@dataclass(frozen=True)
class Chunks:
    """Chunk of a variable, and times of the blocks that are written: a multiple of its times."""

    time: int
    member: int
    point: int
    block: int

    def shape(self, members: bool) -> tuple[int, ...]:
        """Chunk of a variable (time, point), or (time, member, point)."""
        return (self.time, self.member, self.point) if members else (self.time, self.point)


def check_chunks(layout: str | None, chunks: Any) -> dict[str, int] | None:
    """Refuse a layout or chunks that are none.

    Raises
    ------
    TypeError
        An unknown key of ``chunks``, with the nearest one.
    ValueError
        Another layout, sizes that are no numbers, or both options.
    """
    if layout not in (None, *LAYOUTS):
        raise ValueError(f"`layout` is {layout!r}. Give one of {list(LAYOUTS)}, or leave it out.")
    if chunks is None:
        return None
    sizes = dict(one_mapping(chunks, ("time", "point"), "`chunks`"))
    whole = all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in sizes.values())
    if layout or not whole or len(sizes) < 2:
        raise ValueError(
            f"`chunks` is {sizes}, with `layout: {layout}`. Give numbers from 1 on of `time` and `point`, and no "
            "`layout`."
        )
    return sizes


def choose_chunks(frame: Frame, layout: str | None, given: dict[str, int] | None, part: int = 0) -> Chunks:
    """Chunks of about 1 MiB, from blocks that fit in :data:`GATHERED_BYTES`.

    ``map``: all points of few times. ``series``: all times of a block of few points. Without either, up to 64 times and
    as many points as fit, which reads well both ways. With ``part`` times between two restarts, a chunk that divides
    them is preferred, if it is not much shorter.

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
                f"`chunks: {given}` takes {4 * times * points:,} bytes, more than a file can hold. Give less."
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
    """Largest divisor of ``part`` up to ``times``, unless it is less than a quarter of them."""
    best = max((n for n in range(1, times + 1) if part and part % n == 0), default=0)
    return best if 4 * best >= times else times
