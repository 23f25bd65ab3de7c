# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Buffer of an output: states become rows of its columns, gathered into blocks of times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from anemoi.inference.types import FloatArray, State

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.rollout.outputs.output_columns import statistics_of
from anemoi_ailand.rollout.outputs.output_frame import Block, Frame
from anemoi_ailand.rollout.outputs.period_means import PeriodMeans

STEP = timedelta(hours=STEP_HOURS)


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

    def add(self, state: State, output: str) -> Block | None:
        """Add a state and return the block that it completes, if any; variables that the state lacks are missing."""
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
