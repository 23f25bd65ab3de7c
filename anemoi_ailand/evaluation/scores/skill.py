# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Skill horizon and drift of a forecast."""

from __future__ import annotations

import numpy as np

#: Days of a year, for drift per year.
YEAR_DAYS = 365.25

#: Metrics of the skill horizon: its lead time [d], and 1 where it lies within the leads, else 0.
HORIZON = ("skill_horizon", "skill_horizon_reached")


def skill_horizon(leads: np.ndarray, error: np.ndarray, error_of_climatology: np.ndarray) -> tuple[float, bool]:
    """Return the lead time at which the error reaches that of climatology, and whether that is within ``leads``.

    The difference of the errors is interpolated linearly between the leads around the crossing. RMSE of model and of
    climatology, ``(lead,)``, are at increasing leads [d]; leads with NaN are left out. If the model is better at all
    leads, the result is the last lead and False; if it is not better at the first lead, 0 and True; without values, NaN
    and False.
    """
    difference = error - error_of_climatology
    known = np.isfinite(difference)
    leads, difference = leads[known], difference[known]
    if len(leads) == 0:
        return np.nan, False
    lost = np.flatnonzero(difference >= 0)
    if len(lost) == 0:
        return float(leads[-1]), False
    k = int(lost[0])
    if k == 0:
        return 0.0, True
    below, above = difference[k - 1], difference[k]
    return float(leads[k - 1] + (leads[k] - leads[k - 1]) * below / (below - above)), True


def drift_per_year(leads: np.ndarray, mean_error: np.ndarray) -> np.ndarray:
    r"""Fit the linear trend of the mean error over a run apart from its yearly cycle, in units per year.

    Least squares fit of :math:`e(t) = a + b t + A \cos(2 \pi t) + B \sin(2 \pi t)` with the lead time :math:`t` in
    years; the drift is :math:`b`. The cycle keeps an error that recurs each year from counting as a trend.

    Shapes: leads ``(lead,)`` [d], means over points ``(lead, group)`` -> ``(group,)``; NaN for a group with a NaN, and
    for all if the run is shorter than a year less one day.
    """
    if len(leads) == 0 or leads[-1] < YEAR_DAYS - 1.5:
        return np.full(mean_error.shape[1], np.nan)
    t = leads / YEAR_DAYS
    model = np.stack([np.ones_like(t), t, np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)], axis=1)
    known = np.isfinite(mean_error).all(axis=0)
    out = np.full(mean_error.shape[1], np.nan)
    out[known] = np.linalg.lstsq(model, mean_error[:, known], rcond=None)[0][1]
    return out
