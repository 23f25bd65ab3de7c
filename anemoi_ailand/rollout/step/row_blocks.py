# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""One step for any number of rows, in blocks that fit into the cache and run in parallel."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from anemoi_ailand.rollout.step.advance import StepLayout, advance_steps
from anemoi_ailand.rollout.step.batch_invariance import ROWS, ROWS_COMPILED
from anemoi_ailand.rollout.step.checkpoint import LandStep
from anemoi_ailand.rollout.step.device_step import DeviceStep
from anemoi_ailand.rollout.step.traced_model import TracedModel, traced

#: Rows of a block on a CPU, where its activations stay in the cache, and on an accelerator.
BLOCK_ROWS, BLOCK_ROWS_ACCELERATOR = 2048, 2**18

#: Largest number of steps of a call, and of steps times rows on a CPU and on an accelerator, so that memory is bounded
#: and progress is seen.
STEPS, ROW_STEPS, ROW_STEPS_ACCELERATOR = 256, 2**16, 2**21

#: Largest number of threads unless asked for: small operations do not gain from more.
MOST = 16

#: Share of the processors that Linux allows a container: microseconds of every period.
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


class BlockStep:
    """Step for all rows, divided into blocks of one CPU thread each.

    The result depends neither on the blocks nor on the number of threads
    (:mod:`~anemoi_ailand.rollout.step.batch_invariance`). Safe to call from several threads of a host.

    Parameters
    ----------
    step : LandStep
        Model.
    threads : int, optional
        Blocks computed in parallel; by default as many as the system allows.
    block_rows : int, optional
        Rows of a block; by default :data:`BLOCK_ROWS` or :data:`BLOCK_ROWS_ACCELERATOR`.
    """

    def __init__(self, step: LandStep, threads: int | None = None, block_rows: int | None = None) -> None:
        for name, number in (("threads", threads), ("block_rows", block_rows)):
            if number is not None and (not isinstance(number, int) or number < 1):
                raise ValueError(f"`{name}` is {number!r}. Give a whole number of at least 1.")
        on_processor = step.device.type == "cpu"
        self.block_rows = block_rows or (BLOCK_ROWS if on_processor else BLOCK_ROWS_ACCELERATOR)
        self.threads = (threads or usable_processors()) if on_processor else 1
        self._recorded: TracedModel | None = None
        self.step = step
        if on_processor:
            self.step, self._recorded = traced(step)
        self._unit, self._of_units = ROWS if on_processor else 1, self.step.of_slots
        if on_processor and step.compiled is not None:
            self.block_rows = min(self.block_rows, BLOCK_ROWS)
            self._unit, self._of_units = ROWS_COMPILED, step.compiled.of_units
        self._pool = ThreadPoolExecutor(self.threads, "land-step", _one_thread) if on_processor else None

    def __enter__(self) -> BlockStep:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def check(self) -> None:
        """Compare recordings with the model again, at the next call of each shape."""
        if self._recorded is not None:
            self._recorded.check()

    def __call__(self, start: Tensor, end: Tensor, out: Tensor | None = None) -> Tensor:
        """Compute the outputs at t + 6 h from both slots, into ``out`` if given.

        Shapes: ``(row, input) -> (row, output)``, in physical units on the device of the model.
        """
        if out is None:
            out = torch.empty((len(self.step.outputs), len(start)), dtype=start.dtype, device=start.device).t()

        def make(rows: slice) -> None:
            out[rows] = self.step.of_slots(start[rows], end[rows])

        self._each(make, len(start))
        return out

    def steps(self, layout: StepLayout, start: Tensor, ends: Tensor) -> Tensor:
        """Make several steps, all of them of a block of rows before those of the next; bitwise as one by one.

        The start slot becomes that of the step after them, in place.

        Shapes: ``start (row, input)`` on the device of the model, ``ends (step, row, forcing)`` in the order of
        ``layout.forcing``, on any device, which is that of the result ``(step, row, output)``; fastest with points
        innermost in memory.
        """
        if isinstance(self.step.compiled, DeviceStep):
            return self.step.compiled.steps(layout, start, ends)
        there, ends = ends.device, ends.to(start.device)
        out = ends.new_empty((len(ends), len(self.step.outputs), len(start))).transpose(1, 2)

        def make(rows: slice) -> None:
            first, then, n = start[rows], ends[:, rows], len(start[rows])
            if n % self._unit:  # padded once instead of at every step: the last row is repeated
                whole = _repeated(n, self._unit)
                first, then = first.t().index_select(1, whole).t(), then.mT.index_select(2, whole).mT
            first = first.t().contiguous().t()  # points innermost in memory
            advance_steps(self._of_units, layout, first, then, out[:, rows])
            start[rows] = first[:n]

        self._each(make, len(start))
        return out.to(there)

    def _each(self, make: Callable[[slice], None], n_rows: int) -> None:
        """Call a function for the rows of each block."""
        blocks = [slice(begin, begin + self.block_rows) for begin in range(0, n_rows, self.block_rows)]

        def without_gradients(rows: slice) -> None:
            with torch.inference_mode():  # holds for a thread
                make(rows)

        if self._pool is None or (self.threads == 1 and torch.get_num_threads() == 1):
            for rows in blocks:
                without_gradients(rows)
        else:
            list(self._pool.map(without_gradients, blocks))  # all blocks, or the error of the first that failed


def steps_at_once(n_rows: int, device: torch.device) -> int:
    """Return the largest number of steps of a call of :meth:`BlockStep.steps` in a long run."""
    most = ROW_STEPS if device.type == "cpu" else ROW_STEPS_ACCELERATOR
    return max(1, min(STEPS, most // max(1, n_rows)))


@lru_cache(maxsize=8)
def _repeated(n_rows: int, unit: int) -> Tensor:
    """Return the indices of rows with the last one repeated to a multiple of the unit."""
    return torch.arange(n_rows + -n_rows % unit).clamp_(max=n_rows - 1)


def _one_thread() -> None:
    """Use one thread inside a block, as the blocks run in parallel."""
    torch.set_num_threads(1)


def usable_processors() -> int:
    """Return the number of processors for this process: ``OMP_NUM_THREADS`` if set, else the system's limit.

    A container may be allowed less than the machine has. More threads than processors wait for each
    other: two threads on one processor take longer than one.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    allowed = len(os.sched_getaffinity(0))
    return max(1, min(allowed, _quota(allowed), MOST))


def _quota(otherwise: int) -> int:
    try:
        quota, period = _QUOTA.read_text().split()
        return otherwise if quota == "max" else max(1, int(quota) // int(period))
    except (OSError, ValueError):  # no container, or one without this file
        return otherwise
