# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Saved state as the start of a run: ``input: {land-state: {path: land.state}}``."""

from __future__ import annotations

import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from anemoi.inference.input import Input
from anemoi.inference.types import State

from anemoi_ailand.hosts.anemoi_inference import refuse_pre_processors, with_origin
from anemoi_ailand.rollout.step.land_state import LandState


class LandStateInput(Input):
    """State and static fields saved by an earlier run or a stepper, bitwise unchanged.

    The file holds one date only, so forcing needs another input: ``dynamic_forcings: {dataset: forcing.zarr}``.

    Parameters
    ----------
    path : str
        File of the state.

    Raises
    ------
    ValueError
        The state has another date than the start of the run, or lacks a variable.
    """

    trace_name = "land-state"

    def __init__(
        self, context: Any, metadata: Any, *, path: str, variables: list[str] | None = None,
        purpose: str | None = None, pre_processors: list | None = None,
    ) -> None:  # fmt: skip
        super().__init__(context, metadata, variables=variables, purpose=purpose)
        refuse_pre_processors(self, pre_processors)
        self.path = Path(path).expanduser()

    def __repr__(self) -> str:
        return f"LandStateInput({self.purpose} from {self.path})"

    @cached_property
    def state(self) -> LandState:
        """Saved state of any checkpoint, as another network may continue from it."""
        return LandState.load(self.path, None)

    def default_initial_date(self) -> datetime.datetime:
        """Return the date of the state."""
        return self.state.date

    def create_input_state(self, *, dates: list[Any], ref_date_index: int = -1, **kwargs: Any) -> State:
        """Return fields of shape (date, point) at the date of the state."""
        del kwargs
        state, date = self.state, dates[ref_date_index]
        if set(dates) != {state.date}:
            raise ValueError(
                f"The state '{self.path}' is of {state.date}, the run starts at {date}. Set `date` to the date of the "
                "state."
            )
        held = [n for n in self.variables if n in state.inputs]
        if len(held) < len(self.variables):
            raise ValueError(
                f"The state '{self.path}' has no {sorted(set(self.variables) - set(held))} for {self.purpose}; it has "
                f"{list(state.inputs)}. Take this purpose from another input."
            )
        found = {
            "date": date,
            "latitudes": state.latitudes,
            "longitudes": state.longitudes,
            "fields": {n: state[n].numpy()[None] for n in held},
        }
        return with_origin(found, self, held)

    def load_forcings_state(self, *, dates: list[Any], current_state: State) -> State:
        """Raise an error, as a state has no forcing."""
        del dates, current_state
        raise ValueError(
            f"The state '{self.path}' has no forcing. Give `dynamic_forcings`, for example `dynamic_forcings: "
            "{dataset: forcing.zarr}`."
        )
