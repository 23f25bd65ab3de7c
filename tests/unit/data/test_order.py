# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Any contiguous block of points is a fair sample."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anemoi_ailand.data.order import fair_order


@given(n=st.integers(1, 200), seed=st.integers(0, 100))
def test_fair_order_is_a_permutation(n, seed):
    """Each point occurs once, with and without strata."""
    strata = np.arange(n) % 3
    assert sorted(fair_order(n, seed)) == list(range(n))
    assert sorted(fair_order(n, seed, strata, strata == 0)) == list(range(n))


def test_every_block_holds_each_stratum_in_proportion():
    """The count deviates by at most two members, for strata of unequal size stored one after the other."""
    strata, block = np.repeat(np.arange(4), [110, 55, 44, 11]), 22
    ordered = strata[fair_order(len(strata), 1, strata)]
    share = np.bincount(strata) / len(strata) * block
    for start in range(len(strata) - block + 1):
        count = np.bincount(ordered[start : start + block], minlength=4)
        assert (np.abs(count - share) <= 2.0).all()


def test_last_points_are_last():
    """Held-out points come after all others."""
    last = np.arange(60) % 5 == 0
    order = fair_order(60, 3, np.arange(60) % 4, last)
    assert last[order].tolist() == [False] * 48 + [True] * 12


def test_order_depends_on_the_seed():
    """The same seed gives the same order, another seed another order."""
    assert (fair_order(100, 1) == fair_order(100, 1)).all()
    assert (fair_order(100, 1) != fair_order(100, 2)).any()
