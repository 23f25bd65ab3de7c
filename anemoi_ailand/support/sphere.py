# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Points on the sphere: nearest points, distances, and comparison in any convention of longitudes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.constants import SAME_PLACE

#: Latitudes and longitudes of points, each of shape (point,) [degrees].
Coordinates = tuple[np.ndarray, np.ndarray]

#: Rounding of coordinates at the ends of their range that is tolerated [degrees].
_ROUNDING = 1.0e-6

#: Number of pairs of points up to which all distances are computed: faster than the import of scipy, 25 MB of memory.
FEW_PAIRS = 2**20


def unit_vectors(latitudes: Any, longitudes: Any) -> np.ndarray:
    """Return the points as unit vectors, shape (..., 3), float64, from coordinates in degrees."""
    lat, lon = (np.radians(np.asarray(a, dtype=np.float64)) for a in (latitudes, longitudes))
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def nearest_points(points: Coordinates, targets: Coordinates) -> tuple[np.ndarray, np.ndarray]:
    r"""Find the nearest point of each target along the great circle.

    .. math:: d = 2 \arcsin \frac{|x - y|}{2}

    with unit vectors :math:`x, y`; the chord keeps its precision at small distances. Returns for each target the
    position in ``points`` (int64) and the distance [degrees], each of shape (target,).

    >>> index, distance = nearest_points(([0.0, 50.0], [0.0, 8.0]), ([49.0], [368.0]))
    >>> index.tolist(), distance.round(6).tolist()
    ([1], [1.0])
    """
    x, y = unit_vectors(*points), unit_vectors(*targets)
    if len(x) * len(y) <= FEW_PAIRS:
        squared = np.square(x - y[:, np.newaxis]).sum(axis=-1)
        index, chord = squared.argmin(axis=-1), np.sqrt(squared.min(axis=-1))
    else:
        from scipy.spatial import cKDTree  # slow to import

        chord, index = cKDTree(x).query(y)
    return index.astype(np.int64), np.degrees(2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0)))


def extent(points: Coordinates) -> float:
    """Return nearly the largest distance of two points along the great circle [degrees], 0 without points.

    It is that from the point that is farthest from the first one, and at least half of the largest one.

    >>> round(extent(([0.0, 0.0, 0.0], [179.0, -180.0, 181.0])), 6)
    2.0
    """
    x = unit_vectors(*points)
    if not len(x):
        return 0.0
    far = x[np.square(x - x[0]).sum(axis=-1).argmax()]
    chord = float(np.sqrt(np.square(x - far).sum(axis=-1).max()))
    return float(np.degrees(2.0 * np.arcsin(min(chord / 2.0, 1.0))))


def wrap_longitude(longitude: Any) -> Any:
    """Return longitudes from -180 (included) to 180 degrees; those already in the range are bitwise unchanged.

    >>> float(wrap_longitude(350.0))
    -10.0
    """
    longitude = np.asarray(longitude, dtype=np.float64)
    inside = (longitude >= -180.0) & (longitude < 180.0)
    return np.where(inside, longitude, (longitude + 180.0) % 360.0 - 180.0)[()]


def longitude_from_zero(longitude: Any) -> Any:
    """Return longitudes from 0 (included) to 360 degrees, in the precision given.

    >>> longitude_from_zero(-10.0)
    350.0
    """
    return longitude % 360.0


def separation(a: Coordinates, b: Coordinates) -> np.ndarray:
    """Return the larger of the differences in latitude and longitude of each pair, shape (point,) [degrees]."""
    north, east = (np.asarray(p, dtype=np.float64) - np.asarray(q, dtype=np.float64) for p, q in zip(a, b, strict=True))
    return np.maximum(np.abs(north), np.abs(wrap_longitude(east)))


def same_points(a: Coordinates, b: Coordinates) -> bool:
    """Return whether two sets are the same points in the same order, to within :data:`SAME_PLACE`."""
    sizes = {np.size(values) for values in (*a, *b)}
    return len(sizes) == 1 and bool((separation(a, b) <= SAME_PLACE).all())


def identical(a: Coordinates, b: Coordinates) -> bool:
    """Return whether two sets of coordinates are equal to the bit; at once if they are the same arrays."""
    return (a[0] is b[0] and a[1] is b[1]) or all(map(np.array_equal, a, b))


def check_coordinates(latitudes: np.ndarray, longitudes: np.ndarray, path: str | Path) -> None:
    """Refuse coordinates that are missing or out of range; longitudes may be from -180 or 0 degrees on."""
    for name, values, low, high in (("latitude", latitudes, -90.0, 90.0), ("longitude", longitudes, -180.0, 360.0)):
        bad = ~((values >= low - _ROUNDING) & (values <= high + _ROUNDING))
        if bad.any():
            i = int(np.argmax(bad))
            raise ValueError(
                f"'{name}' in '{path}' is {values[i]:g} at point {i}, and outside {low:g} to {high:g} degrees at "
                f"{int(bad.sum())} of {bad.size} points. Correct the file; are they in radians or metres, or swapped?"
            )
