# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Scores of one pair of series at one station, each with its confidence interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scores.continuous import additive_bias, rmse
from scores.continuous.correlation import pearsonr

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.evaluation.observations.anomalies import moving_anomaly
from anemoi_ailand.evaluation.observations.confidence import (
    NOT_KNOWN,
    block_length,
    effective_sample_size,
    error_intervals,
    fisher_interval,
)
from anemoi_ailand.evaluation.scores.metrics import unbiased_rmse

#: Values in a day.
PER_DAY = 24 // STEP_HOURS

#: Fewest values from which a score is made.
MINIMUM_VALUES = 100

BIAS, RMSE, UBRMSE, CORRELATION, ANOMALY = "bias", "rmse", "ubrmse", "correlation", "anomaly_correlation"

#: The scores, in the order of the tables.
METRICS = (BIAS, RMSE, UBRMSE, CORRELATION, ANOMALY)

OK, TOO_FEW = "ok", "not enough data"


@dataclass(frozen=True)
class Score:
    """One number: NaN with the status "not enough data" where it would rest on too few values.

    ``n`` values, of which as many as ``n_effective`` independent ones would tell the same (correlations), or ``n``
    divided by the length of a block of the bootstrap (errors).
    """

    metric: str
    value: float
    low: float
    high: float
    n: int
    n_effective: float
    status: str


def pair_scores(
    model: np.ndarray, truth: np.ndarray, rng: np.random.Generator, minimum: int = MINIMUM_VALUES
) -> list[Score]:
    """All of :data:`METRICS` for one pair of series.

    Parameters
    ----------
    model, truth : numpy.ndarray
        ``(time,)`` at all 6-hourly stamps of a period; NaN where there is none. Both count where both have a value.
    rng : numpy.random.Generator
        Of the bootstrap.
    minimum : int
        Fewest values for a score.
    """
    both = np.isfinite(model) & np.isfinite(truth)
    n = int(both.sum())
    if n < minimum:
        return [_too_few(metric, n) for metric in METRICS]
    x, y = (np.where(both, series, np.nan).astype(np.float64) for series in (model, truth))
    return [*_errors(x, y, n, rng), _correlation(CORRELATION, x, y, minimum), _anomaly_correlation(x, y, minimum)]


def _errors(x: np.ndarray, y: np.ndarray, n: int, rng: np.random.Generator) -> list[Score]:
    error = x - y
    block = block_length(error, PER_DAY)
    intervals = error_intervals(error, block, rng)
    fcst, obs = _pairs(x, y)
    values = {BIAS: additive_bias(fcst, obs), RMSE: rmse(fcst, obs), UBRMSE: unbiased_rmse(fcst, obs)}
    return [Score(name, float(value), *intervals[name], n, n / block, OK) for name, value in values.items()]


def _anomaly_correlation(x: np.ndarray, y: np.ndarray, minimum: int) -> Score:
    return _correlation(ANOMALY, moving_anomaly(x, PER_DAY), moving_anomaly(y, PER_DAY), minimum)


def _correlation(metric: str, x: np.ndarray, y: np.ndarray, minimum: int) -> Score:
    n = int((np.isfinite(x) & np.isfinite(y)).sum())
    if n < minimum:
        return _too_few(metric, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(pearsonr(*_pairs(x, y)))
    effective = effective_sample_size(x, y, PER_DAY)
    return Score(metric, value, *fisher_interval(value, effective), n, effective, OK)


def _pairs(x: np.ndarray, y: np.ndarray) -> tuple[xr.DataArray, xr.DataArray]:
    both = np.isfinite(x) & np.isfinite(y)
    return xr.DataArray(x[both], dims="time"), xr.DataArray(y[both], dims="time")


def _too_few(metric: str, n: int) -> Score:
    return Score(metric, float("nan"), *NOT_KNOWN, n, float("nan"), TOO_FEW)
