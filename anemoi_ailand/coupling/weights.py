# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Weights between two sets of points: overlaps of grid cells, bilinear and inverse-distance interpolation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anemoi_ailand.constants import SAME_PLACE
from anemoi_ailand.rollout.outputs.grib.grid import Rows
from anemoi_ailand.support.sphere import Coordinates, longitude_from_zero, nearest_points, unit_vectors

#: Narrowest overlap of two cells that is not rounding [turns, of the circle of latitude].
_SLIVER = 1.0e-12


class Weights(NamedTuple):
    """Entries of a sparse matrix: rows (target points), columns (source points) and values, each of shape (entry,)."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float64]

    def only(self, where: NDArray[Any]) -> Weights:
        """Return some entries, by a mask or in an order."""
        return Weights(self.rows[where], self.columns[where], self.values[where])

    def joined(self, other: Weights) -> Weights:
        """Return these and other entries, sorted by row and column."""
        both = Weights(
            np.append(self.rows, other.rows),
            np.append(self.columns, other.columns),
            np.append(self.values, other.values),
        )
        return both.only(np.lexsort((both.columns, both.rows)))


def cell_areas(grid: Rows) -> NDArray[np.float64]:
    r"""Return the areas of the cells of a grid [sr], shape (point,); they sum to :math:`4\pi`.

    A cell reaches half-way to its neighbours in latitude and longitude, in the first and last row to the pole.
    """
    return np.repeat(2.0 * np.pi * np.abs(np.diff(_sines(grid))) / grid.counts, grid.counts)


def cell_overlaps(targets: Rows, sources: Rows) -> Weights:
    r"""Compute the areas that cells of two grids have in common [sr], exactly.

    .. math:: A_{ij} = \Delta\lambda_{ij} \left|\Delta \sin\varphi_{ij}\right|

    with the common ranges of longitude and latitude. They sum to the area of each cell of either grid. The weights of
    first-order conservative regridding (Jones 1999, doi:10.1175/1520-0493(1999)127<2204:FASOCR>2.0.CO;2).
    """
    tops = [_sines(grid) for grid in (targets, sources)]
    edges = np.unique(np.concatenate(tops))[::-1]
    middles = (edges[1:] + edges[:-1]) / 2.0
    bands = [np.searchsorted(-top, -middles) - 1 for top in tops]
    before = [np.concatenate([[0], np.cumsum(grid.counts)[:-1]]) for grid in (targets, sources)]
    known: dict[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = {}
    found = []
    for height, i, j in zip(edges[:-1] - edges[1:], *bands, strict=True):
        counts = int(targets.counts[i]), int(sources.counts[j])
        if counts not in known:
            known[counts] = _common_arcs(*counts)
        to, of, arcs = known[counts]
        found.append((before[0][i] + to, before[1][j] + of, 2.0 * np.pi * height * arcs))
    return _merged(*(np.concatenate(part) for part in zip(*found, strict=True)), n_columns=sources.size)


def bilinear(sources: Rows, targets: Coordinates) -> Weights:
    """Compute weights that are linear in longitude along the two rows next to a point, then in latitude between them.

    Poleward of the first and last row, that row alone counts. A target on a grid point has that point alone.
    """
    latitudes, turns = (np.asarray(targets[0], dtype=np.float64), longitude_from_zero(targets[1]) / 360.0)
    last = len(sources.latitudes) - 1
    north = np.clip(np.searchsorted(-sources.latitudes, -latitudes, side="right") - 1, 0, last)
    south = np.minimum(north + 1, last)
    depth = sources.latitudes[north] - sources.latitudes[south]
    share = np.where(depth > 0.0, (sources.latitudes[north] - latitudes) / np.where(depth > 0.0, depth, 1.0), 0.0)
    share = np.clip(share, 0.0, 1.0)
    before = np.concatenate([[0], np.cumsum(sources.counts)[:-1]])
    target = np.arange(latitudes.size)
    parts = []
    for row, weight in ((north, 1.0 - share), (south, share)):
        position = turns * sources.counts[row]
        west = np.floor(position)
        for step, along in ((0, 1.0 - (position - west)), (1, position - west)):
            point = before[row] + (west.astype(np.int64) + step) % sources.counts[row]
            parts.append((target, point, weight * along))
    index, distance = sources.places(latitudes, np.asarray(targets[1], dtype=np.float64))
    return _snapped(_joined(parts), index, distance, sources.size)


def nearest_few(sources: Coordinates, targets: Coordinates, n: int) -> Weights:
    """Compute weights of the ``n`` nearest points, by the inverse of the distance.

    A target on a source point has that point alone.
    """
    index, distance = nearest_points(sources, targets)
    n_sources, n_targets = np.size(sources[0]), np.size(targets[0])
    if n == 1:
        return Weights(np.arange(n_targets), index, np.ones(n_targets))
    from scipy.spatial import cKDTree  # slow to import

    apart, few = cKDTree(unit_vectors(*sources)).query(unit_vectors(*targets), k=min(n, n_sources))
    weights = 1.0 / np.maximum(apart.reshape(n_targets, -1), np.finfo(np.float64).tiny ** 0.5)
    parts = [(np.arange(n_targets), few.reshape(n_targets, -1)[:, k], weights[:, k]) for k in range(weights.shape[1])]
    return _snapped(_joined(parts), index, distance, n_sources)


def voronoi_areas(points: Coordinates) -> NDArray[np.float64]:
    """Return the areas nearer to a point than to all others [sr], for points all over the globe, shape (point,)."""
    from scipy.spatial import SphericalVoronoi  # slow to import

    try:
        return np.asarray(SphericalVoronoi(unit_vectors(*points)).calculate_areas(), dtype=np.float64)
    except ValueError as error:
        raise ValueError(
            f"The {np.size(points[0])} points of the atmosphere are on no known grid, and their areas cannot be "
            f"computed ({error}). Name the grid with `cells`, or use `points: nearest`."
        ) from error


def _sines(grid: Rows) -> NDArray[np.float64]:
    """Return the sines of the latitudes between rows and of both poles, from 1 to -1."""
    middles = (grid.latitudes[1:] + grid.latitudes[:-1]) / 2.0
    return np.concatenate([[1.0], np.sin(np.radians(middles)), [-1.0]])


def _common_arcs(n: int, m: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the common ranges of n and m equal arcs around 0, 1/n, ... and 0, 1/m, ...: arcs, arcs, length [turns]."""
    edges = np.sort(np.concatenate([(np.arange(count) + 0.5) / count for count in (n, m)]))
    lengths = np.diff(np.append(edges, edges[0] + 1.0))
    wide = lengths > _SLIVER
    middles = (edges + lengths / 2.0)[wide]
    to, of = (np.round(middles * count).astype(np.int64) % count for count in (n, m))
    return to, of, lengths[wide]


def _joined(parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]) -> Weights:
    return Weights(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _snapped(weights: Weights, index: NDArray[np.int64], distance: NDArray[np.float64], n_columns: int) -> Weights:
    """Give targets that are at a source point this point alone, and drop weights of zero."""
    same = distance <= SAME_PLACE
    keep = ~same[weights.rows] & (weights.values > 0.0)
    at = np.flatnonzero(same)
    rows, columns, values = (part[keep] for part in weights)
    return _merged(
        np.append(rows, at), np.append(columns, index[at]), np.append(values, np.ones(at.size)), n_columns=n_columns
    )


def _merged(
    rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[np.float64], *, n_columns: int
) -> Weights:
    """Sort entries by row and column, and add those of one place."""
    keys, where = np.unique(rows * n_columns + columns, return_inverse=True)
    sums = np.bincount(where, weights=values, minlength=keys.size).astype(np.float64)
    return Weights(keys // n_columns, keys % n_columns, sums)
