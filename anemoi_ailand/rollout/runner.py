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

from anemoi.inference.runner import Runner, RunnerClasses
from anemoi.utils.dates import as_timedelta
from tqdm import tqdm

from anemoi_ailand.rollout.checks import available_dates, check_coverage, check_task, on_same_points
from anemoi_ailand.rollout.pretrained import checkpoint_path
from anemoi_ailand.rollout.step_tensor import LandMetadata, StepTensorHandler

LOG = logging.getLogger(__name__)


class LandForecasterRunner(Runner):
    """Prognostic roll-out of the land with the forcing over each step, on any points.

    Everything is anemoi-inference's own (configuration, inputs, processors, outputs); different are: forcing
    stored at the end of a step goes with that step, points come from the initial state, and what a run
    needs is checked before its first step. ``checkpoint`` may be the name of a pretrained network; one of the package
    is verified before it is unpickled. Progress is shown on a terminal; ``verbosity: 1`` logs every step instead.

    Raises
    ------
    ValueError
        A checkpoint of another task, or a pretrained one that is damaged; a lead time that is no multiple of the step;
        forcing that does not cover the run; state, static fields and forcing on different points.
    """

    def __init__(self, config: Any, **kwargs: Any) -> None:
        if isinstance(config.checkpoint, str):  # else a place to download from
            config = config.model_copy(update={"checkpoint": str(checkpoint_path(config.checkpoint))})
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

    def _combine_states(self, *states: dict[str, Any]) -> dict[str, Any]:
        """The stock union of the inputs, once they are on the same points: stock, they must be so to the last bit."""
        return super()._combine_states(*on_same_points(states))
