# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Scores with confidence intervals of one pair of series at one station."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scores.continuous import additive_bias, rmse
from scores.continuous.correlation import pearsonr

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.evaluation.observations.confidence import (
    NOT_KNOWN,
    block_length,
    effective_sample_size,
    error_intervals,
    fisher_interval,
)

#: Values a day.
PER_DAY = 24 // STEP_HOURS

#: Fewest values of a score.
MINIMUM_VALUES = 100

#: Length of the moving window [days].
ANOMALY_WINDOW_DAYS = 35

#: Share of the values of the window that a mean needs [1].
_MINIMUM_FILL = 0.25

BIAS, RMSE, UBRMSE, CORRELATION, ANOMALY = "bias", "rmse", "ubrmse", "correlation", "anomaly_correlation"

#: Metrics in the order of tables.
METRICS = (BIAS, RMSE, UBRMSE, CORRELATION, ANOMALY)

OK, TOO_FEW = "ok", "not enough data"


@dataclass(frozen=True)
class Score:
    """One score; NaN with the status "not enough data" for too few values.

    ``n_effective`` is the effective sample size of a correlation, or for errors ``n`` over the block length of the
    bootstrap.
    """

    metric: str
    value: float
    low: float
    high: float
    n: int
    n_effective: float
    status: str


def pair_scores(model: np.ndarray, reference: np.ndarray, rng: np.random.Generator) -> list[Score]:
    """Compute all :data:`METRICS` of two series ``(time,)`` at all 6-hourly stamps of a period, NaN where missing.

    Scores use the stamps that are valid in both; ``rng`` is that of the bootstrap.
    """
    both = np.isfinite(model) & np.isfinite(reference)
    n = int(both.sum())
    if n < MINIMUM_VALUES:
        return [_too_few(metric, n) for metric in METRICS]
    x, y = (np.where(both, series, np.nan).astype(np.float64) for series in (model, reference))
    anomalies = moving_anomaly(x, PER_DAY), moving_anomaly(y, PER_DAY)
    return [*_errors(x, y, n, rng), _correlation(CORRELATION, x, y), _correlation(ANOMALY, *anomalies)]


def _errors(x: np.ndarray, y: np.ndarray, n: int, rng: np.random.Generator) -> list[Score]:
    error = x - y
    block = block_length(error, PER_DAY)
    intervals = error_intervals(error, block, rng)
    fcst, obs = _pairs(x, y)
    bias = additive_bias(fcst, obs)
    values = {BIAS: bias, RMSE: rmse(fcst, obs), UBRMSE: rmse(fcst - bias, obs)}
    return [Score(name, float(value), *intervals[name], n, n / block, OK) for name, value in values.items()]


def _correlation(metric: str, x: np.ndarray, y: np.ndarray) -> Score:
    n = int((np.isfinite(x) & np.isfinite(y)).sum())
    if n < MINIMUM_VALUES:
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


def moving_anomaly(values: np.ndarray, per_day: int) -> np.ndarray:
    r"""Compute the anomaly from the mean of a centred moving window, separately for each hour of the day.

    .. math:: x'_{d,h} = x_{d,h} - \frac{1}{n_{d,h}} \sum_{|d' - d| \le (W - 1) / 2} x_{d',h}

    over the :math:`n_{d,h}` valid values in the window of :math:`W` days, which is shorter at both ends of the series.
    Separate hours remove the diurnal cycle. NaN where :math:`x` is NaN or the window has fewer than a quarter of
    :math:`W` values. ``values`` ``(time,)`` have a constant step, ``per_day`` of them a day. Source: Gruber et al.
    (2020), doi:10.1016/j.rse.2020.111806, section 3.2, with windows of 35 days.
    """
    n_days = -(-len(values) // per_day)
    padded = np.full(n_days * per_day, np.nan)
    padded[: len(values)] = values
    by_day = padded.reshape(n_days, per_day)
    good = np.isfinite(by_day)
    centre = np.nanmean(by_day, axis=0, keepdims=True) if good.any(axis=0).all() else 0.0  # small sums lose no digits
    total = _window_sum(np.where(good, by_day - centre, 0.0), ANOMALY_WINDOW_DAYS // 2)
    count = _window_sum(good.astype(np.float64), ANOMALY_WINDOW_DAYS // 2)
    enough = good & (count >= _MINIMUM_FILL * ANOMALY_WINDOW_DAYS)
    with np.errstate(invalid="ignore", divide="ignore"):
        anomaly = np.where(enough, by_day - centre - total / count, np.nan)
    return anomaly.reshape(-1)[: len(values)]


def _window_sum(by_day: np.ndarray, half: int) -> np.ndarray:
    sums = np.concatenate([np.zeros((1, by_day.shape[1])), by_day.cumsum(axis=0)])
    days = np.arange(len(by_day))
    return sums[np.minimum(days + half + 1, len(by_day))] - sums[np.maximum(days - half, 0)]
