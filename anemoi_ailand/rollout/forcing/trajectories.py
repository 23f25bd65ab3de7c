# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Forcing of one forecast from a dataset of forecasts: ``dataset: {dataset: X.zarr, use_trajectories: true}``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.hosts.anemoi_inference import forecast_axes


def trajectory_dates(forcing: Any, start: datetime) -> np.ndarray:
    """Return the dates of the forecast that starts with the run, shape (date,), datetime64[s].

    A run takes its forcing from the forecast that begins at its initial date. Anemoi finds a step by dividing the lead
    time by the frequency of the steps, so the first step must be 0; otherwise all values would be shifted in time.

    Parameters
    ----------
    forcing : DatasetInput
        Input with ``use_trajectories``.
    start : datetime
        Initial date of the run.

    Raises
    ------
    ValueError
        No forecast starts at that date, or the steps do not begin at 0 or are not 6 h apart.
    """
    axes = forecast_axes(forcing)
    assert axes is not None
    bases, steps = axes[0].astype("datetime64[s]"), axes[1].astype("timedelta64[s]")
    if np.datetime64(start, "s") not in bases:
        raise ValueError(
            f"No forecast of {forcing} starts at {start:%Y-%m-%d %H:%M}; there are {bases.size}, from {bases.min()} to "
            f"{bases.max()}. Correct `date`, or add the forecast to the dataset."
        )
    every = np.timedelta64(STEP_HOURS, "h")
    if steps[0] != np.timedelta64(0, "s") or (np.diff(steps) != every).any():
        hours = (steps / np.timedelta64(1, "h")).tolist()
        raise ValueError(
            f"The forecasts of {forcing} have the steps {hours[:4]} ... {hours[-1]} h; steps from 0 on, every "
            f"{STEP_HOURS} h, are needed. Make the dataset with `steps: {{start: 0h, frequency: {STEP_HOURS}h}}`."
        )
    return np.datetime64(start, "s") + steps
