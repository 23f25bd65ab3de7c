# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Scores of a checkpoint on the packaged sample, with bootstrap intervals.

A small protocol A: 30 days from the first of each month of 2022, which is in no training period, at all 44 points.
RMSE over the four stamps of the last day, at the 11 held-out points and at the 33 others.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.sun import COMPUTED, compute
from anemoi_ailand.evaluation.scores.bootstrap import resamples, rmse_interval
from anemoi_ailand.rollout.step.advance import STEP, StepLayout, advance
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.support.packaged import folder

STARTS = tuple(datetime(2022, month, 1) for month in range(1, 13))
LEAD_DAYS = 30
HELD_OUT_EVERY = 5  #: a point is held out if its point_id is divisible by this
SEED = 1  #: of the bootstrap

#: Sum of squared errors by variable, shape (start, point).
Errors = dict[str, np.ndarray]

#: Lead times of the stamps of the last day [h].
LAST_DAY = np.arange(24 * LEAD_DAYS - 24 + STEP_HOURS, 24 * LEAD_DAYS + 1, STEP_HOURS)


def roll_out(checkpoint: str | Path) -> tuple[Errors, np.ndarray]:
    """Run from all starts at once, and return the squared errors of the last day and the held-out mask (point,).

    Values are those of ``anemoi-inference run`` from each start: each step is batch-invariant.
    """
    sample, step = open_reader(str(folder("sample"))), load_step(checkpoint, trust=True)
    layout = StepLayout(step.inputs, step.outputs)
    n_steps = LEAD_DAYS * 24 // STEP_HOURS
    dates = [STARTS[0] + i * STEP for i in range((STARTS[-1] - STARTS[0]) // STEP + n_steps + 1)]
    names = tuple(n for n in sample.variables if n in {*step.inputs, *step.outputs})
    fields = dict(zip(names, sample.read(names, dates), strict=True))
    fields |= dict(zip(COMPUTED, compute(COMPUTED, dates, sample.latitudes, sample.longitudes), strict=True))
    inputs = torch.from_numpy(np.stack([fields[n] for n in step.inputs], axis=-1))  # (date, point, input)
    first = torch.tensor([(start - STARTS[0]) // STEP for start in STARTS])
    errors = {n: np.zeros((len(STARTS), len(sample.latitudes))) for n in names if n in step.outputs}
    now = inputs[first].flatten(0, 1)
    for k in range(1, n_steps + 1):
        end = inputs[first + k].flatten(0, 1)
        out = advance(step.of_slots, layout, now, end)
        now = layout.next_start(now, end, out)
        if k * STEP_HOURS in LAST_DAY:
            found = out.numpy().astype(np.float64).reshape(len(STARTS), -1, len(step.outputs))
            for name, sums in errors.items():
                sums += (found[..., step.outputs.index(name)] - fields[name][first + k]) ** 2
    return errors, np.asarray(sample.point_id) % HELD_OUT_EVERY == 0


def sample_scores(checkpoint: str | Path) -> dict[str, Any]:
    """Roll out from all starts, and return RMSE with 95 % interval by group and variable."""
    errors, held_out = roll_out(checkpoint)
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for group, members in {"held_out": held_out, "trained": ~held_out}.items():
        draws = resamples(len(STARTS), int(members.sum()), seed=SEED)
        counts = np.full(len(STARTS), float(len(LAST_DAY))), np.ones(int(members.sum()))
        scores[group] = {
            name: dict(zip(("rmse", "low", "high"), rmse_interval(sums[:, members], counts, draws), strict=True))
            for name, sums in errors.items()
        }
    return {"starts": [f"{start:%Y-%m-%d}" for start in STARTS], "lead_days": LEAD_DAYS, "scores": scores}
