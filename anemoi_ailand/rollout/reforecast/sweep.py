# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Roll-outs from many start dates in one pass through time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.rollout.forcing.dataset_fields import FieldsAtPoints
from anemoi_ailand.rollout.step.advance import StepLayout, advance
from anemoi_ailand.rollout.step.checkpoint import LandStep

#: Rows of one model call on a CPU, where activations stay in the cache, and on an accelerator.
BATCH_ROWS, BATCH_ROWS_ACCELERATOR = 4096, 2**18


def sweep(
    step: LandStep, fields: FieldsAtPoints, starts: Sequence[int], n_steps: int, batch_rows: int
) -> Iterator[tuple[int, range, Tensor]]:
    """Pass through the dates once and make one step at each date for all active roll-outs.

    All roll-outs that are active at a date share its forcing, whatever their lead time: they are folded into the rows
    of one call, each date is read once, and memory grows with the active roll-outs only.

    ``starts`` are the increasing indices of the start dates, ``n_steps`` the steps of each roll-out, ``batch_rows`` the
    largest number of rows of one call. Missing values that the model reads, and predictions that are not finite, are
    errors.

    Yields
    ------
    date : int
        Index of the valid time.
    active : range
        Positions in ``starts`` of the roll-outs with a forecast for that time, roll-out s after ``date - starts[s]``
        steps.
    forecast : Tensor, shape (active, point, output)
        Outputs in physical units.
    """
    layout = StepLayout(step.inputs, step.outputs, device=step.device)
    first = last = 0  # the roll-outs first:last are active
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
        check_forecast(forecast, step, fields, starts[first:last], date)
        yield date, range(first, last), forecast
        ended = int(date - starts[first] == n_steps)
        state, first = layout.state(forecast[ended:]), first + ended


def rows_of_a_call(batch_rows: int | None, device: torch.device) -> int:
    """Return the largest number of rows of a model call: as given, else by the kind of device."""
    if batch_rows is None:
        return BATCH_ROWS if device.type == "cpu" else BATCH_ROWS_ACCELERATOR
    if batch_rows < 1:
        raise ValueError(f"batch_rows is {batch_rows}. Give 1 or more.")
    return batch_rows


def on_device(values: np.ndarray, step: LandStep) -> Tensor:
    """Return values as a tensor on the device of the model."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(step.device)


def check_read(fields: FieldsAtPoints, layout: StepLayout, date: int, now: np.ndarray, following: np.ndarray) -> None:
    """Refuse missing values in what the model reads at ``date`` and one step later; the state is not checked."""
    fields.check(now, date, layout.fields_start)
    fields.check(following, date + 1, layout.forcing_end)


def check_all_read(fields: FieldsAtPoints, layout: StepLayout, dates: Sequence[int], values: np.ndarray) -> None:
    """Refuse missing values (date, point, variable) in what the steps between these dates read."""
    if np.isfinite(values).all():
        return
    for k, date in enumerate(dates[:-1]):
        check_read(fields, layout, date, values[k], values[k + 1])


def step_all(
    step: LandStep, layout: StepLayout, state: Tensor, now: Tensor, following: Tensor, batch_rows: int
) -> Tensor:
    """Make one step of several roll-outs that share fields and forcing.

    Shapes: ``state (rollout, point, prognostic)``, ``now`` and ``following (point, input)`` to
    ``(rollout, point, output)``. Rows are divided evenly, so that no call is much smaller than the others.
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


def check_forecast(forecast: Tensor, step: LandStep, fields: FieldsAtPoints, starts: Sequence[int], date: int) -> None:
    """Refuse outputs (roll-out, point, output) for a date that are not finite."""
    if torch.isfinite(forecast).all():
        return
    s, point, v = (int(i) for i in torch.nonzero(~torch.isfinite(forecast))[0])
    raise ValueError(
        f"The model {step.path} predicts '{step.outputs[v]}' = {float(forecast[s, point, v])} for "
        f"{fields.date(date):%Y-%m-%d %H:%M} from the start {fields.date(starts[s]):%Y-%m-%d %H:%M} at "
        f"{fields.place(point)}. State and forcing are finite there: train it again, or give another checkpoint."
    )
