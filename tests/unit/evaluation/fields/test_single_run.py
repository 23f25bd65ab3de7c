# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A long re-forecast as fields (time, point) with its initial state."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.evaluation.fields import fields as inputs
from anemoi_ailand.evaluation.fields.single_run import run_of
from tests.support import worlds as world

FIRST = np.array(["2022-01-02"], "datetime64[ns]")
LEADS = np.arange(6, 241, 6)


def forecast(**changes):
    return world.reforecast(**{"first": FIRST, "leads": LEADS, **changes})


def test_first_record_is_the_initial_state_of_the_reference():
    """The first record is the reference at the start; the others are the run."""
    run = run_of(forecast(), world.reference())
    assert (run.times[0], len(run.times)) == (FIRST[0], 41)
    np.testing.assert_array_equal(np.diff(run.times), np.timedelta64(6, "h"))
    values = run.load(["stl1", "swvl1"])
    at = int(np.searchsorted(world.times(), FIRST[0]))
    for name in ("stl1", "swvl1"):
        np.testing.assert_array_equal(values[name][0], world.values()[name][at])
        np.testing.assert_array_equal(values[name][1:], forecast().read(name)[0])


def test_points_keep_their_places_in_any_order():
    """The initial state has the points of the run."""
    part = forecast().select(points=np.array([7, 2]))
    run, whole = run_of(part, world.reference()), run_of(forecast(), world.reference())
    np.testing.assert_array_equal(run.latitude, whole.latitude[[7, 2]])
    np.testing.assert_array_equal(run.load(["stl1"])["stl1"], whole.load(["stl1"])["stl1"][:, [7, 2]])


def test_blocks_do_not_change_a_value(monkeypatch):
    """Blocks with and without the initial state join to the whole."""
    run = run_of(forecast(), world.reference())
    whole = run.load(["2t"])["2t"]
    monkeypatch.setattr(inputs, "BLOCK_BYTES", 1)
    np.testing.assert_array_equal(np.concatenate([b["2t"] for b in run.blocks(["2t"])]), whole)
    np.testing.assert_array_equal(run.load(["2t"], run.times[3], run.times[5])["2t"], whole[3:6])


@pytest.mark.parametrize(
    ("leads", "before"), [(world.DAYS_1_2_7, 150), (np.arange(12, 49, 6), 12), (np.arange(24, 97, 24), 24)]
)
def test_lead_times_with_a_gap_are_refused(leads, before):
    """Days of protocol A, a missing first step and daily values are refused."""
    with pytest.raises(ValueError, match=f"have a gap before {before} h. A run over years needs all of them"):
        run_of(forecast(leads=leads), world.reference())
