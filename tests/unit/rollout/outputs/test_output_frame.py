# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Frame of an output and blocks of times."""

from datetime import datetime

import numpy as np
import pytest

from anemoi_ailand.rollout.outputs.output_columns import columns_of
from anemoi_ailand.rollout.outputs.output_frame import Block, Frame, points_of, resumed_attributes


def frame(members=None, index=(0, 2)):
    columns = columns_of(["sd", "2t"], members is not None, True, ["mean"] if members else [], None)
    return Frame(datetime(2022, 1, 1), np.zeros(len(index)), np.zeros(len(index)), np.array(index), 3, members, columns)


def test_points_are_selected_in_every_member():
    """The values of a state are member-major."""
    values = frame(members=2).select("sd", np.arange(6.0), "an output")
    np.testing.assert_array_equal(values, [[0, 2], [3, 5]])
    assert values.dtype == np.float32


def test_size_of_a_time():
    """The size of a time counts every member, and each statistic once."""
    assert frame().row_bytes == 4 * 2 * 2
    assert frame(members=5).row_bytes == 4 * 2 * (5 * 2 + 2)


def test_block_fills_what_a_row_lacks():
    """A column that a row lacks is NaN; only times that are set are returned."""
    block, date = Block.empty(frame(), 3), datetime(2022, 1, 1)
    block.add((date, date, date), {"sd": np.ones(2, "f4")})
    np.testing.assert_array_equal(block.rows("sd"), [[1, 1]])
    assert np.isnan(block.rows("t2m")).all()
    assert block.hours().shape == (1, 3)


def test_block_is_split_at_whole_units():
    """Splitting keeps a multiple of the unit and moves the other times into the second block."""
    block, date = Block.empty(frame(), 9), datetime(2022, 1, 1)
    for k in range(8):
        block.add((date, date, date), {"sd": np.full(2, k, "f4"), "t2m": np.full(2, -k, "f4")})
    rest = block.split(3, Block.empty(frame(), 9))
    assert block.rows("sd")[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert rest.rows("t2m")[:, 1].tolist() == [-6, -7]
    assert (block.filled, rest.filled) == (6, 2)


def test_members_share_their_points():
    """N points are found among M x N values, and a number that does not divide is refused."""
    state = {"latitudes": np.arange(6.0), "longitudes": np.arange(6.0), "members": 3}
    latitudes, _, members = points_of(state)
    assert (latitudes.tolist(), members) == ([0.0, 1.0], 3)
    with pytest.raises(ValueError, match="6 values for 4 members"):
        points_of({**state, "members": 4})


def test_attributes_of_a_resumed_run():
    """They are those of the start, except history, and lead time and configuration of an extended run."""
    stored = {"history": "a", "lead_time": "1 day", "configuration": "{}", "versions": "1"}
    now = {"history": "b", "lead_time": "1 day", "configuration": "{x}", "versions": "2"}
    assert resumed_attributes(stored, now) == {**stored, "history": "a\nb (resumed)"}
    longer = resumed_attributes(stored, {**now, "lead_time": "2 days"})
    assert (longer["lead_time"], longer["configuration"], longer["versions"]) == ("2 days", "{x}", "1")
