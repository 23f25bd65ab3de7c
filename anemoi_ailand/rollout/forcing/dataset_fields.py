# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""State and forcing from an Anemoi dataset, read in time order, each block of dates once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.data.anemoi_dataset import AnemoiDataset
from anemoi_ailand.data.mapping.declaration import hint
from anemoi_ailand.data.plausibility.checker import further_static
from anemoi_ailand.rollout.forcing.forcing_filter import check_finite
from anemoi_ailand.support.units import check_units
from anemoi_ailand.variables import variable


class StoredFields(AnemoiDataset):
    """Variables of a model in an Anemoi dataset.

    The dataset must have a step of 6 h, no missing date, and the variables ``names`` in the units of the table. Arrays
    have the order of ``names``.
    """

    def __init__(self, path: str | Path, names: Sequence[str]) -> None:
        super().__init__(path)
        self.names = tuple(names)
        self._check_steps()
        self._check_variables()

    @property
    def point_id(self) -> np.ndarray | None:
        """Identity of the points, shape (point,); None if the dataset has none."""
        values = self.constant("point_id")
        return None if values is None else np.rint(values).astype(np.int64)

    def at_points(self, points: np.ndarray) -> FieldsAtPoints:
        """Return a reader for some of the points."""
        return FieldsAtPoints(self, points)

    def read(self, first: int, last: int, points: np.ndarray) -> np.ndarray:
        """Read the dates ``first:last``, shape (date, point, variable), float32."""
        values = self.values(self.names, first, last)[..., points]
        return np.ascontiguousarray(values.swapaxes(1, 2), dtype=np.float32)

    def _check_steps(self) -> None:
        steps = np.unique(np.diff(self.dates))
        if list(steps) != [np.timedelta64(STEP_HOURS, "h")]:
            raise ValueError(
                f"Dataset '{self.path}' has steps of {', '.join(map(str, steps)) or 'no length: one date'}, but the "
                f"land model makes steps of {STEP_HOURS} h. Create it with that frequency."
            )

    def _check_variables(self) -> None:
        missing = [n for n in self.names if n not in self.units]
        if missing:
            sun = [n for n in missing if variable(n).computed]
            raise ValueError(
                f"The model needs {missing}, which dataset '{self.path}' does not have; it has {sorted(self.units)}. "
                + (f"{sun} are computed when a dataset is made: add the source `forcings` to the recipe. "
                   if sun else "")
                + "Give the dataset of the training, or one made by the same recipe."
                + hint(self.units)
            )  # fmt: skip
        for name in self.names:
            check_units(self.units[name], variable(name).units, name, self.path)


class FieldsAtPoints:
    """Fields at some points, date by date; one block of dates is in memory."""

    def __init__(self, stored: StoredFields, points: np.ndarray) -> None:
        self.stored, self.points = stored, points
        self._places = stored.latitudes[points], stored.longitudes[points]
        self._first = 0
        self._block = np.empty((0, len(points), len(stored.names)), dtype=np.float32)

    @property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Latitudes and longitudes, each of shape (point,)."""
        return self._places

    def at(self, date: int) -> np.ndarray:
        """Return the values at the date of index ``date``, shape (point, variable)."""
        if not self._first <= date < self._first + len(self._block):
            first, last = self.stored.block(date)
            self._block, self._first = self.stored.read(first, last, self.points), first
        return self._block[date - self._first]

    def check(self, values: np.ndarray, date: int, needed: Sequence[str]) -> None:
        """Refuse missing ``values`` (point, variable) of the variables ``needed``, with date and place."""
        check_finite(values.T, self.stored.names, needed, self.date(date), self.places)

    def named(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """Return ``values`` (point, variable) by name, with the static fields that rules of plausibility need."""
        found = dict(zip(self.stored.names, values.T, strict=True))
        for name in further_static(self.stored.units, found):
            further = self.stored.constant(name)
            found |= {} if further is None else {name: further[self.points]}
        return found

    def date(self, date: int) -> datetime:
        """Return the date of an index."""
        return self.stored.dates[date].item()

    def place(self, point: int) -> str:
        """Return the coordinates of a point as text."""
        i = self.points[point]
        return f"latitude {self.stored.latitudes[i]:.3f}, longitude {self.stored.longitudes[i]:.3f}"
