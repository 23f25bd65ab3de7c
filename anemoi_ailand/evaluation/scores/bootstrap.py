# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Paired bootstrap over start dates and points for the significance of differences between models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Number of draws.
DRAWS = 1000

#: Bounds of the interval, as quantiles of the draws: 95 %.
INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class Resamples:
    """Weights of starts and points in each draw; they are the same for all models, so that comparisons are paired."""

    #: Number of times that each start ``(draw, start)`` and point ``(draw, point)`` is drawn, float64.
    starts: np.ndarray
    points: np.ndarray


def resamples(n_starts: int, n_points: int, *, seed: int = 0, draws: int = DRAWS, start_block: int = 1) -> Resamples:
    """Draw starts and points with replacement, independently of each other.

    Starts are drawn in circular blocks of ``start_block``, because runs that start close in time see the same weather.
    Source: Kuensch (1989), doi:10.1214/aos/1176347265.
    """
    rng = np.random.default_rng(seed)
    block = min(start_block, n_starts)
    first = rng.integers(0, n_starts, (draws, -(-n_starts // block)))
    drawn = ((first[..., None] + np.arange(block)) % n_starts).reshape(draws, -1)[:, :n_starts]
    cells = drawn + n_starts * np.arange(draws)[:, None]
    starts = np.bincount(cells.ravel(), minlength=draws * n_starts).reshape(draws, n_starts)
    points = rng.multinomial(n_points, np.full(n_points, 1 / n_points), size=draws)
    return Resamples(starts.astype(np.float64), points.astype(np.float64))


def drawn_rmse(squares: np.ndarray, counts: tuple[np.ndarray, np.ndarray], draws: Resamples) -> np.ndarray:
    r"""Compute the RMSE of each draw ``(draw,)``, NaN for draws without values.

    .. math:: \sqrt{\frac{\sum_{s,p} w_s v_p S_{sp}}{\sum_{s,p} w_s v_p n_s m_p}}

    with sums of squared errors :math:`S` ``(start, point)``, the factors of the number of values in each sum, :math:`n`
    ``(start,)`` and :math:`m` ``(point,)``, and the weights :math:`w` and :math:`v` of ``draws``.
    """
    return np.sqrt(drawn_mean(squares, counts, draws))


def drawn_mean(sums: np.ndarray, counts: tuple[np.ndarray, np.ndarray], draws: Resamples) -> np.ndarray:
    """Compute the mean of each draw ``(draw,)`` from sums ``(start, point)``; arguments as in :func:`drawn_rmse`."""
    total = np.einsum("dp,dp->d", draws.starts @ sums, draws.points)
    count = (draws.starts @ counts[0]) * (draws.points @ counts[1])
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def rmse_interval(
    squares: np.ndarray, counts: tuple[np.ndarray, np.ndarray], draws: Resamples
) -> tuple[float, float, float]:
    """Compute the RMSE over all starts and points and its 95 % interval; arguments as in :func:`drawn_rmse`.

    The interval covers the sampling of points and starts of the same kind.
    """
    value = np.sqrt(squares.sum() / (counts[0].sum() * counts[1].sum()))
    low, high = np.nanquantile(drawn_rmse(squares, counts, draws), INTERVAL)
    return float(value), float(low), float(high)


def interval(a: np.ndarray, b: np.ndarray) -> tuple[float, float, bool]:
    """Return the 95 % interval of a - b from paired draws ``(draw,)``, and whether it excludes zero.

    Two-way resampling is conservative: noise of single (start, point) pairs counts up to three times in the variance,
    noise common to a start or a point once. Source: Owen (2007), doi:10.1214/07-AOAS122.
    """
    low, high = np.quantile(a - b, INTERVAL)
    return float(low), float(high), bool(low > 0 or high < 0)
