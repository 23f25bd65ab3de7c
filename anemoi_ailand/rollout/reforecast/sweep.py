# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Roll out from many start dates in one passage through time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.rollout.step.advance import StepLayout, advance
from anemoi_ailand.rollout.step.checkpoint import LandStep


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
    layout = StepLayout(step.inputs, step.outputs, device=step.device)
    first = last = 0  # the roll-outs first:last are under way
    while first < len(starts):
        if first == last:
            date = starts[first]
            now = fields.at(date)
            state = torch.empty((0, len(now), len(layout.prognostic)), device=step.device)
        if last < len(starts) and starts[last] == date:
            fields.check(now, date, layout.prognostic)
            state = torch.cat([state, layout.state_in(on_device(now, step))[None]])
            last += 1
        following = fields.at(date + 1)
        check_read(fields, layout, date, now, following)
        forecast = step_all(step, layout, state, on_device(now, step), on_device(following, step), batch_rows)
        date, now = date + 1, following
        _check_forecast(forecast, step, fields, starts[first:last], date)
        yield date, range(first, last), forecast
        ended = int(date - starts[first] == n_steps)
        state, first = layout.state(forecast[ended:]), first + ended


def on_device(values: np.ndarray, step: LandStep) -> Tensor:
    """Return values as a tensor on the device of the model."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(step.device)


def check_read(fields: Fields, layout: StepLayout, date: int, now: np.ndarray, following: np.ndarray) -> None:
    """Refuse missing values in what the model reads at ``date`` and one step later; the state is not checked."""
    fields.check(now, date, layout.fields_start)
    fields.check(following, date + 1, layout.forcing_end)


def step_all(
    step: LandStep, layout: StepLayout, state: Tensor, now: Tensor, following: Tensor, batch_rows: int
) -> Tensor:
    """Make one step of several roll-outs that share fields and forcing.

    Shapes: ``state (roll-out, point, prognostic)``, ``now`` and ``following (point, input)`` to
    ``(roll-out, point, output)``. Rows are divided evenly, so that no call is much smaller than the others.
    """
    n_points = state.shape[1]
    rows = state.flatten(0, 1)
    n_calls = -(-len(rows) // batch_rows)
    size = -(-len(rows) // n_calls)
    parts = []
    for begin in range(0, len(rows), size):
        part = rows[begin : begin + size]
        point = torch.arange(begin, begin + len(part), device=rows.device) % n_points
        slots = now.index_select(0, point), following.index_select(0, point)
        parts.append(advance(step.of_slots, layout, *slots, state=part))
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
