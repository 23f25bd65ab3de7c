# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Classes that the runner gives to anemoi-inference: metadata, computed forcing, and the first input of a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any, cast

import numpy as np
from anemoi.inference.forcings import ComputedForcings, Forcings
from anemoi.inference.metadata import Metadata
from anemoi.inference.tensors import TensorHandler
from anemoi.inference.types import Date, FloatArray, IntArray, State

from anemoi_ailand.data.sun import COMPUTED, DAILY, compute
from anemoi_ailand.rollout.forcing.forcing_filter import check_finite
from anemoi_ailand.variables import END, HOURLY_RAIN, START, taken_at, variable

#: Supporting arrays of a checkpoint that tie it to its training points.
_TRAINING_POINTS = ("latitudes", "longitudes", "grid_indices")


class LandMetadata(Metadata):
    """Checkpoint metadata without the training points: a roll-out has the points of its initial state."""

    def __init__(self, metadata: dict[str, Any], supporting_arrays: dict[str, FloatArray] | None = None) -> None:
        arrays = {k: v for k, v in (supporting_arrays or {}).items() if k not in _TRAINING_POINTS}
        super().__init__(metadata, arrays)


class SunForcings(ComputedForcings):
    """Sun and calendar at the points of the run, bitwise equal to Anemoi's own.

    Local time repeats from day to day, so it is computed once for every time of day.
    """

    def __init__(self, context: TensorHandler, variables: list[str], mask: IntArray) -> None:
        super().__init__(context, variables, mask)
        self._daily = [n for n in variables if n in DAILY]
        self._longitudes: FloatArray | None = None
        self._known: dict[time, FloatArray] = {}

    def load_forcings_array(self, dates: list[Date], current_state: State) -> FloatArray:
        """Compute the values, shape (variable, date, point)."""
        stamps, places = cast("list[datetime]", dates), (current_state["latitudes"], current_state["longitudes"])
        if self._longitudes is not places[1]:
            self._longitudes, self._known = places[1], {}
        others = [n for n in self.variables if n not in self._daily]
        values = np.empty((len(self.variables), len(stamps), places[0].size), dtype=np.float32)
        values[[self.variables.index(n) for n in others]] = compute(others, stamps, *places)
        rows = [self.variables.index(n) for n in self._daily]
        for i, stamp in enumerate(stamps):
            if stamp.time() not in self._known:
                self._known[stamp.time()] = compute(self._daily, [stamp], *places)[:, 0]
            values[rows, i] = self._known[stamp.time()]
        return values


class LandTensorHandler(TensorHandler):
    """First input of a run, on the points of the initial state, and the providers of forcing.

    The later inputs are made by :class:`~anemoi_ailand.rollout.run.loop.Rollout`.
    """

    def prepare_input_tensor(self, input_state: State, dtype: Any = np.float32) -> FloatArray:
        """Collect state, static fields and forcing at the start, shape (1, input, point), in the units of the table.

        Variables that are missing, have another number of points or are NaN where the model reads them are errors, also
        in the forcing of the first step.
        """
        input_state.setdefault("step", timedelta(0))
        self.add_initial_forcings_to_input_state(input_state)
        fields = {n: v[-1] if np.ndim(v) > 1 else v for n, v in input_state["fields"].items()}
        names = self.input_names()
        _check_present(names, fields, input_state)
        n_points = input_state["latitudes"].size
        start = np.empty((len(names), n_points), dtype=dtype)
        for i, name in enumerate(names):
            if fields[name].shape != (n_points,):
                raise ValueError(
                    f"'{name}' has {fields[name].shape[0]} points, but the initial state has {n_points}. "
                    "State, static fields and forcing must be on the same points, in the same order."
                )
            start[i] = fields[name]
        where = input_state["latitudes"], input_state["longitudes"]
        check_finite(start, names, taken_at(START, names), input_state["date"], where)
        date = input_state["date"] + self.metadata.timestep
        for provider in self.dynamic_forcings_providers:
            values = provider.load_forcings_array(list[Date]([date]), input_state)[:, 0]
            own = provider.variables
            check_finite(values, own, taken_at(END, own), date, where)
        return start[None]

    def create_dynamic_computed_forcings(self, variables: list[str], mask: IntArray) -> list[Forcings]:
        """Return a provider of sun and calendar without earthkit fields, which cost more than a step of the network."""
        if set(variables) <= set(COMPUTED):
            return [SunForcings(self, variables, mask)]
        return super().create_dynamic_computed_forcings(variables, mask)

    def create_dynamic_coupled_forcings(self, variables: list[str], mask: IntArray) -> list[Forcings]:
        """Return a provider of the forcing, with hourly rain after the inputs of the checkpoint if the run takes it."""
        further = [n for n in self.dynamic_forcings_input.variables if n in HOURLY_RAIN]
        after = len(self.input_names()) + np.arange(len(further))
        return super().create_dynamic_coupled_forcings([*variables, *further], np.append(mask, after))

    def input_names(self) -> list[str]:
        """Input variables of the checkpoint, in the order of the model's input."""
        order = self.metadata.variable_to_input_tensor_index
        return sorted(order, key=order.__getitem__)


def _check_present(names: Sequence[str], fields: dict[str, FloatArray], state: State) -> None:
    missing = [n for n in names if n not in fields]
    if missing:
        raise ValueError(
            f"The model needs {missing} at {state['date']:%Y-%m-%d %H:%M}, but the inputs give {sorted(fields)}. "
            f"Add them to `input`, `constant_forcings` or `dynamic_forcings` "
            f"({', '.join(f'{n}: {variable(n).role.value}' for n in missing)})."
        )
