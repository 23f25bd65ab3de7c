# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Stopwatch of a training: point-steps per second between two batches."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from pytorch_lightning import Callback


@dataclass(frozen=True)
class Timing:
    """Timed point-steps (windows x points x roll-out steps), seconds of the wall clock and of the process."""

    point_steps: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Point-steps per second of the wall clock, waiting for data included."""
        return self.point_steps / self.seconds

    @property
    def cpu_rate(self) -> float:
        """Point-steps per second that this process computed; it hardly depends on other load of the machine."""
        return self.point_steps / self.cpu_seconds


class Stopwatch(Callback):
    """Time the training batches after the first ``warm_up``, from the end of one to the end of the last.

    Batches of the warm-up are not counted: they allocate memory and find the queue of the loader full.
    """

    def __init__(self, warm_up: int = 5) -> None:
        self.warm_up = warm_up
        self._ends: list[tuple[float, float]] = []
        self._point_steps = 0

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Note the time, and count the batch unless it is part of the warm-up."""
        del trainer, batch_idx
        float(outputs["loss"].detach().sum())  # a GPU is not done before it has the loss
        self._ends.append((time.perf_counter(), time.process_time()))
        windows, _, _, points, _ = next(iter(batch.values())).shape
        if len(self._ends) > self.warm_up:
            self._point_steps += windows * points * len(tuple(pl_module.task.steps("training")))

    def timing(self) -> Timing:
        """Return the timing of at least two batches after the warm-up."""
        if len(self._ends) <= self.warm_up + 1:
            raise ValueError(
                f"{len(self._ends)} batches were trained including {self.warm_up} of warm-up. Time at least two more."
            )
        (wall, cpu), (wall_end, cpu_end) = self._ends[self.warm_up - 1], self._ends[-1]
        return Timing(self._point_steps, wall_end - wall, cpu_end - cpu)
