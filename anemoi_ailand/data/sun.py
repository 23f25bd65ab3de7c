# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Sun and calendar at points: the computed forcings of Anemoi, with the names and values of its source `forcings`.

They are computed here with the land variables because the source `forcings` takes milliseconds per field. A test checks
that they equal those of Anemoi, which computes them in inference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
from earthkit.meteo.solar import solar_declination_angle

#: Days of a year in the calendar angle [d]. earthkit-data, sources/forcings.py.
_DAYS_OF_YEAR = 365.25

#: Values that are computed at once, which bounds the memory for intermediate ones.
_AT_ONCE = 2**18


def _insolation(dates: Sequence[datetime], latitudes: np.ndarray, longitudes: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return what ``cos_solar_zenith_angle`` of earthkit-meteo returns for one date, for several, (date, point)."""
    angles = np.array([solar_declination_angle(date) for date in dates])  # degrees; time correction in degrees
    declination, correction = np.deg2rad(angles[:, :1]), angles[:, 1:]
    noon = np.array([[(date.hour - 12) * 15] for date in dates])
    hour, latitudes = np.deg2rad(noon + longitudes + correction), np.deg2rad(latitudes)
    even = np.cos(declination) * np.cos(latitudes) * np.cos(hour)
    return (np.maximum(np.sin(declination) * np.sin(latitudes) + even, 0.0),)


def _of_year(dates: Sequence[datetime], latitudes: np.ndarray, longitudes: np.ndarray) -> tuple[np.ndarray, ...]:
    days = [date - datetime(date.year, 1, 1) for date in dates]
    angle = np.array([[day.days + day.seconds / 86400.0] for day in days]) / _DAYS_OF_YEAR * np.pi * 2
    return np.cos(angle), np.sin(angle)


def _of_day(dates: Sequence[datetime], latitudes: np.ndarray, longitudes: np.ndarray) -> tuple[np.ndarray, ...]:
    seconds = np.array([[date.hour * 3600 + date.minute * 60 + date.second] for date in dates])
    angle = (longitudes / 360.0 * 24.0 + seconds / 86400.0 * 24) % 24 / 24 * np.pi * 2
    return np.cos(angle), np.sin(angle)


_FUNCTIONS: dict[tuple[str, ...], Callable[[Sequence[datetime], np.ndarray, np.ndarray], tuple[np.ndarray, ...]]] = {
    ("insolation",): _insolation,
    ("cos_julian_day", "sin_julian_day"): _of_year,
    ("cos_local_time", "sin_local_time"): _of_day,
}

#: Names of computed variables, and of those that have the same values at the same time of every day.
DAILY = ("cos_local_time", "sin_local_time")
COMPUTED = tuple(name for names in _FUNCTIONS for name in names)


def compute(
    names: Sequence[str], dates: Sequence[datetime], latitudes: np.ndarray, longitudes: np.ndarray
) -> np.ndarray:
    r"""Return computed variables at points, float32 of shape (name, date, point), no unit.

    ``insolation`` is the cosine of the solar zenith angle, at least 0; ``cos_julian_day`` is
    :math:`\cos(2\pi d / 365.25)` with :math:`d` the days since 1 January; ``cos_local_time`` is
    :math:`\cos(2\pi h / 24)` with :math:`h` the hours UTC plus longitude / 15.

    Source: earthkit-meteo for the sun; earthkit-data 0.x, sources/forcings.py, for the calendar.
    """
    out = np.empty((len(names), len(dates), len(latitudes)), "f4")
    size = max(1, _AT_ONCE // max(1, len(latitudes)))
    for begin in range(0, len(dates), size):
        some = dates[begin : begin + size]
        for own, function in _FUNCTIONS.items():
            if not set(own).isdisjoint(names):
                found = dict(zip(own, function(some, latitudes, longitudes), strict=True))
                for i, name in enumerate(names):
                    if name in found:
                        out[i, begin : begin + size] = found[name]
    return out
