# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The model's input during a roll-out: both ends of the step, filled in the order of time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import numpy as np
import torch
from anemoi.inference.forcings import ComputedForcings, Forcings
from anemoi.inference.metadata import Metadata
from anemoi.inference.tensors import TensorHandler
from anemoi.inference.types import BoolArray, Date, FloatArray, IntArray, State

from anemoi_ailand.data.sun import COMPUTED, compute
from anemoi_ailand.rollout.forcing.forcing_filter import check_finite
from anemoi_ailand.variables import END, START, taken_at, variable

LOG = logging.getLogger(__name__)

#: Supporting arrays of a checkpoint that tie it to its training points.
_PLACES = ("latitudes", "longitudes", "grid_indices")


class LandMetadata(Metadata):
    """Checkpoint metadata without the training points: the points of a roll-out come from its initial state."""

    def __init__(self, metadata: dict[str, Any], supporting_arrays: dict[str, FloatArray] | None = None) -> None:
        arrays = {k: v for k, v in (supporting_arrays or {}).items() if k not in _PLACES}
        super().__init__(metadata, arrays)


class SunForcings(ComputedForcings):
    """Sun and calendar at the points of the run; the same values as Anemoi's own, to the last bit."""

    def load_forcings_array(self, dates: list[Date], current_state: State) -> FloatArray:
        """Values of shape (variable, date, point)."""
        places = current_state["latitudes"], current_state["longitudes"]
        return compute(self.variables, cast("list[datetime]", dates), *places)


class StepTensorHandler(TensorHandler):
    """Fill the two slots of the model input: start t and end t + 6 h of the step.

    The start has state, static fields and the forcing stored at t; the end has the forcing stored at t + 6 h, which
    is the mean over the step for interval means. When the step is done the old end becomes the new start. This
    is what :class:`~anemoi_ailand.training.task.LandForecaster` does in training. Stock handlers have
    the forcing of t only, and insist on the training points.

    Tensors: ``(1, 2, point, input variable)``.
    """

    def prepare_input_tensor(self, input_state: State, dtype: Any = np.float32) -> FloatArray:
        """First input of a run.

        Returns
        -------
        numpy.ndarray, shape (2, input variable, point)

        Raises
        ------
        ValueError
            A variable is missing, has another number of points, or is NaN where the model reads it.
        """
        input_state.setdefault("step", timedelta(0))
        self.add_initial_forcings_to_input_state(input_state)
        fields = _flat(input_state)
        names = self._names()
        _check_present(names, fields, input_state)
        n_points = input_state["latitudes"].size
        start = np.empty((len(names), n_points), dtype=dtype)
        for i, name in enumerate(names):
            start[i] = _on_points(name, fields[name], n_points)
        end = start.copy()
        date = input_state["date"] + self.metadata.timestep
        for provider in self.dynamic_forcings_providers:
            end[list(provider.mask)] = provider.load_forcings_array(list[Date]([date]), input_state)[:, 0]
        where = (input_state["latitudes"], input_state["longitudes"])
        check_finite(start, names, taken_at(START, names), input_state["date"], where)
        check_finite(end, names, taken_at(END, names), date, where)
        self._where = where
        self._input_tensor_by_name = list(names)
        return np.stack([start, end])

    def create_dynamic_computed_forcings(self, variables: list[str], mask: IntArray) -> list[Forcings]:
        """Sun and calendar without the fields of earthkit, which cost more than a step of the network."""
        if set(variables) <= set(COMPUTED):
            return [SunForcings(self, variables, mask)]
        return super().create_dynamic_computed_forcings(variables, mask)

    def copy_prognostic_fields_to_input_tensor(
        self, input_tensor_torch: torch.Tensor, y_pred: torch.Tensor | None, check: BoolArray
    ) -> torch.Tensor:
        """The old end becomes the start, with the predicted state (checkpoint's ``advance_map``)."""
        tensor = super().copy_prognostic_fields_to_input_tensor(input_tensor_torch, y_pred, check)
        position = torch.as_tensor(self.metadata.prognostic_input_mask, dtype=torch.long, device=tensor.device)
        tensor[:, 1, :, position] = tensor[:, 0, :, position]
        return tensor

    def add_dynamic_forcings_to_input_tensor(
        self, input_tensor_torch: torch.Tensor, state: State, dates: list[datetime], check: BoolArray
    ) -> torch.Tensor:
        """Forcing stored at the end of the next step, ``dates`` + 6 h."""
        end = [dates[-1] + self.metadata.timestep]
        names = self._names()
        for provider in self.dynamic_forcings_providers:
            values = provider.load_forcings_array(list[Date](end), state)[:, 0]
            own = [names[i] for i in provider.mask]
            check_finite(values, own, taken_at(END, own), end[0], self._where)
            position = torch.as_tensor(provider.mask, dtype=torch.long, device=input_tensor_torch.device)
            fields = torch.from_numpy(np.ascontiguousarray(values)).to(input_tensor_torch)
            input_tensor_torch[0, 1].mT.index_copy_(0, position, fields)  # rows of variables lie together in memory
            check[list(provider.mask)] = True
        return input_tensor_torch

    def _names(self) -> list[str]:
        order = self.metadata.variable_to_input_tensor_index
        return sorted(order, key=order.__getitem__)


def _flat(state: State) -> dict[str, FloatArray]:
    """Fields of the last date of a state, shape (point,)."""
    return {n: v[-1] if np.ndim(v) > 1 else v for n, v in state["fields"].items()}


def _on_points(name: str, field: FloatArray, n_points: int) -> FloatArray:
    if field.shape != (n_points,):
        raise ValueError(
            f"'{name}' has {field.shape[0]} points, but the initial state has {n_points}. "
            "State, static fields and forcing must be on the same points, in the same order."
        )
    return field


def _check_present(names: Sequence[str], fields: dict[str, FloatArray], state: State) -> None:
    missing = [n for n in names if n not in fields]
    if missing:
        raise ValueError(
            f"The model needs {missing} at {state['date']:%Y-%m-%d %H:%M}, but the inputs give {sorted(fields)}. "
            f"Add them to `input`, `constant_forcings` or `dynamic_forcings` "
            f"({', '.join(f'{n}: {variable(n).role.value}' for n in missing)})."
        )
