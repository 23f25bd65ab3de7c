# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Grids of rows of evenly spaced points: reduced Gaussian and regular, known by name or found from points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anemoi_ailand.constants import SAME_PLACE
from anemoi_ailand.data.grib.index import released
from anemoi_ailand.support.eccodes import eccodes
from anemoi_ailand.support.sphere import longitude_from_zero

UNSTRUCTURED = "unstructured"
#: Classical reduced Gaussian grids known to ecCodes; the same numbers are tried for octahedral grids.
CLASSICAL = (32, 48, 64, 80, 96, 128, 160, 200, 256, 320, 400, 512, 640, 1024, 1280, 2000)
#: Increments of regular grids to guess from [degrees], coarsest first.
_INCREMENTS = (5.0, 2.5, 2.0, 1.5, 1.25, 1.0, 0.75, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.125, 0.1)
#: Smallest number of points for which a grid is guessed: fewer may lie on a fine grid by chance.
_GUESSED_FROM = 8


@dataclass(frozen=True)
class Rows:
    """Grid of rows from north to south, each with evenly spaced points from longitude 0 eastward.

    ``latitudes`` [degrees] descend; ``counts`` holds the points per row.
    """

    latitudes: np.ndarray
    counts: np.ndarray

    @property
    def size(self) -> int:
        """Points of the grid."""
        return int(self.counts.sum())

    def row(self, latitudes: np.ndarray) -> np.ndarray:
        """Return the number of the nearest row of each point, from north."""
        middles = (self.latitudes[1:] + self.latitudes[:-1]) / 2.0
        return np.searchsorted(-middles, -latitudes)

    def areas(self) -> np.ndarray:
        """Return the area of a point of each row, as a part of the sphere; rows meet half-way, or at a pole."""
        bounds = np.concatenate([[90.0], (self.latitudes[1:] + self.latitudes[:-1]) / 2.0, [-90.0]])
        return -np.diff(np.sin(np.radians(bounds))) / (2.0 * self.counts)

    def places(self, latitudes: np.ndarray, longitudes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the nearest grid point in the nearest row of each point: its number and its distance [degrees]."""
        row = self.row(latitudes)
        spacing = 360.0 / self.counts[row]
        longitudes = longitude_from_zero(longitudes)
        turns = np.round(longitudes / spacing)
        east = (longitudes - turns * spacing) * np.cos(np.radians(latitudes))
        apart = np.hypot(latitudes - self.latitudes[row], east)
        before = np.concatenate([[0], np.cumsum(self.counts)[:-1]])
        return (before[row] + turns.astype(np.int64) % self.counts[row]).astype(np.int64), apart


def rows_of(option: str | Sequence[float]) -> Rows:
    """Return the rows of a named Gaussian grid or of a regular one."""
    if isinstance(option, str):
        kind, number = option[0], int(option[1:])
        # ecCodes returns more than 2 N values
        latitudes = np.fromiter(eccodes.codes_get_gaussian_latitudes(number), dtype=np.float64)[: 2 * number]
        return Rows(latitudes, _octahedral(number) if kind == "O" else _classical(number))
    east, north = option
    n_rows = round(180.0 / north) + 1
    return Rows(np.linspace(90.0, -90.0, n_rows), np.full(n_rows, round(360.0 / east)))


def guess(latitudes: np.ndarray, longitudes: np.ndarray) -> Any:
    """Return the coarsest known grid with all points, as an option; ``unstructured`` without one or for few points."""
    if latitudes.size < _GUESSED_FROM:
        return UNSTRUCTURED
    names = [f"{kind}{n}" for n in CLASSICAL for kind in "ON"]
    options: list[str | list[float]] = [*names, *([d, d] for d in _INCREMENTS)]
    for option in options:
        rows = rows_of(option)
        if rows.places(latitudes[:1], longitudes[:1])[1][0] > SAME_PLACE:
            continue
        if rows.places(latitudes, longitudes)[1].max() <= SAME_PLACE:
            return option
    return UNSTRUCTURED


def _octahedral(number: int) -> np.ndarray:
    """Return the points per row: 20 at the poles, 4 more with every row towards the equator."""
    half = 20 + 4 * np.arange(number)
    return np.concatenate([half, half[::-1]])


def _classical(number: int) -> np.ndarray:
    with released(eccodes.codes_grib_new_from_samples(f"reduced_gg_pl_{number}_grib2")) as handle:
        return np.asarray(eccodes.codes_get_array(handle, "pl"), dtype=np.int64)
