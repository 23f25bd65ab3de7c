# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reference, climatology, persistence and tails at the scored dates and points."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.evaluation.fields.reference import TAIL, load_reference
from tests.support import worlds as world

PERIOD = (np.datetime64("2020-01-01", "ns"), np.datetime64("2021-12-31T18", "ns"))
POINTS = np.array([7, 2, 3])


@pytest.fixture
def valid():
    return world.starts()[:, None] + world.DAYS_1_2_7 * world.HOUR


@pytest.fixture
def loaded(valid):
    dates = np.append(world.starts(), valid.ravel())
    return load_reference(world.reference(), ["stl1", "snowc"], dates, PERIOD, POINTS, ["stl1"])


def test_values_are_those_of_the_valid_times(loaded, valid):
    """Values at starts and leads are those of the valid times, in float64."""
    got, fields = loaded.at("stl1", valid), world.values()["stl1"]
    assert got.shape == (12, 12, 3)
    assert got.dtype == np.float64
    for s, lead, p in [(0, 0, 0), (3, 7, 2), (11, 11, 1)]:
        time = np.flatnonzero(world.times() == world.starts()[s] + world.DAYS_1_2_7[lead] * world.HOUR)[0]
        assert got[s, lead, p] == fields[time, POINTS[p]]


def test_persistence_is_the_reference_at_the_start(loaded):
    """Persistence is the reference at the initial dates."""
    got = loaded.persistence("snowc", world.starts())
    index = np.searchsorted(world.times(), world.starts())
    np.testing.assert_array_equal(got[:, 0], world.values()["snowc"][index][:, POINTS])


def test_tails_leave_two_percent_at_each_end(loaded):
    """Thresholds leave 2 % of the climatology at each end, for the requested variables only."""
    inside = (world.times() >= PERIOD[0]) & (world.times() <= PERIOD[1])
    values = world.values()["stl1"][inside][:, POINTS]
    low, high = loaded.tails["stl1"]
    np.testing.assert_allclose((values < low).mean(axis=0), TAIL, atol=1e-3)
    np.testing.assert_allclose((values > high).mean(axis=0), TAIL, atol=1e-3)
    assert set(loaded.tails) == {"stl1"}


def test_each_date_is_read_once(valid, monkeypatch):
    """Each date is read once, however many starts need it."""
    monkeypatch.setattr("anemoi_ailand.evaluation.fields.fields.BLOCK_BYTES", 4 * 5 * 10 * 200)
    asked = []
    fields = world.values()

    def read(names, first, last):
        asked.extend(range(first, last))
        return np.stack([fields[name][first:last] for name in names], axis=1)

    reference = world.reference(fields)
    object.__setattr__(reference, "reader", read)
    load_reference(reference, ["stl1"], valid.ravel(), PERIOD, POINTS)
    assert len(asked) == len(set(asked)) > 2 * 1460


@pytest.mark.parametrize("date", ["2020-05-01", "2022-03-03"])
def test_nan_in_the_reference_is_an_error(valid, date):
    """NaN in the climatology or the scored period is refused with date and place."""
    fields = world.values()
    fields["stl1"][world.times() == np.datetime64(date), 2] = np.nan
    with pytest.raises(ValueError, match=rf"'stl1' of 'reference' .*first at {date}T00.*latitude -16"):
        load_reference(world.reference(fields), ["stl1"], valid.ravel(), PERIOD, POINTS)
