# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Training task with the forcing over each step."""

from __future__ import annotations

import datetime
from typing import Any

import torch
from anemoi.training.tasks.forecaster import BaseForecaster
from anemoi.utils.dates import frequency_to_string, frequency_to_timedelta
from torch import Tensor

from anemoi_ailand.constants import STEP_HOURS, TASK_NAME
from anemoi_ailand.hosts.anemoi_training import record_task
from anemoi_ailand.training.curriculum import rollout_of


class LandForecaster(BaseForecaster):
    r"""Prognostic steps of the land, each with the forcing over the step.

    The model input has two slots on the time axis, the two ends of the step from t to t + 6 h. The start holds the
    state; both hold the forcing stored at their time. Interval means and amounts over (t, t + 6 h] are stored at t + 6
    h, hence in the end slot; instantaneous forcing is in both. The column ``taken`` of the table of variables lists
    which slot the model reads. Stock tasks provide the forcing at t only.

    The prognostic channels of the end slot repeat the state at the start, in training as in inference, so that the
    input never contains the future state.

    Parameters
    ----------
    timestep : str
        Length of a step, ``6H``.
    rollout : dict
        Curriculum of steps per training sample: ``steps``, a list by epoch, or ``start``, ``epoch_increment`` and
        ``maximum``; see :func:`~anemoi_ailand.training.curriculum.rollout_of`.
    validation_rollout : int, optional
        Steps per validation sample; those of training if not given.

    Raises
    ------
    ValueError
        A time step other than 6 h, or an unknown option.
    """

    name: str = TASK_NAME

    def __init__(
        self,
        timestep: str = f"{STEP_HOURS}H",
        rollout: dict | None = None,
        validation_rollout: int | None = None,
        **unknown: Any,
    ) -> None:
        unknown = {k: v for k, v in unknown.items() if v is not None}  # the stock task's options, set to null
        if unknown:
            raise ValueError(
                f"The task {TASK_NAME} has no option {sorted(unknown)}. "
                "It has timestep, rollout and validation_rollout."
            )
        step = frequency_to_timedelta(timestep)
        if step != datetime.timedelta(hours=STEP_HOURS):
            raise ValueError(f"`task.timestep` is {timestep}, but the land step is {STEP_HOURS} h. Set it to 6H.")
        self.timestep = step
        super().__init__(
            input_offsets=[datetime.timedelta(0), step],
            output_offsets=[step],
            rollout_shift=step,
            validation_rollout=validation_rollout,
        )
        self.rollout = rollout_of(rollout)

    def get_inputs(self, batch: dict[str, Tensor], data_indices: dict, **_kwargs: Any) -> dict[str, Tensor]:
        """Return both ends of the first step, shape (batch, 2, ensemble, point, input variable)."""
        inputs = {}
        for name, fields in batch.items():
            indices = data_indices[name]
            ends = fields[:, :2, ..., indices.data.input.full]
            state = ends[:, 0, ..., indices.model.input.prognostic]
            inputs[name] = torch.stack([ends[:, 0], _with_state(ends[:, 1], state, indices)], dim=1)
        return inputs

    def advance_input(
        self,
        x: dict[str, Tensor],
        y_pred: dict[str, Tensor],
        batch: dict[str, Tensor],
        rollout_step: int = 0,
        data_indices: Any = None,
        output_mask: Any = None,
        grid_shard_slice: Any = None,
    ) -> dict[str, Tensor]:
        """Return both ends of the next step: the old end becomes the start, with the predicted state in both."""
        del output_mask, grid_shard_slice  # every point is predicted, and none is on another device
        following = {}
        for name, ends in x.items():
            indices = data_indices[name]
            state = y_pred[name][:, -1, ..., indices.model.output.prognostic]
            end = batch[name][:, rollout_step + 2, ..., indices.data.input.full]
            following[name] = torch.stack([_with_state(v, state, indices) for v in (ends[:, 1], end)], dim=1)
        return following

    def fill_metadata(self, md_dict: dict) -> None:
        """Record name and time offsets for inference."""
        super().fill_metadata(md_dict)
        inference = md_dict["metadata_inference"]
        record_task(md_dict, self.name)
        offsets = {
            "input_offsets": ["0h"],  # the initial state of a run; the end slot holds forcing only
            "output_offsets": [frequency_to_string(o) for o in self.get_output_offsets()],
            "rollout_shift": frequency_to_string(self.timestep),
            "advance_map": {"inin": [[1, 0]], "outin": [[0, 0]]},  # end becomes start, output goes to the start
        }
        for name in inference["dataset_names"]:
            inference[name]["timesteps"].update(offsets)


def _with_state(fields: Tensor, state: Tensor, indices: Any) -> Tensor:
    """Return a copy of ``fields`` (..., input variable) whose prognostic channels hold ``state``."""
    position = indices.model.input.prognostic.to(fields.device, torch.long)
    return fields.index_copy(-1, position, state.to(fields.dtype))
