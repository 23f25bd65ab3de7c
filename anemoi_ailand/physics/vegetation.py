# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""What ecLand derives from types and months: parameters of vegetation and soil, and the leaf area of a day."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

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

#: Van Genuchten parameters by soil type 0-7: inverse length [m-1], exponent [1], saturated and residual water [m3 m-3].
#: ecLand, sussoil_mod.F90; IFS Documentation CY49R1, Part IV, table 8.9. Type 0 is water.
_ALPHA = (0.0, 3.83, 3.14, 0.83, 3.67, 2.65, 1.3, 3.14)
_EXPONENT = (1.0, 1.3774, 1.1804, 1.2539, 1.1012, 1.1033, 1.2039, 1.1804)
_SATURATED = (0.0, 0.403, 0.439, 0.430, 0.520, 0.614, 0.766, 0.439)
_RESIDUAL = (0.0, 0.025, 0.010, 0.010, 0.010, 0.010, 0.010, 0.010)

#: Suction in metres of water per bar [m bar-1]. ecLand, sussoil_mod.F90: 100 / 9.8.
_METRES_PER_BAR = 100.0 / 9.8

#: Suction at field capacity and at permanent wilting point [bar]. IFS Documentation CY49R1, Part IV, section 8.6.
_FIELD_CAPACITY, _WILTING_POINT = 0.1, 15.0

#: Day of the month to which monthly fields belong. ecLand, updcli.
_MID_MONTH = 15


def vegetation_parameters(kind: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Density [1], roughness length [m] and minimum stomatal resistance [s m-1] of vegetation types.

    Raises
    ------
    ValueError
        A type is not a whole number from 0 to 20: types must never be interpolated.
    """
    index = _types(kind, len(VEGETATION_DENSITY) - 1, "vegetation")
    return tuple(np.array(t)[index] for t in (VEGETATION_DENSITY, ROUGHNESS_LENGTH, STOMATAL_RESISTANCE))  # type: ignore[return-value]


def soil_parameters(kind: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Soil water at field capacity, at permanent wilting point and at saturation [m3 m-3] of soil types.

    :math:`\theta(h) = \theta_r + (\theta_s - \theta_r)\,(1 + |\alpha h|^n)^{-(1 - 1/n)}` (van Genuchten) at suctions
    of 0.1 and 15 bar. Source: ecLand, sussoil_mod.F90; IFS Documentation CY49R1, Part IV, section 8.6.

    Raises
    ------
    ValueError
        A type is not a whole number from 0 to 7.
    """
    index = _types(kind, len(_SATURATED) - 1, "soil")
    alpha, n, sat, res = (np.array(t)[index] for t in (_ALPHA, _EXPONENT, _SATURATED, _RESIDUAL))

    def water(suction: float) -> np.ndarray:
        return res + (sat - res) * (1.0 + np.abs(alpha * suction * _METRES_PER_BAR) ** n) ** -(1.0 - 1.0 / n)

    return water(_FIELD_CAPACITY), water(_WILTING_POINT), sat


def leaf_area(monthly: np.ndarray, date: datetime) -> np.ndarray:
    """Leaf area index of a UTC day, linear in days between the 15th of months, constant over the day.

    Parameters
    ----------
    monthly : numpy.ndarray, shape (12, point)
        Climatology [m2 m-2].
    date : datetime
        Any time of the day, UTC.

    Returns shape (point,), the unit of ``monthly``. Source: ecLand offline, updcli.
    """
    day = datetime(date.year, date.month, date.day)
    middle = day.replace(day=_MID_MONTH)
    if day >= middle:
        before, after = middle, (middle + timedelta(days=31)).replace(day=_MID_MONTH)
    else:
        before, after = (middle.replace(day=1) - timedelta(days=1)).replace(day=_MID_MONTH), middle
    weight = (day - before) / (after - before)
    return (1.0 - weight) * monthly[before.month - 1] + weight * monthly[after.month - 1]


def _types(kind: np.ndarray, largest: int, what: str) -> np.ndarray:
    kind = np.asarray(kind, float)
    index = np.nan_to_num(kind, nan=-1.0).round().astype(int)
    bad = (index != kind) | (index < 0) | (index > largest)
    if bad.any():
        raise ValueError(
            f"{bad.sum()} {what} types are not whole numbers from 0 to {largest}, e.g. {kind[bad].flat[0]}. "
            "Types are categories: take them from the original file, or interpolate by nearest neighbour."
        )
    return index
