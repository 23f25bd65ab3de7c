# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Roll-outs from many start dates in one pass through time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from anemoi_ailand.data.plausibility.checker import Checker
from anemoi_ailand.rollout.ensembles.ensemble import SINGLE, Ensemble
from anemoi_ailand.rollout.forcing.dataset_fields import FieldsAtPoints
from anemoi_ailand.rollout.forcing.forcing_filter import check_hourly_rain
from anemoi_ailand.rollout.step.advance import StepLayout
from anemoi_ailand.rollout.step.checkpoint import LandStep
from anemoi_ailand.rollout.step.output_check import WaterBudget, check_outputs
from anemoi_ailand.rollout.step.row_blocks import BlockStep, steps_at_once


def sweep(
    blocks: BlockStep, fields: FieldsAtPoints, starts: Sequence[int], n_steps: int, checker: Checker | None = None
) -> Iterator[tuple[int, range, Tensor]]:
    """Pass through the dates once and make one step at each date for all active roll-outs.

    All roll-outs that are active at a date share its forcing, whatever their lead time: they are folded into the rows
    of one call, which makes all steps until a roll-out begins or ends. Each date is read once, and memory grows with
    the active roll-outs only.

    ``starts`` are the increasing indices of the start dates, ``n_steps`` the steps of each roll-out. Missing values
    that the model reads, and predictions that are not finite, are errors. Static fields are those at the first date.
    ``checker`` checks starts, forcing and predictions.

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
    step = blocks.step
    layout = StepLayout(step.inputs, step.outputs, device=step.device)
    where, checker, water = fields.places, checker or Checker("off"), WaterBudget(layout)
    rain = Ensemble(SINGLE, *where, step.precipitation)
    first = last = 0  # the roll-outs first:last are active
    while first < len(starts):
        if first == last:
            date = starts[first]
            now = fields.at(date)
            slots = torch.empty((0, len(now), len(step.inputs)), device=step.device)
        if last < len(starts) and starts[last] == date:
            fields.check(now, date, layout.prognostic)
            if checker.on:
                checker.start(fields.named(now), fields.date(date), where)
            further = len(step.inputs) - now.shape[1]  # random rain, which no start reads
            slots = torch.cat([slots, pad(on_device(now, step), (0, further))[None]])
            last += 1
        active = last - first
        until = min([starts[first] + n_steps, *starts[last : last + 1]])  # the next end or start
        until = min(until, date + steps_at_once(active * len(now), step.device))
        now, forcing = read_forcing(fields, layout, range(date, until), now, rain, checker)
        start = slots.flatten(0, 1)
        ends = on_device(forcing, step).repeat(1, 1, active).mT
        before = water.begin(checker, start)
        out = blocks.steps(layout, start, ends)
        dates = [fields.date(d + 1) for d in range(date, until)]
        check_outputs(checker, out, step.outputs, dates, where)
        water.check(checker, before, ends, out, dates, where)
        for forecast in out.unflatten(1, (active, -1)):
            date += 1
            _check_forecast(forecast, step, fields, starts[first:last], date)
            yield date, range(first, last), forecast
        ended = int(date - starts[first] == n_steps)
        slots, first = start.unflatten(0, (active, -1))[ended:], first + ended


def on_device(values: np.ndarray, step: LandStep) -> Tensor:
    """Return values as a tensor on the device of the model."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(step.device)


def read_forcing(
    fields: FieldsAtPoints,
    layout: StepLayout,
    dates: range,
    now: np.ndarray,
    rain: Ensemble | None = None,
    checker: Checker | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Read the forcing (step, forcing, point) of the steps that begin at ``dates``; refuse missing values.

    ``now`` (point, input) are the fields at the first date. They come back as those at the last date, after the steps.
    Fields that the model does not read, such as the state of the dataset, are not checked. Hourly rain that is drawn
    at random, by ``rain``, is not read.
    """
    drawn = () if rain is None else rain.drawn
    given, ends = ([n for n in names if n not in drawn] for names in (layout.forcing, layout.forcing_end))
    columns, forcing = layout.columns(given).tolist(), []
    for date in dates:
        following = fields.at(date + 1)
        fields.check(now, date, layout.fields_start)
        fields.check(following, date + 1, ends)
        forcing.append(following[:, columns].T)
        now = following
    values, stamps = np.stack(forcing, axis=1), [fields.date(date + 1) for date in dates]
    check_hourly_rain(values, given, stamps, fields.places)
    if checker is not None:
        checker.forcing(dict(zip(given, values, strict=True)), stamps, fields.places)
    if drawn and rain is not None:
        values = rain.forcings(values, given, stamps)
    return now, values.swapaxes(0, 1)


def _check_forecast(forecast: Tensor, step: LandStep, fields: FieldsAtPoints, starts: Sequence[int], date: int) -> None:
    if torch.isfinite(forecast).all():
        return
    s, point, v = (int(i) for i in torch.nonzero(~torch.isfinite(forecast))[0])
    raise ValueError(
        f"The model {step.path} predicts '{step.outputs[v]}' = {float(forecast[s, point, v])} for "
        f"{fields.date(date):%Y-%m-%d %H:%M} from the start {fields.date(starts[s]):%Y-%m-%d %H:%M} at "
        f"{fields.place(point)}. State and forcing are finite there: train it again, or give another checkpoint."
    )
