# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Yardstick of the training speed: a plain PyTorch loop with the data in memory."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.training.stores import resident_fields
from benchmarks.speed.stopwatch import Timing


class PlainLoop:
    """Train the land model of a training module as one would without Anemoi.

    Same network, roll-out, squared error in units of the change in 6 h, Adam and clipping of the gradient; windows and
    blocks of points at random from normalised fields in memory. No loader, logging, validation, noise or checkpoint.
    Model, processors and indices are those of ``module``; ``windows`` and ``points`` are of a batch, ``n_steps`` of the
    roll-out. The learning rate is low, as the result is thrown away.
    """

    def __init__(
        self, module: Any, reader: Any, *, windows: int, points: int, n_steps: int, lr: float = 1.0e-5
    ) -> None:
        self.name = module.dataset_names[0]
        self.model = module.model.model.train()
        fields = resident_fields(reader.data, int(reader.grid_size), np.inf)
        assert fields is not None  # no limit of memory is given
        self.device = next(self.model.parameters()).device
        self.fields = module.model.pre_processors[self.name](torch.from_numpy(fields)).to(self.device)
        indices = module.data_indices[self.name]
        self.inputs, self.outputs = indices.data.input.full.long(), indices.data.output.full.long()
        self.state_in, self.state_out = indices.model.input.prognostic.long(), indices.model.output.prognostic.long()
        scale = module.loss[self.name].loss.scaler.tensors
        self.scale = scale["increment"][1].to(self.device) if "increment" in scale else torch.ones(1)
        self.windows, self.points, self.n_steps = windows, min(points, fields.shape[2]), n_steps
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=lr, fused=True)
        self.rng = np.random.default_rng(0)

    def batch(self) -> Tensor:
        """Draw windows of one block of points, shape (window, date, ensemble, point, variable)."""
        first = int(self.rng.integers(self.fields.shape[2] - self.points + 1))
        starts = self.rng.integers(len(self.fields) - self.n_steps, size=self.windows)
        block = slice(first, first + self.points)
        return torch.stack([self.fields[t : t + self.n_steps + 1, :, block] for t in starts])

    def update(self) -> None:
        """Run forward, backward and one step of the optimiser."""
        batch = self.batch()
        x = batch[..., self.inputs]
        start, predictions = x[:, 0], []
        for step in range(self.n_steps):
            end = x[:, step + 1]
            predictions.append(self.model.advance(start, end))
            start = end.index_copy(-1, self.state_in, predictions[-1][..., self.state_out])
        error = (torch.stack(predictions, dim=1) - batch[:, 1:][..., self.outputs]) * self.scale
        loss = 0.5 * error.square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 5.0)
        self.optimizer.step()
        float(loss.detach())

    def run(self, n_batches: int, warm_up: int) -> Timing:
        """Time ``n_batches`` after ``warm_up`` batches."""
        for _ in range(warm_up):
            self.update()
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(n_batches):
            self.update()
        point_steps = n_batches * self.windows * self.points * self.n_steps
        return Timing(point_steps, time.perf_counter() - wall, time.process_time() - cpu)
