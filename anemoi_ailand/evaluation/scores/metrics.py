# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Scores of a forecast against the reference.

Metrics have one signature, that of the ``scores`` library: ``(fcst, obs, *, reduce_dims)``. RMSE, bias and correlation
are taken from there; what it does not have stands here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import xarray as xr
from scores.continuous import additive_bias, mse, rmse
from scores.continuous.correlation import pearsonr

LOG = logging.getLogger(__name__)

#: Length of a window of lead time over which errors are averaged [days].
LEAD_WINDOW_DAYS = 5.0

#: Quantiles over points that the scores by lead time give.
QUARTILES = {"q25": 0.25, "q50": 0.5, "q75": 0.75}

_DAY = np.timedelta64(1, "D")


def unbiased_rmse(fcst: xr.DataArray, obs: xr.DataArray, *, reduce_dims: Sequence[str] | None = None) -> xr.DataArray:
    r"""Root mean squared error after the mean error is taken off (standard deviation of the error).

    .. math:: \mathrm{ubRMSE} = \sqrt{\overline{(f - o)^2} - (\overline{f - o})^2}

    with forecast :math:`f`, reference :math:`o`, mean over ``reduce_dims`` (all if not given). In the units of the
    variable. Source: Entekhabi et al. (2010), doi:10.1175/2010JHM1223.1.
    """
    bias = additive_bias(fcst, obs, reduce_dims=reduce_dims)
    return rmse(fcst - bias, obs, reduce_dims=reduce_dims)


def anomaly_correlation(
    fcst: xr.DataArray, obs: xr.DataArray, climatology: xr.DataArray, *, reduce_dims: Sequence[str] | None = None
) -> xr.DataArray:
    r"""Centred anomaly correlation: Pearson correlation of the anomalies from a climatology.

    .. math:: \mathrm{ACC} = \frac{\overline{(f' - \overline{f'})(o' - \overline{o'})}}{\sigma_{f'}\,\sigma_{o'}},
              \qquad f' = f - c, \quad o' = o - c

    with climatology :math:`c` of the point and the slot of the year, mean and standard deviation over ``reduce_dims``
    (all if not given). NaN where an anomaly does not vary, so always for the climatology itself.
    Source: Jolliffe and Stephenson (2012), Forecast Verification, section 6.3.1, doi:10.1002/9781119960003.
    """
    return pearsonr(fcst - climatology, obs - climatology, reduce_dims=reduce_dims)


def scores(fcst: xr.DataArray, obs: xr.DataArray, climatology: xr.DataArray) -> dict[str, float | int]:
    """All scores of one variable ``(time, point)``, pooled over times and points with equal weight.

    Returns
    -------
    dict
        ``rmse``, ``bias`` (forecast minus reference), ``unbiased_rmse`` in the units of the variable,
        ``correlation``, ``acc``, and the number ``n`` of values. NaN where a score is not defined.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "rmse": float(rmse(fcst, obs)),
            "bias": float(additive_bias(fcst, obs)),
            "unbiased_rmse": float(unbiased_rmse(fcst, obs)),
            "correlation": float(pearsonr(fcst, obs)),
            "acc": float(anomaly_correlation(fcst, obs, climatology)),
            "n": int(obs.size),
        }


def lead_windows(times: np.ndarray, initial: np.datetime64, days: float = LEAD_WINDOW_DAYS) -> np.ndarray:
    """Window ``0, 1, ...`` of lead time to which each of the increasing ``times`` belongs, ``(time,)``.

    Window k holds the leads ``(k days, (k + 1) days]``; a last one of less than half that length is joined
    to the one before.
    """
    lead = (times - initial) / _DAY
    complete = int(lead[-1] / days + 0.5)
    return np.minimum(np.ceil(lead / days).astype(int) - 1, max(complete - 1, 0))


def lead_centres(times: np.ndarray, initial: np.datetime64, windows: np.ndarray) -> np.ndarray:
    """Mean lead time of each window [days]."""
    lead = (times - initial) / _DAY
    return np.bincount(windows, weights=lead) / np.bincount(windows)


def squared_error_by_window(fcst: xr.DataArray, obs: xr.DataArray, windows: np.ndarray) -> np.ndarray:
    """Mean squared error per window of lead time and point, ``(window, point)``, in squared units.

    ``windows`` comes from :func:`lead_windows`: contiguous, beginning with 0.
    """
    squared = mse(fcst, obs, preserve_dims=["time", "point"]).transpose("time", "point").values
    begins = np.flatnonzero(np.diff(windows, prepend=-1))
    return np.add.reduceat(squared, begins, axis=0) / np.bincount(windows)[:, None]


def rmse_by_lead(mse_by_window: np.ndarray) -> dict[str, list[float]]:
    """RMSE over all points by window of lead time, and quartiles over the points of the RMSE of each.

    Parameters
    ----------
    mse_by_window : numpy.ndarray
        Mean squared error ``(window, point)`` from :func:`squared_error_by_window`, of the points of one group.
    """
    each = np.sqrt(mse_by_window)
    quartiles = {name: np.quantile(each, q, axis=1).tolist() for name, q in QUARTILES.items()}
    return {"rmse": np.sqrt(mse_by_window.mean(axis=1)).tolist(), **quartiles}


def sanity(values: xr.DataArray, bounds: tuple[float | None, float | None]) -> dict[str, int]:
    """Count values ``below`` and ``above`` the bounds (float32, as written), and ``nan``."""
    lower, upper = bounds
    return {
        "below": 0 if lower is None else int((values < np.float32(lower)).sum()),
        "above": 0 if upper is None else int((values > np.float32(upper)).sum()),
        "nan": int(values.isnull().sum()),
    }
