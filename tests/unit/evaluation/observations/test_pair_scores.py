# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Scores of one pair of series, with intervals that account for autocorrelation."""

import numpy as np
import pytest

from anemoi_ailand.evaluation.observations.confidence import (
    autocorrelation,
    block_length,
    effective_sample_size,
    error_intervals,
    fisher_interval,
    median_interval,
    persistence_of,
)
from anemoi_ailand.evaluation.observations.pair_scores import METRICS, OK, TOO_FEW, Score, moving_anomaly, pair_scores


def ar1(rho: float, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Series of unit variance along the last axis."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    out = np.empty(shape)
    out[..., 0] = noise[..., 0]
    for t in range(1, shape[-1]):
        out[..., t] = rho * out[..., t - 1] + np.sqrt(1 - rho**2) * noise[..., t]
    return out


def test_autocorrelation_is_the_correlation_with_itself_later():
    """Equal to numpy with a gap left out; NaN for few pairs or a constant; memory is seen behind a diurnal cycle."""
    x = ar1(0.7, (300,), seed=1)
    x[50:80] = np.nan
    a, b = x[:-4], x[4:]
    both = ~np.isnan(a) & ~np.isnan(b)
    assert autocorrelation(x, 4) == pytest.approx(np.corrcoef(a[both], b[both])[0, 1])
    assert np.isnan([autocorrelation(np.arange(8.0), 1), autocorrelation(np.ones(50), 1)]).all()
    daily = np.tile([1.0, 0.0, -1.0, 0.0], 200) + 0.1 * np.random.default_rng(3).standard_normal(800)
    assert autocorrelation(daily, 1) < 0.1
    assert persistence_of(daily, 4) > 0.98


def test_white_noise_keeps_its_size_and_memory_shrinks_it():
    """The effective sample size of white noise is n, for rho = 0.9 in both n (1 - 0.81) / (1 + 0.81)."""
    white = [ar1(0.0, (5000,), seed=s) for s in (4, 5)]
    slow = [ar1(0.9, (5000,), seed=s) for s in (6, 7)]
    assert effective_sample_size(*white, 4) > 0.9 * 5000
    assert effective_sample_size(*slow, 4) == pytest.approx(5000 * 0.19 / 1.81, rel=0.15)


def test_fisher_interval_of_a_textbook_case():
    """For r = 0.5, n = 28 it is tanh(0.549306 +- 1.959964 / 5); too few values give NaN, not a wide interval."""
    assert fisher_interval(0.5, 28.0) == pytest.approx((0.156028, 0.735818), abs=1e-6)
    for correlation, n in ((0.5, 3.0), (np.nan, 100.0), (0.5, np.nan)):
        assert np.isnan(fisher_interval(correlation, n)).all()


def test_block_length_grows_with_memory():
    """The length is (2 rho / (1 - rho^2))^(2/3) n^(1/3), at least one day, at most a third of the series."""
    n = 4000
    assert block_length(ar1(0.8, (n,), seed=8), 4) == pytest.approx((1.6 / 0.36) ** (2 / 3) * n ** (1 / 3), rel=0.2)
    assert block_length(ar1(0.0, (n,), seed=9), 4) == 4
    assert block_length(ar1(0.999, (30,), seed=9), 4) <= 10


def test_bootstrap_has_nominal_coverage():
    """Intervals of 150 AR(1) series of errors with rho = 0.8 cover the true values in about 90 % of the cases."""
    errors = 0.5 + ar1(0.8, (150, 1500), seed=10)
    rng = np.random.default_rng(11)
    inside = {"bias": 0, "ubrmse": 0, "rmse": 0}
    truth = {"bias": 0.5, "ubrmse": 1.0, "rmse": np.sqrt(1.25)}
    for error in errors:
        for name, (low, high) in error_intervals(
            error,
            block_length(error, 4),
            rng,
        ).items():
            inside[name] += low <= truth[name] <= high
    assert all(0.82 <= n / 150 <= 0.99 for n in inside.values()), inside


def test_bootstrap_is_repeatable_and_ignores_gaps():
    """Equal seeds give equal intervals, and NaN do not count; a constant error has an interval without width."""
    error = ar1(0.5, (500,), seed=14)
    gaps = np.insert(error, 100, [np.nan] * 20)
    first, second = (error_intervals(e, 8.0, np.random.default_rng(0)) for e in (error, gaps))
    assert first == second
    found = error_intervals(np.full(333, 2.0), 7.3, np.random.default_rng(1))
    assert found["bias"] == pytest.approx((2.0, 2.0))
    assert found["rmse"] == pytest.approx((2.0, 2.0))
    assert found["ubrmse"] == pytest.approx((0.0, 0.0), abs=1e-12)


def test_median_over_stations():
    """The interval contains the median; it is unknown for fewer than five stations."""
    low, high = median_interval(np.arange(101.0), np.random.default_rng(2))
    assert 35 < low < 50 < high < 65
    assert np.isnan(median_interval(np.arange(4.0), np.random.default_rng(2))).all()


def scored(model: np.ndarray, truth: np.ndarray, **kwargs: int) -> dict[str, Score]:
    """Scores by metric."""
    return {s.metric: s for s in pair_scores(model, truth, np.random.default_rng(0), **kwargs)}


@pytest.fixture
def truth():
    """One year with a season and weather, and a gap."""
    rng = np.random.default_rng(1)
    weather = np.zeros(1460)
    for t in range(1, 1460):
        weather[t] = 0.9 * weather[t - 1] + rng.standard_normal()
    values = 0.3 + 0.1 * np.cos(np.arange(1460) / 1460 * 2 * np.pi) + 0.01 * weather
    values[200:240] = np.nan
    return values


def test_known_bias_and_noise_are_given_back(truth):
    """Bias and noise of known size are found, each within its interval."""
    noise = np.where(np.isfinite(truth), np.random.default_rng(2).standard_normal(1460), np.nan)
    noise = (noise - np.nanmean(noise)) / np.nanstd(noise)
    scores = scored(truth + 0.05 + 0.02 * noise, truth)
    for metric, expected in {"bias": 0.05, "ubrmse": 0.02, "rmse": np.hypot(0.05, 0.02)}.items():
        assert scores[metric].value == pytest.approx(expected, rel=1e-9)
        assert scores[metric].low < expected < scores[metric].high
        assert scores[metric].n == 1420
    assert list(scores) == list(METRICS)


def test_correlations_are_those_of_numpy(truth):
    """Correlations use pairs without NaN; that of anomalies is lower, because the common season is removed."""
    model = truth + 0.02 * np.random.default_rng(3).standard_normal(1460)
    model[5] = np.nan
    scores = scored(model, truth)
    good = np.isfinite(model) & np.isfinite(truth)
    assert scores["correlation"].value == pytest.approx(np.corrcoef(model[good], truth[good])[0, 1])
    assert 0.5 < scores["anomaly_correlation"].value < scores["correlation"].value
    assert all(s.low < s.value < s.high for s in scores.values())


def test_short_and_constant_series(truth):
    """Below 100 values the score is NaN with its number and status; a constant series has no correlation."""
    for n in (99, 100):
        short = np.where(np.arange(len(truth)) < n, truth, np.nan)
        score = scored(truth, short)["bias"]
        assert (score.n, score.status) == (n, TOO_FEW if n < 100 else OK)
        assert np.isnan(score.value) == (n < 100)
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
def test_anomaly_is_that_of_a_naive_loop(n):
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
