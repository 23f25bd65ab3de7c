# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Dates at which all variables of an archive have a value."""

from __future__ import annotations

import logging

import numpy as np

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.data.grib.time_series import (
    HOUR,
    Climatology,
    Constant,
    Instants,
    Means,
    Series,
    Trapezoid,
    date_of,
    text,
)
from anemoi_ailand.data.reader import Coverage, common_period
from anemoi_ailand.variables import HOURLY_RAIN, VARIABLES, Time

LOG = logging.getLogger(__name__)

_STEP = STEP_HOURS * HOUR


def common_coverage(sources: dict[str, Series], name: str) -> tuple[Coverage, dict[str, Series]]:
    """Return the dates with all variables, and the series of these variables.

    Means of instants and means over parts of the step are left out unless the archive has them at every date.
    For all other variables a gap is an error. ``name`` describes the files in messages.
    """
    moving = {n: s for n, s in sources.items() if not isinstance(s, Constant | Climatology)}
    if not moving:
        raise ValueError(f"{name} holds nothing that changes in time. Add the files of states and fluxes to `path`.")
    stamps = _stamps(list(moving.values()))
    covered = {n: s.covers(stamps) for n, s in moving.items()}
    parts = (Time.LATE_MEAN, Time.HOUR_MEAN)
    optional = {n for n, s in moving.items() if isinstance(s, Trapezoid) or VARIABLES[n].time in parts}
    kept = {n for n in moving if n not in optional or _whole(covered[n])}
    # a forecast may be hourly in its first days only, which must not end it
    kept -= {n for n in HOURLY_RAIN if n in kept and (covered["avg_tprate"] & ~covered[n]).any()}
    if left := [n for n in moving if n not in (*kept, *HOURLY_RAIN)]:
        LOG.warning("Left out, because the files do not have them at every date: %s", left)
    for n in kept:
        if not covered[n].any():
            moving[n].terms(int(stamps[len(stamps) // 2]))  # raises
    spans = {n: stamps[np.flatnonzero(covered[n])[[0, -1]]] for n in moving if n in kept}
    first, last = common_period({n: (date_of(a), date_of(b)) for n, (a, b) in spans.items()}, name)
    inside = np.array([first <= date_of(s) <= last for s in stamps])
    for n in spans:
        if not covered[n][inside].all():
            _refuse_gap(n, moving[n], int(stamps[inside][np.argmin(covered[n][inside])]))
    return Coverage(first, last), {n: s for n, s in sources.items() if n not in moving or n in kept}


def _stamps(sources: list[Series]) -> np.ndarray:
    """Return all 00, 06, 12, 18 UTC from the first to the last time in the files."""
    times = [_times(s) for s in sources]
    first, last = min(int(t[0]) for t in times if len(t)), max(int(t[-1]) for t in times if len(t))
    return np.arange(-(-first // _STEP) * _STEP, last + 1, _STEP)


def _times(source: Series) -> np.ndarray:
    """Return the ascending times at which fields of a series hold or end."""
    if isinstance(source, Means):
        return source.intervals.end
    instants = source.instants if isinstance(source, Trapezoid) else source
    return instants.times if isinstance(instants, Instants) else np.empty(0, "i8")


def _whole(covered: np.ndarray) -> bool:
    """Return whether there are dates, without a gap between them."""
    at = np.flatnonzero(covered)
    return len(at) > 0 and len(at) == at[-1] - at[0] + 1


def _refuse_gap(name: str, source: Series, stamp: int) -> None:
    try:
        source.terms(stamp)
    except ValueError as error:
        raise ValueError(
            f"'{name}' has a gap in time at {text(stamp)}: {error} Add the missing files to `path`, give the parts as "
            f"separate datasets, or leave it out by `leave_out: [{name}]`."
        ) from None
