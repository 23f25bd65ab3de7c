# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
r"""Sums from which all metrics follow, so that values are read once and not kept.

For forecast :math:`f`, reference :math:`o`, climatology :math:`c` and a constant :math:`s` near the mean of :math:`o`,
the sums are those of 1, :math:`e = f - o`, :math:`e^2`, :math:`|e|`, :math:`O = o - s`, :math:`O^2`, :math:`O e`,
:math:`a = o - c`, :math:`a^2`, :math:`a e`. With :math:`f - s = O + e` and :math:`f - c = a + e` they give all moments
of forecast and anomalies. The sums are float64 and of small numbers, because sums of squared temperatures or
differences of large sums would lose the digits of the variance.

All starts and times of a cell have equal weight, and all points unless they are weighted (by area, with a mean of
one), so a correlation over a group of points includes differences between points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Summed terms, in the order of the first axis of :attr:`Moments.sums`.
TERMS = ("n", "e", "ee", "abs_e", "o", "oo", "oe", "a", "aa", "ae")


def terms(fcst: np.ndarray, obs: np.ndarray, climatology: np.ndarray, shift: float = 0.0) -> np.ndarray:
    """Return the terms without the count, ``(9, ...)``, float64; all arrays broadcast to the shape of ``fcst``."""
    out = np.empty((len(TERMS) - 1, *np.shape(fcst)))
    error, raw, anomaly = out[0], out[3], out[6]
    np.subtract(fcst, obs, out=error, dtype=np.float64)
    np.subtract(obs, shift, out=raw, dtype=np.float64)
    np.subtract(obs, climatology, out=anomaly, dtype=np.float64)
    np.multiply(error, error, out=out[1])
    np.abs(error, out=out[2])
    for values, square, product in ((raw, out[4], out[5]), (anomaly, out[7], out[8])):
        np.multiply(values, values, out=square)
        np.multiply(values, error, out=product)
    return out


@dataclass
class Moments:
    """Sums ``(10, *cells)`` of :data:`TERMS`, float64, about the constant ``shift``; cells are leads and groups."""

    sums: np.ndarray
    shift: float = 0.0

    @classmethod
    def empty(cls, shape: tuple[int, ...], shift: float = 0.0) -> Moments:
        """Return zero sums for cells of a shape."""
        return cls(np.zeros((len(TERMS), *shape)), shift)

    def add(self, values: np.ndarray, cells: np.ndarray, weights: np.ndarray | None = None) -> None:
        """Add ``values`` of :func:`terms` ``(9, ...)`` to cells ``(...)``, flat indices; negative are skipped.

        ``weights`` are those of the last axis, the points.
        """
        flat = self.sums.reshape(len(TERMS), -1)
        size = flat.shape[1]
        weighted = None if weights is None else np.broadcast_to(weights, cells.shape).ravel()
        cells = np.where(cells < 0, size, cells).ravel()
        flat[0] += np.bincount(cells, weighted, size + 1)[:size]
        for total, value in zip(flat[1:], values, strict=True):
            each = value.ravel() if weighted is None else value.ravel() * weighted
            total += np.bincount(cells, each, size + 1)[:size]

    def merge(self, other: Moments) -> Moments:
        """Add the sums of the same cells."""
        return Moments(self.sums + other.about(self.shift).sums, self.shift)

    def about(self, shift: float) -> Moments:
        """Return the sums about another constant."""
        if shift == self.shift:
            return self
        sums, change = self.sums.copy(), self.shift - shift
        n, e, o = (self.sums[TERMS.index(term)] for term in ("n", "e", "o"))
        sums[TERMS.index("o")] += change * n
        sums[TERMS.index("oo")] += change * (2.0 * o + change * n)
        sums[TERMS.index("oe")] += change * e
        return Moments(sums, shift)

    def pooled(self, labels: np.ndarray, n_groups: int, weights: np.ndarray | None = None) -> Moments:
        """Pool the last axis by group, ``(..., point) -> (..., group)``; a negative label is in no group.

        ``weights`` are those of the points.
        """
        return Moments(self.sums @ memberships(labels, n_groups, weights), self.shift)

    def total(self, axis: int = 0) -> Moments:
        """Pool along an axis of the cells."""
        return Moments(self.sums.sum(axis=axis + 1), self.shift)

    def mean(self, term: str) -> np.ndarray:
        """Return the mean of a term by cell, NaN in empty cells."""
        count = self.sums[0]
        return np.divide(self.sums[TERMS.index(term)], count, out=np.full(count.shape, np.nan), where=count > 0)

    @property
    def n(self) -> np.ndarray:
        """Number of values by cell; weighted, to the nearest whole number."""
        return np.rint(self.sums[0]).astype(np.int64)


def memberships(labels: np.ndarray, n_groups: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the weight of each point in each group, ``(point, group)``: one by default, zero in the other groups."""
    member = (labels[:, None] == np.arange(n_groups)).astype(np.float64)
    return member if weights is None else member * weights[:, None]
