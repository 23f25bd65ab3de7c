# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The same step with less overhead: with few points, a third of the time goes into calling small operations."""

from __future__ import annotations

import logging
import threading
import warnings
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from anemoi_ailand.rollout.step.checkpoint import LandStep

LOG = logging.getLogger(__name__)


class TracedModel:
    """Model whose prediction is recorded once and replayed, if that gives the same values to the last bit.

    What cannot be recorded (a network that leaves torch, a branch that depends on the data) is found by a comparison on
    other rows than those of the recording, at the first call and at every :meth:`check`; the model is called as it is
    from then on.

    Parameters
    ----------
    model : AnemoiModelInterface
        With ``predict_step`` from a dictionary to a dictionary.
    dataset : str
        The key of both.
    """

    def __init__(self, model: Any, dataset: str) -> None:
        self.model, self.dataset = model, dataset
        self._recorded: dict[tuple[int, ...], Any] = {}
        self._unchecked: set[tuple[int, ...]] = set()
        self.works = True
        self._lock = threading.Lock()  # several blocks may be the first of their shape at once

    def predict_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """As the model's own; shapes ``(1, 2, row, input)`` to ``(1, 1, 1, row, output)``."""
        x = batch[self.dataset]
        if not self.works:
            return self.model.predict_step(batch)
        shape = tuple(x.shape)
        if shape not in self._recorded or shape in self._unchecked:
            with self._lock:
                if shape not in self._recorded:
                    self._recorded[shape] = self._record(x[:, :, -1:].expand_as(x).clone())  # the last row throughout
                    self._unchecked.add(shape)
                if shape in self._unchecked:
                    return {self.dataset: self._checked(x, shape)}
        replay = self._recorded[shape]
        if replay is None or not self.works:  # another thread has found out meanwhile
            return self.model.predict_step(batch)
        return {self.dataset: replay(x)}

    def check(self) -> None:
        """Compare again at the next call of each shape."""
        self._unchecked = set(self._recorded)

    def _checked(self, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        """What the model gives, and whether the recording gives the same."""
        self._unchecked.discard(shape)
        expected = self.model.predict_step({self.dataset: x.clone()})[self.dataset]
        replay = self._recorded[shape]
        if replay is None or not torch.equal(torch.nan_to_num(replay(x)), torch.nan_to_num(expected)):
            LOG.info("The model cannot be recorded; it is called as it is")
            self.works = False
        return expected

    def _record(self, x: Tensor) -> Any:
        """The recording, or nothing if there can be none."""
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
    """The step with a recorded model, and that model."""
    model = TracedModel(step.model, step.dataset)
    return replace(step, model=model), model
