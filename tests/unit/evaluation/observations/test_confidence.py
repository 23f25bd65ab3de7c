# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Confidence intervals for series with memory."""

from __future__ import annotations

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


def ar1(rho: float, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Series of unit variance along the last axis."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    out = np.empty(shape)
    out[..., 0] = noise[..., 0]
    for t in range(1, shape[-1]):
        out[..., t] = rho * out[..., t - 1] + np.sqrt(1 - rho**2) * noise[..., t]
    return out


def test_autocorrelation_is_the_correlation_with_itself_later() -> None:
    """Equal to numpy with a gap left out; NaN for few pairs or a constant."""
    x = ar1(0.7, (300,), seed=1)
    x[50:80] = np.nan
    a, b = x[:-4], x[4:]
    both = ~np.isnan(a) & ~np.isnan(b)
    assert autocorrelation(x, 4) == pytest.approx(np.corrcoef(a[both], b[both])[0, 1])
    assert np.isnan([autocorrelation(np.arange(8.0), 1), autocorrelation(np.ones(50), 1)]).all()


def test_persistence_sees_the_memory_behind_a_diurnal_cycle() -> None:
    """The correlation at one day counts where that at one step is hidden by the diurnal cycle."""
    x = np.tile([1.0, 0.0, -1.0, 0.0], 200) + 0.1 * np.random.default_rng(3).standard_normal(800)
    assert autocorrelation(x, 1) < 0.1
    assert persistence_of(x, 4) > 0.98


def test_white_noise_keeps_its_size_and_memory_shrinks_it() -> None:
    """The effective sample size of white noise is n, for rho = 0.9 in both n (1 - 0.81) / (1 + 0.81)."""
    white = [ar1(0.0, (5000,), seed=s) for s in (4, 5)]
    slow = [ar1(0.9, (5000,), seed=s) for s in (6, 7)]
    assert effective_sample_size(*white, 4) > 0.9 * 5000
    assert effective_sample_size(*slow, 4) == pytest.approx(5000 * 0.19 / 1.81, rel=0.15)


def test_fisher_interval_of_a_textbook_case() -> None:
    """The interval for r = 0.5, n = 28 is tanh(0.549306 +- 1.959964 / 5)."""
    assert fisher_interval(0.5, 28.0) == pytest.approx((0.156028, 0.735818), abs=1e-6)


@pytest.mark.parametrize(("correlation", "n"), [(0.5, 3.0), (np.nan, 100.0), (0.5, np.nan)])
def test_fisher_interval_is_not_known_from_too_little(correlation: float, n: float) -> None:
    """Too few values give NaN, not a wide interval."""
    assert np.isnan(fisher_interval(correlation, n)).all()


def test_block_length_grows_with_memory() -> None:
    """The length is (2 rho / (1 - rho^2))^(2/3) n^(1/3), at least one day, at most a third of the series."""
    n = 4000
    assert block_length(ar1(0.8, (n,), seed=8), 4) == pytest.approx((1.6 / 0.36) ** (2 / 3) * n ** (1 / 3), rel=0.2)
    assert block_length(ar1(0.0, (n,), seed=9), 4) == 4
    assert block_length(ar1(0.999, (30,), seed=9), 4) <= 10


def test_bootstrap_has_nominal_coverage() -> None:
    """Intervals of 150 AR(1) series of errors with rho = 0.8 cover the true values in about 90 % of the cases."""
    errors = 0.5 + ar1(0.8, (150, 1500), seed=10)
    rng = np.random.default_rng(11)
    inside = {"bias": 0, "ubrmse": 0, "rmse": 0}
    truth = {"bias": 0.5, "ubrmse": 1.0, "rmse": np.sqrt(1.25)}
    for error in errors:
        for name, (low, high) in error_intervals(error, block_length(error, 4), rng, replicates=300).items():
            inside[name] += low <= truth[name] <= high
    assert all(0.82 <= n / 150 <= 0.99 for n in inside.values()), inside


def test_bootstrap_is_repeatable_and_ignores_gaps() -> None:
    """Equal seeds give equal intervals, and NaN do not count."""
    error = ar1(0.5, (500,), seed=14)
    gaps = np.insert(error, 100, [np.nan] * 20)
    first, second = (error_intervals(e, 8.0, np.random.default_rng(0)) for e in (error, gaps))
    assert first == second


def test_constant_error_has_no_width() -> None:
    """The blocks of each replicate add up to the length of the series."""
    found = error_intervals(np.full(333, 2.0), 7.3, np.random.default_rng(1))
    assert found["bias"] == pytest.approx((2.0, 2.0))
    assert found["rmse"] == pytest.approx((2.0, 2.0))
    assert found["ubrmse"] == pytest.approx((0.0, 0.0), abs=1e-12)


def test_median_over_stations() -> None:
    """The interval contains the median; it is unknown for fewer than five stations."""
    low, high = median_interval(np.arange(101.0), np.random.default_rng(2))
    assert 35 < low < 50 < high < 65
    assert np.isnan(median_interval(np.arange(4.0), np.random.default_rng(2))).all()
