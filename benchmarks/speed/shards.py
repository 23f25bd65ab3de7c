# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Re-forecasts by shards, and an evaluation of all points, on a made store of the size of N320."""

from __future__ import annotations

import logging
import resource
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.evaluation.display.text import aligned
from anemoi_ailand.evaluation.fields.fields import Fields, open_fields
from anemoi_ailand.evaluation.fields.reforecast import Reforecast, open_reforecast
from anemoi_ailand.evaluation.scores.metrics import rmse
from anemoi_ailand.evaluation.scores.sums import collect
from anemoi_ailand.rollout.reforecast.reforecast import reforecast
from anemoi_ailand.support.memory import GIB
from anemoi_ailand.support.workers import open_executor
from benchmarks.speed.repeated import repeat_points

LOG = logging.getLogger(__name__)

#: Time between two looks at the memory of a process [s].
EVERY = 0.1

#: Dates of the climatology of the evaluation: the shortest that is accepted.
YEAR = 365 * 24 // STEP_HOURS


@dataclass(frozen=True)
class Size:
    """Points, dates that are scored (0: none), steps of the roll-outs, variables that are scored, numbers of shards."""

    points: int = 171_039
    dates: int = 60
    steps: int = 8
    variables: tuple[str, ...] = ("swvl1", "stl1", "slhf")
    shards: tuple[int, ...] = (1, 2, 3)


@dataclass(frozen=True)
class Cost:
    """Time of a process by the clock and of its processors [s], and its largest memory without files [bytes]."""

    wall: float
    cpu: float
    memory: int


def benchmark(source: Path, store: Path, checkpoint: str, size: Size) -> str:
    """Make the store unless it exists, roll out and evaluate; return tables in Markdown."""
    if not store.exists():
        repeat_points(source, store, size.points, max(size.dates, size.steps) + 1)
    rows = [["re-forecast", "processes", "s", "processor s, each", "GiB, each", "bitwise as by one"]]
    with tempfile.TemporaryDirectory(dir=store.parent) as folder:
        first = None
        for count in size.shards:
            path = Path(folder) / f"{count}.zarr"
            began = time.perf_counter()
            with open_executor(count) as (executor, _):
                task = partial(_measured, partial(_shard, checkpoint, store, path, size.steps, count))
                costs = [cost for _, cost in executor.map(task, range(count))]
            wall = time.perf_counter() - began
            first = first or path
            LOG.info("%d shards: %.0f s", count, wall)
            rows.append([
                f"{size.points:,} points x {size.steps} steps", f"{count}", f"{wall:.0f}",
                _each([cost.cpu for cost in costs], 0), _each([cost.memory / GIB for cost in costs], 1),
                "yes" if _same(first, path) else "NO",
            ])  # fmt: skip
        if not size.dates:
            return "\n".join(aligned(rows, left=(0,))) + "\n"
        with open_executor(1) as (executor, _):
            (reads, error), cost = executor.submit(_measured, partial(_evaluated, size, Path(folder)), store).result()
    scored = [["evaluation", "dates", "reads of each", "s", "processor s", "GiB", "RMSE of stl1, K"]]
    scored.append([
        f"{size.points:,} points x {len(size.variables)} variables", f"{size.dates}", reads,
        f"{cost.wall:.0f}", f"{cost.cpu:.0f}", f"{cost.memory / GIB:.1f}", f"{error:.3f}",
    ])  # fmt: skip
    return "\n".join([*aligned(rows, left=(0,)), "", *aligned(scored, left=(0,))]) + "\n"


def _shard(checkpoint: str, store: Path, path: Path, steps: int, count: int, number: int) -> None:
    start = open_fields(store).times[:1]
    leads = STEP_HOURS * np.arange(1, steps + 1)
    reforecast(
        checkpoint, store, path, starts=start, leads=leads, execution="plain", plausibility="off", progress=False,
        shards=count, shard=number,
    )  # fmt: skip


def _same(one: Path, other: Path) -> bool:
    a, b = open_reforecast(one), open_reforecast(other)
    return all(np.array_equal(a.read(name), b.read(name)) for name in a.variables)


def _evaluated(size: Size, folder: Path, store: Path) -> tuple[str, float]:
    """Score a made forecast of the last dates, whose error is 1 K or 1 of another unit, with a climatology of a year.

    The year before has the fields of the store in turn, and each is read again.
    """
    read: Counter[int] = Counter()
    reference = _extended(open_fields(store), size.dates, read)
    start = reference.times[YEAR]
    leads = STEP_HOURS * np.arange(1, size.dates)
    forecast = _made(reference, start, leads, size.variables)
    read.clear()
    sums = collect(
        {"made": forecast}, reference, protocol="B", variables=size.variables, strata=["all"], scratch=folder
    )
    times = {read[k] for k in range(YEAR + size.dates)}
    return ", ".join(map(str, sorted(times))), float(rmse(sums.moments["stl1", "made", "all"].total(0)).item())


def _extended(stored: Fields, dates: int, read: Counter[int]) -> Fields:
    step = np.timedelta64(STEP_HOURS, "h")
    times = stored.times[0] + np.arange(-YEAR, dates) * step

    def reader(names: Sequence[str], first: int, last: int) -> np.ndarray:
        read.update(range(first, last))
        at = [(k - YEAR) % dates for k in range(first, last)]
        return np.concatenate([stored.reader(names, k, k + 1) for k in at])

    return replace(stored, times=times, reader=reader)


def _made(reference: Fields, start: np.datetime64, leads: np.ndarray, names: Sequence[str]) -> Reforecast:
    values = {n: np.empty((1, len(leads), len(reference.latitude)), np.float32) for n in names}
    for k in range(len(leads)):
        fields = reference.reader(list(names), YEAR + 1 + k, YEAR + 2 + k)[0]
        for name, field in zip(names, fields, strict=True):
            values[name][0, k] = field + (-1.0) ** k
    n_points = len(reference.latitude)
    return Reforecast(
        path=Path("made"), starts=np.array([start]), leads=leads, latitude=reference.latitude,
        longitude=reference.longitude, units={n: reference.units[n] for n in names},
        reader=lambda name, *at: values[name][np.ix_(*at)],
        at=(np.arange(1), np.arange(len(leads)), np.arange(n_points)),
    )  # fmt: skip


def _measured(task: Callable[[Any], Any], argument: Any) -> tuple[Any, Cost]:
    """Call a function in this process, and measure it."""
    done, largest = threading.Event(), [0]

    def watch() -> None:
        while not done.wait(EVERY):
            largest[0] = max(largest[0], _anonymous_memory())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    began, before = time.perf_counter(), _cpu_seconds()
    try:
        found = task(argument)
    finally:
        done.set()
        thread.join()
    return found, Cost(time.perf_counter() - began, _cpu_seconds() - before, largest[0])


def _anonymous_memory() -> int:
    """Return the memory of this process that is not that of files [bytes] (Linux)."""
    with suppress(OSError, ValueError):
        rows = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return 1024 * int(rows["RssAnon"].split()[0])
    return 0


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _each(values: list[float], digits: int) -> str:
    return ", ".join(f"{value:,.{digits}f}" for value in values)
