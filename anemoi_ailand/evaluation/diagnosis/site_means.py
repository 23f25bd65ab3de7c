# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Means of a site by variable, local season and quarter of the local day: the numbers that a diagnosis compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

#: Local seasons and quarters of the local day (6 h from midnight).
SEASONS, QUARTERS = ("winter", "spring", "summer", "autumn"), ("night", "morning", "afternoon", "evening")

#: Beginning of the names of variables that hardly change within a day, whose means are by season only.
_SLOW = "swvl"

#: Quarter of cells that hold the whole day.
ALL_DAY = -1

_HALF_STEP, _QUARTER = 3.0, 6.0


@dataclass(frozen=True)
class Cells:
    """Cells of the means of a site: ``variable`` (position among ``names``), ``season`` and ``quarter`` of each."""

    names: tuple[str, ...]
    variable: np.ndarray
    season: np.ndarray
    quarter: np.ndarray

    def __len__(self) -> int:
        return len(self.variable)

    def of(self, name: str) -> np.ndarray:
        """Return the mask (cell,) of a variable."""
        return self.variable == self.names.index(name)

    def blocks(self) -> np.ndarray:
        """Return masks (block, cell) of a variable in a season; of a slow variable in all seasons."""
        found = []
        for k, name in enumerate(self.names):
            own = self.variable == k
            found += [own] if name.startswith(_SLOW) else [own & (self.season == s) for s in range(len(SEASONS))]
        return np.array(found)


def cells_of(names: Sequence[str]) -> Cells:
    """Lay out the cells of variables: 16 each, 4 of slow ones (``swvl1``, ...).

    >>> len(cells_of(["slhf", "swvl1"]))
    20
    """
    rows = [
        (k, season, quarter)
        for k, name in enumerate(names)
        for season in range(len(SEASONS))
        for quarter in ((ALL_DAY,) if name.startswith(_SLOW) else range(len(QUARTERS)))
    ]
    variable, season, quarter = np.array(rows).T
    return Cells(tuple(names), variable, season, quarter)


def local_phase(times: np.ndarray, latitudes: np.ndarray, longitudes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return local season and quarter of the 6 h that end at UTC times, (time,), (point,) -> (time, point) each.

    The quarter is the nearest one to the middle of these 6 h in local solar time; seasons of the south are shifted by
    half a year.
    """
    hour = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "h")
    middle = (hour[:, None] - _HALF_STEP + np.asarray(longitudes)[None] / 15.0) % 24.0
    quarter = np.rint((middle - _HALF_STEP) / _QUARTER).astype(int) % 4
    season: np.ndarray = (times.astype("datetime64[M]").astype(int) % 12 + 1) % 12 // 3
    south = np.asarray(latitudes)[None] < 0.0
    return np.where(south, (season[:, None] + 2) % 4, season[:, None]), quarter


def site_means(
    cells: Cells, values: Mapping[str, np.ndarray], phase: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return means of the valid values in each cell, and their numbers; NaN is missing.

    Shapes: ``values`` and ``phase`` (:func:`local_phase`) (time, point) -> (point, cell) each, 0 where nothing is
    valid.
    """
    season, quarter = phase
    n_points = season.shape[1]
    means, counts = np.zeros((n_points, len(cells))), np.zeros((n_points, len(cells)))
    n_parts = len(SEASONS) * len(QUARTERS)
    place = (season * len(QUARTERS) + quarter) + n_parts * np.arange(n_points)
    for name in cells.names:
        field = np.asarray(values[name])
        valid = np.isfinite(field)
        inside, shape = place[valid], (n_points, n_parts)
        number = np.bincount(inside, minlength=n_points * n_parts).reshape(shape).astype(float)
        total = np.bincount(inside, field[valid], minlength=n_points * n_parts).reshape(shape)
        own = cells.of(name)
        if own.sum() < number.shape[1]:
            number, total = (x.reshape(n_points, len(SEASONS), -1).sum(-1) for x in (number, total))
        counts[:, own], means[:, own] = number, total / np.maximum(number, 1.0)
    return means, counts
