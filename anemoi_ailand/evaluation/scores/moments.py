# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
r"""Sums from which all metrics follow, so that values are read once and not kept.

For forecast :math:`f`, reference :math:`o`, climatology :math:`c` and a constant :math:`s` near the mean of :math:`o`,
the sums are those of 1, :math:`e = f - o`, :math:`e^2`, :math:`|e|`, :math:`O = o - s`, :math:`O^2`, :math:`O e`,
:math:`a = o - c`, :math:`a^2`, :math:`a e`. With :math:`f - s = O + e` and :math:`f - c = a + e` they give all moments
of forecast and anomalies. The sums are float64 and of small numbers, because sums of squared temperatures or
differences of large sums would lose the digits of the variance.

All starts, times and points of a cell have equal weight, so a correlation over a group of points includes differences
between points.
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

    def add(self, values: np.ndarray, cells: np.ndarray) -> None:
        """Add ``values`` of :func:`terms` ``(9, ...)`` to cells ``(...)``, flat indices; negative are skipped."""
        flat = self.sums.reshape(len(TERMS), -1)
        size = flat.shape[1]
        cells = np.where(cells < 0, size, cells).ravel()
        flat[0] += np.bincount(cells, minlength=size + 1)[:size]
        for total, value in zip(flat[1:], values, strict=True):
            total += np.bincount(cells, value.ravel(), size + 1)[:size]

    def merge(self, other: Moments) -> Moments:
        """Add the sums of the same cells about the same constant."""
        return Moments(self.sums + other.sums, self.shift)

    def pooled(self, labels: np.ndarray, n_groups: int) -> Moments:
        """Pool the last axis by group, ``(..., point) -> (..., group)``; a negative label is in no group."""
        member = labels[:, None] == np.arange(n_groups)
        return Moments(self.sums @ member.astype(np.float64), self.shift)

    def total(self, axis: int = 0) -> Moments:
        """Pool along an axis of the cells."""
        return Moments(self.sums.sum(axis=axis + 1), self.shift)

    def mean(self, term: str) -> np.ndarray:
        """Return the mean of a term by cell, NaN in empty cells."""
        count = self.sums[0]
        return np.divide(self.sums[TERMS.index(term)], count, out=np.full(count.shape, np.nan), where=count > 0)

    @property
    def n(self) -> np.ndarray:
        """Number of values by cell."""
        return self.sums[0].astype(np.int64)
