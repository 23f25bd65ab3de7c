# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Cost of a run, measured before its first step, and checks of its outputs and disk space."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from anemoi_ailand.hosts.anemoi_inference import inner_outputs
from anemoi_ailand.rollout.outputs.land_output import LandOutput
from anemoi_ailand.rollout.run.loop import Rollout
from anemoi_ailand.rollout.step.advance import STEP
from anemoi_ailand.support.disk_errors import free_bytes

#: Outputs of anemoi-inference without a file, which need no resuming.
_WITHOUT_FILE = ("NoneOutput", "PrinterOutput")


@dataclass(frozen=True)
class Plan:
    """Size and cost of a run.

    Attributes
    ----------
    start, end : datetime
        Dates of the first and last state.
    steps, points, members : int
        Numbers of steps, points and members.
    seconds_per_step : float
        Time of one step without reading and writing [s], measured.
    disk_bytes, free_bytes : int
        Upper bound of the size of outputs and restart files without compression, and free disk space [bytes].
    memory_bytes : int
        State, inputs and result of a step [bytes].
    """

    start: datetime
    end: datetime
    steps: int
    points: int
    members: int
    seconds_per_step: float
    disk_bytes: int
    free_bytes: int
    memory_bytes: int

    def __str__(self) -> str:
        members = f" x {self.members} members" if self.members > 1 else ""
        time_needed = timedelta(seconds=round(self.steps * self.seconds_per_step))
        return (
            f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}: {self.steps} steps x {self.points} points"
            f"{members}, about {time_needed} on this machine without reading and writing "
            f"({self.seconds_per_step * 1e3:.3g} ms a step), at most {self.disk_bytes / 1e9:.3g} GB of disk "
            f"({self.free_bytes / 1e9:.3g} GB free), {self.memory_bytes / 1e9:.3g} GB of memory for state and forcing"
        )


def leaves(output: Any) -> Iterator[Any]:
    """Iterate over the outputs that write, behind one that may pass on to others (``tee``)."""
    inner = inner_outputs(output)
    if not inner:
        yield output
    for each in inner:
        yield from leaves(each)


def check_outputs(outputs: Sequence[Any], *, restart: bool) -> None:
    """Refuse outputs that are not writable or, in a run with restart files, not resumable.

    Raises
    ------
    ValueError, OSError
        With the output and the reason.
    """
    for output in outputs:
        if isinstance(output, LandOutput):
            output.check_writable()
        elif restart and type(output).__name__ not in _WITHOUT_FILE:
            raise ValueError(
                f"The output {output} cannot be resumed after a stop, but the run has `restart`. Use land-netcdf, "
                "land-zarr or land-grib, or leave `restart` out."
            )


def check_room(outputs: Sequence[Any], n_states: int, n_rows: int, members: int, restart_bytes: int) -> tuple[int, int]:
    """Return the disk space needed at most, and the free space [bytes].

    Raises
    ------
    OSError
        Less than an eighth of it is free: compression does not save more.
    """
    needed, free = restart_bytes, 2**63
    for output in outputs:
        if isinstance(output, LandOutput):
            needed += output.required_bytes(n_states, n_rows, members)
            free = min(free, free_bytes(Path(output.folder)))
    if free == 2**63:
        return needed, 0
    if needed / 8 > free:
        raise OSError(
            f"The outputs take up to {needed / 1e9:.3g} GB (compression saves perhaps three quarters), but "
            f"{free / 1e9:.3g} GB are free. Write fewer variables, means over days, a longer `output_frequency`, or "
            "elsewhere."
        )
    return needed, free


def plan(roll: Rollout, steps: int, points: int, needed: int, free: int) -> Plan:
    """Time one step, whose result is discarded, and summarise the run."""
    columns = roll.columns()
    seconds = []
    for _ in range(3):  # the first is recorded, the second checked
        begin = time.perf_counter()
        roll.networks[0](columns, columns)
        seconds.append(time.perf_counter() - begin)
    return Plan(
        start=roll.date,
        end=roll.date + steps * STEP,
        steps=steps,
        points=points,
        members=len(roll.ensemble),
        seconds_per_step=seconds[-1],
        disk_bytes=needed,
        free_bytes=free,
        memory_bytes=4 * roll.n_rows * (2 * len(roll.inputs) + len(roll.outputs)),
    )
