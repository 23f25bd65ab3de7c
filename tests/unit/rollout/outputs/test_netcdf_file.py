# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""NetCDF file that grows in time, and joining of several."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from anemoi_ailand.rollout.outputs.chunked_output import Chunks
from anemoi_ailand.rollout.outputs.netcdf_file import NetCDFFile, count_times, joined
from anemoi_ailand.rollout.outputs.output_columns import columns_of
from anemoi_ailand.rollout.outputs.output_frame import Block, Frame

DATE, STEP, CHUNKS = datetime(2022, 1, 1), timedelta(hours=6), Chunks(2, 1, 3, 4)


def frame(members=None, n_points=3, names=("sd", "2t")):
    index = np.arange(n_points)
    columns = columns_of(names, members is not None, True, [], None)
    return Frame(DATE, index * 1.0, index * 2.0, index, n_points, members, columns, {"title": "a test"})


def block(of, first, last):
    found = Block.empty(of, last - first)
    for k in range(first, last):
        date = DATE + k * STEP
        rng = np.random.default_rng(k)
        found.add((date, date - STEP, date), {c.netcdf_name: rng.normal(size=of.shape(c)) for c in of.columns})
    return found


@pytest.mark.parametrize("members", [None, 2])
@pytest.mark.parametrize("n_times", [1, 4, 50])
def test_joined_parts_are_the_whole(tmp_path, members, n_times):
    """Joined parts give all times, whatever the lengths of parts and blocks."""
    of, edges = frame(members), [0, 3, 4, 9, 17]
    paths = [tmp_path / f"{k}.nc" for k in range(4)]
    for path, first, last in zip(paths, edges, edges[1:], strict=False):
        file = NetCDFFile(path, of, CHUNKS, 4)
        file.append(block(of, first, last))
        file.close()
        file.close()
    blocks = list(joined(paths, of, n_times))
    assert [b.filled for b in blocks[:-1]] == [n_times] * (len(blocks) - 1)
    expected = block(of, 0, 17)
    assert [t for b in blocks for t in b.times] == expected.times
    for name in expected.values:
        np.testing.assert_array_equal(np.concatenate([b.rows(name) for b in blocks]), expected.rows(name))


@pytest.mark.parametrize("other", [{"n_points": 4}, {"names": ("sd", "rsn")}])
def test_file_of_another_run_is_refused(tmp_path, other):
    """A file with other points or variables is refused."""
    NetCDFFile(tmp_path / "f.nc", frame(), CHUNKS, 4).close()
    with pytest.raises(ValueError, match="to another run"):
        count_times(tmp_path / "f.nc", frame(**other))
