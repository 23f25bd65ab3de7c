# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Perturbed forcing of an ensemble: precipitation, radiation and temperature."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anemoi_ailand.constants import STEP_HOURS, TETENS_ICE, TETENS_PRESSURE, TETENS_WATER, TRIPLE_POINT
from anemoi_ailand.rollout.ensembles.options import ForcingSpread
from anemoi_ailand.rollout.ensembles.smooth_fields import SmoothFields, innovations, perturbs
from anemoi_ailand.variables import HOURLY_RAIN

#: Perturbed quantities, in the order of the correlations.
KINDS = ("precipitation", "shortwave", "longwave", "temperature")

#: Their correlations. Precipitation and radiation: Reichle et al. (2007), doi:10.1029/2006JD008033, table 1;
#: temperature: our choice, warmer with more radiation of either kind.
CORRELATIONS = np.array([
    [1.0, -0.8, 0.5, 0.0],
    [-0.8, 1.0, -0.5, 0.3],
    [0.5, -0.5, 1.0, 0.3],
    [0.0, 0.3, 0.3, 1.0],
])  # fmt: skip

#: Variables of each quantity. Instants of temperature and humidity have the perturbation at their time, means over the
#: step the mean of the perturbations at both ends.
_PRECIPITATION = ("avg_tprate", "avg_tsrwe", "late_tprate", "late_tsrwe", *HOURLY_RAIN)
_SHORTWAVE = ("avg_sdswrf", "late_sdswrf")
_HUMIDITY = {"q": "t", "avg_q": "avg_t"}

_PURPOSE = 1


class PerturbedForcing:
    r"""Perturbed forcing of all members, step by step.

    The perturbations :math:`z` of the four quantities are Gaussian fields with AR(1) amplitudes,
    :math:`a_k = \rho a_{k-1} + \sqrt{1 - \rho^2}\,\epsilon_k`, :math:`\rho = e^{-6 h / \tau}`. Precipitation, rain and
    snow alike, is multiplied by :math:`e^{\sigma z - \sigma^2 / 2}`, with mean one; short-wave radiation :math:`S`
    becomes :math:`S + s z\, S / (S + s)`, so that nights stay dark; the perturbations of long-wave radiation and
    temperature are additive; specific humidity follows temperature at constant relative humidity. No radiation falls
    below zero. With ``control``, member 0 is unperturbed.
    """

    def __init__(
        self, spread: ForcingSpread, fields: SmoothFields, members: range, seed: int, *, control: bool
    ) -> None:
        self.spread, self._fields, self._members = spread, fields, members
        self._seed, self._control = seed, control
        self._mix = np.linalg.cholesky(CORRELATIONS)
        self._rho = np.exp(-STEP_HOURS / spread.hours)
        self._number = 0
        self._amplitudes = self._draw(0)
        self._before = self._z()

    @property
    def amplitudes(self) -> np.ndarray:
        """Amplitudes that a restart needs, shape (member, quantity, wave)."""
        return self._amplitudes.copy()

    def restore(self, amplitudes: np.ndarray, number: int) -> None:
        """Continue after step ``number`` with its amplitudes."""
        self._amplitudes, self._number = amplitudes.copy(), number
        self._before = self._z()

    def at_start(self, values: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Return the instants at the start of the run, (variable, point) to (variable, member, point)."""
        return self._perturbed(values, names, self._before, self._before)

    def step(self, values: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Return the forcing of the next step, (variable, point) to (variable, member, point), float32."""
        self._number += 1
        fresh = np.sqrt(1.0 - self._rho**2) * self._draw(self._number)
        self._amplitudes = self._rho * self._amplitudes + fresh
        now = self._z()
        out = self._perturbed(values, names, now, np.float32(0.5) * (self._before + now))
        self._before = now
        return out

    def _draw(self, number: int) -> np.ndarray:
        drawn = innovations(self._seed, _PURPOSE, self._members, number, len(KINDS), control=self._control)
        return np.einsum("ij,mjk->mik", self._mix, drawn)

    def _z(self) -> np.ndarray:
        """Return standard normal fields, shape (quantity, member, point)."""
        return self._fields(self._amplitudes).swapaxes(0, 1)

    def _perturbed(self, values: np.ndarray, names: Sequence[str], now: np.ndarray, mean: np.ndarray) -> np.ndarray:
        out = np.repeat(values[:, None].astype(np.float32), len(self._members), axis=1)
        given = {name: i for i, name in enumerate(names)}
        self._water(out, given, mean[0])
        self._radiation(out, given, mean[1], mean[2])
        self._warmth(out, given, {"t": now[3], "avg_t": mean[3]})
        return out

    def _water(self, out: np.ndarray, given: dict[str, int], z: np.ndarray) -> None:
        sigma = np.float32(np.sqrt(np.log1p(self.spread.precipitation**2)))
        # the mean of two correlated normal numbers has a smaller variance; the control has none
        variance = np.float32(0.5 * (1.0 + self._rho)) * perturbs(self._members, control=self._control)
        factor = np.exp(sigma * z - np.float32(0.5) * sigma**2 * variance)
        for name in _PRECIPITATION:
            if name in given:
                out[given[name]] *= factor

    def _radiation(self, out: np.ndarray, given: dict[str, int], short: np.ndarray, long: np.ndarray) -> None:
        s = np.float32(self.spread.shortwave)
        for name in _SHORTWAVE:
            if name in given:
                sun = out[given[name]]
                out[given[name]] = _not_below(sun + s * short * sun / (sun + s + np.float32(1e-6)), sun)
        if "avg_sdlwrf" in given:
            i = given["avg_sdlwrf"]
            out[i] = _not_below(out[i] + np.float32(self.spread.longwave) * long, out[i])

    def _warmth(self, out: np.ndarray, given: dict[str, int], z: dict[str, np.ndarray]) -> None:
        for humidity, temperature in _HUMIDITY.items():
            if temperature not in given:
                continue
            i = given[temperature]
            warmer = out[i] + np.float32(self.spread.temperature) * z[temperature]
            if humidity in given:
                out[given[humidity]] *= _saturation(warmer) / _saturation(out[i])
            out[i] = warmer


def _not_below(changed: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Limit to zero, or to a ``given`` value below zero by rounding, so that the control keeps its bits."""
    return np.maximum(changed, np.minimum(given, np.float32(0.0)))


def _saturation(t: np.ndarray) -> np.ndarray:
    """Return the saturation vapour pressure over water or ice [Pa] (Tetens; IFS Documentation CY49R1, Part IV)."""
    ice = t < TRIPLE_POINT
    a, b = (np.where(ice, *map(np.float32, pair)) for pair in zip(TETENS_ICE, TETENS_WATER, strict=True))
    return np.float32(TETENS_PRESSURE) * np.exp(a * (t - np.float32(TRIPLE_POINT)) / (t - b))
