# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Cost of a run, measured before its first step, and checks of its outputs and disk space."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from anemoi_ailand.hosts.anemoi_inference import inner_outputs
from anemoi_ailand.rollout.outputs.land_output import LandOutput
from anemoi_ailand.rollout.run.loop import Rollout
from anemoi_ailand.rollout.step.advance import STEP
from anemoi_ailand.support.disk_errors import free_bytes

#: Outputs of anemoi-inference without a file, which need no resuming.
_WITHOUT_FILE = ("NoneOutput", "PrinterOutput")


def leaves(output: Any) -> Iterator[Any]:
    """Iterate over the outputs that write, behind one that may pass on to others (``tee``)."""
    inner = inner_outputs(output)
    if not inner:
        yield output
    for each in inner:
        yield from leaves(each)


def check_outputs(outputs: Sequence[Any], *, restart: bool) -> None:
    """Refuse outputs that are not writable or, in a run with restart files, not resumable."""
    for output in outputs:
        if isinstance(output, LandOutput):
            output.check_writable()
        elif restart and type(output).__name__ not in _WITHOUT_FILE:
            raise ValueError(
                f"The output {output} cannot be resumed after a stop, but the run has `restart`. Use land-netcdf, "
                "land-zarr or land-grib, or leave `restart` out."
            )


def check_room(outputs: Sequence[Any], n_states: int, n_rows: int, members: int, restart_bytes: int) -> tuple[int, int]:
    """Return the disk space needed without compression, and the free space [bytes].

    Less free space than an eighth of it is an error: compression does not save more.
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


def seconds_per_step(roll: Rollout) -> float:
    """Time one step without reading and writing [s]; its result is discarded."""
    columns = roll.columns()
    for _ in range(3):  # the first is recorded, the second checked
        begin = time.perf_counter()
        roll.networks[0](columns, columns)
    return time.perf_counter() - begin


def cost(roll: Rollout, steps: int, seconds: float, needed: int, free: int) -> str:
    """Describe size and cost of a run: ``seconds`` of a step, disk space ``needed`` at most and ``free`` [bytes]."""
    members = len(roll.ensemble)
    size = f"{steps} steps x {roll.n_rows // members} points" + (f" x {members} members" if members > 1 else "")
    memory = 4 * roll.n_rows * (2 * len(roll.inputs) + len(roll.outputs))
    return (
        f"{roll.date:%Y-%m-%d %H:%M} to {roll.date + steps * STEP:%Y-%m-%d %H:%M}: {size}, about "
        f"{timedelta(seconds=round(steps * seconds))} on this machine without reading and writing "
        f"({seconds * 1e3:.3g} ms a step), at most {needed / 1e9:.3g} GB of disk ({free / 1e9:.3g} GB free), "
        f"{memory / 1e9:.3g} GB of memory for state and forcing"
    )
