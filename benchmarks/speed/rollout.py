# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Speed of whole roll-outs, reading and writing included, side by side with the bare network on the same rows."""

from __future__ import annotations

import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from anemoi.inference.config.run import RunConfiguration

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.evaluation.display.text import aligned
from anemoi_ailand.rollout.forcing.dataset_fields import StoredFields
from anemoi_ailand.rollout.forcing.read_ahead import ReadAhead
from anemoi_ailand.rollout.run.loop import Rollout
from anemoi_ailand.rollout.run.runner import LandForecasterRunner
from anemoi_ailand.rollout.step import traced_model
from anemoi_ailand.rollout.step.checkpoint import LandStep
from anemoi_ailand.rollout.step.compiled_step import open_step
from anemoi_ailand.rollout.step.row_blocks import BlockStep, usable_processors
from benchmarks.speed.repeated import repeat_points

LOG = logging.getLogger(__name__)

#: Largest number of points at which the network is also called on all rows at once.
PLAIN_ROWS = 10**5

#: Steps of a year of 365 days, from the cost of those that are measured.
STEPS_A_YEAR = 365 * 24 // STEP_HOURS

#: Linux's files with the memory of a process, and to reset its peak.
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Spent:
    """Seconds on the clock and of processors, memory at its peak beyond that before [bytes], seconds in the network."""

    wall: float
    cpu: float
    memory: int = 0
    network: float = 0.0


@dataclass(frozen=True)
class Size:
    """Results for one number of points: the network on all rows at once and in blocks, and whole runs, by round.

    ``needed`` is the memory of state, forcing and an output chunk [bytes].
    """

    points: int
    steps: int
    plain: tuple[Spent, ...]
    blocks: tuple[Spent, ...]
    run: tuple[Spent, ...]
    needed: int


@patch.object(traced_model, "DIRECT_CALLS", 0)  # as in long runs
def benchmark(
    checkpoint: str,
    dataset: Path,
    points: Sequence[int],
    *,
    steps: int = 24,
    rounds: int = 3,
    threads: int = 1,
    output: str | dict[str, Any] = "land-netcdf",
    folder: Path | None = None,
    execution: str = "plain",
    at_once: bool = True,
) -> list[Size]:
    """Time roll-outs of several numbers of ``points``, repeated from those of a dataset.

    Runs write all variables with ``output``, a name or a name with options, by default at every step. Temporary files
    are in ``folder``. With ``at_once``, the network is also called on all rows at once, unless it is compiled or there
    are more than :data:`PLAIN_ROWS` points.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with tempfile.TemporaryDirectory(dir=folder) as here:
            step = open_step(checkpoint, execution=execution)
            largest = PLAIN_ROWS if at_once and step.compiled is None else 0
            return [
                _size(step, dataset, n, steps, rounds, threads, output, Path(here), execution, n <= largest)
                for n in points
            ]
    finally:
        torch.set_num_threads(before)


def table(sizes: Sequence[Size], threads: int) -> str:
    """Format a Markdown table with medians over the rounds."""
    lines = [
        f"{threads} thread(s) for the network, {usable_processors()} processor(s); medians of the rounds; time on the "
        "clock, and that of processors in brackets.",
        "",
    ]
    rows = [
        ["points", "network at once, ms a step", "network in blocks, ms a step", "whole run, ms a step",
         "run / network", "beyond the network, ms a step", "point-steps a second", "memory / needed",
         "a year, minutes"],
    ]  # fmt: skip
    for size in sizes:
        ratio = _median(lambda r, b: r.wall / b.wall, size.run, size.blocks)
        cpu = _median(lambda r, b: r.cpu / b.cpu, size.run, size.blocks)
        beyond = _median(lambda r, n=size.steps: 1e3 * (r.wall - r.network) / n, size.run)
        rate = _median(lambda r, n=size.points * size.steps: n / r.wall, size.run)
        memory = _median(lambda r, n=size.needed: r.memory / n, size.run)
        year = _median(lambda r, n=size.steps: STEPS_A_YEAR * r.wall / n / 60, size.run)
        cells = [
            f"{size.points:,}", _ms(size.plain, size.steps), _ms(size.blocks, size.steps), _ms(size.run, size.steps),
            f"{ratio:.2f} ({cpu:.2f})", f"{beyond:.2f}", f"{rate:,.0f}", f"{memory:.1f}",
            f"{year:.3g}",
        ]  # fmt: skip
        rows.append(cells)
    return "\n".join([*lines, *aligned(rows, left=())]) + "\n"


def _size(
    step: LandStep, dataset: Path, n_points: int, steps: int, rounds: int, threads: int, output: str | dict[str, Any],
    here: Path, execution: str, at_once: bool,
) -> Size:  # fmt: skip
    path = here / f"{n_points}.zarr"
    repeat_points(dataset, path, n_points, steps + 2)
    stored = StoredFields(path, step.inputs)
    ends = torch.from_numpy(stored.read(0, 2, np.arange(n_points)))
    slots = [slot.t().contiguous().t() for slot in ends]  # points innermost in memory, as in a run
    date = stored.dates[0].item()
    found: dict[str, list[Spent]] = {"plain": [], "blocks": [], "run": []}
    with BlockStep(step, threads) as blocks:
        loops: dict[str, Callable[[], Spent]] = {
            "plain": lambda: _loop(lambda: step(ends), steps),
            "blocks": lambda: _loop(lambda: blocks(*slots), steps),
            "run": lambda: _run(step.path, path, date, steps, threads, output, here / "out", execution),
        }
        if not at_once:
            loops.pop("plain")
        for _ in range(rounds):
            for name, loop in loops.items():
                found[name].append(loop())
    held = 4 * n_points * (2 * len(step.inputs) + len(step.outputs) + _n_forcing(step.inputs, step.prognostic))
    chunk = min(4 * n_points * len(step.outputs) * 64, 2**27)
    LOG.info("%d points: %s", n_points, found)
    return Size(
        n_points, steps, tuple(found["plain"]), tuple(found["blocks"]), tuple(found["run"]), held + chunk
    )  # fmt: skip


def _n_forcing(inputs: Sequence[str], state: Sequence[str]) -> int:
    return len([n for n in inputs if n not in state])


def _loop(call: Callable[[], Any], steps: int) -> Spent:
    call()  # recordings, memory
    call()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(steps):
        call()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


class _Timed(LandForecasterRunner):
    """Record the start of reading forcing (after all one-off work) and the time in the network."""

    begun: tuple[float, float] | None = None
    network = 0.0

    def _forcing(self, *args: Any) -> ReadAhead:
        self.begun, self.network = (time.perf_counter(), time.process_time()), 0.0
        return super()._forcing(*args)

    def _rollout(self, *args: Any) -> Rollout:
        roll = super()._rollout(*args)
        computed = roll.computed

        def timed(ends: torch.Tensor) -> torch.Tensor:
            begin = time.perf_counter()
            out = computed(ends)
            self.network += time.perf_counter() - begin
            return out

        roll.computed = timed  # type: ignore[method-assign]
        return roll


def _run(
    checkpoint: Path, dataset: Path, date: Any, steps: int, threads: int, output: str | dict[str, Any], path: Path,
    execution: str,
) -> Spent:  # fmt: skip
    kind, options = (output, {}) if isinstance(output, str) else next(iter(output.items()))
    config = RunConfiguration(
        checkpoint=str(checkpoint),
        date=date,
        lead_time=steps * STEP_HOURS,
        input={"dataset": str(dataset)},
        output={kind: {**options, "path": str(path)}},
        device="cpu",
        allow_nans=False,
    )
    before = _memory("VmRSS")
    with suppress(OSError):  # not permitted everywhere: the peak then counts from the start of the process
        _CLEAR.write_text("5")
    # repeated points have coordinates and dates of their own, which their sunshine contradicts
    runner = _Timed(config, threads=threads, execution=execution, plausibility="warn")
    runner.execute()
    wall, cpu = time.perf_counter(), time.process_time()
    assert runner.begun is not None
    return Spent(wall - runner.begun[0], cpu - runner.begun[1], _memory("VmHWM") - before, runner.network)


def _memory(what: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(what))
    return 1024 * int(line.split()[1])


def _ms(spent: Sequence[Spent], steps: int) -> str:
    if not spent:
        return "-"
    wall, cpu = (
        statistics.median(1e3 * v / steps for v in values)
        for values in zip(*[(s.wall, s.cpu) for s in spent], strict=True)
    )
    return f"{wall:.3g} ({cpu:.3g})"


def _median(of: Callable[..., float], *rounds: Sequence[Spent]) -> float:
    return statistics.median(of(*each) for each in zip(*rounds, strict=True))
