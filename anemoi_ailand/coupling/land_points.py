# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Mapping between the points of the land and those of the atmosphere."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anemoi_ailand.constants import EARTH_RADIUS, SAME_PLACE
from anemoi_ailand.coupling.exchange import Exchange
from anemoi_ailand.support.disk_errors import not_found
from anemoi_ailand.support.options import check_known
from anemoi_ailand.support.sphere import nearest_points, separation

LOG = logging.getLogger(__name__)

#: Default largest distance between a point of the land and its point of the atmosphere, half of a coarse grid [km].
NEAR = 100.0

Places = tuple[NDArray[np.float64], NDArray[np.float64]]


def land_points(config: Any, land: Places, atmosphere: Places) -> Exchange:
    """Map the points as configured: ``same``, ``nearest``, ``{nearest: KM}`` or ``{index: FILE.npy}``.

    ``nearest`` alone allows a distance of 100 km. ``land`` and ``atmosphere`` are latitudes and longitudes [degrees].
    """
    n_land, n_points = land[0].size, atmosphere[0].size
    if isinstance(config, Mapping):
        check_known(config, ("index", "nearest"), "`points`")
    if config == "same":
        _check_same(land, atmosphere)
        return Exchange.from_index(np.arange(n_points), n_points)
    if config == "nearest" or (isinstance(config, Mapping) and list(config) == ["nearest"]):
        within = NEAR if config == "nearest" else config["nearest"]
        if isinstance(within, bool) or not isinstance(within, int | float) or not within > 0:
            raise ValueError(f"`points: nearest` is {within!r}. Give a distance above 0 in km.")
        index, degrees = nearest_points(atmosphere, land)
        distance = np.radians(degrees) * EARTH_RADIUS
        _check_near(distance, float(within), land)
        return Exchange.from_index(index, n_points)
    if isinstance(config, Mapping) and list(config) == ["index"]:
        index = _read_index(Path(str(config["index"])))
        if index.shape != (n_land,):
            raise ValueError(
                f"'{config['index']}' has shape {index.shape}; the land has {n_land} points. Give one each."
            )
        exchange = Exchange.from_index(index, n_points)
        _warn_of_far(index, land, atmosphere)
        return exchange
    raise ValueError(f"`points` is {config!r}. Give same, nearest, {{nearest: KM}} or {{index: FILE.npy}}.")


def _check_same(land: Places, atmosphere: Places) -> None:
    if land[0].size != atmosphere[0].size:
        raise ValueError(
            f"`points` is same, but the land has {land[0].size} points and the atmosphere {atmosphere[0].size}. "
            "Use `points: nearest` or `points: {index: FILE.npy}`."
        )
    apart = separation(land, atmosphere) > SAME_PLACE
    if apart.any():
        i = int(np.argmax(apart))
        raise ValueError(
            f"`points` is same, but {int(apart.sum())} of {apart.size} points differ, the first: latitude "
            f"{land[0][i]:.3f}, longitude {land[1][i]:.3f} of the land, {atmosphere[0][i]:.3f}, {atmosphere[1][i]:.3f} "
            "of the atmosphere. Use `points: nearest`, or give the land's initial state on the atmosphere's points."
        )


def _check_near(distance: NDArray[np.float64], most: float, land: Places) -> None:
    LOG.info("Nearest points of the atmosphere: %.1f km away on average, at most %.1f", distance.mean(), distance.max())
    far = distance > most
    if far.any():
        i = int(np.argmax(distance))
        raise ValueError(
            f"{int(far.sum())} of {far.size} points of the land have no point of the atmosphere within {most:g} km; "
            f"the farthest, latitude {land[0][i]:.3f}, longitude {land[1][i]:.3f}, is {distance[i]:.0f} km away. Leave "
            "them out, or allow more with `points: {nearest: KM}`."
        )


def _warn_of_far(index: NDArray[np.int64], land: Places, atmosphere: Places) -> None:
    """Warn of points of an index that are far from their land, as those of another order or grid are."""
    distance = np.radians(separation(land, (atmosphere[0][index], atmosphere[1][index]))) * EARTH_RADIUS
    far = distance > NEAR
    if far.any():
        i = int(np.argmax(distance))
        LOG.warning(
            "%d of %d points of the land are more than %g km from the point of the atmosphere that `points: index` "
            "gives them, the farthest, latitude %.3f, longitude %.3f, %.0f km. Make the index for these points and "
            "their order", int(far.sum()), far.size, NEAR, land[0][i], land[1][i], distance[i],
        )  # fmt: skip


def _read_index(path: Path) -> NDArray[np.int64]:
    if not path.is_file():
        raise not_found(path, "index", "*.npy", "Correct the path, or use `points: nearest`.")
    try:
        return np.load(path, allow_pickle=False)
    except ValueError as error:
        raise ValueError(
            f"'{path}' is not a file of numpy (*.npy) with whole numbers. Write it by `numpy.save`, or use `points: "
            "nearest`."
        ) from error
