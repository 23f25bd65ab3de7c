# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Leads fall into days for many runs, and into windows for one."""

from __future__ import annotations

import numpy as np

from anemoi_ailand.evaluation.scores.lead_bins import day_bins, window_bins


def test_day_holds_its_four_stamps():
    """Day d ends at 24 d h; it is named by d, whatever other days there are."""
    got = day_bins(np.array([6, 12, 18, 24, 30, 48, 49, 2142, 2160]))
    assert got.labels.tolist() == [0, 0, 0, 0, 1, 1, 2, 3, 3]
    assert got.days.tolist() == [1, 2, 3, 90]
    assert got.sizes.tolist() == [4, 2, 1, 2]


def test_windows_are_of_thirty_days():
    """Named by their middle; a short rest joins the last."""
    got = window_bins(np.arange(6, 24 * 70 + 1, 6))
    assert got.sizes.tolist() == [120, 160]
    np.testing.assert_allclose(got.days, [15.125, 50.125])


def test_sum_over_bins_equals_a_loop():
    """Along any axis."""
    bins = day_bins(np.array([6, 12, 30, 54, 60, 66]))
    values = np.random.default_rng(0).random((2, 6, 3))
    want = np.stack([values[:, bins.labels == k].sum(axis=1) for k in range(3)], axis=1)
    np.testing.assert_allclose(bins.sum(values, axis=1), want)
