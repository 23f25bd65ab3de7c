# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Metrics missing from the ``scores`` library, with its signature ``(fcst, obs, *, reduce_dims)``; windows of lead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scores.continuous import additive_bias, rmse

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
