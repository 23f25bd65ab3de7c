# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Comparison of the dates of the forcing with the period of a run."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from anemoi_ailand.hosts.anemoi_inference import forecast_axes, stored_dates
from anemoi_ailand.rollout.forcing.trajectories import trajectory_dates


def available_dates(forcing: Any) -> np.ndarray | None:
    """Return the dates that an input holds, shape (date,), datetime64[s]; None if it cannot tell before reading."""
    dates = getattr(forcing, "available_dates", None)
    if dates is None:
        of_forecast = forecast_axes(forcing) is not None and forcing.reference_date is not None
        dates = trajectory_dates(forcing, forcing.reference_date) if of_forecast else stored_dates(forcing)
    return None if dates is None else np.asarray(dates).astype("datetime64[s]")


def check_coverage(
    dates: np.ndarray | None, start: datetime.datetime, lead: datetime.timedelta, step: datetime.timedelta
) -> None:
    """Refuse a run whose forcing lacks a date between ``start`` + step and ``start`` + lead.

    Raises
    ------
    ValueError
        A date is missing, or the start has a time zone.
    """
    if start.tzinfo is not None:
        raise ValueError(f"`date` is {start}, with a time zone. Give UTC without a time zone.")
    if dates is None:
        return
    needed = np.arange(1, lead // step + 1) * np.timedelta64(step, "s") + np.datetime64(start, "s")
    missing = needed[~np.isin(needed, dates)]
    if missing.size:
        raise ValueError(
            f"The run from {start:%Y-%m-%d %H:%M} over {lead} needs forcing at {missing[0]} ({missing.size} of "
            f"{needed.size} stamps are missing); the input has {dates.min()} to {dates.max()}, {dates.size} stamps. "
            "The forcing of a step is stored at its end. Shorten `lead_time`, or give longer forcing."
        )
