# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Cost of a step on one core, from its matrix products to whole runs, side by side for several networks."""

from __future__ import annotations

import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import fill
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import linear

from anemoi_ailand.constants import STEP
from anemoi_ailand.data.land_data import open_data
from anemoi_ailand.evaluation.display.text import aligned
from anemoi_ailand.hosts.torch_inductor import Library
from anemoi_ailand.rollout.forcing.dataset_fields import StoredFields
from anemoi_ailand.rollout.forcing.records import record_at
from anemoi_ailand.rollout.step import traced_model
from anemoi_ailand.rollout.step.batch_invariance import BatchInvariantLinear
from anemoi_ailand.rollout.step.checkpoint import LandStep, load_step
from anemoi_ailand.rollout.step.compiled_step import cache_folder, compiled_paths, open_step
from anemoi_ailand.rollout.step.pretrained import pretrained_names
from anemoi_ailand.rollout.step.row_blocks import BLOCK_ROWS, BlockStep
from anemoi_ailand.rollout.stepper import LandStepper
from benchmarks.speed import rollout
from benchmarks.speed.networks import CONFIGS, checkpoint_of

LOG = logging.getLogger(__name__)

#: Point-steps a second of ecLand on one pinned core: 560 points, steps of 30 minutes in double precision, 6-hourly
#: output. Microseconds for 6 h of one point alone. Both measured in this project on an AMD EPYC virtual machine.
ECLAND, ECLAND_ALONE = 5950.0, (1800.0, 3100.0)

#: What ECMWF publishes of ecLand with CaMa-Flood (gpbalsamo/wfde5-ecland).
PUBLISHED = "14,964 forecast days a day at 87,798 points on a node with 128 threads"

#: Instructions of a processor that the cost depends on, by their names in Linux.
INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")

#: Labels of the entrants that ratios are made of.
BFLOAT16, COMPILED, GRID = "products, bfloat16", "step, compiled", "grid, compiled"
ALONE, SERIES = "1 point, compiled", "1 point, series, compiled"

#: Steps of a series.
SERIES_STEPS = 256

#: Calls of an entrant before the first round: a recording is optimised at its second and third.
WARM_UP = 3

#: By name, one value for each round.
Rounds = dict[str, list[float]]


@dataclass(frozen=True)
class Setting:
    """Settings: networks, rounds, and sizes.

    ``rows`` are those of a block, ``points`` of the grid, ``steps`` of a whole run, ``days`` and ``members`` of a site;
    an entrant is called for ``seconds`` of processor time a round. ``ecland`` is the rate of ecLand on this machine.
    """

    dataset: Path
    networks: tuple[str, ...] = tuple(CONFIGS)
    rounds: int = 5
    rows: int = BLOCK_ROWS
    points: int = 40_000
    steps: int = 32
    days: int = 365
    members: int = 50
    seconds: float = 0.2
    ecland: float | None = None


@dataclass(frozen=True)
class Result:
    """Measurements by round.

    ``steps`` are microseconds of processor time a point-step by network; ``runs`` are milliseconds of processor time a
    step of the grid, in the step and in the whole run; ``sites`` are seconds on the clock and of the processor.
    """

    steps: dict[str, Rounds]
    runs: dict[str, Rounds]
    sites: dict[str, Rounds]


@patch.object(traced_model, "DIRECT_CALLS", 0)  # as in long runs
def benchmark(setting: Setting) -> Result:
    """Measure all entrants in turn within a round, on one core and one thread.

    Networks are compiled before. Whole runs and sites are those of the packaged networks: random weights have no
    climate.
    """
    _check(setting)
    checkpoints = {name: checkpoint_of(name, cache_folder() / "networks") for name in setting.networks}
    for name, path in checkpoints.items():  # before networks are compiled, which takes minutes
        stored = StoredFields(setting.dataset, load_step(path).inputs)
        if name in pretrained_names() and stored.dates[-1] - stored.dates[0] < np.timedelta64(setting.days, "D"):
            raise ValueError(
                f"Dataset '{setting.dataset}' has {stored.dates[0]} to {stored.dates[-1]}, but a site is run over "
                f"{setting.days} days. Give a longer one, such as that of recipes/ecland-sample.yaml."
            )
    with tempfile.TemporaryDirectory() as here:
        folder = Path(here)
        compiled = {name: open_step(path, execution="compiled") for name, path in checkpoints.items()}
        with one_core():
            entrants = {name: _entrants(load_step(path), compiled[name], setting) for name, path in checkpoints.items()}
            packaged = {name: _executions(compiled[name]) for name in setting.networks if name in pretrained_names()}
            sites = {name: _sites(name, each, setting, folder) for name, each in packaged.items()}
            steps: dict[str, Rounds] = {name: {} for name in entrants}
            spent: dict[str, Rounds] = {name: {} for name in packaged}
            for timed in entrants.values():
                for call, _ in timed.values():
                    for _ in range(WARM_UP):
                        call()
            for number in range(setting.rounds):
                for name, timed in entrants.items():
                    for label, (call, rows) in timed.items():
                        took = 1e6 * processor_time(call, setting.seconds) / rows
                        steps[name].setdefault(label, []).append(took)
                for name, calls in sites.items():
                    for label, call in calls.items():
                        for kind, seconds in zip(("clock", "processor"), _spent(call), strict=True):
                            spent[name].setdefault(f"{label}, {kind}", []).append(seconds)
                LOG.info("Round %d: %s; %s", number + 1, steps, spent)
            runs = {name: _runs(name, each, setting, folder) for name, each in packaged.items()}
            return Result(steps, runs, spent)


def _check(setting: Setting) -> None:
    """Refuse numbers and names without sense."""
    if unknown := sorted(set(setting.networks) - set(CONFIGS)):
        raise ValueError(f"The networks {unknown} are unknown. Give some of {sorted(CONFIGS)}.")
    if setting.rounds < 1:
        raise ValueError(f"There are {setting.rounds} rounds. Give at least 1.")
    if setting.points < setting.rows:
        raise ValueError(f"The grid has {setting.points} points. Give at least {setting.rows}, the rows of a block.")
    if setting.ecland is not None and not 0.0 < setting.ecland < np.inf:
        raise ValueError(f"The rate of ecLand is {setting.ecland:g}. Give its point-steps a second, above 0.")


@contextmanager
def one_core() -> Iterator[None]:
    """Keep process and children on the last processor that they may use, with one thread for torch."""
    allowed, threads, asked = os.sched_getaffinity(0), torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    os.sched_setaffinity(0, {max(allowed)})
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
        torch.set_num_threads(threads)
        os.environ.pop("OMP_NUM_THREADS")
        os.environ.update({} if asked is None else {"OMP_NUM_THREADS": asked})


def table(result: Result, setting: Setting) -> str:
    """Format the machine and Markdown tables of medians (quartiles)."""
    own = setting.ecland is not None
    rate = ECLAND if setting.ecland is None else setting.ecland
    labels = list(dict.fromkeys(label for rounds in result.steps.values() for label in rounds))
    cost = [["microseconds a point-step", *result.steps]]
    cost += [[label, *(_cell(rounds.get(label)) for rounds in result.steps.values())] for label in labels]
    ratios = [["network", "point-steps a second, grid, compiled", "x ecLand", "products in bfloat16 / compiled step",
               "1 point, x ecLand alone", "1 point, series, x ecLand alone"]]  # fmt: skip
    for name, rounds in result.steps.items():
        if GRID not in rounds:
            ratios.append([name, *"-----"])
            continue
        products, compiled, grid = (np.array(rounds[label]) for label in (BFLOAT16, COMPILED, GRID))
        sites = [[x / np.median(rounds[label]) for x in ECLAND_ALONE] for label in (ALONE, SERIES)]
        ratios.append([name, f"{1e6 / np.median(grid):,.0f}", _cell(1e6 / grid / rate), _cell(products / compiled),
                       *(f"{low:.2g} - {high:.2g}" for low, high in sites)])  # fmt: skip
    where = "measured on this machine" if own else "measured on an AMD EPYC core, which is not the core of this table"
    lines = [
        machine(), "",
        f"One pinned core and thread, processor time; medians of {setting.rounds} rounds (quartiles). Products, "
        f"network and step: {setting.rows:,} rows; grid: {setting.points:,}; points: `LandStepper.step`; series: "
        f"`LandStepper.run` of {SERIES_STEPS} steps in memory.", "",
        *aligned(cost, left=(0,)), "",
        f"ecLand: {rate:,.0f} point-steps a second and core (double precision, output every 6 h), {where}; one "
        f"point alone: {ECLAND_ALONE[0]:,.0f} to {ECLAND_ALONE[1]:,.0f} microseconds on an AMD EPYC core. Not "
        f"comparable, as it comprises CaMa-Flood: ECMWF publishes {PUBLISHED}.", "",
        *aligned(ratios, left=(0,)),
    ]  # fmt: skip
    for head, by_name in ((f"whole run, {setting.points:,} points: ms of processor time a step", result.runs),
                          (f"one site, {setting.days} days: seconds", result.sites)):  # fmt: skip
        rows = [[name, label, _cell(values)] for name, rounds in by_name.items() for label, values in rounds.items()]
        lines += ["", *aligned([["network", head, ""], *rows], left=(0, 1))] if rows else []
    return "\n".join(line if line.startswith("|") else fill(line, 120, break_on_hyphens=False) for line in lines) + "\n"


def machine() -> str:
    """Describe processor, torch and date in one line."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = [name for name in INSTRUCTIONS if name in told.get("flags", "").split()]
    model, family = told.get("model name", "unknown processor"), f"{told.get('cpu family')}-{told.get('model')}"
    now = f"{datetime.now(UTC):%Y-%m-%d}"
    return f"{model} (family-model {family}; {', '.join(flags)}), torch {torch.__version__}, {now}"


def _entrants(step: LandStep, compiled: LandStep, setting: Setting) -> dict[str, tuple[Callable[[], Any], int]]:
    """Return calls of a network with their point-steps by label."""
    network: Any = step.model.model.network
    grid, rows = (slots(step, setting.dataset, n) for n in (setting.points, setting.rows))
    features = torch.randn((setting.rows, network.n_in), generator=torch.Generator().manual_seed(0))
    recorded = BlockStep(step, 1, setting.rows)
    calls: dict[str, tuple[Callable[[], Any], int]] = {
        "products, float32": (_products(network, setting.rows, torch.float32), setting.rows),
        BFLOAT16: (_products(network, setting.rows, torch.bfloat16), setting.rows),
        "network, plain": (torch.inference_mode()(lambda: network(features)), setting.rows),
        "step, plain": (lambda: step.of_slots(*rows), setting.rows),
        "step, recorded": (lambda: recorded(*rows), setting.rows),
        "grid, plain": (lambda: recorded(*grid), setting.points),
    }
    steps = dict(zip(_executions(compiled), (step, compiled), strict=False))
    if "compiled" in steps:
        part, fields = Library(compiled_paths(compiled)[0], 1), [slot.t() for slot in rows]
        blocks = BlockStep(compiled, 1, setting.rows)
        calls["network and its features, compiled"] = lambda: part(*fields), setting.rows
        calls[COMPILED] = lambda: compiled.of_slots(*rows), setting.rows
        calls[GRID] = lambda: blocks(*grid), setting.points
    for points, name in ((44, "44 points"), (1, "1 point")):
        for execution, each in steps.items():
            calls[f"{name}, {execution}"] = _stepper(each, setting.dataset, points), points
    for execution, each in steps.items():
        calls[f"1 point, series, {execution}"] = _series(each, setting.dataset)
    return calls


def slots(step: LandStep, dataset: Path, n_rows: int) -> tuple[Tensor, Tensor]:
    """Return both slots (row, input), variables contiguous, of points and dates of a dataset, repeated as needed."""
    stored = StoredFields(dataset, step.inputs)
    n_points = len(stored.latitudes)
    n_dates = min(-(-n_rows // n_points), len(stored.dates) - 1)
    fields = torch.from_numpy(stored.read(0, n_dates + 1, np.arange(n_points)))
    wanted = torch.arange(n_rows) % (n_dates * n_points)
    start, end = (x.flatten(0, 1)[wanted].t().contiguous().t() for x in (fields[:-1], fields[1:]))
    return start, end


def _products(network: torch.nn.Module, n_rows: int, dtype: torch.dtype) -> Callable[[], Any]:
    """Return a call of the bare matrix products of a network, without bias and activation."""
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Linear | BatchInvariantLinear)]
    weights = [layer.weight.detach().to(dtype) for layer in layers]
    inputs = {w.shape[1]: torch.randn((n_rows, w.shape[1])).to(dtype) for w in weights}
    return torch.inference_mode()(lambda: [linear(inputs[w.shape[1]], w) for w in weights])


def _stepper(step: LandStep, dataset: Path, points: int) -> Callable[[], Any]:
    """Return a call of one step of the interface for host programs, from arrays."""
    land = LandStepper(step, threads=1)
    data = open_data(str(dataset))
    first = data.coverage.first
    chosen = np.arange(points) % len(data.reader.latitudes)
    fields = data.to_xarray((first, first + STEP), points=chosen)
    state = land.initial(fields)
    forcing = dict(record_at(fields, first + STEP, land.forcing_names))
    return lambda: land.step(state, forcing)


def _series(step: LandStep, dataset: Path) -> tuple[Callable[[], Any], int]:
    """Return a call of a run at one point with forcing in memory, without a file, and its number of steps."""
    land, data = LandStepper(step, threads=1), open_data(str(dataset))
    dates = data.coverage.dates()[: SERIES_STEPS + 1]
    fields = data.to_xarray((dates[0], dates[-1]), points=[0]).load()
    return lambda: land.run(fields, progress=False), len(dates) - 1


def processor_time(call: Callable[[], Any], seconds: float) -> float:
    """Return the processor time of a call [s], of as many as take ``seconds``; one before is not counted."""
    call()
    n, begin = 0, time.process_time()
    while True:
        call()
        n += 1
        if (spent := time.process_time() - begin) >= seconds:
            return spent / n


def _spent(call: Callable[[], Any]) -> tuple[float, float]:
    """Return seconds on the clock and of the processor, children included."""
    wall, cpu = time.perf_counter(), _used()
    call()
    return time.perf_counter() - wall, _used() - cpu


def _used() -> float:
    each = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in each)


def _executions(compiled: LandStep) -> tuple[str, ...]:
    """Return the executions that can be measured; a warning says why a step is not compiled."""
    return ("plain",) if compiled.compiled is None else ("plain", "compiled")


def _sites(name: str, executions: Sequence[str], setting: Setting, folder: Path) -> dict[str, Callable[[], Any]]:
    """Return calls of a command for one site, from start to file, and of an ensemble there, reading included."""
    data = open_data(str(setting.dataset))
    start = data.coverage.first
    lat, lon = (float(values[0]) for values in (data.reader.latitudes, data.reader.longitudes))
    area = [lat + 0.01, lon - 0.01, lat - 0.01, lon + 0.01]  # north, west, south, east
    period = (start, start + timedelta(days=setting.days))
    members: dict[str, Any] = {"members": setting.members, "initial": {}, "forcing": {}}
    calls: dict[str, Callable[[], Any]] = {}
    for execution in executions:
        command = [
            sys.executable, "-m", "anemoi_ailand", "run", "inference/rollout", f"checkpoint={name}",
            f"input={{dataset: {{dataset: {setting.dataset.absolute()}, area: {area}}}}}",
            f"date={start:%Y-%m-%dT%H:%M}", f"lead_time={setting.days}d",
            f"runner={{land-forecaster: {{execution: {execution}}}}}", f"output.land-netcdf.path={folder / 'site.nc'}",
        ]  # fmt: skip
        land = LandStepper.open(name, threads=1, execution=execution)

        def run(command: list[str] = command) -> None:
            subprocess.run(command, check=True, capture_output=True)

        def ensemble(land: LandStepper = land) -> None:
            land.run(data.to_xarray(period, points=[0]), ensemble=members, progress=False)

        calls[f"by command, {execution}"], calls[f"{setting.members} members, {execution}"] = run, ensemble
    return calls


def _runs(name: str, executions: Sequence[str], setting: Setting, folder: Path) -> Rounds:
    """Return milliseconds of processor time a step, in blocks alone and in the whole run, and their ratio."""
    found: Rounds = {}
    for execution in executions:
        (size,) = rollout.benchmark(
            name, setting.dataset, [setting.points], steps=setting.steps, rounds=setting.rounds, folder=folder,
            execution=execution, at_once=False,
        )  # fmt: skip
        block, run = ([1e3 * spent.cpu / size.steps for spent in each] for each in (size.blocks, size.run))
        found |= {f"step, {execution}": block, f"run, {execution}": run}
        found[f"run / step, {execution}"] = [a / b for a, b in zip(run, block, strict=True)]
    return found


def _cell(values: Sequence[float] | np.ndarray | None) -> str:
    """Format a median with its quartiles."""
    if values is None:
        return "-"
    low, median, high = (f"{v:.3g}" if v < 1000 else f"{v:,.0f}" for v in np.percentile(values, [25, 50, 75]))
    return f"{median} ({low} - {high})"
