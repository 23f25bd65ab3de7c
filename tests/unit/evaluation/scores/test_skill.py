# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Skill horizon and drift have known values."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.evaluation.scores.skill import drift_per_year, skill_horizon

LEADS = np.array([1.0, 7.0, 30.0, 90.0])
LIMIT = np.ones(4)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ([0.2, 0.5, 1.5, 2.0], (18.5, True)),  # half way between 7 and 30 days
        ([0.2, 0.5, 0.9, 1.0], (90.0, True)),  # reached at the last lead
        ([0.2, 0.5, 0.9, 0.99], (90.0, False)),  # not reached: longer than known
        ([1.0, 0.5, 0.9, 0.99], (0.0, True)),  # no skill at the first lead
        ([0.2, 1.2, 0.1, 0.1], (1 + 6 * 0.8, True)),  # the first time counts
        ([0.2, np.nan, 1.8, 2.0], (1 + 29 * 0.5, True)),  # a lead without value is passed over
        ([np.nan] * 4, (np.nan, False)),
    ],
)
def test_skill_horizon(error, expected):
    """The horizon is the interpolated lead at which the error reaches that of climatology."""
    days, reached = skill_horizon(LEADS, np.array(error), LIMIT)
    assert days == pytest.approx(expected[0], nan_ok=True)
    assert reached is expected[1]


def test_drift_is_the_trend_without_the_yearly_cycle():
    """The yearly cycle does not affect the trend, even over one year."""
    leads = np.arange(0.25, 366, 0.25)
    cycle = np.sin(2 * np.pi * leads / 365.25 + 0.3)
    error = np.stack([0.5 + 0.03 * leads / 365.25 + cycle, 2 * cycle, np.full_like(leads, 7.0)], axis=1)
    np.testing.assert_allclose(drift_per_year(leads, error), [0.03, 0.0, 0.0], atol=1e-10)
    assert abs(np.polyfit(leads / 365.25, error[:, 1], 1)[0]) > 1


def test_drift_needs_a_year_and_values():
    """Runs shorter than a year and groups with NaN have no drift."""
    leads = np.arange(0.25, 300, 0.25)
    assert np.isnan(drift_per_year(leads, np.ones((len(leads), 2)))).all()
    leads = np.arange(0.25, 400, 0.25)
    error = np.ones((len(leads), 2))
    error[5, 1] = np.nan
    assert np.isfinite(drift_per_year(leads, error)).tolist() == [True, False]
