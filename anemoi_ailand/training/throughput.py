# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Expected speed and duration of a training, from a few steps of its model."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.training.curriculum import rollout_at

#: How many times faster the compiled step is than the plain one: a short roll-out, a long one.
COMPILED = (1.8, 2.8)


def step_rate(module: Any, fields: Tensor, rounds: int = 3) -> float:
    """Measure the point-steps per second of the plain step, forward and backward, without changing the module.

    ``fields`` (window, date, ensemble, point, variable) are a batch with at least the two dates of a step, in physical
    units.
    """
    name = module.target_dataset_names[0]
    fields = module.model.pre_processors[name](fields.to(module.device), in_place=False)
    x = module.task.get_inputs({name: fields}, data_indices=module.data_indices)
    parameters = [p for p in module.parameters() if p.requires_grad]
    training, times = module.training, []
    module.train()
    for _ in range(1 + rounds):
        began = time.perf_counter()
        loss = sum(y.float().square().mean() for y in module(dict(x)).values())
        found = torch.autograd.grad(loss, parameters, allow_unused=True)  # no hook of the data-parallel strategy runs
        float(sum(g.sum() for g in found if g is not None))  # an accelerator has finished when it has the value
        times.append(time.perf_counter() - began)
    module.train(training)
    windows, _, members, points, _ = fields.shape
    return windows * members * points / float(np.median(times[1:]))


def planned_rollouts(trainer: Any, rollout: Any, per_epoch: int) -> list[int] | None:
    """Return the steps per sample of every epoch to come, which has ``per_epoch`` batches; None without an end."""
    ends = [trainer.max_epochs, math.ceil(trainer.max_steps / per_epoch)]
    last = min((end for end in ends if end is not None and end > 0), default=None)
    return None if last is None else [rollout_at(rollout, epoch) for epoch in range(trainer.current_epoch, last)]


def expectation(rate: float, rows: int, batches: int, rollouts: list[int] | None, faster: tuple[float, ...]) -> str:
    """Describe the duration of a training at ``rate`` point-steps a second.

    ``rows`` are those of a batch of all training processes, ``batches`` those of an epoch, ``rollouts`` the steps of a
    sample in each epoch. A step that is ``faster`` than the measured one by these factors shortens all times.

    Examples
    --------
    >>> from anemoi_ailand.training.throughput import expectation
    >>> expectation(15000.0, 2592, 181, [1] * 24 + [8], (1.0,))
    '15,000 point-steps/s; an epoch of 1 step 31 s, one of 8 steps 250 s; all 25 epochs 0.28 h'
    """
    rates = [rate * factor for factor in faster]

    def span(point_steps: float, unit: float) -> str:
        return _range([point_steps / unit / r for r in reversed(rates)])

    text = f"{_range(rates)} point-steps/s"
    if not rollouts:
        return f"{text}; neither epochs nor batches are limited"
    epoch = rows * batches
    ends = [f"{span(epoch * r, 1.0)} s" for r in (min(rollouts), max(rollouts))]
    text += f"; an epoch of {_steps(min(rollouts))} {ends[0]}"
    text += f", one of {_steps(max(rollouts))} {ends[1]}" if max(rollouts) > min(rollouts) else ""
    return f"{text}; all {len(rollouts)} epochs {span(epoch * sum(rollouts), 3600.0)} h"


def _steps(n: int) -> str:
    return f"{n} step{'s' if n > 1 else ''}"


def _range(values: list[float]) -> str:
    texts = [f"{float(f'{v:.2g}'):,.10g}" for v in values]
    return texts[0] if len(set(texts)) == 1 else f"{texts[0]} to {texts[-1]}"
