# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A roll-out in memory, with a network of random weights, fields at random points, and the same loop by hand."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import numpy as np
import torch

from anemoi_ailand.data.sun import COMPUTED, compute
from anemoi_ailand.rollout.ensembles.ensemble import SINGLE, Ensemble
from anemoi_ailand.rollout.ensembles.options import EnsembleOptions
from anemoi_ailand.rollout.run.loop import Rollout
from anemoi_ailand.rollout.step.checkpoint import LandStep
from anemoi_ailand.rollout.step.row_blocks import BlockStep
from anemoi_ailand.variables import Time, variable
from tests.support import stepper as case
from tests.support.land import CLOSED

DATE, STEP, N = case.DATE, timedelta(hours=6), 20

#: Recording a step takes a second, so that tests share models and their blocks.
land_step, blocks = cache(CLOSED.land_step), cache(BlockStep)


def forcing_names(step: LandStep) -> list[str]:
    """Return the variables that are new at every step."""
    return [n for n in step.inputs if n not in step.prognostic and variable(n).time is not Time.CONSTANT]


def inputs(step: LandStep, k: int, n: int = N) -> np.ndarray:
    """Return all inputs at the k-th date, shape (input, point), float32."""
    found = case.fields(n, seed=k)
    found |= {m: v for m, v in case.fields(n, seed=0).items() if m not in forcing_names(step)}
    names = list(COMPUTED)
    found |= dict(zip(names, compute(names, [DATE + k * STEP], *case.places(n))[:, 0], strict=True))
    return np.stack([found[m] for m in step.inputs]).astype("f4")


def forcings(step: LandStep, steps: int, n: int = N, first: int = 1) -> list[np.ndarray]:
    """Return the forcing at the end of each step, shape (forcing, point)."""
    rows = [step.inputs.index(m) for m in forcing_names(step)]
    return [inputs(step, k, n)[rows] for k in range(first, first + steps)]


def roll_out(n: int = N, policy: str = "error", steps: Sequence[LandStep] | None = None, **ensemble: Any) -> Rollout:
    """Return a roll-out at its start."""
    steps = steps or [land_step()]
    members = Ensemble(EnsembleOptions(**ensemble) if ensemble else SINGLE, *case.places(n))
    names = forcing_names(steps[0])
    return Rollout(
        [blocks(step, 1) for step in steps], members, inputs(steps[0], 0, n), names, DATE, case.places(n), policy
    )


def by_hand(step: LandStep, steps: int, n: int = N) -> list[torch.Tensor]:
    """Return the outputs (point, output) of each step by a loop over the model, with the state at both ends."""
    here = [step.inputs.index(m) for m in step.prognostic]
    there = [step.outputs.index(m) for m in step.prognostic]
    state, out = torch.from_numpy(inputs(step, 0, n).T)[:, here], []
    for k in range(steps):
        ends = torch.stack([torch.from_numpy(inputs(step, k + i, n).T.copy()) for i in (0, 1)])
        ends[..., here] = state
        out.append(step(ends))
        state = out[-1][:, there]
    return out


def run(roll: Rollout, steps: int, first: int = 1, at_once: int = 1) -> list[torch.Tensor]:
    """Return the outputs of each step, ``at_once`` of them made in one call."""
    values = np.stack(forcings(roll.networks[0].step, steps, roll.n_rows // len(roll.ensemble), first), axis=1)
    return [out for k in range(0, steps, at_once) for out in roll.steps(values[:, k : k + at_once])]
