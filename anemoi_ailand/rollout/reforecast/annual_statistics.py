# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Statistics of a year, accumulated step by step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anemoi_ailand.variables import variable

#: Statistics of a year, in the order of the file.
STATISTICS = ("mean", "min", "max", "end", "at_lower", "at_upper")

#: Fraction of the typical change in 6 h within which a value is at its bound; the rounding of ecLand is smaller.
AT_BOUND = 1e-3


class YearStatistics:
    r"""Mean, extremes, last value and number of steps at a bound, for every variable and point.

    A value is at its bound if it is beyond it or nearer than :data:`AT_BOUND` times the table's ``increment_scale``.
    Values that are not finite are counted; they spoil the mean and are left out of the other statistics.

    Bounds ``lower`` and ``upper``, shape (variable,) or (point, variable), are in the units of the table, infinite for
    none.
    """

    def __init__(self, names: Sequence[str], lower: np.ndarray, upper: np.ndarray, n_points: int) -> None:
        self.names = tuple(names)
        margin = AT_BOUND * np.array([variable(n).increment_scale or 0.0 for n in self.names])
        self._lower, self._upper = lower + margin, upper - margin
        self._shape = (n_points, len(self.names))
        self.begin()

    def begin(self) -> None:
        """Reset for another year."""
        self.steps = 0
        self.not_finite = np.zeros(self._shape[0], np.int32)
        self._sum = np.zeros(self._shape)
        self._min, self._max = np.full(self._shape, np.inf), np.full(self._shape, -np.inf)
        self._at_lower, self._at_upper = (np.zeros(self._shape, np.int32) for _ in range(2))
        self._end = np.full(self._shape, np.nan)

    def add(self, values: np.ndarray, finite: np.ndarray | None = None) -> None:
        """Add the values (point, variable) of one step.

        ``finite`` (point,) is true where all outputs of the model are finite; by default, where ``values`` are.
        """
        finite = np.isfinite(values).all(axis=1) if finite is None else finite
        self.steps += 1
        self.not_finite += ~finite
        self._sum += values
        np.fmin(self._min, values, out=self._min)
        np.fmax(self._max, values, out=self._max)
        self._at_lower += values <= self._lower
        self._at_upper += values >= self._upper
        self._end = values

    def result(self) -> dict[str, np.ndarray]:
        """Return the statistics by name, each of shape (point, variable); counts are integers, the rest float32."""
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = self._sum / self.steps
        found = dict(zip(STATISTICS[:4], (mean, self._min, self._max, self._end), strict=True))
        out = {name: np.asarray(v, np.float32) for name, v in found.items()}
        return out | {"at_lower": self._at_lower, "at_upper": self._at_upper}
