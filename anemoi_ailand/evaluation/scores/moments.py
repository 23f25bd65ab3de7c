# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
r"""Sums from which all scores follow, so that values are seen once and never kept.

For forecast :math:`f`, reference :math:`o`, climatology :math:`c` and a constant :math:`s` near the mean of :math:`o`,
the sums are those of 1, :math:`e = f - o`, :math:`e^2`, :math:`|e|`, :math:`O = o - s`, :math:`O^2`, :math:`O e`,
:math:`a = o - c`, :math:`a^2`, :math:`a e`. With :math:`f - s = O + e` and :math:`f - c = a + e` they give all moments
of forecast and anomalies. They are float64, and small numbers are summed: 280 K squared would cost the variance its
digits, and so would the difference of two sums of squares the error.

"n values" are all starts, times and points of a cell with equal weight, so a correlation over a group of points is also
one in space.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

#: What is summed, in the order of the first axis of :attr:`Moments.sums`.
TERMS = ("n", "e", "ee", "abs_e", "o", "oo", "oe", "a", "aa", "ae")

#: A variance below this part of the others in the same formula is rounding, so the field does not vary.
_ROUNDING = 1e-12


def terms(fcst: np.ndarray, obs: np.ndarray, climatology: np.ndarray, shift: float = 0.0) -> np.ndarray:
    """What is summed, without the count: ``(9, ...)``, float64, of arrays of one shape (or broadcast to ``fcst``)."""
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
    """Sums of :data:`TERMS` by cell, for example of lead time and group.

    Parameters
    ----------
    sums : numpy.ndarray
        ``(10, *cells)``, float64.
    shift : float
        The constant :math:`s`, in the unit of the variable.
    """

    sums: np.ndarray
    shift: float = 0.0

    @classmethod
    def empty(cls, shape: tuple[int, ...], shift: float = 0.0) -> Moments:
        """Return sums of nothing for cells of a shape."""
        return cls(np.zeros((len(TERMS), *shape)), shift)

    def add(self, values: np.ndarray, cells: np.ndarray) -> None:
        """Add ``values`` from :func:`terms` ``(9, ...)`` to their cells ``(...)``, flat indices; below zero: none."""
        flat = self.sums.reshape(len(TERMS), -1)
        size = flat.shape[1]
        cells = np.where(cells < 0, size, cells).ravel()
        flat[0] += np.bincount(cells, minlength=size + 1)[:size]
        for total, value in zip(flat[1:], values, strict=True):
            total += np.bincount(cells, value.ravel(), size + 1)[:size]

    def merge(self, other: Moments) -> Moments:
        """Return the sums of both.

        Raises
        ------
        ValueError
            They are of other cells or about another constant.
        """
        if self.sums.shape != other.sums.shape or self.shift != other.shift:
            raise ValueError(
                f"Sums of {self.sums.shape[1:]} cells about {self.shift} cannot be merged with {other.sums.shape[1:]} "
                f"cells about {other.shift}. Make both with the same cells and the same shift."
            )
        return Moments(self.sums + other.sums, self.shift)

    def pooled(self, labels: np.ndarray, n_groups: int) -> Moments:
        """Pool the last axis by group: ``(..., point) -> (..., group)``; a label below zero is in no group."""
        member = labels[:, None] == np.arange(n_groups)
        return Moments(self.sums @ member.astype(np.float64), self.shift)

    def total(self, axis: int = 0) -> Moments:
        """Pool all along an axis of the cells."""
        return Moments(self.sums.sum(axis=axis + 1), self.shift)

    def mean(self, term: str) -> np.ndarray:
        """Mean of a term by cell, NaN where there is no value."""
        count = self.sums[0]
        return np.divide(self.sums[TERMS.index(term)], count, out=np.full(count.shape, np.nan), where=count > 0)

    @property
    def n(self) -> np.ndarray:
        """Number of values by cell."""
        return self.sums[0].astype(np.int64)


def rmse(m: Moments) -> np.ndarray:
    r"""Root mean squared error :math:`\sqrt{\overline{e^2}}`, in the unit of the variable."""
    return np.sqrt(m.mean("ee"))


def bias(m: Moments) -> np.ndarray:
    r"""Mean error :math:`\overline{f - o}`, forecast minus reference, in the unit of the variable."""
    return m.mean("e")


def mae(m: Moments) -> np.ndarray:
    r"""Mean absolute error :math:`\overline{|e|}`, in the unit of the variable."""
    return m.mean("abs_e")


def ubrmse(m: Moments) -> np.ndarray:
    r"""Unbiased RMSE :math:`\sqrt{\overline{e^2} - \overline{e}^2}`, in the unit of the variable.

    Source: Entekhabi et al. (2010), doi:10.1175/2010JHM1223.1; Gruber et al. (2020), doi:10.1016/j.rse.2020.111806.
    """
    return np.sqrt(np.maximum(m.mean("ee") - m.mean("e") ** 2, 0.0))


def correlation(m: Moments) -> np.ndarray:
    r"""Pearson correlation of forecast and reference; NaN where one of them does not vary."""
    return _spread(m, "o")[0]


def acc(m: Moments) -> np.ndarray:
    r"""Centred anomaly correlation: Pearson correlation of :math:`f - c` and :math:`o - c`.

    NaN where an anomaly does not vary, so always for the climatology itself. Source: Jolliffe and Stephenson (2012),
    Forecast Verification, section 6.3.1, doi:10.1002/9781119960003; Gruber et al. (2020),
    doi:10.1016/j.rse.2020.111806, for soil moisture.
    """
    return _spread(m, "a")[0]


def kge(m: Moments) -> np.ndarray:
    r"""Kling-Gupta efficiency in its form of 2009.

    .. math:: \mathrm{KGE} = 1 - \sqrt{(r - 1)^2 + (\sigma_f / \sigma_o - 1)^2 + (\mu_f / \mu_o - 1)^2}

    with correlation :math:`r`. Its last term depends on the zero of the unit: in K it never counts, and for a flux
    whose mean is near zero it is all that counts. Source: Gupta et al. (2009), doi:10.1016/j.jhydrol.2009.08.003.
    """
    r, ratio = _spread(m, "o")
    mean_obs = m.mean("o") + m.shift
    with np.errstate(divide="ignore", invalid="ignore"):
        beta = np.where(mean_obs == 0, np.nan, (mean_obs + m.mean("e")) / mean_obs)
    return 1 - np.sqrt((r - 1) ** 2 + (ratio - 1) ** 2 + (beta - 1) ** 2)


def r2(m: Moments) -> np.ndarray:
    r"""Coefficient of determination :math:`1 - \overline{e^2} / \sigma_o^2`, which is the Nash-Sutcliffe efficiency.

    Not the squared correlation: a biased forecast loses. NaN where the reference does not vary.
    Source: Nash and Sutcliffe (1970), doi:10.1016/0022-1694(70)90255-6.
    """
    square = m.mean("oo")
    variance = _unless_rounding(square - m.mean("o") ** 2, square)
    return 1 - m.mean("ee") / variance


def _spread(m: Moments, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Correlation and ratio of the standard deviations of ``what`` plus error, and ``what``: raw 'o' or anomaly 'a'."""
    mean, mean_e, square = m.mean(what), m.mean("e"), m.mean(2 * what)
    var_o = _unless_rounding(square - mean**2, square)
    var_e = m.mean("ee") - mean_e**2
    cov = m.mean(f"{what}e") - mean * mean_e
    var_f = _unless_rounding(var_o + 2 * cov + var_e, var_o + m.mean("ee"))
    return (var_o + cov) / np.sqrt(var_o * var_f), np.sqrt(var_f / var_o)


def _unless_rounding(variance: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Variance, NaN where it is no more than rounding of numbers of size ``scale``."""
    return np.where(variance > _ROUNDING * scale, variance, np.nan)


#: Scores by the name they have in tables.
SCORES: dict[str, Callable[[Moments], np.ndarray]] = {
    "rmse": rmse,
    "bias": bias,
    "mae": mae,
    "ubrmse": ubrmse,
    "correlation": correlation,
    "acc": acc,
    "kge": kge,
    "r2": r2,
}
