# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Recording and replay of a model's step: with few points, calling small operations takes a third of the time."""

from __future__ import annotations

import logging
import threading
import warnings
from collections import Counter
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from anemoi_ailand.rollout.step.checkpoint import LandStep

LOG = logging.getLogger(__name__)

#: Calls of a shape before it is recorded: recording takes as long as 200 calls with few points save.
DIRECT_CALLS = 100


class TracedModel:
    """Model whose prediction is recorded once per shape and replayed if the values are bitwise the same.

    The first :data:`DIRECT_CALLS` of a shape call the model itself, so that short runs need not wait for a recording.
    Each recording is compared with the model at its first call and after every :meth:`check`, on other rows than those
    it was made with. If they differ (a network that leaves torch, a branch on data), the model itself is called from
    then on. Safe to call from several threads: no recording is replayed before its comparison has ended.

    ``model`` has ``predict_step`` from a dictionary to a dictionary, both with the key ``dataset``.
    """

    def __init__(self, model: Any, dataset: str) -> None:
        self.model, self.dataset = model, dataset
        self.works = True
        self._recorded: dict[tuple[int, ...], Any] = {}
        self._calls: Counter[tuple[int, ...]] = Counter()
        self._checked: set[tuple[int, ...]] = set()  # recordings that may be replayed
        self._lock = threading.Lock()  # several blocks may be the first of their shape at once

    def predict_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Predict as the model does; shapes ``(1, 2, row, input)`` to ``(1, 1, 1, row, output)``."""
        x = batch[self.dataset]
        shape = tuple(x.shape)
        if self.works and shape not in self._checked:
            if self._calls[shape] < DIRECT_CALLS:
                self._calls[shape] += 1
                return self.model.predict_step(batch)
            with self._lock:
                if self.works and shape not in self._checked:
                    return {self.dataset: self._compared(x, shape)}
        if not self.works:  # read last: another thread may have rejected a recording meanwhile
            return self.model.predict_step(batch)
        return {self.dataset: self._recorded[shape](x)}

    def check(self) -> None:
        """Compare again at the next call of each shape."""
        with self._lock:
            self._checked.clear()

    def _compared(self, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return the model's prediction; release the recording only if it gives the same."""
        if shape not in self._recorded:
            self._recorded[shape] = self._record(x[:, :, -1:].expand_as(x).clone())  # the last row throughout
        replay = self._recorded[shape]
        expected = self.model.predict_step({self.dataset: x.clone()})[self.dataset]
        if replay is not None and torch.equal(torch.nan_to_num(replay(x)), torch.nan_to_num(expected)):
            self._checked.add(shape)
        else:
            LOG.info("The model cannot be recorded; it is called directly")
            self.works = False
        return expected

    def _record(self, x: Tensor) -> Any:
        """Return the recording, or None if torch cannot make one."""
        call = _Call(self.model, self.dataset)
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")  # shapes are constants here on purpose
                return torch.jit.freeze(torch.jit.trace(call, (x,), check_trace=False).eval())
        except Exception as error:  # whatever a network does that torch cannot record
            LOG.debug("No recording: %s", error)
            return None


class _Call(nn.Module):
    """A model as a function of one tensor."""

    def __init__(self, model: Any, dataset: str) -> None:
        super().__init__()
        self.model, self.dataset = model, dataset

    def forward(self, x: Tensor) -> Tensor:
        return self.model.predict_step({self.dataset: x})[self.dataset]


def traced(step: LandStep) -> tuple[LandStep, TracedModel]:
    """Return the step with a recorded model, and that model."""
    model = TracedModel(step.model, step.dataset)
    return replace(step, model=model), model
