# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""States from several inputs on common points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from anemoi.inference.types import State

from anemoi_ailand.constants import SAME_PLACE
from anemoi_ailand.hosts.anemoi_inference import origin
from anemoi_ailand.support.sphere import longitude_from_zero, separation


def on_same_points(states: Sequence[State]) -> list[State]:
    """Give all states the coordinates of the first one that has any, if they are equal to rounding.

    Files differ in the precision and in the range (-180 to 180 or 0 to 360 degrees) of their coordinates.
    """
    first = next((s for s in states if s.get("latitudes") is not None), None)
    if first is None:
        return list(states)
    latitudes, longitudes = first["latitudes"], first["longitudes"]
    out = []
    for state in states:
        if state.get("latitudes") is not None:
            if difference := _difference(state["latitudes"], state["longitudes"], latitudes, longitudes):
                raise ValueError(
                    f"{origin(state)} and {origin(first)} are on different points: {difference}. State, "
                    "static fields and forcing must be on the same points in the same order. Give files of one grid."
                )
            state = {**state, "latitudes": latitudes, "longitudes": longitudes}
        out.append(state)
    return out


def _difference(lat: np.ndarray, lon: np.ndarray, first_lat: np.ndarray, first_lon: np.ndarray) -> str | None:
    """Describe the difference of points from the first points; None if there is none."""
    if lat.size != first_lat.size:
        return f"{lat.size} and {first_lat.size}"
    apart = separation((lat, lon), (first_lat, first_lon)) > SAME_PLACE
    if not apart.any():
        return None
    i = int(np.argmax(apart))
    same = np.allclose(_sorted(lat, lon), _sorted(first_lat, first_lon), rtol=0.0, atol=SAME_PLACE)
    return (
        f"{int(apart.sum())} of {lat.size} differ{' (the same points in another order)' if same else ''}, the first "
        f"at latitude {lat[i]:.3f}, longitude {lon[i]:.3f} and at latitude {first_lat[i]:.3f}, longitude "
        f"{first_lon[i]:.3f}"
    )


def _sorted(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Sort points by latitude, then longitude, shape (2, point)."""
    lon = longitude_from_zero(lon)
    return np.stack([lat, lon])[:, np.lexsort((lon, np.round(lat, 2)))]
