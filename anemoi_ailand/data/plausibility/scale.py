# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Units that values are likely to be in, by their size against that of the training data.

Values in metres instead of kg m-2 lie inside all bounds. What tells them is their magnitude at many points.
"""

from __future__ import annotations

import numpy as np

from anemoi_ailand.constants import STEP_HOURS, STEP_SECONDS, WATER_DENSITY
from anemoi_ailand.data.plausibility.training_data import TrainingData, sizes_at_points
from anemoi_ailand.support.units import AMOUNTS, CONVERSIONS
from anemoi_ailand.variables import variable

#: Points with values other than zero that tell the size. Medians of ten points of the reference set, in any eight
#: days, are within the central 90 % of single points, but for snow.
_POINTS = 10

#: Units of mistakes other than those that readers convert, as factors to the unit of the table. Geopotential is judged
#: by pressure instead: that of a coastal plain is as low as usual heights in metres.
_MISTAKEN = {
    "kg m-2": {"m": WATER_DENSITY},
    "kg m-2 s-1": {f"m over {STEP_HOURS} h": WATER_DENSITY / STEP_SECONDS},
    "W m-2": {"kW m-2": 1.0e3, f"MJ m-2 over {STEP_HOURS} h": 1.0e6 / STEP_SECONDS},
    "m": {"km": 1.0e3},
    "m s-1": {"knots": 1852.0 / 3600.0, "km h-1": 1.0 / 3.6},
}


def likely_unit(name: str, values: np.ndarray, known: TrainingData) -> tuple[str, float] | None:
    """Return the unit of values (date, point) that are of another size than in training, and their size against it.

    The size is the median over points of the mean magnitude where it is not zero. It is another one if it is outside
    the central 90 % of points in the training, and a unit would bring it into the central half. None if the size fits,
    no unit explains it, or too few points have values other than zero.
    """
    typical = known.sizes.get(name)
    if typical is None:
        return None
    sizes = sizes_at_points(values)
    sizes = sizes[np.isfinite(sizes)]
    if sizes.size < _POINTS:
        return None
    size = float(np.median(sizes))
    low, lower, middle, upper, high = typical[1:-1]
    if low <= size <= high or middle <= 0.0:
        return None
    fits = [(abs(np.log(size * f / middle)), unit) for unit, f in factors_of(name) if lower <= size * f <= upper]
    return (min(fits)[1], size / middle) if fits else None


def factors_of(name: str) -> list[tuple[str, float]]:
    """Return other units of a variable with their factors to the unit of the table."""
    units = variable(name).units
    known = {unit: factor for unit, (factor, offset) in CONVERSIONS.get(units, {}).items() if not offset}
    if units in AMOUNTS:
        known[f"{AMOUNTS[units]} over {STEP_HOURS} h"] = 1.0 / STEP_SECONDS
    return [(unit, factor) for unit, factor in (known | _MISTAKEN.get(units, {})).items() if factor != 1.0]
