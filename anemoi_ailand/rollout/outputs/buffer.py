# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Buffer of an output, which gathers states into blocks of times, and the background thread that writes the blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from anemoi.inference.types import FloatArray, State

from anemoi_ailand.constants import STEP
from anemoi_ailand.rollout.outputs.output_columns import statistics_of
from anemoi_ailand.rollout.outputs.output_frame import Block, Frame
from anemoi_ailand.rollout.outputs.period_means import PeriodMeans
from anemoi_ailand.support.disk_errors import writing


class Buffer:
    """Gather states into blocks of ``n_times``: select points, average over ``period``, compute statistics.

    :attr:`block` holds the times that were not taken yet, :attr:`means` the sums of the current period, if any.
    """

    def __init__(
        self, frame: Frame, names: Sequence[str], statistics: Sequence[str], period: str | None, n_times: int
    ) -> None:
        self.frame, self.n_times = frame, n_times
        self._names, self._statistics = tuple(names), tuple(statistics)
        self.means = PeriodMeans(period, names, STEP) if period else None
        self.block: Block | None = None

    def empty(self) -> Block:
        """Return a block without times."""
        return Block.empty(self.frame, self.n_times)

    def add(self, state: State, output: Any) -> Block | None:
        """Add a state and return the block that it completes, if any; variables that the state lacks are missing.

        An error names ``output``.
        """
        date, given = state["date"], state["fields"]
        fields = {n: self.frame.select(n, given[n], output) for n in self._names if n in given}
        if self.means is None:
            return self._append((date, date - STEP, date), fields)
        done = self.means.add(date, fields)
        return None if done is None else self._append((done.start, done.start, done.end), done.values)

    def take(self, unit: int = 1) -> Block | None:
        """Return the gathered times, as many as ``unit`` divides; the others stay in the buffer."""
        block, self.block = self.block, None
        if block is not None and unit > 1:
            self.block = block.split(unit, self.empty())
        return block if block is not None and block.filled else None

    def _append(self, times: tuple[datetime, datetime, datetime], fields: dict[str, FloatArray]) -> Block | None:
        statistics = {n: statistics_of(v, self._statistics) for n, v in fields.items()} if self._statistics else {}
        row = {
            c.netcdf_name: fields[c.name] if c.statistic is None else statistics[c.name][c.statistic]
            for c in self.frame.columns
            if c.name in fields
        }
        self.block = self.block or self.empty()
        self.block.add(times, row)
        return self.take() if self.block.filled == self.n_times else None


class Writer:
    """One task at a time in a background thread, so that compression and writing overlap with the model.

    The error of a task, with ``path``, is raised by the next call.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="land-output")
        self._running: Future[None] | None = None
        self._error: BaseException | None = None

    def begin(self, task: Callable[[], None]) -> None:
        """Start a task once the previous task has finished."""
        self.wait()
        self._running = self._pool.submit(self._run, task)

    def wait(self) -> None:
        """Wait for the running task."""
        if self._running is not None:
            self._error = self._running.exception() or self._error
            self._running = None
        self.check()

    def check(self) -> None:
        """Raise the error of a task that has ended, without waiting for the running one."""
        if self._running is not None and self._running.done():
            self._error = self._running.exception() or self._error
        if self._error is not None:
            raise self._error

    def _run(self, task: Callable[[], None]) -> None:
        with writing(self._path):
            task()
