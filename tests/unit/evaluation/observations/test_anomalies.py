# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Moving-window anomalies."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.evaluation.observations.anomalies import moving_anomaly


def naive(values: np.ndarray, per_day: int, window: int, fill: float) -> np.ndarray:
    """One value at a time."""
    out = np.full(len(values), np.nan)
    for i, x in enumerate(values):
        near = [
            values[i + d * per_day]
            for d in range(-(window // 2), window // 2 + 1)
            if 0 <= i + d * per_day < len(values)
        ]
        near = [v for v in near if not np.isnan(v)]
        if not np.isnan(x) and len(near) >= fill * window:
            out[i] = x - np.mean(near)
    return out


@pytest.mark.parametrize("n", [400, 401, 403])
def test_anomaly_is_that_of_a_naive_loop(n: int) -> None:
    """With gaps, a long one, and an incomplete last day."""
    rng = np.random.default_rng(5)
    values = 280 + rng.standard_normal(n)
    values[rng.random(n) < 0.3] = np.nan
    values[100:240] = np.nan
    values[240:][rng.random(n - 240) < 0.8] = np.nan
    anomaly = moving_anomaly(values, 4)
    expected = naive(values, 4, 35, 0.25)
    assert 50 < np.isfinite(expected).sum() < np.isfinite(values).sum()
    np.testing.assert_allclose(anomaly, expected, rtol=1e-9, atol=1e-10)


def test_a_slow_and_a_daily_cycle_leave_no_anomaly() -> None:
    """A trend and a diurnal cycle vanish away from the ends."""
    day = np.arange(400) / 4
    anomaly = moving_anomaly(280 + 0.1 * day + 8 * np.cos(2 * np.pi * day), 4)
    np.testing.assert_allclose(anomaly[70:-70], 0.0, atol=1e-9)


def test_all_missing_stays_missing() -> None:
    """No warning, no number."""
    assert np.isnan(moving_anomaly(np.full(50, np.nan), 4)).all()
