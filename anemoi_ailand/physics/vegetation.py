# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Parameters of ecLand's vegetation types, and daily leaf area from a monthly climatology. NumPy."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from anemoi_ailand.physics.soil_types import whole_types

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
