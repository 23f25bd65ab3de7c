# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Metrics of a forecast, each a function of :class:`~anemoi_ailand.evaluation.scores.moments.Moments`.

To add a metric, write its function here and enter it in :data:`METRICS` and :data:`TITLES`, and in :data:`UNITLESS` if
it does not have the unit of the variable. Metrics that are not functions of moments are in ``skill.py``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from anemoi_ailand.evaluation.scores.moments import Moments

#: Variance, as a share of the other terms in its formula, below which it is rounding and the field constant [1].
_ROUNDING = 1e-12


def rmse(m: Moments) -> np.ndarray:
    r"""Return the root mean squared error :math:`\sqrt{\overline{e^2}}`, in the unit of the variable."""
    return np.sqrt(m.mean("ee"))


def bias(m: Moments) -> np.ndarray:
    r"""Return the mean error :math:`\overline{f - o}`, forecast minus reference, in the unit of the variable."""
    return m.mean("e")


def mae(m: Moments) -> np.ndarray:
    r"""Return the mean absolute error :math:`\overline{|e|}`, in the unit of the variable."""
    return m.mean("abs_e")


def ubrmse(m: Moments) -> np.ndarray:
    r"""Return the unbiased RMSE :math:`\sqrt{\overline{e^2} - \overline{e}^2}`, in the unit of the variable.

    Source: Entekhabi et al. (2010), doi:10.1175/2010JHM1223.1; Gruber et al. (2020), doi:10.1016/j.rse.2020.111806.
    """
    return np.sqrt(np.maximum(m.mean("ee") - m.mean("e") ** 2, 0.0))


def correlation(m: Moments) -> np.ndarray:
    r"""Return the Pearson correlation of forecast and reference; NaN where one of them does not vary."""
    return _spread(m, "o")[0]


def acc(m: Moments) -> np.ndarray:
    r"""Return the centred anomaly correlation: Pearson correlation of :math:`f - c` and :math:`o - c`.

    NaN where an anomaly does not vary, so always for the climatology itself. Source: Jolliffe and Stephenson (2012),
    Forecast Verification, section 6.3.1, doi:10.1002/9781119960003; Gruber et al. (2020),
    doi:10.1016/j.rse.2020.111806, for soil moisture.
    """
    return _spread(m, "a")[0]


def kge(m: Moments) -> np.ndarray:
    r"""Return the Kling-Gupta efficiency in its form of 2009.

    .. math:: \mathrm{KGE} = 1 - \sqrt{(r - 1)^2 + (\sigma_f / \sigma_o - 1)^2 + (\mu_f / \mu_o - 1)^2}

    with correlation :math:`r`. The last term depends on the zero of the unit: it is negligible in K and dominates for a
    flux with a mean near zero. Source: Gupta et al. (2009), doi:10.1016/j.jhydrol.2009.08.003.
    """
    r, ratio = _spread(m, "o")
    mean_obs = m.mean("o") + m.shift
    with np.errstate(divide="ignore", invalid="ignore"):
        beta = np.where(mean_obs == 0, np.nan, (mean_obs + m.mean("e")) / mean_obs)
    return 1 - np.sqrt((r - 1) ** 2 + (ratio - 1) ** 2 + (beta - 1) ** 2)


def r2(m: Moments) -> np.ndarray:
    r"""Return the coefficient of determination :math:`1 - \overline{e^2} / \sigma_o^2` (Nash-Sutcliffe efficiency).

    Unlike the squared correlation it penalises bias. NaN where the reference does not vary.
    Source: Nash and Sutcliffe (1970), doi:10.1016/0022-1694(70)90255-6.
    """
    square = m.mean("oo")
    variance = _unless_rounding(square - m.mean("o") ** 2, square)
    return 1 - m.mean("ee") / variance


def _spread(m: Moments, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Return correlation and ratio of standard deviations of forecast and reference, raw ('o') or anomalies ('a')."""
    mean, mean_e, square = m.mean(what), m.mean("e"), m.mean(2 * what)
    var_o = _unless_rounding(square - mean**2, square)
    var_e = m.mean("ee") - mean_e**2
    cov = m.mean(f"{what}e") - mean * mean_e
    var_f = _unless_rounding(var_o + 2 * cov + var_e, var_o + m.mean("ee"))
    return (var_o + cov) / np.sqrt(var_o * var_f), np.sqrt(var_f / var_o)


def _unless_rounding(variance: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return the variance, NaN where it cannot be distinguished from rounding errors of numbers of size ``scale``."""
    return np.where(variance > _ROUNDING * scale, variance, np.nan)


#: Metrics by their names in tables.
METRICS: dict[str, Callable[[Moments], np.ndarray]] = {
    "rmse": rmse,
    "bias": bias,
    "mae": mae,
    "ubrmse": ubrmse,
    "correlation": correlation,
    "acc": acc,
    "kge": kge,
    "r2": r2,
}

#: Metrics as titles show them.
TITLES = {
    "rmse": "RMSE", "bias": "Bias", "mae": "Mean absolute error", "ubrmse": "Unbiased RMSE",
    "correlation": "Correlation", "acc": "ACC", "kge": "KGE", "r2": "R²", "drift_per_year": "Drift per year",
    "hit_rate": "Hit rate", "bias_spread": "Spread of the biases of points", "bias_most": "Size of 90 % of them",
    "last_year_bias": "Bias, last year", "last_year_bias_spread": "Spread, last year",
    "last_year_bias_most": "Size of 90 %, last year",
}  # fmt: skip

#: Metrics without the unit of the variable.
UNITLESS = frozenset({"correlation", "acc", "kge", "r2", "hit_rate", "skill_horizon", "skill_horizon_reached"})
