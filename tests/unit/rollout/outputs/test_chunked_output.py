# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Sizes of compressed chunks."""

from datetime import datetime

import numpy as np
import pytest

from anemoi_ailand.rollout.outputs.chunked_output import CHUNK_SIZE, check_chunks, choose_chunks
from anemoi_ailand.rollout.outputs.output_columns import columns_of
from anemoi_ailand.rollout.outputs.output_frame import GATHERED_BYTES, Frame
from anemoi_ailand.variables import names


def frame(n_points, members=None):
    columns = columns_of(names("prognostic", "diagnostic"), members is not None, True, [], None)
    index = np.arange(n_points)
    return Frame(datetime(2022, 1, 1), index, index, index, n_points, members, columns)


@pytest.mark.parametrize("layout", [None, "map", "series"])
@pytest.mark.parametrize(("n_points", "members"), [(1, None), (1000, None), (171_039, None), (1000, 50), (40_000, 10)])
def test_sizes_are_bounded(layout, n_points, members):
    """A chunk has about 1 MiB; a block fits in memory (or is one time) and consists of whole chunks."""
    given = frame(n_points, members)
    chunks = choose_chunks(given, layout, None)
    assert chunks.time * chunks.member * chunks.point <= max(CHUNK_SIZE, n_points)
    assert chunks.block % chunks.time == 0
    assert chunks.block * given.row_bytes <= max(GATHERED_BYTES, given.row_bytes)
    assert chunks.point <= n_points
    assert chunks.member <= (members or 1)


def test_layouts():
    """A map is one chunk; a series is in few chunks."""
    assert choose_chunks(frame(100_000), "map", None).shape(members=False) == (2, 100_000)
    assert choose_chunks(frame(100), "series", None).shape(members=False) == (1460, 100)
    times, points = choose_chunks(frame(1000), "series", None).shape(members=False)
    assert times > 1000 > points
    assert choose_chunks(frame(1000, 10), None, None).shape(members=True) == (64, 4, 1000)


@pytest.mark.parametrize(("part", "times"), [(0, 64), (40, 40), (120, 60), (128, 64), (28, 28), (10, 64), (97, 64)])
def test_chunks_divide_a_part(part, times):
    """Chunks divide the times between two restarts, unless they would become tiny."""
    assert choose_chunks(frame(100), None, None, part).time == times


def test_given_chunks():
    """Given chunks are cut to the number of points and refused above the limit of HDF5."""
    assert choose_chunks(frame(10), None, {"time": 5, "point": 100}).shape(members=False) == (5, 10)
    with pytest.raises(ValueError, match="more than HDF5 can store"):
        choose_chunks(frame(100_000), None, {"time": 20_000, "point": 100_000})


@pytest.mark.parametrize("chunks", [{"time": 0, "point": 1}, {"time": 1}, {"time": 1.5, "point": 2}, {}])
def test_wrong_chunks_are_refused(chunks):
    """Both sizes must be positive integers."""
    with pytest.raises(ValueError, match="Give whole numbers from 1 for `time` and `point`"):
        check_chunks(None, chunks)
