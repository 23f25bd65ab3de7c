# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Places of points: whether they are some, and whether two are the same whatever the convention of longitudes."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def apart(a: np.ndarray, b: np.ndarray, axis: str) -> float:
    """Largest distance between coordinates along ``axis`` [degrees]; -10 and 350 degrees east are one longitude.

    Parameters
    ----------
    a, b : numpy.ndarray, shape (point,)
        Coordinates [degrees], or identities; infinite apart if their number differs.
    axis : str
        ``longitude``, or anything else.
    """
    if a.shape != b.shape:
        return float("inf")
    turn = (a - b + 180.0) % 360.0 - 180.0 if axis == "longitude" else a - b
    return float(np.abs(turn).max(initial=0.0))


def check_places(latitudes: np.ndarray, longitudes: np.ndarray, path: Path) -> None:
    """Refuse coordinates that are none: missing, or out of range. Longitudes run from -180 or from 0.

    Raises
    ------
    ValueError
        With the first one.
    """
    for name, values, low, high in (("latitude", latitudes, -90.0, 90.0), ("longitude", longitudes, -180.0, 360.0)):
        bad = ~((values >= low - 1.0e-6) & (values <= high + 1.0e-6))
        if bad.any():
            i = int(np.argmax(bad))
            raise ValueError(
                f"'{name}' in '{path}' is {values[i]:g} at point {i}, and outside {low:g} to {high:g} degrees at "
                f"{int(bad.sum())} of {bad.size} points. Correct the file; are they in radians or metres, or swapped?"
            )
