# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Comparison of the dates of the forcing with the period of a run."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.hosts.anemoi_inference import forecast_axes, stored_dates
from anemoi_ailand.rollout.step.advance import STEP


def available_dates(forcing: Any) -> np.ndarray | None:
    """Return the dates that an input holds, shape (date,), datetime64[s]; None if they are unknown before reading."""
    dates = getattr(forcing, "available_dates", None)
    if dates is None:
        axes = forecast_axes(forcing)
        start = forcing.reference_date if axes else None
        dates = stored_dates(forcing) if axes is None or start is None else _forecast_dates(forcing, *axes)
    return None if dates is None else np.asarray(dates).astype("datetime64[s]")


def _forecast_dates(forcing: Any, bases: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return the dates of the forecast that starts with the run, from a dataset with ``use_trajectories``.

    Anemoi finds a step by dividing the lead time by the frequency of the steps, so the first step must be 0; otherwise
    all values would be shifted in time.
    """
    start, bases, steps = forcing.reference_date, bases.astype("datetime64[s]"), steps.astype("timedelta64[s]")
    if np.datetime64(start, "s") not in bases:
        raise ValueError(
            f"No forecast of {forcing} starts at {start:%Y-%m-%d %H:%M}; there are {bases.size}, from {bases.min()} to "
            f"{bases.max()}. Correct `date`, or add the forecast to the dataset."
        )
    if steps[0] != np.timedelta64(0, "s") or (np.diff(steps) != np.timedelta64(STEP_HOURS, "h")).any():
        hours = (steps / np.timedelta64(1, "h")).tolist()
        raise ValueError(
            f"The forecasts of {forcing} have the steps {hours[:4]} ... {hours[-1]} h; steps from 0 on, every "
            f"{STEP_HOURS} h, are needed. Make the dataset with `steps: {{start: 0h, frequency: {STEP_HOURS}h}}`."
        )
    return np.datetime64(start, "s") + steps


def check_coverage(dates: np.ndarray | None, start: datetime.datetime, lead: datetime.timedelta) -> None:
    """Refuse a start with a time zone, and forcing that lacks a date between ``start`` + step and ``start`` + lead."""
    if start.tzinfo is not None:
        raise ValueError(f"`date` is {start}, with a time zone. Give UTC without a time zone.")
    if dates is None:
        return
    needed = np.arange(1, lead // STEP + 1) * np.timedelta64(STEP, "s") + np.datetime64(start, "s")
    missing = needed[~np.isin(needed, dates)]
    if missing.size:
        raise ValueError(
            f"The run from {start:%Y-%m-%d %H:%M} over {lead} needs forcing at {missing[0]} ({missing.size} of "
            f"{needed.size} stamps are missing); the input has {dates.min()} to {dates.max()}, {dates.size} stamps. "
            "The forcing of a step is stored at its end. Shorten `lead_time`, or give longer forcing."
        )
