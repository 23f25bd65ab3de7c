# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Sums, metrics and skill agree with naive loops and the library ``scores``."""

import numpy as np
import pytest
import xarray as xr
from scores.continuous import additive_bias, kge, mae, nse, rmse
from scores.continuous.correlation import pearsonr

from anemoi_ailand.evaluation.scores import metrics as m
from anemoi_ailand.evaluation.scores.metrics import METRICS
from anemoi_ailand.evaluation.scores.moments import TERMS, Moments, terms
from anemoi_ailand.evaluation.scores.skill import drift_per_year, skill_horizon


@pytest.fixture
def sample():
    """Forecast, reference and climatology, 400 values about 280."""
    rng = np.random.default_rng(1)
    clim = 280 + 10 * np.sin(np.arange(400) / 20)
    obs = clim + rng.standard_normal(400)
    return obs + 0.5 * rng.standard_normal(400) + 0.3, obs, clim


def of(fcst, obs, clim, shift=280.0):
    """Sums in one cell."""
    out = Moments.empty((1,), shift)
    out.add(terms(fcst, obs, clim, shift), np.zeros(np.shape(fcst), int))
    return out


def test_scores_equal_the_library(sample):
    f, o, c = (xr.DataArray(x, dims="time") for x in sample)
    want = {
        "rmse": rmse(f, o), "bias": additive_bias(f, o), "mae": mae(f, o), "correlation": pearsonr(f, o),
        "kge": kge(f, o), "r2": nse(f, o), "ubrmse": rmse(f - additive_bias(f, o), o),
        "acc": pearsonr(f - c, o - c),
    }  # fmt: skip
    assert set(want) == set(METRICS)
    got = of(*sample)
    for name, score in METRICS.items():
        assert score(got)[0] == pytest.approx(float(want[name]), rel=1e-10), name


def test_sums_equal_a_naive_loop(sample):
    """Sums by cell equal a loop; negative cells are skipped."""
    cells = np.arange(400) % 4 - 1
    got = Moments.empty((3,), 280.0)
    got.add(terms(*sample, 280.0), cells)
    want = np.zeros((len(TERMS), 3))
    for f, o, c, cell in zip(*sample, cells, strict=True):
        if cell >= 0:
            e, raw, a = f - o, o - 280.0, o - c
            want[:, cell] += [1, e, e * e, abs(e), raw, raw * raw, raw * e, a, a * a, a * e]
    np.testing.assert_allclose(got.sums, want, rtol=1e-12, atol=1e-12)
    assert got.n.tolist() == [100, 100, 100]


def test_correlation_survives_a_small_variance_far_from_zero():
    rng = np.random.default_rng(0)
    o = 280 + 1e-3 * rng.standard_normal(200_000)
    f = o + 5e-4 * rng.standard_normal(200_000)
    got = of(f, o, np.full_like(o, 280.0), shift=280.0)
    assert m.correlation(got)[0] == pytest.approx(np.corrcoef(f, o)[0, 1], rel=1e-9)
    assert m.r2(got)[0] == pytest.approx(1 - ((f - o) ** 2).mean() / o.var(), rel=1e-8)


def test_metrics_of_shifted_and_of_empty_cells(sample):
    """Metrics do not depend on the subtracted constant; an empty cell is NaN with n = 0."""
    a, b, cells = of(*sample, shift=280.0), of(*sample, shift=250.0), Moments.empty((2,), 280.0)
    cells.add(terms(*sample, 280.0), np.zeros(400, int))
    assert cells.n.tolist() == [400, 0]
    for name, score in METRICS.items():
        assert score(a)[0] == pytest.approx(score(b)[0], rel=1e-7), name
        assert np.isfinite(score(cells)).tolist() == [True, False], name


def test_climatology_has_no_anomaly_correlation(sample):
    """Correlations of a constant or of zero anomalies are NaN, despite rounding."""
    _, o, c = sample
    got = of(c, o, c)
    assert np.isnan(m.acc(got)[0])
    assert np.isfinite(m.correlation(got)[0])
    still = of(np.full(400, 281.7), o, c)
    assert np.isnan(m.correlation(still)[0])
    assert np.isnan(m.r2(of(o, np.full(400, 281.7), c))[0])
    balanced = np.array([-1.0, 1.0, -2.0, 2.0])
    assert np.isnan(m.kge(of(balanced + 1, balanced, 0 * balanced, shift=0.0))[0])  # its mean is zero


def test_values_of_float32_are_summed_in_float64():
    f, o = np.float32([280.1, 280.3]), np.float32([280.0, 280.0])
    got = terms(f, o, o, 280.0)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got[0], f.astype(float) - o.astype(float))


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
    leads = np.arange(0.25, 300, 0.25)
    assert np.isnan(drift_per_year(leads, np.ones((len(leads), 2)))).all()
    leads = np.arange(0.25, 400, 0.25)
    error = np.ones((len(leads), 2))
    error[5, 1] = np.nan
    assert np.isfinite(drift_per_year(leads, error)).tolist() == [True, False]
