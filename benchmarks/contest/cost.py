# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Cost of one step of one point: parameters, operations counted while the model runs, and measured time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from anemoi_ailand.rollout.step.checkpoint import LandStep
from anemoi_ailand.rollout.step.row_blocks import BLOCK_ROWS, BlockStep
from benchmarks.speed.step import WARM_UP, one_core, processor_time, slots

#: Points of the counted step; operations are proportional to them.
POINTS = 8

#: Rounds of the measurement, and processor time of each entrant in a round [s].
ROUNDS, SECONDS = 7, 0.2

#: Matrix products, and positions of the two factors among their arguments.
_PRODUCTS = {"mm": (0, 1), "addmm": (1, 2), "bmm": (0, 1), "baddbmm": (1, 2)}

#: Operations per input value: normalisations take mean, variance and scale; sums one.
_PER_INPUT = {
    "native_layer_norm": 8, "native_batch_norm": 8, "_softmax": 4, "_log_softmax": 4, "sum": 1, "mean": 1, "cumsum": 1,
    "prod": 1, "amax": 1, "amin": 1,
}  # fmt: skip

#: Element-wise operations without computation.
_FREE = {"clone", "copy_", "_to_copy", "zeros_like", "ones_like", "empty_like", "fill_", "lift_fresh_copy"}


class Steps(Protocol):
    """Model with a countable step, e.g. :class:`~anemoi_ailand.model.land_model.LandModel`."""

    network: Any

    def advance(self, start: Tensor, end: Tensor) -> Tensor:
        """Advance by one step, ``(point, input variable) -> (point, output variable)``."""
        ...


@dataclass(frozen=True)
class Cost:
    """Trained parameters, and operations of one step of one point.

    ``linear`` counts those of linear layers, a multiplication and an addition per weight, or the comparisons of trees;
    ``other`` all others (activations, normalisations, physics), one for each value of an element-wise operation.
    """

    parameters: int
    linear: float
    other: float

    @property
    def flop(self) -> float:
        """All operations of one step of one point."""
        return self.linear + self.other


class Counter(TorchDispatchMode):
    """Count all operations inside ``with``; ``torch.utils.flop_counter`` counts matrix products only."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = 0.0
        self.other = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and add its cost."""
        out = func(*args, **(kwargs or {}))
        name = func.__name__.partition(".")[0]
        if name in _PRODUCTS:
            a, b = (args[i] for i in _PRODUCTS[name])
            self.linear += 2.0 * math.prod(a.shape) * b.shape[-1]
        elif name in _PER_INPUT:
            self.other += float(_PER_INPUT[name] * args[0].numel())
        elif torch.Tag.pointwise in func.tags and name not in _FREE:
            self.other += float(sum(t.numel() for t in _tensors(out)))
        return out


def cost_of(model: Steps, n_inputs: int) -> Cost:
    """Measure the cost of one step of network and physics.

    A network that computes outside torch (trees) states ``flops_per_point``, and ``n_parameters`` if its parameters are
    not torch parameters.
    """
    weights = list(model.network.parameters())
    where = {"device": weights[0].device, "dtype": weights[0].dtype} if weights else {}
    start, end = torch.zeros(POINTS, n_inputs, **where), torch.zeros(POINTS, n_inputs, **where)
    with torch.no_grad(), Counter() as counted:
        model.advance(start, end)
    stated = stated_by(model.network, "flops_per_point")
    return Cost(
        parameters=n_parameters(model.network),
        linear=counted.linear / POINTS + (stated or 0.0),
        other=counted.other / POINTS,
    )


def microseconds(steps: Sequence[LandStep], dataset: Path) -> list[float]:
    """Measure processor time of a point-step, as medians of rounds with all steps in turn, on one core.

    Rows are points and dates of the dataset.
    """
    with one_core():
        calls = []
        for step in steps:
            block, rows = BlockStep(step, 1, BLOCK_ROWS), slots(step, dataset, BLOCK_ROWS)
            calls.append(lambda block=block, rows=rows: block(*rows))
            for _ in range(WARM_UP):
                calls[-1]()
        rounds = [[processor_time(call, SECONDS) for call in calls] for _ in range(ROUNDS)]
    return [float(value) for value in 1e6 * np.median(rounds, axis=0) / BLOCK_ROWS]


def n_parameters(network: nn.Module) -> int:
    """Count trained parameters: those of torch, and ``n_parameters`` that modules state."""
    return sum(p.numel() for p in network.parameters()) + int(stated_by(network, "n_parameters") or 0)


def stated_by(network: nn.Module, attribute: str) -> float | None:
    """Sum an attribute or method over the modules that have it; ``None`` if none has."""
    found: list[Callable[[], float] | float] = [
        getattr(m, attribute) for m in network.modules() if hasattr(m, attribute)
    ]
    return sum(float(value() if callable(value) else value) for value in found) if found else None


def _tensors(out: Any) -> list[Tensor]:
    values = out if isinstance(out, tuple | list) else [out]
    return [v for v in values if isinstance(v, Tensor)]
