# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Roll out from many start dates in one passage through time."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.rollout.step.checkpoint import LandStep
from anemoi_ailand.variables import END, START, taken_at

LOG = logging.getLogger(__name__)


class Fields(Protocol):
    """What a sweep reads: the inputs of the model at some points, date by date."""

    def at(self, date: int) -> np.ndarray:
        """Values, shape (point, input)."""

    def check(self, values: np.ndarray, date: int, needed: Sequence[str]) -> None:
        """Refuse missing values of the inputs ``needed``."""

    def date(self, date: int) -> datetime:
        """Stamp of an index."""

    def place(self, point: int) -> str:
        """Where a point is, in words."""


class StepPlaces(NamedTuple):
    """Where the state is among inputs and outputs of a step, and the forcing that it takes at either end."""

    state_in: list[int]
    state_out: list[int]
    at_start: list[str]
    at_end: list[str]


def step_places(step: LandStep) -> StepPlaces:
    """Places of the variables of a step, by their names."""
    forcing = [n for n in step.inputs if n not in step.prognostic]
    return StepPlaces(
        state_in=[step.inputs.index(n) for n in step.prognostic],
        state_out=[step.outputs.index(n) for n in step.prognostic],
        at_start=list(taken_at(START, forcing)),
        at_end=list(taken_at(END, forcing)),
    )


def sweep(
    step: LandStep, fields: Fields, starts: Sequence[int], n_steps: int, batch_rows: int
) -> Iterator[tuple[int, range, Tensor]]:
    """Go through the dates once, and make at each date one step for all roll-outs that are under way.

    All roll-outs that are under way at a date meet the same forcing, whatever their lead time: they are folded into
    the rows of one call, each date is read once, and memory grows with those under way, not with all.

    Parameters
    ----------
    step : LandStep
        The model.
    fields : Fields
        State at the starts and forcing at all dates.
    starts : sequence of int, shape (start,)
        Indices of the start dates, increasing.
    n_steps : int
        Steps of each roll-out.
    batch_rows : int
        Most rows of one call.

    Yields
    ------
    date : int
        Index of the valid time.
    under_way : range
        Positions in ``starts`` of the roll-outs that have a forecast for it; position s is ``date - starts[s]`` steps
        after its start.
    forecast : Tensor, shape (under way, point, output)
        In physical units.

    Raises
    ------
    ValueError
        A value that the model reads is missing, or what it predicts is not finite.
    """
    places = step_places(step)
    first = last = 0  # the roll-outs first:last are under way
    while first < len(starts):
        if first == last:
            date = starts[first]
            now = fields.at(date)
            state = torch.empty((0, len(now), len(places.state_in)), device=step.device)
        if last < len(starts) and starts[last] == date:
            fields.check(now, date, step.prognostic)
            state = torch.cat([state, on_device(now[None][..., places.state_in], step)])
            last += 1
        following = fields.at(date + 1)
        fields.check(now, date, places.at_start)
        fields.check(following, date + 1, places.at_end)
        forecast = advance(step, state, on_device(now, step), on_device(following, step), places, batch_rows)
        date, now = date + 1, following
        _check_forecast(forecast, step, fields, starts[first:last], date)
        yield date, range(first, last), forecast
        ended = int(date - starts[first] == n_steps)
        state, first = forecast[ended:, :, places.state_out], first + ended


def on_device(values: np.ndarray, step: LandStep) -> Tensor:
    """Values as a tensor where the model is."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(step.device)


def advance(
    step: LandStep, state: Tensor, now: Tensor, following: Tensor, places: StepPlaces, batch_rows: int
) -> Tensor:
    """One step, with the fields of both its ends repeated for all roll-outs.

    Tensors: ``state (roll-out, point, prognostic)``, ``now`` and ``following (point, input)`` give
    ``(roll-out, point, output)``. Rows are shared out evenly, so that no call is much smaller than the others.
    """
    n_points = state.shape[1]
    rows = state.flatten(0, 1)
    n_calls = -(-len(rows) // batch_rows)
    size = -(-len(rows) // n_calls)
    parts = []
    for begin in range(0, len(rows), size):
        part = rows[begin : begin + size]
        point = torch.arange(begin, begin + len(part), device=rows.device) % n_points
        x = torch.stack([now.index_select(0, point), following.index_select(0, point)])
        x[:, :, places.state_in] = part
        parts.append(step(x))
    return torch.cat(parts).unflatten(0, state.shape[:2])


def _check_forecast(forecast: Tensor, step: LandStep, fields: Fields, starts: Sequence[int], date: int) -> None:
    if torch.isfinite(forecast).all():
        return
    s, point, v = (int(i) for i in torch.nonzero(~torch.isfinite(forecast))[0])
    raise ValueError(
        f"The model {step.path} predicts '{step.outputs[v]}' = {float(forecast[s, point, v])} for "
        f"{fields.date(date):%Y-%m-%d %H:%M} from the start {fields.date(starts[s]):%Y-%m-%d %H:%M} at "
        f"{fields.place(point)}. State and forcing are finite there: train it again, or give another checkpoint."
    )
