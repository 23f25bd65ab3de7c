# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Frame of an output (points, columns, attributes) and blocks of times to write into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from anemoi.inference.types import FloatArray, IntArray, State

from anemoi_ailand.rollout.outputs.output_columns import Column
from anemoi_ailand.rollout.step.checkpoint import checkpoint_checksum
from anemoi_ailand.support.netcdf_writer import COORDINATES, HOURS, global_attributes, hours_since_epoch

#: Axes that grow in time: dimensions and attributes.
TIME_AXES: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "time": (("time",), COORDINATES["time"] | {"bounds": "time_bnds"}),
    "time_bnds": (("time", "bnds"), HOURS),
}


#: Largest number of times that are gathered, and of times in a chunk by default.
CHUNK_TIMES = 64
#: Memory of gathered times [bytes]; a single time is never divided. Twice as much is used, as one block is gathered
#: while the block before is written.
GATHERED_BYTES = 2**27
#: Memory [bytes] up to which more times than :data:`CHUNK_TIMES` are gathered, as every write costs a site's step.
LEAST_BYTES = 2**20


@dataclass(frozen=True)
class Frame:
    """Everything in an output except its values: start of the forecast, points, columns and global attributes.

    ``index`` holds the positions of the points [degrees] among the ``n_grid`` points of the run; ``n_members`` is None
    if the run is not an ensemble.
    """

    date: datetime
    latitudes: FloatArray
    longitudes: FloatArray
    index: IntArray
    n_grid: int
    n_members: int | None
    columns: tuple[Column, ...]
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def n_points(self) -> int:
        """Number of points of the output."""
        return len(self.index)

    @property
    def has_members(self) -> bool:
        """True if a column has a value for each member."""
        return any(c.members for c in self.columns)

    def shape(self, column: Column) -> tuple[int, ...]:
        """Return the shape of one time of a column: (member, point) or (point,)."""
        return (self.n_members, self.n_points) if column.members and self.n_members else (self.n_points,)

    def coordinates(self) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
        """Return dimensions and values of the coordinates that do not grow in time."""
        found: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
            "latitude": (("point",), np.asarray(self.latitudes, dtype=np.float64)),
            "longitude": (("point",), np.asarray(self.longitudes, dtype=np.float64)),
            "forecast_reference_time": ((), np.array(hours_since_epoch(self.date), dtype=np.int32)),
        }
        if self.has_members:
            found["member"] = (("member",), np.arange(self.n_members or 0, dtype=np.int32))
        return found

    def select(self, name: str, values: FloatArray, output: Any) -> FloatArray:
        """Return the values of a state at the points of the output, shape (point,) or (member, point), float32."""
        if np.shape(values) != self._given:
            raise ValueError(
                f"'{name}' has shape {np.shape(values)} for {output}, which was opened with {self._given[0]} values. "
                "Remove the post-processor that changes the points, and choose them with `points`."
            )
        values = np.asarray(values, dtype=np.float32)
        if self.n_members is not None:
            values = values.reshape(self.n_members, self.n_grid)
        return values if self._all_points else values[..., self.index]

    @cached_property
    def _given(self) -> tuple[int]:
        """Shape of a field of a state."""
        return (self.n_grid * (self.n_members or 1),)

    @cached_property
    def _all_points(self) -> bool:
        return np.array_equal(self.index, np.arange(self.n_grid))

    @property
    def row_bytes(self) -> int:
        """Size of one time of all columns [bytes]."""
        return 4 * sum(int(np.prod(self.shape(c))) for c in self.columns)

    @property
    def times_in_memory(self) -> int:
        """Number of times to gather before they are written."""
        return max(1, min(CHUNK_TIMES, GATHERED_BYTES // self.row_bytes))


@dataclass
class Block:
    """Several times of all columns; the first ``filled`` are set.

    ``times`` holds stamp, start and end of the interval of each time; ``values`` arrays (time, point) or (time, member,
    point) by :attr:`Column.netcdf_name`, float32, NaN where missing.
    """

    times: list[tuple[datetime, datetime, datetime]]
    values: dict[str, FloatArray]

    @classmethod
    def empty(cls, frame: Frame, n_times: int) -> Block:
        """Return a block without times, with room for ``n_times``."""
        shapes = {c.netcdf_name: (n_times, *frame.shape(c)) for c in frame.columns}
        return cls([], {name: np.empty(shape, dtype=np.float32) for name, shape in shapes.items()})

    @property
    def filled(self) -> int:
        """Number of times that are set."""
        return len(self.times)

    def add(self, times: tuple[datetime, datetime, datetime], row: dict[str, FloatArray]) -> None:
        """Set the next time; a column that ``row`` lacks is missing."""
        at, missing = self.filled, np.float32(np.nan)
        for name, values in self.values.items():
            values[at] = row.get(name, missing)
        self.times.append(times)

    def extend(self, times: Sequence[tuple[datetime, datetime, datetime]], rows: Mapping[str, FloatArray]) -> None:
        """Set the next times, with ``rows`` (time, ...) by column."""
        at, missing = slice(self.filled, self.filled + len(times)), np.float32(np.nan)
        for name, values in self.values.items():
            values[at] = rows.get(name, missing)
        self.times.extend(times)

    def split(self, unit: int, rest: Block) -> Block:
        """Keep a multiple of ``unit`` times, move the others into the empty block ``rest`` and return it."""
        keep = self.filled - self.filled % unit
        for k in range(keep, self.filled):
            rest.add(self.times[k], {name: values[k] for name, values in self.values.items()})
        del self.times[keep:]
        return rest

    def rows(self, name: str) -> FloatArray:
        """Return the values of a column at the times that are set."""
        return self.values[name][: self.filled]

    def hours(self) -> IntArray:
        """Return stamp, start and end of each time in hours since 1970, shape (time, 3), int32."""
        return np.array([[hours_since_epoch(t) for t in row] for row in self.times], dtype=np.int32).reshape(-1, 3)


def points_of(state: State) -> tuple[FloatArray, FloatArray, int | None]:
    """Return latitudes and longitudes of the N points of a state, and its number of members.

    An ensemble of M members has M x N values, one member after the other.
    """
    members, latitudes, longitudes = state.get("members"), state["latitudes"], state["longitudes"]
    if members is None:
        return np.asarray(latitudes), np.asarray(longitudes), None
    if members < 1 or latitudes.size % members:
        raise ValueError(
            f"The state has {latitudes.size} values for {members} members, which does not divide. Give each member "
            "the same points."
        )
    n = latitudes.size // members
    return np.asarray(latitudes[:n]), np.asarray(longitudes[:n]), int(members)


def run_attributes(context: Any, date: datetime) -> dict[str, str]:
    """Return the global attributes of a run: convention, provenance, checkpoint and configuration."""
    checkpoint = Path(str(context.checkpoint.path))
    config = getattr(context, "config", None)
    to_json = getattr(config, "model_dump_json", None)
    return global_attributes(
        "Roll-out of the anemoi-ailand land emulator",
        "anemoi-inference run",
        initial_date=f"{date:%Y-%m-%dT%H:%M:%S}",
        lead_time=str(getattr(context, "lead_time", "")),
        checkpoint=checkpoint.name,
        checkpoint_sha256=checkpoint_checksum(checkpoint),
        execution=getattr(context, "execution", None),
        configuration=to_json(exclude_none=True) if to_json else None,
    )


#: Between the executions of a run in the attribute ``execution``.
THEN = ", then "


def resumed_attributes(stored: dict[str, str], now: dict[str, str]) -> dict[str, str]:
    """Return the attributes of a resumed run: those of its start, so that they do not depend on where it stopped.

    The history records the interruption; an extended run has the new lead time and configuration. A run that continues
    with another execution names both in their order.
    """
    found = {**stored, "history": f"{stored['history']}\n{now['history']} (resumed)"}
    before, after = stored.get("execution"), now.get("execution")
    if before and after and before.split(THEN)[-1] != after:
        found["execution"] = f"{before}{THEN}{after}"
    if now["lead_time"] != stored["lead_time"]:
        found.update({k: now[k] for k in ("lead_time", "configuration") if k in now})
    return found
