# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Scores equal their definition in a naive loop, and known values where there is a closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.evaluation.scores import metrics as m

INITIAL = np.datetime64("2022-01-01", "ns")


def array(values):
    return xr.DataArray(np.asarray(values, dtype=float), dims=("time", "point"))


@pytest.fixture
def sample():
    """Forecast, reference and climatology, 20 times and 3 points."""
    rng = np.random.default_rng(1)
    obs, mean = rng.standard_normal((20, 3)), rng.standard_normal((20, 3))
    return array(obs + 0.4 * rng.standard_normal((20, 3)) + 0.2), array(obs), array(mean)


def naive_pearson(a, b):
    """Pearson correlation, one value after the other."""
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    cov = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    return cov / math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))


def test_scores_equal_naive_loops(sample):
    """RMSE, bias, unbiased RMSE, correlation and ACC, pooled over times and points."""
    f, o, c = (x.values.ravel().tolist() for x in sample)
    n = len(f)
    bias = sum(x - y for x, y in zip(f, o, strict=True)) / n
    got = m.scores(*sample)
    assert got["rmse"] == pytest.approx(math.sqrt(sum((x - y) ** 2 for x, y in zip(f, o, strict=True)) / n), rel=1e-12)
    assert got["bias"] == pytest.approx(bias, rel=1e-12)
    spread = sum((x - y - bias) ** 2 for x, y in zip(f, o, strict=True)) / n
    assert got["unbiased_rmse"] == pytest.approx(math.sqrt(spread), rel=1e-12)
    assert got["correlation"] == pytest.approx(naive_pearson(f, o), rel=1e-12)
    anomalies = [[x - y for x, y in zip(series, c, strict=True)] for series in (f, o)]
    assert got["acc"] == pytest.approx(naive_pearson(*anomalies), rel=1e-12)
    assert got["n"] == n == 60


def test_metrics_keep_the_dimensions_that_are_not_reduced(sample):
    """Over time only, each point has the score of its own series."""
    fcst, obs, mean = sample
    one = [x.isel(point=[2]) for x in sample]
    assert m.unbiased_rmse(fcst, obs, reduce_dims=["time"])[2] == pytest.approx(float(m.unbiased_rmse(*one[:2])))
    acc = m.anomaly_correlation(fcst, obs, mean, reduce_dims=["time"])
    assert acc[2] == pytest.approx(float(m.anomaly_correlation(*one)))


def test_constant_bias_is_all_of_the_error(sample):
    """Truth plus 0.25: RMSE and bias 0.25, unbiased RMSE 0, correlation and ACC 1."""
    _, obs, mean = sample
    got = m.scores(obs + 0.25, obs, mean)
    assert got["rmse"] == pytest.approx(0.25)
    assert got["bias"] == pytest.approx(0.25)
    assert got["unbiased_rmse"] == pytest.approx(0.0, abs=1e-12)
    assert got["correlation"] == pytest.approx(1.0)
    assert got["acc"] == pytest.approx(1.0)


def test_climatology_has_no_acc(sample):
    """Its anomaly does not vary, so the correlation is not defined."""
    _, obs, mean = sample
    assert math.isnan(m.scores(mean, obs, mean)["acc"])


@pytest.mark.parametrize(
    ("n_leads", "expected"),
    [
        (1, [0]),
        (21, [0] * 20 + [0]),
        (30, [0] * 20 + [1] * 10),
        (45, [0] * 20 + [1] * 20 + [1] * 5),
    ],
)
def test_windows_of_five_days_of_6_hourly_leads(n_leads, expected):
    """20 leads a window; a rest of less than half a window is joined to the one before."""
    times = INITIAL + np.arange(1, n_leads + 1) * np.timedelta64(6, "h")
    windows = m.lead_windows(times, INITIAL)
    assert windows.tolist() == expected
    centres = m.lead_centres(times, INITIAL, windows)
    assert centres[0] == pytest.approx(np.mean(np.arange(1, expected.count(0) + 1) * 0.25))


def test_error_by_window_equals_a_naive_loop(sample):
    """Mean squared error of each window and point; RMSE over points; quartiles over points."""
    fcst, obs, _ = sample
    windows = np.array([0] * 8 + [1] * 12)
    got = m.squared_error_by_window(fcst, obs, windows)
    expected = [[np.mean((fcst - obs).values[windows == k, p] ** 2) for p in range(3)] for k in (0, 1)]
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    by_lead = m.rmse_by_lead(got)
    whole = float(np.sqrt(np.mean((fcst - obs).values[windows == 1] ** 2)))
    assert by_lead["rmse"][1] == pytest.approx(whole)
    assert by_lead["q50"] == pytest.approx(np.sqrt(np.median(expected, axis=1)))
    assert by_lead["q25"][0] <= by_lead["q50"][0] <= by_lead["q75"][0]


def test_sanity_counts_values_outside_the_bounds():
    """A value on a bound is inside, also when the bound has no exact float32."""
    values = xr.DataArray(np.array([-0.1, 0.0, 0.8, 0.81, 0.9, np.nan], np.float32))
    assert m.sanity(values, (0.0, 0.8)) == {"below": 1, "above": 2, "nan": 1}
    assert m.sanity(values, (None, None)) == {"below": 0, "above": 0, "nan": 1}
