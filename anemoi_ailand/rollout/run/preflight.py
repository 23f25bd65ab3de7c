# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Checks before the first step of a run, of forcing dates, outputs and disk space, and the cost of the run."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.constants import STEP, STEP_HOURS
from anemoi_ailand.data.plausibility.checker import further_static
from anemoi_ailand.hosts.anemoi_inference import (
    dataset_paths,
    forecast_axes,
    inner_outputs,
    stated_units,
    static_fields,
    stored_dates,
)
from anemoi_ailand.rollout.forcing.file_input import EcLandInput
from anemoi_ailand.rollout.outputs.land_output import LandOutput
from anemoi_ailand.rollout.run.loop import Rollout
from anemoi_ailand.support.disk_errors import free_bytes
from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK
from anemoi_ailand.support.units import check_units
from anemoi_ailand.variables import variable

#: Outputs of anemoi-inference without a file, which need no resuming.
_WITHOUT_FILE = ("NoneOutput", "PrinterOutput")


def available_dates(forcing: Any) -> np.ndarray | None:
    """Return the dates that an input holds, shape (date,), datetime64[s]; None if they are unknown before reading."""
    dates = getattr(forcing, "available_dates", None)
    if dates is None:
        axes = forecast_axes(forcing)
        start = forcing.reference_date if axes else None
        dates = stored_dates(forcing) if axes is None or start is None else _forecast_dates(forcing, *axes)
    return None if dates is None else np.asarray(dates).astype("datetime64[s]")


def _forecast_dates(forcing: Any, bases: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return the dates of the forecast that starts with the run, from a dataset with ``use_trajectories``."""
    start, bases, steps = forcing.reference_date, bases.astype("datetime64[s]"), steps.astype("timedelta64[s]")
    if np.datetime64(start, "s") not in bases:
        raise ValueError(
            f"No forecast of {forcing} starts at {start:%Y-%m-%d %H:%M}; there are {bases.size}, from {bases.min()} to "
            f"{bases.max()}. Correct `date`, or add the forecast to the dataset."
        )
    # Anemoi divides the lead time by the frequency of the steps: after another first step, all values would be shifted
    if steps[0] != np.timedelta64(0, "s") or (np.diff(steps) != np.timedelta64(STEP_HOURS, "h")).any():
        hours = (steps / np.timedelta64(1, "h")).tolist()
        raise ValueError(
            f"The forecasts of {forcing} have the steps {hours[:4]} ... {hours[-1]} h; steps from 0 on, every "
            f"{STEP_HOURS} h, are needed. Make the dataset with `steps: {{start: 0h, frequency: {STEP_HOURS}h}}`."
        )
    return np.datetime64(start, "s") + steps


def check_coverage(dates: np.ndarray | None, start: datetime, lead: timedelta) -> None:
    """Refuse a start with a time zone, and forcing that lacks a date between ``start`` + step and ``start`` + lead."""
    if start.tzinfo is not None:
        raise ValueError(f"`date` is {start}, with a time zone. Give UTC without a time zone.")
    if dates is None:
        return
    if not dates.size:
        raise ValueError("The input has no dates: its period is empty. Correct its `start` and `end`.")
    needed = np.arange(1, lead // STEP + 1) * np.timedelta64(STEP, "s") + np.datetime64(start, "s")
    missing = needed[~np.isin(needed, dates)]
    if missing.size:
        raise ValueError(
            f"The run from {start:%Y-%m-%d %H:%M} over {lead} needs forcing at {missing[0]} ({missing.size} of "
            f"{needed.size} stamps are missing); the input has {dates.min()} to {dates.max()}, {dates.size} stamps. "
            "The forcing of a step is stored at its end. Shorten `lead_time`, or give longer forcing."
        )


def check_stated_units(source: Any, handler: Any) -> None:
    """Refuse an input whose dataset states other units than the table for the variables that a network reads.

    ``handler`` is the tensor handler of the input's dataset.
    """
    for name, units in stated_units(source).items():
        if name not in handler.metadata.variable_to_input_tensor_index:
            continue
        if not (variable(name).computed or variable(name).whole):
            check_units(units, variable(name).units, name, ", ".join(dataset_paths(source)))


def extra_fields(inputs: Sequence[Any], known: Collection[str], date: datetime, n_points: int) -> dict[str, np.ndarray]:
    """Return static fields (point,) that inputs hold and rules of plausibility need, but no network reads."""
    found: dict[str, np.ndarray] = {}
    for source in inputs:
        if isinstance(source, EcLandInput):
            names = further_static(source.reader.variables, {*known, *found})
            with NETCDF_LOCK:
                values = source.reader.read(names, [date])[:, 0, source.grid_indices] if names else ()
            found |= dict(zip(names, values, strict=True))
        else:
            found |= static_fields(source, partial(further_static, known={*known, *found}))
    return {n: v for n, v in found.items() if v.shape == (n_points,)}


def leaves(output: Any) -> Iterator[Any]:
    """Iterate over the outputs that write, behind one that may pass on to others (``tee``)."""
    inner = inner_outputs(output)
    if not inner:
        yield output
    for each in inner:
        yield from leaves(each)


def check_outputs(outputs: Sequence[Any], *, restart: bool, read: Iterable[str | Path] = ()) -> None:
    """Refuse outputs that are not writable or, in a run with restart files, not resumable.

    Each needs a place of its own, which the run does not ``read``.
    """
    taken = {Path(path).expanduser().resolve(): "is an input of the run" for path in read}
    for output in outputs:
        path = getattr(output, "path", None)
        if isinstance(path, str | Path):
            if (why := taken.get(Path(path).resolve())) is not None:
                raise ValueError(f"The output '{path}' {why}. Give it another path.")
            taken[Path(path).resolve()] = "is that of two outputs"
        if isinstance(output, LandOutput):
            output.check_writable()
        elif restart and type(output).__name__ not in _WITHOUT_FILE:
            raise ValueError(
                f"The output {output} cannot be resumed after a stop, but the run has `restart`. Use land-netcdf, "
                "land-zarr or land-grib, or leave `restart` out."
            )


def check_room(outputs: Sequence[Any], n_states: int, n_rows: int, members: int, restart_bytes: int) -> tuple[int, int]:
    """Return the disk space needed without compression, and the free space [bytes].

    Free space below what the outputs take at least is an error.
    """
    needed, least, free = restart_bytes, float(restart_bytes), 2**63
    for output in outputs:
        if isinstance(output, LandOutput):
            size = output.required_bytes(n_states, n_rows, members)
            needed, least = needed + size, least + output.least_share * size
            free = min(free, free_bytes(Path(output.folder)))
    if free == 2**63:
        return needed, 0
    if least > free:
        raise OSError(
            f"The outputs take at least {least / 1e9:.3g} GB, but {free / 1e9:.3g} GB are free. Write "
            "with `compression: 1`, fewer variables, means over days, a longer `output_frequency`, or elsewhere."
        )
    return needed, free


def seconds_per_step(roll: Rollout) -> float:
    """Time one step without reading and writing [s], before it is recorded; its result is discarded."""
    columns = roll.columns()
    for _ in range(2):  # the first fills the caches
        begin = time.perf_counter()
        roll.networks[0](columns, columns)
    return time.perf_counter() - begin


def cost(roll: Rollout, steps: int, seconds: float, needed: int, free: int) -> str:
    """Describe size and cost of a run: ``seconds`` of a step, disk space ``needed`` at most and ``free`` [bytes]."""
    members = len(roll.ensemble)
    size = f"{steps} steps x {roll.n_rows // members} points" + (f" x {members} members" if members > 1 else "")
    kind = "plain" if roll.networks[0].step.execution == "plain" else "compiled"
    memory = 4 * roll.n_rows * (2 * len(roll.inputs) + len(roll.outputs))
    return (
        f"{roll.date:%Y-%m-%d %H:%M} to {roll.date + steps * STEP:%Y-%m-%d %H:%M}: {size}, about "
        f"{timedelta(seconds=round(steps * seconds))} on this machine without reading and writing "
        f"({seconds * 1e3:.3g} ms a step, {kind}), at most {needed / 1e9:.3g} GB of disk ({free / 1e9:.3g} GB free), "
        f"{memory / 1e9:.3g} GB of memory for state and forcing"
    )
