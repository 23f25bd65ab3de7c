# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Confidence intervals of scores that account for autocorrelation."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

#: Level of the intervals.
LEVEL = 0.95

#: Replicates of the bootstrap.
REPLICATES = 1000

#: Largest autocorrelation of one step; a larger one cannot be distinguished from a trend.
_MAXIMUM_PERSISTENCE = 0.9999
_FEWEST_PAIRS = 10

Interval = tuple[float, float]
NOT_KNOWN: Interval = (float("nan"), float("nan"))


def autocorrelation(values: np.ndarray, lag: int) -> float:
    """Compute the autocorrelation of a series ``(time,)`` with constant step at ``lag`` steps, over valid pairs.

    NaN for fewer than 10 pairs or a constant series.
    """
    first, second = values[:-lag], values[lag:]
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < _FEWEST_PAIRS:
        return float("nan")
    a, b = first[both] - first[both].mean(), second[both] - second[both].mean()
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale > 0 else float("nan")


def persistence_of(values: np.ndarray, per_day: int) -> float:
    r"""Estimate the autocorrelation of one step of an AR(1) process that represents the series.

    .. math:: \rho = \max(\rho_1,\ \rho_D^{1/D}, 0)

    with the autocorrelations at one step and at one day (:math:`D` steps), each 0 unless above :math:`2 / \sqrt n`. The
    latter matters where a diurnal cycle or noise hides the memory from one step to the next.
    """
    one, day = autocorrelation(values, 1), autocorrelation(values, per_day)
    chance = 2 / np.sqrt(max(1, int(np.isfinite(values).sum())))
    found = [one if one > chance else 0.0, day ** (1 / per_day) if day > chance else 0.0]
    return min(max(found), _MAXIMUM_PERSISTENCE)


def effective_sample_size(x: np.ndarray, y: np.ndarray, per_day: int) -> float:
    r"""Compute the number of independent pairs with the same information about a correlation.

    .. math:: n_\mathrm{eff} = n\, \frac{1 - \rho_x \rho_y}{1 + \rho_x \rho_y}

    with the number :math:`n` of valid pairs and :math:`\rho` from `persistence_of`. Source: Bretherton et al.
    (1999), doi:10.1175/1520-0442(1999)012<1990:TENOSD>2.0.CO;2, for AR(1); used for soil moisture by Gruber et al.
    (2020), doi:10.1016/j.rse.2020.111806.
    """
    both = np.isfinite(x) & np.isfinite(y)
    product = persistence_of(np.where(both, x, np.nan), per_day) * persistence_of(np.where(both, y, np.nan), per_day)
    return float(both.sum() * (1 - product) / (1 + product))


def fisher_interval(correlation: float, n_effective: float) -> Interval:
    r"""Compute the interval of a correlation by Fisher's transformation.

    .. math:: \tanh\!\left(\operatorname{artanh} r \pm \frac{z_{(1 + l) / 2}}{\sqrt{n_\mathrm{eff} - 3}}\right)

    NaN if :math:`n_\mathrm{eff} \le 3` or :math:`r` is NaN. Source: Fisher (1921), Metron 1, 3-32.
    """
    if not (n_effective > 3 and np.isfinite(correlation)):
        return NOT_KNOWN
    with np.errstate(divide="ignore"):
        centre = np.arctanh(np.clip(correlation, -1.0, 1.0))
    half = norm.ppf((1 + LEVEL) / 2) / np.sqrt(n_effective - 3)
    return float(np.tanh(centre - half)), float(np.tanh(centre + half))


def block_length(values: np.ndarray, per_day: int) -> float:
    r"""Compute the mean block length of a stationary bootstrap [steps].

    .. math:: b = \left(\frac{2 \rho}{1 - \rho^2}\right)^{2/3} n^{1/3}

    the optimum for the mean of an AR(1) process, but at least one day, because errors depend on the hour, and at most
    the smaller of :math:`3 \sqrt n` and :math:`n / 3`. Source: Politis and White (2004), doi:10.1081/ETC-120028836,
    corrected by Patton et al. (2009), doi:10.1080/07474930802459016.
    """
    n = int(np.isfinite(values).sum())
    rho = persistence_of(values, per_day)
    best = (2 * rho / (1 - rho**2)) ** (2 / 3) * n ** (1 / 3)
    return float(min(max(best, per_day), max(1.0, min(3 * np.sqrt(n), n / 3))))


def error_intervals(error: np.ndarray, block: float, rng: np.random.Generator) -> dict[str, Interval]:
    r"""Compute percentile intervals of bias, RMSE and unbiased RMSE by a stationary block bootstrap.

    ``error`` ``(time,)`` is model minus reference, NaN where missing. Blocks with random start and geometrically
    distributed length of mean ``block`` of the circular series are joined to the length of the series. Gaps are closed
    before. With the sums :math:`S_1, S_2` of a replicate's errors and squared errors, :math:`b = S_1 / n`,
    :math:`\mathrm{RMSE}^2 = S_2 / n` and :math:`\mathrm{ubRMSE}^2 = S_2 / n - b^2`. Like all block bootstraps it is
    slightly overconfident: for AR(1) errors with :math:`\rho = 0.8` and n = 1500 its 95 % intervals contain the true
    value in 90 % of the cases (bias 90, ubRMSE 90, RMSE 91). Source: Politis and Romano (1994),
    doi:10.1080/01621459.1994.10476870.
    """
    good = error[np.isfinite(error)].astype(np.float64)
    n, mean = len(good), float(good.mean())
    begin, length = _blocks(n, block, rng)
    around = np.concatenate([good - mean, good - mean])  # centred, so that the difference of squares is not lost
    sums = []
    for power in (1, 2):
        running = np.concatenate([[0.0], np.cumsum(around**power)])
        sums.append((running[begin + length] - running[begin]).sum(axis=1) / n)
    bias, unbiased = sums[0] + mean, np.sqrt(np.maximum(sums[1] - sums[0] ** 2, 0.0))
    found = {"bias": bias, "ubrmse": unbiased, "rmse": np.hypot(bias, unbiased)}
    return {name: _percentiles(values) for name, values in found.items()}


def median_interval(values: np.ndarray, rng: np.random.Generator) -> Interval:
    """Compute the percentile interval of the median over stations drawn with replacement; NaN below 5 stations."""
    if len(values) < 5:
        return NOT_KNOWN
    drawn = values[rng.integers(0, len(values), (REPLICATES, len(values)))]
    return _percentiles(np.median(drawn, axis=1))


def _blocks(n: int, block: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Start and length ``(replicate, block)`` of blocks whose lengths sum to ``n``; unused ones have length 0."""
    expected = n / block
    enough = int(expected + 6 * np.sqrt(expected) + 10)  # six standard deviations of the number of blocks
    rate = -np.log1p(-1 / block) if block > 1 else np.inf
    # a geometric number is an exponential one rounded up, which is several times faster to draw
    drawn = rng.standard_exponential((REPLICATES, enough), dtype=np.float32) / np.float32(rate)
    ends = np.minimum(np.cumsum(drawn.astype(np.int32) + 1, axis=1), n)
    ends[:, -1] = n
    return rng.integers(0, n, ends.shape), np.diff(ends, axis=1, prepend=0)


def _percentiles(values: np.ndarray) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
