# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Short-term anomalies: what is left of a series without its diurnal and seasonal cycle."""

from __future__ import annotations

import numpy as np

#: Length of the moving window [days].
WINDOW_DAYS = 35

#: Part of the window's values that must be there for a mean [1].
MINIMUM_FILL = 0.25


def moving_anomaly(
    values: np.ndarray, per_day: int, window_days: int = WINDOW_DAYS, minimum_fill: float = MINIMUM_FILL
) -> np.ndarray:
    r"""Anomaly from the mean of a centred moving window, for each hour of the day on its own.

    .. math:: x'_{d,h} = x_{d,h} - \frac{1}{n_{d,h}} \sum_{|d' - d| \le (W - 1) / 2} x_{d',h}

    over the :math:`n_{d,h}` values that are not NaN in the window of :math:`W` days. Taking each hour on its own leaves
    no diurnal cycle in temperatures and fluxes; for soil moisture it changes little. At both ends of the series the
    window is shorter. NaN where :math:`x` is NaN, or where fewer than ``minimum_fill`` :math:`W` values are in the
    window. Source: Gruber et al. (2020), doi:10.1016/j.rse.2020.111806, section 3.2, with windows of 35 days.

    Parameters
    ----------
    values : numpy.ndarray
        ``(time,)``, constant step, NaN where there is none.
    per_day : int
        Number of values in a day.
    window_days : int
        Odd length :math:`W` of the window.
    """
    n_days = -(-len(values) // per_day)
    padded = np.full(n_days * per_day, np.nan)
    padded[: len(values)] = values
    by_day = padded.reshape(n_days, per_day)
    good = np.isfinite(by_day)
    centre = np.nanmean(by_day, axis=0, keepdims=True) if good.any(axis=0).all() else 0.0  # keeps the sums small
    total = _window_sum(np.where(good, by_day - centre, 0.0), window_days // 2)
    count = _window_sum(good.astype(np.float64), window_days // 2)
    enough = good & (count >= minimum_fill * window_days)
    with np.errstate(invalid="ignore", divide="ignore"):
        anomaly = np.where(enough, by_day - centre - total / count, np.nan)
    return anomaly.reshape(-1)[: len(values)]


def _window_sum(by_day: np.ndarray, half: int) -> np.ndarray:
    sums = np.concatenate([np.zeros((1, by_day.shape[1])), by_day.cumsum(axis=0)])
    days = np.arange(len(by_day))
    return sums[np.minimum(days + half + 1, len(by_day))] - sums[np.maximum(days - half, 0)]
