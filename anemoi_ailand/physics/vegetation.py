# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Parameters of ecLand's vegetation types, and leaf area by type, season and day. NumPy."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from anemoi_ailand.physics.soil_types import whole_types

#: Vegetation types 1 to 20; 0 means no vegetation. IFS Documentation CY49R1, Part IV, chapter 8.
VEGETATION_TYPES = (
    "none", "crops", "short grass", "evergreen needleleaf", "deciduous needleleaf", "deciduous broadleaf",
    "evergreen broadleaf", "tall grass", "desert", "tundra", "irrigated crops", "semidesert", "ice caps",
    "bogs and marshes", "inland water", "ocean", "evergreen shrubs", "deciduous shrubs", "mixed forest",
    "interrupted forest", "water and land mixtures",
)  # fmt: skip

#: Vegetation density within its tile, by vegetation type 0-20 [1]. ecLand, susveg_mod.F90, RVCOV (ESA-CCI types).
VEGETATION_DENSITY = (
    0.0, 0.9, 0.85, 0.9, 0.9, 0.9, 0.99, 0.7, 0.0, 0.5, 0.9, 0.1, 0.0, 0.6, 0.0, 0.0, 0.5, 0.4, 0.9, 0.9, 0.6,
)  # fmt: skip

#: Roughness length for momentum, by vegetation type 0-20 [m]. ecLand, susveg_mod.F90, RVZ0M (ESA-CCI types).
ROUGHNESS_LENGTH = (
    0.013, 0.25, 0.1, 2.0, 2.0, 2.0, 2.0, 0.5, 0.013, 0.03, 0.5, 0.03, 0.0013, 0.25, 1e-4, 1e-4, 0.5, 0.1, 1.5, 1.1,
    0.02,
)  # fmt: skip

#: Minimum stomatal resistance, by vegetation type 0-20 [s m-1]. ecLand, susveg_mod.F90, RVRSMIN (ESA-CCI types).
STOMATAL_RESISTANCE = (
    250.0, 125.0, 80.0, 395.0, 320.0, 215.0, 320.0, 100.0, 250.0, 45.0, 110.0, 45.0, 0.0, 130.0, 0.0, 0.0, 230.0, 110.0,
    180.0, 175.0, 150.0,
)  # fmt: skip

#: Leaf area index in the growing season, by vegetation type 0-20 [m2 m-2]. IFS Documentation CY31R1, Part IV,
#: table 7.1 (Viterbo and Beljaars 1995); ecLand, susveg_mod.F90, RVLAI.
SUMMER_LEAF_AREA = (
    0.0, 3.0, 2.0, 5.0, 5.0, 5.0, 6.0, 2.0, 0.5, 1.0, 3.0, 0.5, 0.0, 4.0, 0.0, 0.0, 3.0, 1.5, 5.0, 2.5, 0.0,
)  # fmt: skip

#: Leaf area in winter over that in summer, low and high vegetation, and within 10 degrees of the equator [1]: rounded
#: medians of the climatologies of 408 points in all climates.
WINTER_LOW, WINTER_HIGH, WINTER_EQUATOR = 1.0 / 3.0, 0.5, 0.8
_EQUATORIAL = 10.0

#: Month of the largest leaf area in the northern hemisphere, and exponent of the seasonal cycle; fitted to the same.
_PEAK_MONTH, _SEASON_EXPONENT = 7.15, 1.3

#: Day of the month to which monthly fields belong. ecLand, updcli.
_MID_MONTH = 15


def vegetation_parameters(kind: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return density [1], roughness length [m] and minimum stomatal resistance [s m-1] of vegetation types 0 to 20."""
    index = whole_types(kind, len(VEGETATION_DENSITY) - 1, "vegetation")
    return tuple(np.array(t)[index] for t in (VEGETATION_DENSITY, ROUGHNESS_LENGTH, STOMATAL_RESISTANCE))  # type: ignore[return-value]


def leaf_area(monthly: np.ndarray, date: datetime) -> np.ndarray:
    """Return the leaf area index of a UTC day: linear between the 15th of each month, constant over the day.

    Shapes: climatology (12, point) [m2 m-2] -> (point,). Source: ecLand offline, updcli.
    """
    day = datetime(date.year, date.month, date.day)
    middle = day.replace(day=_MID_MONTH)
    if day >= middle:
        before, after = middle, (middle + timedelta(days=31)).replace(day=_MID_MONTH)
    else:
        before, after = (middle.replace(day=1) - timedelta(days=1)).replace(day=_MID_MONTH), middle
    weight = (day - before) / (after - before)
    return (1.0 - weight) * monthly[before.month - 1] + weight * monthly[after.month - 1]


def seasonal_leaf_area(summer: float, latitude: float, *, high: bool) -> np.ndarray:
    r"""Return a monthly leaf area index [m2 m-2], shape (12,), from that of the growing season.

    .. math:: L_m = L \left(w + (1 - w) \left(\tfrac12 + \tfrac12 \cos(2\pi (m - m_0) / 12)\right)^{1.3}\right)

    with :math:`w` = 1/3 for low and 1/2 for ``high`` vegetation (0.8 within 10 degrees of the equator), and the peak
    :math:`m_0` in July, in January in the southern hemisphere.
    """
    winter = WINTER_EQUATOR if abs(latitude) < _EQUATORIAL else WINTER_HIGH if high else WINTER_LOW
    peak = _PEAK_MONTH + (6.0 if latitude < 0.0 else 0.0)
    season = (0.5 + 0.5 * np.cos(2.0 * np.pi * (np.arange(1, 13) - peak) / 12.0)) ** _SEASON_EXPONENT
    return summer * (winter + (1.0 - winter) * season)
