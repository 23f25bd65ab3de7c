# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Training on a dataset larger than memory, compared with the same training on a small one in memory."""

from __future__ import annotations

import logging
import os
import statistics
import time
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

from anemoi.datasets import open_dataset

from anemoi_ailand.evaluation.display.text import aligned
from anemoi_ailand.support.memory import GIB
from anemoi_ailand.training.point_blocks import PointBlocks
from benchmarks.speed.repeated import repeat_points
from benchmarks.speed.stopwatch import Stopwatch, Timing
from benchmarks.speed.training import Setting, run_trainer

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Size:
    """Points and dates of the made store, memory of the pool [GiB], and batches with the data in memory."""

    points: int = 171_039
    dates: int = 300
    memory_gb: float | None = None
    in_memory_batches: int = 40


@dataclass
class Part:
    """A part of a training with the pool: its timing, and what reading took in it."""

    timing: Timing
    windows: int
    reading_seconds: float
    waited: float
    serving: int


@dataclass
class Round:
    """Rate with the data in memory, and with the pool while it grows and when it is full; largest memory [bytes]."""

    resident: Timing
    parts: dict[str, Part] = field(default_factory=dict)
    memory: int = 0


class PoolWatch(Stopwatch):
    """Stopwatch that divides a training into the part in which the pool grows and that in which it is full."""

    def __init__(self, callback: PointBlocks, warm_up: int) -> None:
        super().__init__(warm_up)
        self._blocks, self.memory = callback, 0
        self.marks: list[tuple[float, ...]] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Note times, samples and state of the pool after a batch."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        pool = self._blocks.pooled_windows
        if pool is None:
            return
        self.marks.append((*self._ends[-1], self._point_steps, pool.windows_read, pool.reading_seconds, pool.waited,
                           pool.serving))  # fmt: skip
        if batch_idx % 100 == 0:
            self.memory = max(self.memory, memory_of_processes())

    def parts(self) -> dict[str, Part]:
        """Return both parts, each if it has at least two batches."""
        after = self.marks[self.warm_up :]
        full = max(mark[-1] for mark in after)
        split = next(k for k, mark in enumerate(after) if mark[-1] == full)
        found = {}
        for name, marks in (("growing", after[: split + 1]), ("full", after[split:])):
            if len(marks) > 1:
                wall, cpu, steps, windows, reading, waited, _ = (
                    b - a for a, b in zip(marks[0], marks[-1], strict=True)
                )
                found[name] = Part(Timing(int(steps), wall, cpu), int(windows), reading, waited, int(marks[-1][-1]))
        return found


def benchmark(source: Path, store: Path, setting: Setting, size: Size) -> list[Round]:
    """Make the store unless it exists, and train in turn on ``source``, kept in memory, and on the store."""
    if not store.exists():
        repeat_points(source, store, size.points, size.dates)
    dates = open_dataset(str(store)).dates
    common = ["task.rollout.start=null", "task.rollout.epoch_increment=null", "task.rollout.maximum=null",
              f"task.rollout.steps=[{setting.n_steps}]"]  # fmt: skip
    n = setting.warm_up + size.in_memory_batches
    small = [f"system.input.dataset={source}", "land.resident_gb=1000", f"dataloader.limit_batches.training={n}",
             f"training.max_steps={n}"]  # fmt: skip
    large = [f"system.input.dataset={store}", "land.resident_gb=0", "dataloader.training.datasets.data.start=null",
             f"dataloader.training.datasets.data.end={dates[-1]}"]  # fmt: skip
    large += [f"dataloader.{use}.datasets.data.{side}={date}" for use in ("validation", "test")
              for side, date in (("start", dates[0]), ("end", dates[23]))]  # fmt: skip
    large += [] if size.memory_gb is None else [f"land.pool.memory_gb={size.memory_gb}"]
    rounds = []
    for number in range(setting.rounds):
        resident = run_trainer(setting, [*common, *small], lambda trainer: _time(trainer, Stopwatch(setting.warm_up)))
        found = Round(resident.timing())
        LOG.info("Round %d, in memory: %.0f point-steps/s", number + 1, found.resident.rate)
        watch = run_trainer(setting, [*common, *large], lambda trainer: _time(trainer, _pool_watch(trainer, setting)))
        found.parts, found.memory = watch.parts(), watch.memory
        for name, part in found.parts.items():
            LOG.info("Round %d, pool %s: %.0f point-steps/s", number + 1, name, part.timing.rate)
        rounds.append(found)
    return rounds


def table(rounds: list[Round]) -> str:
    """Format a Markdown table: rates, their ratio to that in memory, processors of the readers, waiting."""
    rows = [["", "point-steps/s", "of data in memory", "point-steps/s of processor time", "of data in memory",
             "processors reading", "per window, s", "waiting", "windows"]]  # fmt: skip
    resident = [r.resident for r in rounds]
    rates = [_range([of(t) for t in resident], 0) for of in (attrgetter("rate"), attrgetter("cpu_rate"))]
    rows.append(["data in memory", rates[0], "1", rates[1], "1", "-", "-", "-", "-"])
    for name in ("growing", "full"):
        pairs = [(r.parts[name], r.resident) for r in rounds if name in r.parts]
        if pairs:
            parts = [p for p, _ in pairs]
            rows.append([
                f"pool, {name}",
                _range([p.timing.rate for p in parts], 0), _range([p.timing.rate / r.rate for p, r in pairs], 2),
                _range([p.timing.cpu_rate for p in parts], 0),
                _range([p.timing.cpu_rate / r.cpu_rate for p, r in pairs], 2),
                _range([p.reading_seconds / p.timing.seconds for p in parts], 2),
                _range([p.reading_seconds / max(1, p.windows) for p in parts], 2),
                _range([p.waited / p.timing.seconds for p in parts], 2),
                _range([p.serving for p in parts], 0),
            ])  # fmt: skip
    memory = max(r.memory for r in rounds) / GIB
    return "\n".join([*aligned(rows, left=(0,)), "", f"Memory of all processes with the pool: {memory:.1f} GiB"]) + "\n"


def memory_of_processes() -> int:
    """Return the memory of this process and its descendants [bytes]; shared pages count once (Linux)."""
    parents, sizes = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            rows = dict(line.split(":", 1) for line in (folder / "smaps_rollup").read_text().splitlines()[1:])
            sizes[int(folder.name)] = 1024 * int(rows["Pss"].split()[0])
        except (OSError, KeyError, ValueError):  # it has ended, or is another user's
            continue
    return sum(size for process, size in sizes.items() if _descends(process, parents))


def _descends(process: int, parents: dict[int, int]) -> bool:
    while process and process != os.getpid():
        process = parents.get(process, 0)
    return process != 0


def _pool_watch(trainer: Any, setting: Setting) -> PoolWatch:
    blocks = next(c for c in trainer.callbacks if isinstance(c, PointBlocks))
    return PoolWatch(blocks, setting.warm_up)


def _time(trainer: Any, watch: Any) -> Any:
    trainer.callbacks.append(watch)
    began = time.perf_counter()
    trainer.train()
    LOG.info("Training of %.0f s", time.perf_counter() - began)
    return watch


def _range(values: list[float], digits: int) -> str:
    middle = f"{statistics.median(values):,.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):,.{digits}f} - {max(values):,.{digits}f})"
