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


def execution_name(hidden: torch.dtype, processor: str) -> str:
    """Return the name of a compiled step that files record; steps of one name have the same values bitwise.

    >>> execution_name(torch.bfloat16, "x86_64-4f1c02").partition(", torch")[0]
    'compiled, layers in bfloat16'
    """
    return f"compiled, layers in {str(hidden).removeprefix('torch.')}, torch {torch.__version__}, {processor}"


@dataclass(frozen=True)
class _Recording:
    """Start slot (input, row), forcing (forcing, row) and outputs (output, row) of a graph that advances the start."""

    start: Tensor
    forcing: Tensor
    out: Tensor
    graph: Any


class DeviceStep:
    """Compiled step of a CUDA device; safe to call from several threads, one after the other.

    Parameters
    ----------
    step : LandStep
        Plain step on the device.
    hidden : torch.dtype
        Precision of the products of the network.

    Raises
    ------
    RuntimeError
        At the first call: a recorded step differs from the plain one.
    """

    def __init__(self, step: LandStep, hidden: torch.dtype = torch.bfloat16) -> None:
        self._plain, self.precision, self.device = step, hidden, step.device
        self.name = execution_name(hidden, _name(step.device))
        self._network, self._state = NetworkPart(step, hidden), StatePart(step)
        self._layout = StepLayout(step.inputs, step.outputs, device=step.device)
        self._recordings: dict[tuple[int, tuple[str, ...]], _Recording] = {}
        self._lock = threading.Lock()

    def __call__(self, start: Tensor, end: Tensor) -> Tensor:
        """Compute the outputs; shapes ``(row, input), (row, input) -> (row, output)``, points innermost."""
        if not len(start):
            return start.new_empty((0, len(self._layout.outputs)))
        forcing = end.t().index_select(0, self._layout.columns(self._layout.forcing))
        with self._lock:
            recorded = self._recording(self._layout, start, forcing)
            recorded.start.copy_(start.t())
            recorded.forcing.copy_(forcing)
            recorded.graph.replay()
            return recorded.out.clone().t()

    def steps(self, layout: StepLayout, start: Tensor, ends: Tensor) -> Tensor:
        """Make several steps; the device is waited for once, at the end.

        Shapes: ``start (row, input)`` on the device, which becomes that of the step after them in place; ``ends (step,
        row, forcing)``, in the order of ``layout.forcing``, whose memory, of the host or of the device, is that of the
        result ``(step, row, output)``. Fastest with points innermost.
        """
        here, forcing = ends.device.type == self.device.type, ends.mT.contiguous()  # cuda is also cuda:0
        shape = len(ends), len(self._layout.outputs), len(start)
        results = torch.empty(shape, device=ends.device, pin_memory=not here)
        with self._lock:
            recorded = self._recording(layout, start, forcing[0].to(self.device))
            recorded.start.copy_(start.t())
            if here:
                for given, out in zip(forcing, results, strict=True):
                    recorded.forcing.copy_(given)
                    recorded.graph.replay()
                    out.copy_(recorded.out)
            else:
                _stream(recorded, forcing.pin_memory(), results)
            start.copy_(recorded.start.t())
        torch.cuda.synchronize(self.device)
        return results.mT

    def advance_(self, layout: StepLayout, start: Tensor, forcing: Tensor) -> Tensor:
        """Make a step in place; shapes ``(input, row), (forcing, row) -> (output, row)``.

        Afterwards ``start`` is that of the next step. All is done on the device, and nothing comes from the host.
        """
        end = torch.zeros_like(start)
        layout.set_forcing_(end.t(), forcing.t())
        out = self._state(start, end, self._network(start, end))
        layout.next_start_(start.t(), end.t(), out.t())
        return out

    def _recording(self, layout: StepLayout, start: Tensor, forcing: Tensor) -> _Recording:
        """Return the graph for a number of rows, made and compared with the plain step at the first."""
        key = len(start), layout.forcing
        if key not in self._recordings:
            made = self._record(layout, len(start))
            made.start.copy_(start.t())
            made.forcing.copy_(forcing)
            made.graph.replay()
            end = torch.zeros_like(start)
            layout.set_forcing_(end, forcing.t())
            found = difference(self._plain, start, end, made.out.t())
            if not found <= TOLERANCE[self.precision]:  # also if it is not finite
                raise RuntimeError(
                    f"The recorded step of {self._plain.path.name} differs from the plain one by {found:.2g} of the "
                    "spread of an output. Set `execution: plain`."
                )
            self._recordings[key] = made
        return self._recordings[key]

    def _record(self, layout: StepLayout, n_rows: int) -> _Recording:
        start = torch.ones((len(layout.inputs), n_rows), device=self.device)
        forcing = torch.ones((len(layout.forcing), n_rows), device=self.device)
        aside = torch.cuda.Stream(self.device)
        aside.wait_stream(torch.cuda.current_stream(self.device))
        with torch.inference_mode(False), torch.no_grad(), torch.cuda.stream(aside):
            for _ in range(_WARM_UP):
                self.advance_(layout, start, forcing)
        torch.cuda.current_stream(self.device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(False), torch.no_grad(), torch.cuda.graph(graph):
            out = self.advance_(layout, start, forcing)
        return _Recording(start, forcing, out, graph)


def _stream(recorded: _Recording, forcing: Tensor, results: Tensor) -> None:
    """Replay a graph for each step; copies from and to the host have streams and buffers of their own."""
    device = recorded.start.device
    compute = torch.cuda.current_stream(device)
    inward, outward = torch.cuda.Stream(device), torch.cuda.Stream(device)
    given = [torch.empty_like(recorded.forcing) for _ in range(_BUFFERS)]
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
        recorded.forcing.copy_(given[at])
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


def _name(device: torch.device) -> str:
    """Return the name of a CUDA device, and the kind of any other."""
    return torch.cuda.get_device_name(device) if torch.cuda.is_available() else device.type
