# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Archived accumulations add up to exactly the requested interval."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anemoi_ailand.data.grib.accumulation import Intervals, cover, simple_ends


def intervals(*triples: tuple[int, int, int]) -> Intervals:
    """Return intervals from (base, start step, end step), with the position as row."""
    base, start, end = np.array(triples).T
    return Intervals.of(base + start, base + end, base, np.arange(len(triples)))


def test_single_interval_or_difference_within_one_forecast() -> None:
    """A forecast that starts with the interval needs no difference; two forecasts are never subtracted."""
    assert cover(intervals((0, 0, 12), (0, 0, 6), (6, 0, 6)), 6, 12) == [(1, 2)]
    assert cover(intervals((0, 0, 6), (0, 0, 12)), 6, 12) == [(1, 1), (-1, 0)]
    assert cover(intervals((0, 0, 6), (-12, 0, 24)), 6, 12) is None


def test_shortest_step_is_preferred() -> None:
    """Of two forecasts that cover the interval, the one with the later start is used."""
    found = intervals((0, 0, 18), (0, 0, 24), (12, 0, 6), (12, 0, 12))
    assert cover(found, 18, 24) == [(1, 3), (-1, 2)]


def test_chain_of_short_intervals() -> None:
    """Hourly amounts are summed in the order of time; five of six hours do not form the interval."""
    assert cover(intervals(*((0, h, h + 1) for h in range(12))), 6, 12) == [(1, h) for h in range(6, 12)]
    for missing in range(6):
        assert cover(intervals(*((0, h, h + 1) for h in range(6) if h != missing)), 0, 6) is None


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8), st.integers(1, 8)), min_size=1, max_size=20))
def test_signed_intervals_add_up(triples: list[tuple[int, int, int]]) -> None:
    """For any archive, the signed intervals cover exactly the requested one."""
    triples = [(3 * b, s, s + n) for b, s, n in triples]
    found = cover(intervals(*triples), 6, 12)
    if found is None:
        assert 12 not in simple_ends(intervals(*triples), 6)
        return
    covered = np.zeros(40, int)
    for sign, row in found:
        base, start, end = triples[row]
        covered[base + start : base + end] += sign
    assert covered.tolist() == [1 if 6 <= hour < 12 else 0 for hour in range(40)]


def test_simple_ends_are_single_intervals_and_differences() -> None:
    """Consecutive intervals are left to `cover`."""
    found = intervals((0, 0, 6), (0, 0, 12), (100, 0, 3), (100, 3, 6), (200, 2, 5), (200, 2, 11))
    assert simple_ends(found, 6).tolist() == [6, 12, 211]
