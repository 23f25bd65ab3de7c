# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""What an output is told: the frame of the whole file, and blocks of times to write into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from anemoi.inference.types import FloatArray, IntArray, State

from anemoi_ailand.rollout.outputs.output_columns import Column
from anemoi_ailand.rollout.step.checkpoint import checkpoint_checksum

EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Frame:
    """All of a file but its values.

    Attributes
    ----------
    date : datetime
        Start of the forecast.
    latitudes, longitudes : numpy.ndarray, shape (point,)
        Points that are written [degrees].
    index : numpy.ndarray, shape (point,)
        Their places among the ``n_grid`` points of the run.
    n_grid : int
        Points of the run.
    n_members : int or None
        Size of the ensemble; None if the run is none.
    columns : tuple of Column
        What is written, in order.
    attributes : dict
        Global attributes.
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
        """Points that are written."""
        return len(self.index)

    def shape(self, column: Column) -> tuple[int, ...]:
        """Shape of one time of a column: (member, point) or (point,)."""
        return (self.n_members, self.n_points) if column.members and self.n_members else (self.n_points,)

    def taken(self, name: str, values: FloatArray, what: str) -> FloatArray:
        """Values of a state at the points that are written, shape (point,) or (member, point), float32.

        Raises
        ------
        ValueError
            They are on other points than the output ``what`` was opened with.
        """
        size = self.n_grid * (self.n_members or 1)
        if np.shape(values) != (size,):
            raise ValueError(
                f"'{name}' has shape {np.shape(values)} for {what}, which was opened with {size} values. Remove the "
                "post-processor that changes the points, and choose them with `points`."
            )
        values = np.asarray(values, dtype=np.float32)
        if self.n_members is not None:
            values = values.reshape(self.n_members, self.n_grid)
        return values if self.whole_grid else values[..., self.index]

    @cached_property
    def whole_grid(self) -> bool:
        """Whether all points of the run are written, in its order."""
        return np.array_equal(self.index, np.arange(self.n_grid))

    @property
    def row_bytes(self) -> int:
        """Size of one time of all columns [bytes]."""
        return 4 * sum(int(np.prod(self.shape(c))) for c in self.columns)


@dataclass
class Block:
    """Some times of all columns, of which the first ``filled`` are set.

    Attributes
    ----------
    times : list of (datetime, datetime, datetime)
        Of each time its stamp, and start and end of the interval over which means are.
    values : dict of str to numpy.ndarray, shape (time, point) or (time, member, point)
        By :attr:`Column.netcdf_name`, float32; NaN is missing.
    """

    times: list[tuple[datetime, datetime, datetime]]
    values: dict[str, FloatArray]

    @classmethod
    def empty(cls, frame: Frame, n_times: int) -> Block:
        """Room for ``n_times``."""
        shapes = {c.netcdf_name: (n_times, *frame.shape(c)) for c in frame.columns}
        return cls([], {name: np.empty(shape, dtype=np.float32) for name, shape in shapes.items()})

    @property
    def filled(self) -> int:
        """Number of times that are set."""
        return len(self.times)

    def add(self, times: tuple[datetime, datetime, datetime], row: dict[str, FloatArray]) -> None:
        """Set the next time; a column that ``row`` lacks is missing."""
        for name, values in self.values.items():
            values[self.filled] = row.get(name, np.float32(np.nan))
        self.times.append(times)

    def split(self, unit: int, rest: Block) -> Block:
        """Keep a multiple of ``unit`` times and move the others into the empty block ``rest``, which is returned."""
        keep = self.filled - self.filled % unit
        for k in range(keep, self.filled):
            rest.add(self.times[k], {name: values[k] for name, values in self.values.items()})
        del self.times[keep:]
        return rest

    def of(self, name: str) -> FloatArray:
        """Values of the times that are set."""
        return self.values[name][: self.filled]

    def hours(self) -> IntArray:
        """Stamp, start and end of each time in hours since 1970, shape (time, 3), int32."""
        return np.array([[hours_since_epoch(t) for t in row] for row in self.times], dtype=np.int32).reshape(-1, 3)


def hours_since_epoch(date: datetime) -> int:
    """Whole hours since 1970-01-01 00 UTC."""
    return int((date - EPOCH) / timedelta(hours=1))


def date_of(hours: int) -> datetime:
    """Inverse of :func:`hours_since_epoch`."""
    return EPOCH + timedelta(hours=int(hours))


def places(state: State) -> tuple[FloatArray, FloatArray, int | None]:
    """Coordinates of the N points of a state, and its number of members M, whose M x N values are member-major.

    Raises
    ------
    ValueError
        The number of values is no multiple of that of members.
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


def global_attributes(context: Any, date: datetime, command: str = "anemoi-inference run") -> dict[str, str]:
    """Convention, provenance and configuration of a run, as attributes of a file."""
    checkpoint = Path(str(context.checkpoint.path))
    packages = ("anemoi-ailand", "anemoi-inference", "anemoi-models", "torch")
    found = {
        "Conventions": "CF-1.11",
        "title": "Roll-out of the anemoi-ailand land emulator",
        "source": "anemoi-ailand, an emulator of ecLand",
        "history": f"{datetime.now():%Y-%m-%dT%H:%M:%S} {command}",
        "initial_date": f"{date:%Y-%m-%dT%H:%M:%S}",
        "lead_time": str(getattr(context, "lead_time", "")),
        "checkpoint": checkpoint.name,
        "checkpoint_sha256": checkpoint_checksum(checkpoint),
        "versions": ", ".join(f"{p} {version(p)}" for p in packages),
    }
    config = getattr(context, "config", None)
    if config is not None and hasattr(config, "model_dump_json"):
        found["configuration"] = config.model_dump_json(exclude_none=True)
    return found


def joined_attributes(stored: dict[str, str], now: dict[str, str]) -> dict[str, str]:
    """Attributes of a run that is gone on with: those of its start, so that they do not depend on where it stopped.

    History says that it was stopped; a run that is made longer has the new lead time and configuration.
    """
    found = {**stored, "history": f"{stored['history']}\n{now['history']} (resumed)"}
    if now["lead_time"] != stored["lead_time"]:
        found.update({k: now[k] for k in ("lead_time", "configuration") if k in now})
    return found
