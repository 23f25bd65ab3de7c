# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The compiled step of a CUDA device: one recorded graph a step, many steps without waiting for the processor.

A step is thousands of small kernels, which the processor cannot call as fast as the device executes them. A CUDA graph
holds all of them, in the form of :mod:`~anemoi_ailand.rollout.step.fused_step`, and gives the state back to its own
input. While the device computes one step, the forcing of the next arrives and the results of the last one leave.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from anemoi_ailand.rollout.step.advance import StepLayout
from anemoi_ailand.rollout.step.checkpoint import LandStep
from anemoi_ailand.rollout.step.fused_step import TOLERANCE, NetworkPart, StatePart, difference

#: Calls before a recording, in which libraries choose algorithms and reserve memory.
_WARM_UP = 3

#: Buffers between device and host in either direction.
_BUFFERS = 2


@dataclass(frozen=True)
class _Recording:
    """Slots (input, row) and outputs (output, row) of a graph that advances ``start`` by one step."""

    start: Tensor
    end: Tensor
    out: Tensor
    graph: Any


class DeviceStep:
    """Compiled step of a CUDA device; safe to call from several threads, one after the other.

    Parameters
    ----------
    step : LandStep
        Plain step on the device.
    hidden : torch.dtype
        Precision of the products of hidden layers.

    Raises
    ------
    RuntimeError
        At the first call: a recorded step differs from the plain one.
    """

    def __init__(self, step: LandStep, hidden: torch.dtype = torch.bfloat16) -> None:
        self._plain, self.precision, self.device = step, hidden, step.device
        self.name = f"compiled, hidden layers in {str(hidden).removeprefix('torch.')}"
        self._network, self._state = NetworkPart(step, hidden), StatePart(step)
        layout = StepLayout(step.inputs, step.outputs, device=step.device)
        self._inputs, self._outputs = len(step.inputs), len(step.outputs)
        self._state_in, self._forcing = layout.columns(layout.prognostic), layout.columns(layout.forcing_start)
        self._state_out = torch.tensor([step.outputs.index(n) for n in layout.prognostic], device=step.device)
        self._recordings: dict[int, _Recording] = {}
        self._lock = threading.Lock()

    def advance_(self, start: Tensor, end: Tensor) -> Tensor:
        """Make a step in place; shapes ``(input, row), (input, row) -> (output, row)``.

        Afterwards ``start`` is that of the next step. All is done on the device, and nothing comes from the host.
        """
        out = self._state(start, end, self._network(start, end))
        start.index_copy_(0, self._state_in, out.index_select(0, self._state_out))
        start.index_copy_(0, self._forcing, end.index_select(0, self._forcing))
        return out

    def __call__(self, start: Tensor, end: Tensor) -> Tensor:
        """Compute the outputs; shapes ``(row, input), (row, input) -> (row, output)``, points innermost."""
        if not len(start):
            return start.new_empty((0, self._outputs))
        with self._lock:
            recorded = self._recording(start, end)
            recorded.start.copy_(start.t())
            recorded.end.copy_(end.t())
            recorded.graph.replay()
            return recorded.out.clone().t()

    def steps(self, start: Tensor, ends: Tensor) -> Tensor:
        """Make all steps of the rows; the device is waited for once, at the end.

        Shapes: ``start (row, input)`` on the device, which becomes that of the next step; ``ends (step, input, row)``,
        whose memory, of the host or of the device, is that of the result ``(step, output, row)``.
        """
        n_steps, _, n_rows = ends.shape
        here = ends.device == self.device
        results = torch.empty((n_steps, self._outputs, n_rows), device=ends.device, pin_memory=not here)
        with self._lock:
            recorded = self._recording(start, ends[0].t())
            recorded.start.copy_(start.t())
            if here:
                for end, out in zip(ends, results, strict=True):
                    recorded.end.copy_(end)
                    recorded.graph.replay()
                    out.copy_(recorded.out)
            else:
                _stream(recorded, ends if ends.is_pinned() else ends.pin_memory(), results)
            start.copy_(recorded.start.t())
        torch.cuda.synchronize(self.device)
        return results

    def _recording(self, start: Tensor, end: Tensor) -> _Recording:
        """Return the graph for a number of rows, made and compared with the plain step at the first."""
        n_rows = len(start)
        if n_rows not in self._recordings:
            made = self._record(n_rows)
            made.start.copy_(start.t())
            made.end.copy_(end.t())
            made.graph.replay()
            found = difference(self._plain, start, end.to(self.device), made.out.t())
            if found > TOLERANCE[self.precision]:
                raise RuntimeError(
                    f"The recorded step of {self._plain.path.name} differs from the plain one by {found:.2g} of the "
                    "spread of its outputs. Set `execution: plain`."
                )
            self._recordings[n_rows] = made
        return self._recordings[n_rows]

    def _record(self, n_rows: int) -> _Recording:
        start, end = (torch.ones((self._inputs, n_rows), device=self.device) for _ in range(2))
        aside = torch.cuda.Stream(self.device)
        aside.wait_stream(torch.cuda.current_stream(self.device))
        with torch.inference_mode(False), torch.no_grad(), torch.cuda.stream(aside):
            for _ in range(_WARM_UP):
                self.advance_(start, end)
        torch.cuda.current_stream(self.device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(False), torch.no_grad(), torch.cuda.graph(graph):
            out = self.advance_(start, end)
        return _Recording(start, end, out, graph)


def _stream(recorded: _Recording, forcing: Tensor, results: Tensor) -> None:
    """Replay a graph for each step; copies from and to the host have streams and buffers of their own."""
    device = recorded.start.device
    compute = torch.cuda.current_stream(device)
    inward, outward = torch.cuda.Stream(device), torch.cuda.Stream(device)
    given = [torch.empty_like(recorded.end) for _ in range(_BUFFERS)]
    made = [torch.empty_like(recorded.out) for _ in range(_BUFFERS)]
    taken, fetched = ([torch.cuda.Event() for _ in range(_BUFFERS)] for _ in range(2))
    inward.wait_stream(compute)
    outward.wait_stream(compute)
    for k in range(len(forcing)):
        at = k % _BUFFERS
        with torch.cuda.stream(inward):
            if k >= _BUFFERS:
                inward.wait_event(taken[at])
            given[at].copy_(forcing[k], non_blocking=True)
        compute.wait_stream(inward)
        recorded.end.copy_(given[at])
        taken[at].record(compute)
        recorded.graph.replay()
        if k >= _BUFFERS:
            compute.wait_event(fetched[at])
        made[at].copy_(recorded.out)
        outward.wait_stream(compute)
        with torch.cuda.stream(outward):
            results[k].copy_(made[at], non_blocking=True)
            fetched[at].record(outward)
    compute.wait_stream(outward)
