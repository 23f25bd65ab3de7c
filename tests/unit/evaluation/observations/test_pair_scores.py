# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Scores of one pair of series."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.evaluation.observations.pair_scores import METRICS, OK, TOO_FEW, Score, moving_anomaly, pair_scores


def scored(model: np.ndarray, truth: np.ndarray, **kwargs: int) -> dict[str, Score]:
    """Scores by metric."""
    return {s.metric: s for s in pair_scores(model, truth, np.random.default_rng(0), **kwargs)}


@pytest.fixture
def truth() -> np.ndarray:
    """One year with a season and weather, and a gap."""
    rng = np.random.default_rng(1)
    weather = np.zeros(1460)
    for t in range(1, 1460):
        weather[t] = 0.9 * weather[t - 1] + rng.standard_normal()
    values = 0.3 + 0.1 * np.cos(np.arange(1460) / 1460 * 2 * np.pi) + 0.01 * weather
    values[200:240] = np.nan
    return values


def test_known_bias_and_noise_are_given_back(truth: np.ndarray) -> None:
    """Bias and noise of known size are found, each within its interval."""
    noise = np.where(np.isfinite(truth), np.random.default_rng(2).standard_normal(1460), np.nan)
    noise = (noise - np.nanmean(noise)) / np.nanstd(noise)
    scores = scored(truth + 0.05 + 0.02 * noise, truth)
    for metric, expected in {"bias": 0.05, "ubrmse": 0.02, "rmse": np.hypot(0.05, 0.02)}.items():
        assert scores[metric].value == pytest.approx(expected, rel=1e-9)
        assert scores[metric].low < expected < scores[metric].high
        assert scores[metric].n == 1420
    assert list(scores) == list(METRICS)


def test_correlations_are_those_of_numpy(truth: np.ndarray) -> None:
    """Correlations use pairs without NaN; that of anomalies is lower, because the common season is removed."""
    model = truth + 0.02 * np.random.default_rng(3).standard_normal(1460)
    model[5] = np.nan
    scores = scored(model, truth)
    good = np.isfinite(model) & np.isfinite(truth)
    assert scores["correlation"].value == pytest.approx(np.corrcoef(model[good], truth[good])[0, 1])
    assert 0.5 < scores["anomaly_correlation"].value < scores["correlation"].value
    assert all(s.low < s.value < s.high for s in scores.values())


@pytest.mark.parametrize("n", [99, 100])
def test_too_few_values_are_reported_as_such(truth: np.ndarray, n: int) -> None:
    """Below 100 values the score is NaN with its number and status."""
    short = truth.copy()
    short[n:] = np.nan
    score = scored(truth, short)["bias"]
    assert (score.n, score.status) == (n, TOO_FEW if n < 100 else OK)
    assert np.isnan(score.value) == (n < 100)


def test_series_that_does_not_vary_has_no_correlation(truth: np.ndarray) -> None:
    """A constant series has errors, but no correlation."""
    scores = scored(truth * 0, truth * 0)
    assert scores["bias"].value == 0.0
    assert np.isnan(scores["correlation"].value)


def naive(values: np.ndarray, per_day: int, window: int, fill: float) -> np.ndarray:
    """Anomaly computed one value at a time."""
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
    """Anomalies equal a loop, with gaps and an incomplete last day; a series of NaN stays NaN."""
    rng = np.random.default_rng(5)
    values = 280 + rng.standard_normal(n)
    values[rng.random(n) < 0.3] = np.nan
    values[100:240] = np.nan
    values[240:][rng.random(n - 240) < 0.8] = np.nan
    anomaly = moving_anomaly(values, 4)
    expected = naive(values, 4, 35, 0.25)
    assert 50 < np.isfinite(expected).sum() < np.isfinite(values).sum()
    np.testing.assert_allclose(anomaly, expected, rtol=1e-9, atol=1e-10)
    assert np.isnan(moving_anomaly(np.full(n, np.nan), 4)).all()
