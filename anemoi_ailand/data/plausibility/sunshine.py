# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Short-wave radiation against the sun of its place and hours: sunshine at night, shifted clocks, wrong coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from earthkit.meteo.solar import solar_declination_angle

from anemoi_ailand.constants import STEP

#: Total solar irradiance at the mean distance of the sun [W m-2]. IFS Documentation CY49R1, Part IV.
SOLAR_CONSTANT = 1361.0

#: Change of the irradiance with the distance of the sun over the year [1], and the day of the year that is nearest.
_DISTANCE, _NEAREST_DAY = 0.0334, 3.0

#: Instants of a step at which the sun's height is taken, and the time between them.
_SAMPLES = 12
_BETWEEN = STEP / _SAMPLES

#: Largest shift of a clock that is tried [h].
_MOST_HOURS = 12

#: Mean insolation that tells the clock of a point [W m-2].
_BRIGHT = 40.0

#: Local solar time at which air is usually warmest [h].
WARMEST_HOUR = 14.5

_STEPS_A_DAY = timedelta(days=1) // STEP

#: Days for which the insolation of an hour of the day is kept.
_DAYS_KEPT = 8

Places = tuple[np.ndarray, np.ndarray]


def irradiance(times: Sequence[datetime], where: Places) -> np.ndarray:
    r"""Return the insolation at the top of the atmosphere at instants [W m-2], shape (time, point).

    .. math:: S = S_0\,d^{-2}\,\max(\sin\delta\sin\phi + \cos\delta\cos\phi\cos h,\,0)

    with declination :math:`\delta`, latitude :math:`\phi`, hour angle :math:`h` and distance :math:`d` of the sun.
    """
    angles = np.array([solar_declination_angle(time) for time in times], dtype=np.float32)  # both in degrees
    declination = np.deg2rad(angles[:, :1])
    strength = np.array([[_strength(time)] for time in times], dtype=np.float32)
    noon = np.array([[15.0 * (time.hour + time.minute / 60.0 - 12.0)] for time in times], dtype=np.float32)
    latitude, longitude = (np.asarray(x, dtype=np.float32) for x in where)
    latitude = np.deg2rad(latitude)
    height = np.cos(np.deg2rad(noon + longitude + angles[:, 1:]))
    height *= np.cos(declination) * np.cos(latitude)
    height += np.sin(declination) * np.sin(latitude)
    return np.maximum(height, 0.0) * strength


def insolation_of_steps(dates: Sequence[datetime], where: Places) -> np.ndarray:
    r"""Return the mean insolation at the top of the atmosphere over the 6 h before dates [W m-2], (date, point).

    .. math:: \frac{S_0\,d^{-2}}{h_2 - h_1} \int_{h_1}^{h_2} \max(A + B \cos h,\,0)\,\mathrm{d}h

    with :math:`A = \sin\delta\sin\phi` and :math:`B = \cos\delta\cos\phi`, in closed form between sunrise and sunset.
    """
    return np.stack([_insolation(date, where) for date in dates])


def _insolation(date: datetime, where: Places) -> np.ndarray:
    declination, correction = np.deg2rad(solar_declination_angle(date - STEP / 2))
    latitude, longitude = (np.deg2rad(np.asarray(x, dtype=np.float32)) for x in where)
    a = np.float32(np.sin(declination)) * np.sin(latitude)
    b = np.float32(np.cos(declination)) * np.maximum(np.cos(latitude), np.float32(1.0e-6))
    sunset = np.arccos(np.clip(-a / b, -1.0, 1.0))
    noon = np.float32((date.hour + date.minute / 60.0 - 12.0) * np.pi / 12.0 + correction)
    end = (longitude + noon) % np.float32(2.0 * np.pi)
    total = np.zeros_like(end)
    for turn in (0.0, 2.0 * np.pi):  # the day that ends at the date, and the next sunrise
        last, first = (np.clip(end - np.float32(turn + back), -sunset, sunset) for back in (0.0, np.pi / 2.0))
        total += a * (last - first) + b * (np.sin(last) - np.sin(first))
    return np.float32(_strength(date) / (np.pi / 2.0)) * np.maximum(total, 0.0)


def _strength(date: datetime) -> float:
    """Return the irradiance at the distance of the sun on a day [W m-2]."""
    day = date.timetuple().tm_yday
    return float(SOLAR_CONSTANT * (1.0 + _DISTANCE * np.cos(2.0 * np.pi * (day - _NEAREST_DAY) / 365.25)))


def _samples(date: datetime, length: timedelta) -> list[datetime]:
    """Return the middles of the intervals of :data:`_BETWEEN` in a period that ends at a date."""
    return [date - length + (k + 0.5) * _BETWEEN for k in range(length // _BETWEEN)]


class LargestInsolation:
    """Insolation that short-wave radiation cannot exceed, kept for some days as it changes slowly."""

    def __init__(self) -> None:
        self._where: Places | None = None
        self._kept: dict[tuple[int, int], np.ndarray] = {}
        self._ends: dict[tuple[int, int], np.ndarray] = {}

    def __call__(self, date: datetime, where: Places) -> np.ndarray:
        """Return an upper bound of the mean over the 6 h before a date [W m-2], shape (point,)."""
        known = self._where
        if known is None or known[0] is not where[0] or known[1] is not where[1]:
            self._where, self._kept, self._ends = where, {}, {}
        period, minutes = date.toordinal() // _DAYS_KEPT, date.hour * 60 + date.minute
        if (period, minutes) not in self._kept:
            for kept in (self._kept, self._ends):
                for key in [key for key in kept if key[0] < period]:
                    del kept[key]
            ends = [self._end(period, minutes), self._end(period + 1, minutes)]
            self._kept[period, minutes] = np.maximum(*ends)
        return self._kept[period, minutes]

    def _end(self, period: int, minutes: int) -> np.ndarray:
        """Return the insolation at the first day of a period."""
        if (period, minutes) not in self._ends:
            first = datetime.fromordinal(max(1, period * _DAYS_KEPT)) + timedelta(minutes=minutes)
            assert self._where is not None
            self._ends[period, minutes] = _insolation(first, self._where)
        return self._ends[period, minutes]


@dataclass(frozen=True)
class SunClock:
    """Comparison of the daily cycle of short-wave radiation with the sun, each of shape (point,).

    Attributes
    ----------
    bright : numpy.ndarray
        Whether the sun shines enough to tell.
    follows : numpy.ndarray
        Correlation of the radiation with the sun of the place.
    hours : numpy.ndarray
        Shift with the highest correlation [h]: positive if the radiation peaks after the sun.
    gain : numpy.ndarray
        Correlation with the shifted sun less ``follows``.
    share : numpy.ndarray
        Radiation over insolation at the top of the atmosphere.
    """

    bright: np.ndarray
    follows: np.ndarray
    hours: np.ndarray
    gain: np.ndarray
    share: np.ndarray


def compare_clocks(short_wave: np.ndarray, dates: Sequence[datetime], where: Places) -> SunClock:
    """Compare short-wave radiation (date, point) of consecutive steps with the sun, as it is and shifted by hours."""
    length = len(dates) * STEP
    most = timedelta(hours=_MOST_HOURS)
    fine = irradiance(_samples(dates[-1] + most, length + 2 * most), where)
    an_hour = timedelta(hours=1) // _BETWEEN
    tried = np.arange(1 - _MOST_HOURS, _MOST_HOURS + 1)
    found = []
    for hours in tried:  # radiation that peaks late is that of the sun so many hours earlier
        first = int(_MOST_HOURS - hours) * an_hour
        sun = fine[first : first + len(dates) * _SAMPLES].reshape(len(dates), _SAMPLES, -1).mean(axis=1)
        found.append(_correlation(short_wave, sun))
        if hours == 0:
            mean = sun.mean(axis=0)
    correlations = np.array(found)
    best, own = correlations.argmax(axis=0), correlations[_MOST_HOURS - 1]
    gain = correlations.max(axis=0) - own
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(mean > 0.0, short_wave.mean(axis=0) / mean, 0.0)
    return SunClock(mean > _BRIGHT, own, tried[best], gain, share)


def follows_at(short_wave: np.ndarray, dates: Sequence[datetime], where: Places) -> np.ndarray:
    """Return the correlation of short-wave radiation (date, point) with the sun of places, shape (point,)."""
    return _correlation(short_wave, insolation_of_steps(dates, where))


def warmest_hour(temperature: np.ndarray, dates: Sequence[datetime], where: Places) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the local solar time of the warmest hour of whole days [h], and the amplitude of the daily cycle [K].

    Both, of shape (point,), are those of the first harmonic of the median day of temperatures (date, point) at dates,
    or in the middle of the interval of a mean. The hour is in the twelve hours to both sides of :data:`WARMEST_HOUR`.
    """
    days = temperature.reshape(-1, _STEPS_A_DAY, temperature.shape[1])
    day = np.median(days - days.mean(axis=1, keepdims=True), axis=0)
    hours = np.array([date.hour + date.minute / 60.0 for date in dates[:_STEPS_A_DAY]])
    harmonic = 2.0 * (day * np.exp(-2j * np.pi * hours / 24.0)[:, None]).mean(axis=0)
    local = -np.angle(harmonic) * 12.0 / np.pi + np.asarray(where[1]) / 15.0
    apart = (local - WARMEST_HOUR + 12.0) % 24.0 - 12.0
    return WARMEST_HOUR + apart, np.abs(harmonic)


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the correlation along the first axis, 0 where one of both does not change."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    norm = np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
    return np.where(norm > 1.0e-6, (a * b).sum(axis=0) / np.where(norm > 1.0e-6, norm, 1.0), 0.0)


def sentence_of(hours: int) -> str:
    """Describe a shift of the clock."""
    return f"peaks {abs(hours)} h {'after' if hours > 0 else 'before'} the sun"
