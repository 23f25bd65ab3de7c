# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The runner of the land: ``runner: land-forecaster``, found by ``runner: auto`` through the checkpoint's task."""

from __future__ import annotations

import datetime
import logging
import math
from collections.abc import Generator
from typing import Any

import numpy as np
from anemoi.inference.runner import Runner, RunnerClasses
from anemoi.utils.dates import as_timedelta
from tqdm import tqdm

from anemoi_ailand.constants import TASK_NAME
from anemoi_ailand.rollout.step_tensor import LandMetadata, StepTensorHandler

LOG = logging.getLogger(__name__)


class LandForecasterRunner(Runner):
    """Prognostic roll-out of the land with the forcing over each step, on any points.

    Everything is anemoi-inference's own (configuration, inputs, processors, outputs); different are: forcing
    stored at the end of a step goes with that step, points come from the initial state, and what a run
    needs is checked before its first step. Progress is shown on a terminal; ``verbosity: 1`` logs every step instead.

    Raises
    ------
    ValueError
        A checkpoint of another task; a lead time that is no multiple of the step; forcing that does not cover the run.
    """

    def __init__(self, config: Any, **kwargs: Any) -> None:
        classes = RunnerClasses(tensor_handler=StepTensorHandler, metadata=LandMetadata)
        super().__init__(config, classes=classes, **kwargs)
        check_task(self.checkpoint.task, self.config.checkpoint)

    def execute(self) -> None:
        """Check that the inputs cover the run, then run."""
        step, lead = self.checkpoint.timestep, as_timedelta(self.config.lead_time)
        if lead <= datetime.timedelta(0) or lead % step:
            raise ValueError(f"`lead_time` is {self.config.lead_time}, which is no positive multiple of {step}.")
        for name, forcing in self.dynamic_forcings_inputs.items():
            date = self.reference_date or self.prognostics_inputs[name].default_initial_date()
            check_coverage(available_dates(forcing), date, lead, step)
        if self.verbosity == 0:
            logging.getLogger("anemoi.utils.timer").setLevel(logging.WARNING)
        super().execute()

    def forecast(self, lead_time: Any, *args: Any, **kwargs: Any) -> Generator[dict, None, None]:
        """The stock loop with a progress bar."""
        steps = math.ceil(as_timedelta(lead_time) / self.checkpoint.timestep)
        states = super().forecast(lead_time, *args, **kwargs)
        yield from tqdm(states, total=steps, unit="step", desc="Roll-out", disable=None, mininterval=1.0)


def check_task(task: str | None, checkpoint: Any) -> None:
    """Refuse a checkpoint that no land task has trained."""
    if task != TASK_NAME:
        raise ValueError(
            f"The checkpoint {checkpoint} is of task '{task}', not '{TASK_NAME}'. "
            "Train one with `anemoi-training train --config-name ailand`, or choose the runner of its own task."
        )


def available_dates(forcing: Any) -> np.ndarray | None:
    """Dates that an input holds, if it can say so before it reads; shape (date,), datetime64[s]."""
    dates = getattr(forcing, "available_dates", None)
    if dates is None and hasattr(forcing, "open_dataset_args"):
        dates = forcing.ds_dates
    return None if dates is None else np.asarray(dates).astype("datetime64[s]")


def check_coverage(
    dates: np.ndarray | None, start: datetime.datetime, lead: datetime.timedelta, step: datetime.timedelta
) -> None:
    """Refuse a run whose forcing has not every stamp from ``start`` + step to ``start`` + lead.

    Raises
    ------
    ValueError
        With the first missing stamp and the period that is there.
    """
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
