# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Re-forecasts: roll-outs of a checkpoint from many start dates into one file."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.data.mapping.mapped_path import of_checkpoint
from anemoi_ailand.data.plausibility.checker import Checker
from anemoi_ailand.rollout.forcing.dataset_fields import StoredFields
from anemoi_ailand.rollout.outputs.land_output import check_suffix
from anemoi_ailand.rollout.reforecast.reforecast_file import CHUNK_SIZE, Layout, ReforecastFile, ReforecastStore
from anemoi_ailand.rollout.reforecast.sweep import sweep
from anemoi_ailand.rollout.run.progress import Progress
from anemoi_ailand.rollout.step.checkpoint import LandStep, checkpoint_checksum, load_step, with_precipitation
from anemoi_ailand.rollout.step.compiled_step import choose_execution
from anemoi_ailand.rollout.step.row_blocks import BlockStep
from anemoi_ailand.rollout.step.training_record import checker_of
from anemoi_ailand.support.checksum import ROLL_OUT, loaded_sha256
from anemoi_ailand.support.lock import exclusive
from anemoi_ailand.support.shards import WHOLE, Shard, shard_of

LOG = logging.getLogger(__name__)

#: Memory of the active states and the forecasts that wait to be written [bytes].
FLIGHT_BYTES = 256 * 2**20
#: Number of leads gathered before they are written.
GATHERED_LEADS = 64
#: Number of points below which start dates are divided rather than points, because each date is read for all points at
#: once.
FEW_POINTS = 256


def protocol_a_starts(dates: np.ndarray, year: int, every_days: int = 2, length_days: int = 90) -> np.ndarray:
    """Compute the start dates, shape (start,), of the integrations of a year that end within the year.

    Parameters
    ----------
    dates : numpy.ndarray, shape (date,)
        Dates of the dataset, increasing.
    year : int
        Year; the first start is its first midnight in ``dates``. A whole year has 138 starts with the defaults.
    every_days, length_days : int
        Interval between starts; length of each integration.

    Source: protocol of aiLand v1 (Raoult et al. 2026, doi:10.5194/egusphere-2026-3620).
    """
    if every_days < 1 or length_days < 1:
        raise ValueError(f"every_days is {every_days} and length_days {length_days}. Give 1 or more.")
    dates = np.asarray(dates).astype("datetime64[s]")
    inside = dates[dates.astype("datetime64[Y]") == np.datetime64(f"{year:04d}", "Y")]
    midnights = inside[inside == inside.astype("datetime64[D]")]
    if midnights.size:
        length, every = np.timedelta64(length_days, "D"), np.timedelta64(every_days, "D")
        starts = np.arange(midnights[0], inside[-1] - length + np.timedelta64(1, "s"), every)
        if starts.size:
            return starts
    available = f"{dates[0]} to {dates[-1]}" if dates.size else "nothing"
    raise ValueError(
        f"No integration of {length_days} days fits into {year}: the dataset has {available}, {inside.size} dates of "
        "that year. Choose another year, or a shorter length_days."
    )


def lead_hours_of_days(days: Iterable[int]) -> np.ndarray:
    """Compute the lead times [h] of the four dates of each day; day d is ``24 (d - 1) + 6`` to ``24 d``."""
    given = list(days)
    wrong = [d for d in given if d != int(d) or d < 1]
    if wrong:
        raise ValueError(f"Days of a forecast are counted from 1, but got {wrong}. Give whole numbers of 1 or more.")
    ends = 24 * np.unique(np.asarray(given, dtype=np.int64))
    return (ends[:, None] + np.arange(STEP_HOURS - 24, 1, STEP_HOURS)).ravel()


def reforecast(
    checkpoint: str | Path,
    dataset: str | Path,
    output: str | Path,
    *,
    starts: Sequence[Any] | np.ndarray,
    leads: Sequence[int] | np.ndarray,
    points: Sequence[int] | np.ndarray | None = None,
    variables: Sequence[str] | None = None,
    label: str = "emulator",
    batch_rows: int | None = None,
    device: str = "cpu",
    execution: str = "auto",
    precipitation: str = "mean",
    plausibility: str = "error",
    strict: bool = False,
    trust: bool | str = False,
    progress: bool = True,
    overwrite: bool = False,
    shards: int | str | None = None,
    shard: int | None = None,
) -> Path:
    """Make roll-outs from many start dates with state and forcing of a dataset, into one NetCDF file or zarr.

    Start dates are folded into points and advance together in one pass through the dates
    (:func:`~anemoi_ailand.rollout.reforecast.sweep.sweep`). Where starts x points exceed :data:`FLIGHT_BYTES`, they are
    divided into parts, each with its own pass. Leads are written as they are reached, so a run may have any length.

    Values are those of ``anemoi-inference run`` from the same start: bitwise on a CPU, elsewhere to rounding.

    Parameters
    ----------
    checkpoint, dataset, output : str or Path
        Inference checkpoint of the task ``land-forecaster``; Anemoi dataset; file to write, or a zarr (``.zarr``).
    starts : sequence of dates
        Initial dates, in the dataset.
    leads : sequence of int
        Lead times to keep [h], multiples of 6.
    points : sequence of int, optional
        Indices of points of the dataset, in the order wanted; by default all, including held-out points.
    variables : sequence of str, optional
        Output variables to keep; by default all.
    label : str
        Name of the model in tables and figures.
    batch_rows : int, optional
        Largest number of rows of a model call; by default that of
        :class:`~anemoi_ailand.rollout.step.row_blocks.BlockStep`.
    device : str
        Device of torch.
    execution : {'auto', 'plain', 'compiled'}
        See :func:`~anemoi_ailand.rollout.step.compiled_step.open_step`.
    precipitation : {'mean', 'hourly', 'random'}
        Rain within the step; see :func:`~anemoi_ailand.load`.
    plausibility : {'error', 'warn', 'off'}
        Treatment of impossible values; see :func:`~anemoi_ailand.load`.
    strict : bool
        Implausible values are errors.
    trust : bool or str
        Load a checkpoint of unknown checksum, or one of this SHA-256; see :func:`~anemoi_ailand.load`.
    progress : bool
        Show a bar on a terminal.
    overwrite : bool
        Replace ``output``, once the new file is complete; not a zarr.
    shards, shard : int, optional
        Number of shards of the points, and the one of this process, from 0 on; ``shards='auto'`` takes both from srun
        or torchrun. Each process writes its points into the same zarr, which has its name when all are complete.

    Returns
    -------
    Path
        ``output``, with variables of shape (start, lead, point); see
        :func:`~anemoi_ailand.evaluation.fields.reforecast.open_reforecast`.

    Raises
    ------
    FileExistsError, FileNotFoundError
        ``output`` exists; checkpoint or dataset do not.
    ValueError
        A checkpoint of another task, an invalid selection, a dataset without the variables, units or dates needed, or
        missing values. No output file is left then. Also shards of another run, other versions or other options.

    Examples
    --------
    >>> from anemoi_ailand import open_reforecast, reforecast
    >>> starts, leads = ["2022-01-01", "2022-07-01"], range(6, 246, 6)  # ten days
    >>> path = reforecast("ailand", "ecland.zarr", "forecast.nc", starts=starts, leads=leads)  # doctest: +SKIP
    >>> open_reforecast(path).read("swvl1").shape  # doctest: +SKIP
    (2, 40, 44)
    """
    path, own = Path(output).expanduser(), shard_of(shards, shard)
    in_zarr = _in_zarr(path, own, overwrite)
    path = path if in_zarr else _free(path, overwrite)
    dates, hours = _starts(starts), _leads(leads)
    if batch_rows is not None and batch_rows < 1:
        raise ValueError(f"batch_rows is {batch_rows}. Give 1 or more.")
    step = with_precipitation(load_step(checkpoint, device, trust or None), precipitation)
    names = _chosen(step.outputs, variables, step.path)
    stored = StoredFields(of_checkpoint(dataset, step.path), _read(step))
    first, where = _positions(stored, dates, hours), checked_points(points, len(stored.latitudes), stored.path)
    each = len(dates) * int(hours[-1] // STEP_HOURS)  # steps of a point
    step = choose_execution(step, execution, each * len(where))  # of all shards, so that all choose alike
    checker = checker_of(step, plausibility, strict=strict)
    run = Run(step, stored, first, where, hours // STEP_HOURS, names, batch_rows, checker, own)
    attributes = {"label": label, "checkpoint": str(step.path), "checkpoint_sha256": checkpoint_checksum(step.path)}
    attributes |= {"execution": step.execution, "precipitation": step.precipitation}
    attributes["code_sha256"] = loaded_sha256(ROLL_OUT)
    ids = stored.point_id
    layout = Layout(
        dates, hours, stored.latitudes[where], stored.longitudes[where], None if ids is None else ids[where], names,
        {**attributes, "dataset": str(stored.path)}, run.lead_chunk, run.point_chunk,
    )  # fmt: skip
    steps = each * run.n_points
    with ExitStack() as opened:
        file: ReforecastFile | ReforecastStore
        if in_zarr:
            file = ReforecastStore(path, layout, own)
            if not opened.enter_context(file.store.opened()):
                return path
        else:
            opened.enter_context(exclusive(path))
            file = opened.enter_context(ReforecastFile.create(path, layout))
        bar = opened.enter_context(Progress(steps, progress, "Re-forecasts"))
        for start, kept, part, values in run.forecasts(bar):
            file.write(start, kept, part, values)
    checker.report("The re-forecast")
    LOG.info(
        "Re-forecasts written to %s: %d starts x %d leads x %d points x %d variables, %d steps in %d passes",
        path, len(dates), len(hours), run.n_points, len(names), steps, len(run.parts),
    )  # fmt: skip
    return path


def forecast(
    step: LandStep,
    dataset: str | Path,
    points: np.ndarray,
    start: int,
    n_steps: int,
    *,
    progress: bool = True,
    plausibility: str = "error",
) -> dict[str, np.ndarray]:
    """Make one roll-out of a few points in memory, with the values of :func:`reforecast`.

    ``points`` and ``start`` are indices in the dataset. Returns the outputs by name, each of shape (step, point).
    """
    stored = StoredFields(of_checkpoint(dataset, step.path), _read(step))
    checker = checker_of(step, plausibility)
    run = Run(step, stored, np.array([start]), points, np.arange(1, n_steps + 1), step.outputs, checker=checker)
    out = np.empty((n_steps, len(step.outputs), len(points)), dtype=np.float32)
    with Progress(n_steps * len(points), progress, "Rollout") as bar:
        for _, kept, part, values in run.forecasts(bar):
            out[kept, :, part] = values
    checker.report()
    return dict(zip(step.outputs, out.swapaxes(0, 1), strict=True))


def _read(step: LandStep) -> tuple[str, ...]:
    """Return the inputs of a step that are read from a dataset."""
    return tuple(n for n in step.inputs if n not in step.drawn)


class Run:
    """Division of the work into parts, and the forecasts of all parts.

    ``first`` (start,) and ``points`` (point,) are indices in the dataset, ``steps`` (lead,) the steps after the start
    to keep, and ``names`` the output variables to keep. Parts are those of the ``shard``, positions among all points.
    """

    def __init__(
        self,
        step: LandStep,
        stored: StoredFields,
        first: np.ndarray,
        points: np.ndarray,
        steps: np.ndarray,
        names: tuple[str, ...],
        batch_rows: int | None = None,
        checker: Checker | None = None,
        shard: Shard = WHOLE,
    ) -> None:
        self.step, self.stored, self.checker = step, stored, checker
        self._blocks = BlockStep(step, block_rows=batch_rows)
        self.first, self.points, self.steps, self.names = first, points, steps, names
        self.lead_chunk = min(len(steps), GATHERED_LEADS)
        row_bytes = 4 * (self.lead_chunk * len(names) + 3 * len(step.outputs) + 2 * len(step.prognostic))
        n_starts, n_points = division(first, int(steps[-1]), shard.share(len(points)), FLIGHT_BYTES // row_bytes)
        self.point_chunk = shard.chunk(len(points), min(n_points, max(1, CHUNK_SIZE // self.lead_chunk)))
        n_points -= n_points % self.point_chunk
        own = shard.points(len(points), self.point_chunk)
        self.n_points = own.stop - own.start
        self.parts = [
            (slice(s, min(s + n_starts, len(first))), slice(p, min(p + n_points, own.stop)))
            for p in range(own.start, own.stop, n_points)
            for s in range(0, len(first), n_starts)
        ]

    def forecasts(self, bar: Progress) -> Iterator[tuple[int, slice, slice, np.ndarray]]:
        """Yield start, leads, points and their values (lead, variable, point), as leads are completed."""
        for starts, points in self.parts:
            fields = self.stored.at_points(self.points[points])
            first = self.first[starts].tolist()
            pass_through = sweep(self._blocks, fields, first, int(self.steps[-1]), self.checker)
            for start, leads, values in self._gathered(pass_through, first, bar):
                yield starts.start + start, leads, points, values

    def _gathered(
        self, pass_through: Iterable[tuple[int, range, Tensor]], first: Sequence[int], bar: Progress
    ) -> Iterator[tuple[int, slice, np.ndarray]]:
        """Select the leads wanted, and yield them in groups of ``lead_chunk``."""
        lead_of_step = {int(k): i for i, k in enumerate(self.steps)}
        columns = [self.step.outputs.index(n) for n in self.names]
        waiting: dict[int, np.ndarray] = {}
        for date, active, forecast in pass_through:
            bar.add(forecast.shape[0] * forecast.shape[1])
            for start, values in zip(active, forecast, strict=True):
                lead = lead_of_step.get(date - first[start])
                if lead is None:
                    continue
                begin, slot = lead - lead % self.lead_chunk, lead % self.lead_chunk
                size = min(self.lead_chunk, len(self.steps) - begin)
                group = waiting.setdefault(start, np.empty((size, len(columns), len(values)), dtype=np.float32))
                group[slot] = values[:, columns].T.cpu().numpy()
                if slot + 1 == size:
                    yield start, slice(begin, begin + size), waiting.pop(start)


def division(first: np.ndarray, n_steps: int, n_points: int, rows: int) -> tuple[int, int]:
    """Choose starts and points of a part, such that about ``rows`` roll-outs at most are active at once.

    ``first`` (start,) are the increasing indices of the start dates, ``n_steps`` is the length of a roll-out.
    """
    begun = np.arange(1, len(first) + 1)
    active = int((begun - np.searchsorted(first, first - n_steps, side="right")).max())
    some = min(n_points, max(rows // active, FEW_POINTS))
    return (len(first) if some * active <= rows else max(1, min(len(first), rows // some))), some


def _in_zarr(path: Path, shard: Shard, overwrite: bool) -> bool:
    """Return whether the output is a zarr, which shards need."""
    check_suffix(path, (".nc", ".nc4", ".zarr"), "`reforecast`")
    in_zarr = path.suffix == ".zarr"
    if shard.count > 1 and not in_zarr:
        raise ValueError(f"{shard.count} shards cannot write one file '{path}'. Give a name that ends with .zarr.")
    if in_zarr and overwrite:
        raise ValueError(f"A zarr is not overwritten: others may write '{path}'. Remove it, or give another name.")
    return in_zarr


def _free(path: Path, overwrite: bool) -> Path:
    if path.is_dir() or (path.exists() and not overwrite):
        raise FileExistsError(
            f"The output '{path}' exists{' and is a folder' if path.is_dir() else ''}. Give another name"
            f"{'' if path.is_dir() else ', or `overwrite=True`'}."
        )
    return path


def _starts(starts: Sequence[Any] | np.ndarray) -> np.ndarray:
    try:
        given = np.asarray(starts, dtype="datetime64[s]").ravel()
    except (TypeError, ValueError) as error:
        raise ValueError(f"`starts` has what is not a date ({error}). Give dates such as 2022-01-01.") from error
    if given.size == 0:
        raise ValueError("No start date is given. Give one or more in `starts`.")
    dates, counts = np.unique(given, return_counts=True)
    if dates.size < given.size:
        raise ValueError(f"`starts` has {given.size} dates, and {dates[counts > 1][0]} more than once. Give each once.")
    return dates


def _leads(leads: Sequence[int] | np.ndarray) -> np.ndarray:
    hours = np.unique(np.asarray(leads))
    if hours.size == 0:
        raise ValueError("No lead time is given. Give one or more in `leads`.")
    wrong = [h for h in hours.tolist() if isinstance(h, str) or h <= 0 or h % STEP_HOURS]
    if wrong:
        raise ValueError(f"Lead times {wrong} h are not positive multiples of {STEP_HOURS} h. Correct `leads`.")
    return hours.astype(np.int64)


def _chosen(outputs: tuple[str, ...], variables: Sequence[str] | None, path: Path) -> tuple[str, ...]:
    unknown = [n for n in variables or [] if n not in outputs]
    names = outputs if variables is None else tuple(n for n in outputs if n in variables)
    if unknown or not names:
        raise ValueError(
            f"`variables` leaves {list(names) or 'nothing'} and names {unknown}, but {path} predicts {list(outputs)}. "
            "Correct the names."
        )
    return names


def checked_points(points: Sequence[int] | np.ndarray | None, n: int, path: Path) -> np.ndarray:
    """Return the indices of one or more different points of the ``n`` of a dataset; all by default."""
    if points is None:
        return np.arange(n)
    chosen = np.asarray(points)
    if chosen.ndim != 1 or chosen.size == 0 or not np.issubdtype(chosen.dtype, np.integer):
        raise ValueError(f"`points` has shape {chosen.shape} and type {chosen.dtype}. Give one or more indices.")
    if (outside := chosen[(chosen < 0) | (chosen >= n)]).size:
        raise ValueError(
            f"Points {outside[:5].tolist()} are not in '{path}', which has {n} (0 to {n - 1}). Correct them."
        )
    if (different := len(np.unique(chosen))) < len(chosen):
        raise ValueError(f"`points` has {len(chosen)} indices, but only {different} different ones. Give each once.")
    return chosen


def _positions(stored: StoredFields, starts: np.ndarray, leads: np.ndarray) -> np.ndarray:
    """Find the starts among the dates of the dataset, which must also hold their last lead."""
    dates, length = stored.dates, leads[-1] * np.timedelta64(1, "h")
    held = np.isin(starts, dates) & (starts + length <= dates[-1])
    if not held.all():
        bad = starts[~held][0]
        raise ValueError(
            f"The forecast from {bad} to {bad + length} ({int((~held).sum())} of {len(starts)} starts affected) is not "
            f"covered by '{stored.path}', which has {dates[0]} to {dates[-1]} every {STEP_HOURS} h. Give earlier or "
            "other starts, shorter leads, or a longer dataset."
        )
    return np.searchsorted(dates, starts)
