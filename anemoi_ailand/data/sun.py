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
from earthkit.meteo.solar import cos_solar_zenith_angle

#: Days of a year in the calendar angle [d]. earthkit-data, sources/forcings.py.
_DAYS_OF_YEAR = 365.25


def _julian_angle(date: datetime) -> float:
    day = date - datetime(date.year, 1, 1)
    return (day.days + day.seconds / 86400.0) / _DAYS_OF_YEAR * np.pi * 2


def _local_angle(date: datetime, longitudes: np.ndarray) -> np.ndarray:
    seconds = (date - datetime(date.year, date.month, date.day)).seconds
    return (longitudes / 360.0 * 24.0 + seconds / 86400.0 * 24) % 24 / 24 * np.pi * 2


_FUNCTIONS: dict[str, Callable[[datetime, np.ndarray, np.ndarray], np.ndarray]] = {
    "insolation": lambda d, lat, lon: np.ravel(cos_solar_zenith_angle(d, lat, lon)),
    "cos_julian_day": lambda d, lat, lon: np.full(lat.shape, np.cos(_julian_angle(d))),
    "sin_julian_day": lambda d, lat, lon: np.full(lat.shape, np.sin(_julian_angle(d))),
    "cos_local_time": lambda d, lat, lon: np.cos(_local_angle(d, lon)),
    "sin_local_time": lambda d, lat, lon: np.sin(_local_angle(d, lon)),
}

#: Names of computed variables.
COMPUTED = tuple(_FUNCTIONS)


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
    for i, name in enumerate(names):
        for j, date in enumerate(dates):
            out[i, j] = _FUNCTIONS[name](date, latitudes, longitudes)
    return out
