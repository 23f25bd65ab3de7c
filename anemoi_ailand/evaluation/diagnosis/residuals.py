# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Residuals of sites with their covariance: error of the emulator, noise, biases of instruments, and few values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anemoi_ailand.evaluation.diagnosis.site_means import Cells

#: Fewest values of a mean that is used.
FEWEST_VALUES = 20


@dataclass(frozen=True)
class InstrumentError:
    """Errors that the diagnosis assumes of 6-hourly observations, standard deviations in the units of the table.

    ``noise`` is that of one value, ``offset`` constant at a site, ``gain`` a factor of the flux, or of the departure of
    soil water from its mean [1].
    """

    noise: float
    offset: float = 0.0
    gain: float = 0.0


#: By variable; soil water of all layers as ``swvl``. Larger than the errors of good towers, since a user knows theirs
#: badly; fluxes have a gain in common (closure) besides.
INSTRUMENTS = {
    "slhf": InstrumentError(5.0, gain=0.12),
    "sshf": InstrumentError(5.5, gain=0.12),
    "2t": InstrumentError(0.3, offset=0.3),
    "2d": InstrumentError(0.45, offset=0.5),
    "swvl": InstrumentError(0.0075, offset=0.06, gain=0.15),
}
_COMMON_GAIN, _FLUXES, _SOIL = 0.15, ("slhf", "sshf"), "swvl"

#: Shares of the error between years: of the site itself against all sites, and of correlation against independence.
_OWN, _CORRELATED = 0.5, 0.8

#: Limit of standardised errors in the correlation, and degrees of freedom of Student's t by which odd sites count less.
_LIMIT, _FREEDOM = 4.0, 8.0

#: Variance of a cell without values.
_UNKNOWN = 1.0e8


def instrument_of(name: str) -> InstrumentError:
    """Return the error of the instrument of a variable; an unknown variable is a ValueError."""
    key = _SOIL if name.startswith(_SOIL) else name
    if key not in INSTRUMENTS:
        raise ValueError(f"'{name}' cannot be diagnosed (available: {[*INSTRUMENTS]}). Leave it out.")
    return INSTRUMENTS[key]


def scatter(anomalies: Sequence[np.ndarray], cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Return the spread of the emulator's error between years (point, cell), and its correlation (cell, cell).

    ``anomalies`` (point, cell) are errors of single years less the mean of the others, so that their variance is
    (1 + 1 / (n - 1)) times that of a year.
    """
    deviations = np.stack(anomalies) / np.sqrt(1.0 + 1.0 / (len(anomalies) - 1))
    own = (deviations**2).mean(0)
    everywhere = np.broadcast_to(own.mean(0), own.shape)
    variance = np.empty_like(own)
    for k in range(len(cells.names)):
        column = cells.variable == k
        ratio = (own[:, column] / np.maximum(everywhere[:, column], 1e-20)).mean(1, keepdims=True)
        variance[:, column] = _OWN * own[:, column] + (1.0 - _OWN) * ratio * everywhere[:, column]
    spread = np.sqrt(np.maximum(variance, 1e-20))
    z = np.clip(deviations / spread, -_LIMIT, _LIMIT).reshape(-1, len(cells))
    moments = z.T @ z
    size = np.sqrt(np.maximum(moments.diagonal(), 1e-20))
    return spread, _CORRELATED * moments / size[:, None] / size + (1.0 - _CORRELATED) * np.eye(len(cells))


class Residuals:
    """Observation minus emulator at sites, less the known error of the emulator, with its precision.

    The mean gain of each flux, over all sites, is estimated and removed: towers measure some 80 % of the fluxes, and a
    defect of one class changes it little.

    Parameters
    ----------
    cells : Cells
        Layout of the means.
    observed, emulated, counts : array, shape (site, cell)
        Means of observation and emulator at the same times, and numbers of values.
    known_error : array, shape (site, cell)
        Mean of physical model minus emulator in other years.
    anomalies : sequence of array, shape (site, cell)
        Departures of single years from the mean of the others; at least two.
    n_years : int
        Years of the observations, over which errors average.
    """

    def __init__(
        self, cells: Cells, observed: np.ndarray, emulated: np.ndarray, counts: np.ndarray, known_error: np.ndarray,
        anomalies: Sequence[np.ndarray], n_years: int,
    ) -> None:  # fmt: skip
        if len(anomalies) < 2:
            raise ValueError(
                f"The error of the emulator is known from {len(anomalies)} year(s). Give two or more, so that its "
                "spread between years is known."
            )
        self.cells, self.missing = cells, counts < FEWEST_VALUES
        spread, self.correlation = scatter(anomalies, cells)
        self.spread = spread * np.sqrt(1.0 / n_years + 1.0 / len(anomalies))
        residual = np.where(self.missing, 0.0, observed - emulated - known_error)
        fluxes = {n: np.where(cells.of(n), emulated, 0.0) for n in _FLUXES if n in cells.names}
        precision = np.linalg.inv(self._covariance(emulated, counts, fluxes))
        self.gains = dict.fromkeys(fluxes, 1.0)
        if fluxes:
            base = np.stack(list(fluxes.values()), -1)
            normal = np.einsum("scg,scd,sdh->gh", base, precision, base, optimize=True)
            gain = np.linalg.solve(normal, np.einsum("scg,scd,sd->g", base, precision, residual, optimize=True))
            residual = np.where(self.missing, 0.0, residual - base @ gain)
            self.gains = dict(zip(fluxes, (1.0 + gain).tolist(), strict=True))
        size, number = np.einsum("sc,scd,sd->s", residual, precision, residual), (~self.missing).sum(1)
        weight = np.minimum(1.0, (_FREEDOM + number) / (_FREEDOM + size))
        self.values = residual
        self.precision = precision * weight[:, None, None]
        self.score = np.einsum("scd,sd->sc", self.precision, residual)

    def as_seen(self, change: np.ndarray) -> np.ndarray:
        """Return a change (site, cell) as the instruments see it: fluxes times the mean gain."""
        gains = np.array([self.gains.get(name, 1.0) for name in self.cells.names])
        return change * gains[self.cells.variable]

    def _covariance(self, emulated: np.ndarray, counts: np.ndarray, fluxes: Mapping[str, np.ndarray]) -> np.ndarray:
        cells, n = self.cells, len(self.cells)
        covariance = self.correlation * (self.spread[:, :, None] * self.spread[:, None])
        errors = [instrument_of(name) for name in cells.names]
        noise = np.array([e.noise for e in errors])[cells.variable]
        variance = np.where(self.missing, _UNKNOWN, noise**2 / np.maximum(counts, 1.0))
        covariance[:, np.arange(n), np.arange(n)] += variance
        common = sum(fluxes.values(), np.zeros_like(emulated))
        covariance += _COMMON_GAIN**2 * common[:, :, None] * common[:, None]
        for name, error in zip(cells.names, errors, strict=True):
            own = cells.of(name)
            covariance += error.offset**2 * np.outer(own, own)
            signal = np.where(own, emulated, 0.0)
            if name not in fluxes:  # a probe's gain is about its mean
                known = own & ~self.missing
                mean = np.where(known, emulated, 0.0).sum(1, keepdims=True) / np.maximum(known.sum(1, keepdims=True), 1)
                signal = np.where(known, emulated - mean, 0.0)
            covariance += error.gain**2 * signal[:, :, None] * signal[:, None]
        return covariance
