# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Parameters of ecLand's vegetation types, monthly climatologies, and leaf area and albedo without one. NumPy."""

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

#: Roughness length for heat over that for momentum, by vegetation type 0-20 [1]. ecLand, susveg_mod.F90, RVZ0H.
HEAT_ROUGHNESS_SHARE = (
    0.01, 0.01, 0.01, 1.0, 0.1, 1.0, 1.0, 0.01, 0.01, 0.01, 0.01, 0.01, 0.1, 0.01, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01,
    0.1,
)  # fmt: skip

#: Maximum rate of carboxylation at 25 degC, by vegetation type 0-20 [umol m-2 s-1]; 0 as desert. ecLand,
#: suoptsurf.F90, RVCMAX25.
CARBOXYLATION = (
    50.0, 49.0, 48.7, 62.2, 35.0, 41.9, 33.9, 49.0, 50.0, 70.0, 60.0, 50.0, 50.0, 48.6, 50.0, 50.0, 58.4, 44.5, 50.0,
    50.0, 50.0,
)  # fmt: skip

#: Reference respiration of soil and vegetation, by vegetation type 0-20 [1e-7 kg m-2 s-1 of CO2]; 0 as desert. ecLand,
#: suoptsurf.F90, RVR0VT.
RESPIRATION = (
    1.45, 1.395, 1.332, 4.617, 4.334, 4.06, 3.208, 1.395, 1.45, 5.23, 0.557, 0.013, 1.45, 3.692, 1.45, 1.45, 1.328,
    0.416, 2.107, 2.107, 2.7,
)  # fmt: skip

#: The last two of C4 plants, by the types that differ from C3. Same source.
C4_CARBOXYLATION = {1: 70.5, 2: 40.3, 7: 70.5}
C4_RESPIRATION = {1: 1.038, 2: 0.302, 7: 1.038}

#: Albedo without snow under low and high vegetation and of bare ground [1], where no climatology is given: rounded
#: least-squares fit to the annual means of 408 points in all climates, which leaves .027 of a standard deviation of
#: .051 (.023 of .035 at nine flux towers). Types of vegetation and soil would leave .025.
LOW_ALBEDO, HIGH_ALBEDO, BARE_ALBEDO = 0.15, 0.125, 0.31

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


def heat_roughness(kind: np.ndarray) -> np.ndarray:
    """Return the natural logarithm of the roughness length for heat in m of vegetation types 0 to 20 [1]."""
    index = whole_types(kind, len(ROUGHNESS_LENGTH) - 1, "vegetation")
    return np.log(np.array(ROUGHNESS_LENGTH) * np.array(HEAT_ROUGHNESS_SHARE))[index]


def photosynthesis_parameters(kind: np.ndarray, c4: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return maximum carboxylation [umol m-2 s-1] and reference respiration [kg m-2 s-1 of CO2] of vegetation types.

    Shapes: types 0 to 20 and the C4 pathway, 1 or 0, (point,) -> (point,) each.
    """
    index = whole_types(kind, len(CARBOXYLATION) - 1, "vegetation")
    out = []
    for table, of_c4 in ((CARBOXYLATION, C4_CARBOXYLATION), (RESPIRATION, C4_RESPIRATION)):
        other = [of_c4.get(k, v) for k, v in enumerate(table)]
        out.append(np.where(np.asarray(c4) > 0.5, np.array(other)[index], np.array(table)[index]))
    return out[0], 1.0e-7 * out[1]


def climatology_of_day(monthly: np.ndarray, date: datetime) -> np.ndarray:
    """Return a monthly climatology on a UTC day: linear between the 15th of each month, constant over the day.

    Leaf area and the background albedo of ecLand follow it. Shapes: (12, point) -> (point,). Source: ecLand offline,
    updcli.
    """
    (before, rest), (after, weight) = middles_around(date)
    return rest * monthly[before - 1] + weight * monthly[after - 1]


def middles_around(date: datetime) -> tuple[tuple[int, float], tuple[int, float]]:
    """Return the months of the 15th before and after a UTC day, and their weights; see :func:`climatology_of_day`."""
    day = datetime(date.year, date.month, date.day)
    middle = day.replace(day=_MID_MONTH)
    if day >= middle:
        before, after = middle, (middle + timedelta(days=31)).replace(day=_MID_MONTH)
    else:
        before, after = (middle.replace(day=1) - timedelta(days=1)).replace(day=_MID_MONTH), middle
    weight = (day - before) / (after - before)
    return (before.month, 1.0 - weight), (after.month, weight)


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


def background_albedo(cvl: np.ndarray, cvh: np.ndarray) -> np.ndarray:
    """Return an albedo without snow [1] for covers of low and high vegetation, where no climatology is given.

    Shapes: (point,) -> (point,). Source: fit to ecLand's climatology, see :data:`LOW_ALBEDO`.
    """
    return LOW_ALBEDO * cvl + HIGH_ALBEDO * cvh + BARE_ALBEDO * np.clip(1.0 - cvl - cvh, 0.0, 1.0)
