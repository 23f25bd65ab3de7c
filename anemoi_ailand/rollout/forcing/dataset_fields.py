# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""State and forcing from an Anemoi dataset, read in time order, each block of dates once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from anemoi.datasets import open_dataset

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.rollout.forcing.forcing_filter import check_finite
from anemoi_ailand.support.units import check_units
from anemoi_ailand.variables import variable

#: Memory of a block of dates while it is read [bytes]; at least one chunk of the dataset is read.
BLOCK_BYTES = 64 * 2**20


class StoredFields:
    """Variables of a model in an Anemoi dataset.

    Parameters
    ----------
    path : str or Path
        Anemoi dataset with a step of 6 h and no missing date.
    names : sequence of str
        Variables to read, in the order wanted.

    Raises
    ------
    FileNotFoundError
        ``path`` does not exist.
    ValueError
        Not a dataset, a gap in time, another step, several members, a missing variable, or a unit other than that of
        the table.
    """

    def __init__(self, path: str | Path, names: Sequence[str]) -> None:
        self.path, self.names = Path(path).expanduser(), tuple(names)
        self._data = _open(self.path)
        _check_axes(self.path, self._data)
        _check_variables(self.path, self._data, self.names)
        self.dates = np.asarray(self._data.dates).astype("datetime64[s]")
        self.latitudes = np.asarray(self._data.latitudes, dtype=np.float64)
        self.longitudes = np.asarray(self._data.longitudes, dtype=np.float64)

    @property
    def point_id(self) -> np.ndarray | None:
        """Identity of the points, shape (point,); None if the dataset has none."""
        values = self.constant("point_id")
        return None if values is None else np.rint(values).astype(np.int64)

    def constant(self, name: str) -> np.ndarray | None:
        """Read any variable at the first date, shape (point,); None if it is absent or has missing values."""
        index = self._data.name_to_index.get(name)
        if index is None:
            return None
        values = np.asarray(self._data[0])[index, 0]
        return values if np.isfinite(values).all() else None

    def at_points(self, points: np.ndarray) -> FieldsAtPoints:
        """Return a reader for some of the points."""
        return FieldsAtPoints(self, points)

    def read(self, first: int, last: int, points: np.ndarray) -> np.ndarray:
        """Read the dates ``first:last``, shape (date, point, variable), float32."""
        columns = [self._data.name_to_index[n] for n in self.names]
        values = np.asarray(self._data[first:last])[:, columns, 0][..., points]
        return np.ascontiguousarray(values.swapaxes(1, 2), dtype=np.float32)

    def block(self, date: int) -> tuple[int, int]:
        """Return the bounds of the block in which ``date`` is read: whole chunks of the dataset."""
        n_dates, n_variables, _, n_points = self._data.shape
        chunk = int((getattr(self._data, "chunks", None) or (1,))[0])
        length = max(1, BLOCK_BYTES // (4 * n_variables * n_points * chunk)) * chunk
        first = date // length * length
        return first, min(first + length, n_dates)


class FieldsAtPoints:
    """Fields at some points, date by date; one block of dates is in memory."""

    def __init__(self, stored: StoredFields, points: np.ndarray) -> None:
        self.stored, self.points = stored, points
        self._first = 0
        self._block = np.empty((0, len(points), len(stored.names)), dtype=np.float32)

    def at(self, date: int) -> np.ndarray:
        """Return the values at the date of index ``date``, shape (point, variable)."""
        if not self._first <= date < self._first + len(self._block):
            first, last = self.stored.block(date)
            self._block, self._first = self.stored.read(first, last, self.points), first
        return self._block[date - self._first]

    def check(self, values: np.ndarray, date: int, needed: Sequence[str]) -> None:
        """Refuse missing ``values`` (point, variable) of the variables ``needed``, with date and place."""
        where = self.stored.latitudes[self.points], self.stored.longitudes[self.points]
        check_finite(values.T, self.stored.names, needed, self.date(date), where)

    def date(self, date: int) -> datetime:
        """Return the date of an index."""
        return self.stored.dates[date].item()

    def place(self, point: int) -> str:
        """Return the coordinates of a point as text."""
        i = self.points[point]
        return f"latitude {self.stored.latitudes[i]:.3f}, longitude {self.stored.longitudes[i]:.3f}"


def _open(path: Path) -> Any:
    if not path.exists():
        near = sorted(p.name for p in path.parent.glob("*.zarr"))
        raise FileNotFoundError(f"There is no dataset '{path}'. Its folder holds {near}. Correct the path.")
    try:
        return open_dataset(str(path))
    except Exception as error:
        raise ValueError(
            f"'{path}' cannot be opened as an anemoi dataset ({error}). Finish it with 'anemoi-datasets finalise', or "
            "create it again."
        ) from error


def _check_axes(path: Path, data: Any) -> None:
    if data.missing:
        raise ValueError(
            f"Dataset '{path}' has {len(data.missing)} missing dates, the first is {data.dates[min(data.missing)]}. "
            "Create it without a gap in time."
        )
    if data.shape[2] != 1:
        raise ValueError(
            f"Dataset '{path}' has {data.shape[2]} members, but a re-forecast takes one. Create it with one member."
        )
    steps = np.unique(np.diff(np.asarray(data.dates).astype("datetime64[s]")))
    if list(steps) != [np.timedelta64(STEP_HOURS, "h")]:
        raise ValueError(
            f"Dataset '{path}' has steps of {', '.join(map(str, steps)) or 'no length: one date'}, but the land model "
            f"makes steps of {STEP_HOURS} h. Create it with that frequency."
        )


def _check_variables(path: Path, data: Any, names: Sequence[str]) -> None:
    missing = [n for n in names if n not in data.name_to_index]
    if missing:
        sun = [n for n in missing if variable(n).computed]
        raise ValueError(
            f"The model needs {missing}, which dataset '{path}' lacks (available: {sorted(data.variables)}). "
            + (f"{sun} are computed when a dataset is made: add the source `forcings` to the recipe. " if sun else "")
            + "Give the dataset of the training, or one made by the same recipe."
        )
    metadata = getattr(data, "variables_metadata", None) or {}
    for name in names:
        check_units((metadata.get(name) or {}).get("units"), variable(name).units, name, path)
