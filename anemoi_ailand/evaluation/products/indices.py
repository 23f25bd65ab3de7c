# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Soil wetness, drought, frost and snow indices as functions of arrays."""

from __future__ import annotations

import numpy as np

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS, ZERO_CELSIUS
from anemoi_ailand.evaluation.fields.climatology import DAYS, SLOTS_PER_DAY, slot
from anemoi_ailand.physics.budgets import soil_water

#: Layers of the root zone: the top metre.
ROOT_ZONE_LAYERS = 3

#: Days of a slot of the year, and half width of the window around its middle, for percentiles.
SLOT_DAYS, WINDOW_DAYS = 10, 15

#: Largest percentile of the drought classes D0 to D4 of the US Drought Monitor [%]. Svoboda et al. (2002), Table 1.
DROUGHT_PERCENTILES = (30.0, 20.0, 10.0, 5.0, 2.0)

#: Class without drought, and meanings of the classes -1, 0, ..., 4.
NO_DROUGHT = -1
DROUGHT_MEANINGS = (
    "no_drought", "D0_abnormally_dry", "D1_moderate_drought", "D2_severe_drought", "D3_extreme_drought",
    "D4_exceptional_drought",
)  # fmt: skip

#: Depth of the centre of each soil layer [m].
_CENTRES = np.cumsum(SOIL_LAYER_THICKNESS) - 0.5 * np.asarray(SOIL_LAYER_THICKNESS)


def root_zone_water(swvl: np.ndarray) -> np.ndarray:
    """Compute the water in the top metre of soil [kg m-2] from at least three layers (layer, ...) [m3 m-3]."""
    return soil_water(np.asarray(swvl)[:ROOT_ZONE_LAYERS])


def wetness_index(theta: np.ndarray, theta_pwp: np.ndarray, theta_cap: np.ndarray) -> np.ndarray:
    r"""Compute the soil wetness index :math:`(\theta - \theta_{pwp}) / (\theta_{cap} - \theta_{pwp})` [1].

    0 at the wilting point, 1 at field capacity, without limits. NaN where the two are equal. Shapes: soil moisture
    ``(..., point)``, wilting point and field capacity ``(point,)`` [m3 m-3] -> ``(..., point)``.
    """
    available = np.asarray(theta_cap, np.float64) - theta_pwp
    return (theta - theta_pwp) / np.where(available > 0, available, np.nan)


def frost_depth(stl: np.ndarray) -> np.ndarray:
    r"""Compute the depth to which the soil is frozen from the surface: the first 0 degC isotherm.

    .. math:: z = z_{k-1} + (z_k - z_{k-1}) \frac{T_0 - T_{k-1}}{T_k - T_{k-1}}

    with :math:`k` the first layer from the top that is not below :math:`T_0` = 273.15 K, and :math:`z_k` the depth of
    the centre of a layer. 0 where the top layer is not below :math:`T_0`, even above frozen soil; where all layers are,
    the depth of the centre of the lowest layer, 1.945 m, as a lower limit.

    Shapes: soil temperature of all layers ``(4, ...)`` [K] -> ``(...)`` [m].
    """
    stl = np.asarray(stl, np.float64)
    depth = np.zeros(stl.shape[1:])
    frozen = stl[0] < ZERO_CELSIUS
    for above in range(len(_CENTRES) - 1):
        below = above + 1
        part = np.divide(ZERO_CELSIUS - stl[above], stl[below] - stl[above], out=np.ones_like(depth),
                         where=frozen & (stl[below] >= ZERO_CELSIUS))  # fmt: skip
        depth = np.where(frozen, _CENTRES[above] + part * (_CENTRES[below] - _CENTRES[above]), depth)
        frozen = frozen & (stl[below] < ZERO_CELSIUS)
    return depth


def day_of_year(days: np.ndarray) -> np.ndarray:
    """Return the day ``0 .. 364`` of a 365-day year of each date; 29 February shares 28 February."""
    return slot(days) // SLOTS_PER_DAY


def percentile(values: np.ndarray, days: np.ndarray, sample: np.ndarray, sample_days: np.ndarray) -> np.ndarray:
    r"""Compute the percentile of each daily value in the empirical distribution at its point and time of the year.

    .. math:: p = 100\, \frac{\#\{x_i < x\} + \tfrac12 \#\{x_i = x\}}{n}

    over the days :math:`i` of all years of the sample within :data:`WINDOW_DAYS` of the centre of the value's 10-day
    slot of the year (``scipy.stats.percentileofscore`` with ``kind="mean"``). A constant soil is at 50.

    Shapes: values ``(day, point)`` at ``days``, climatological sample ``(sample day, point)`` at ``sample_days`` ->
    ``(day, point)`` [%], float32; NaN without sample days in the window.
    """
    out = np.full(values.shape, np.nan, np.float32)
    slots = day_of_year(days) // SLOT_DAYS
    year_day = day_of_year(sample_days)
    for s in np.unique(slots):
        middle = (s * SLOT_DAYS + min((s + 1) * SLOT_DAYS, DAYS) - 1) // 2
        away = np.abs(year_day - middle)
        known = sample[np.minimum(away, DAYS - away) <= WINDOW_DAYS]
        for i in np.flatnonzero(slots == s) if len(known) else ():
            rank = (known < values[i]).sum(0) + 0.5 * (known == values[i]).sum(0)
            out[i] = 100.0 * rank / len(known)
    return out


def drought_class(percentiles: np.ndarray) -> np.ndarray:
    """Return the drought class -1 (none) to 4, int8, of percentiles of soil moisture [%] without NaN.

    D0 up to the 30th percentile, D1 20th, D2 10th, D3 5th, D4 2nd, limits included.

    Source: Svoboda et al. (2002), The Drought Monitor, doi:10.1175/1520-0477-83.8.1181.
    """
    below = np.stack([percentiles <= limit for limit in DROUGHT_PERCENTILES])
    return (below.sum(axis=0) + NO_DROUGHT).astype(np.int8)


def count_days(flags: np.ndarray, days: np.ndarray, months: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count the days of ``flags`` ``(day, point)`` by month (``months=1``) or season (``months=3``, from DJF on).

    Returns the first day of each period ``(period,)``, the counts ``(period, point)``, int16, and the number of days of
    each period that are in ``days``, which are in order.
    """
    number = np.asarray(days, "datetime64[M]").astype(int)
    period = (number + 1) // months if months > 1 else number  # month 0 is a January, so that -1 is a December
    found, first = np.unique(period, return_index=True)
    starts = (found * months - (1 if months > 1 else 0)).astype("datetime64[M]").astype("datetime64[D]")
    counts = np.add.reduceat(flags.astype(np.int16), first, axis=0)
    return starts, counts, np.diff(np.append(first, len(days)))
