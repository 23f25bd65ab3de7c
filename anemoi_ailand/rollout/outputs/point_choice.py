# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Selection of the points to write: ``points: {area: [72, -10, 36, 40]}``."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from anemoi.inference.types import FloatArray, IntArray

from anemoi_ailand.constants import EARTH_RADIUS, SAME_PLACE
from anemoi_ailand.support.options import one_mapping
from anemoi_ailand.support.sphere import longitude_from_zero, nearest_points

LOG = logging.getLogger(__name__)

_KINDS = ("indices", "area", "nearest")


class PointChoice:
    """Selection of points by one of three keys, checked on creation and applied when the points are known.

    Parameters
    ----------
    config : mapping, optional
        ``indices: [0, 5, 7]``, positions in the order of the run, from 0; ``area: [north, west, south, east]``,
        degrees, longitudes in any convention, across the date line where west is greater than east, borders included;
        ``nearest: [[lat, lon], ...]``, for each location the nearest point on the sphere. None selects all points.
    """

    def __init__(self, config: Any = None) -> None:
        self.kind = ""
        self.given: np.ndarray = np.empty(0)
        if config is None:
            return
        config = one_mapping(config, _KINDS, "`points`")
        if len(config) != 1:
            raise ValueError(f"`points` has {sorted(config)}. Give one of {list(_KINDS)}.")
        self.kind, value = next(iter(config.items()))
        self.given = {"indices": _indices, "area": _area, "nearest": _nearest}[self.kind](value)

    @property
    def count(self) -> int | None:
        """Number of points, None if it depends on the points of the run."""
        return len(self.given) if self.kind in ("indices", "nearest") else None

    def index(self, latitudes: FloatArray, longitudes: FloatArray) -> IntArray:
        """Return the positions of the selected points among those of the run, shape (point,)."""
        if not self.kind:
            return np.arange(latitudes.size)
        if self.kind == "indices":
            return self._by_number(latitudes.size)
        if self.kind == "area":
            return self._inside(latitudes, longitudes)
        return self._closest(latitudes, longitudes)

    def _by_number(self, n_points: int) -> IntArray:
        beyond = self.given[self.given >= n_points]
        if beyond.size:
            raise ValueError(f"`points: indices` has {beyond.tolist()}, and the run has {n_points} points, from 0 on.")
        return self.given

    def _inside(self, latitudes: FloatArray, longitudes: FloatArray) -> IntArray:
        north, west, south, east = self.given
        width = 360.0 if abs(east - west) >= 360.0 else longitude_from_zero(east - west)
        inside = (latitudes <= north + SAME_PLACE) & (latitudes >= south - SAME_PLACE)
        inside &= longitude_from_zero(longitudes - west + SAME_PLACE) <= width + 2 * SAME_PLACE
        if not inside.any():
            raise ValueError(
                f"`points: area` {self.given.tolist()} (north, west, south, east) has none of the run's "
                f"{latitudes.size} points, which lie between latitudes {latitudes.min():.2f} and "
                f"{latitudes.max():.2f}, longitudes {longitudes.min():.2f} and {longitudes.max():.2f}. Correct it."
            )
        return np.flatnonzero(inside)

    def _closest(self, latitudes: FloatArray, longitudes: FloatArray) -> IntArray:
        found, degrees = nearest_points((latitudes, longitudes), (self.given[:, 0], self.given[:, 1]))
        for place, point, km in zip(self.given.tolist(), found, np.radians(degrees) * EARTH_RADIUS, strict=True):
            LOG.info("Nearest to %s: point %d, %.1f km away", place, point, km)
        if len(np.unique(found)) < len(found):
            LOG.warning("Some of the %d places of `points: nearest` share a point: %s", len(found), found.tolist())
        return found


def _indices(value: Any) -> IntArray:
    whole = isinstance(value, list) and all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in value)
    if not whole or not value or len(set(value)) < len(value):
        raise ValueError(f"`points: indices` is {value}. Give a list of different whole numbers from 0 on.")
    return np.array(value)


def _area(value: Any) -> FloatArray:
    area = _numbers(value, (4,))
    if area is None or not 90.0 >= area[0] >= area[2] >= -90.0 or np.abs(area).max() > 360.0:
        raise ValueError(f"`points: area` is {value}. Give [north, west, south, east] in degrees, north >= south.")
    return area


def _nearest(value: Any) -> FloatArray:
    places = _numbers(value, (-1, 2))
    if places is None or np.abs(places[:, 0]).max() > 90.0 or np.abs(places).max() > 360.0:
        raise ValueError(f"`points: nearest` is {value}. Give a list of [latitude, longitude] in degrees.")
    return places


def _numbers(value: Any, shape: tuple[int, ...]) -> FloatArray | None:
    try:
        found = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    fits = found.ndim == len(shape) and found.size and found.shape[-1] == shape[-1]
    return found if fits and np.isfinite(found).all() else None
