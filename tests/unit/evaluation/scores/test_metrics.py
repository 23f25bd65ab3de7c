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
    """Forecast and reference, 20 times and 3 points."""
    rng = np.random.default_rng(1)
    obs = rng.standard_normal((20, 3))
    return array(obs + 0.4 * rng.standard_normal((20, 3)) + 0.2), array(obs)


def test_unbiased_rmse_equals_a_naive_loop(sample):
    """It is the standard deviation of the error, over all values or for each point."""
    fcst, obs = sample
    for got, errors in (
        (m.unbiased_rmse(fcst, obs), (fcst - obs).values.ravel().tolist()),
        (m.unbiased_rmse(fcst, obs, reduce_dims=["time"])[2], (fcst - obs).values[:, 2].tolist()),
    ):
        bias = sum(errors) / len(errors)
        assert float(got) == pytest.approx(math.sqrt(sum((e - bias) ** 2 for e in errors) / len(errors)), rel=1e-12)
    assert float(m.unbiased_rmse(obs + 0.25, obs)) == pytest.approx(0.0, abs=1e-12)


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
