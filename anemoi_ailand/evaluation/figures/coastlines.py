# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Coastlines for maps.

Source: Natural Earth, 1:110 million, naturalearthdata.com, in the public domain. ``coastlines.npz`` holds the outlines
of the union of the polygons of ``ne_110m_admin_0_countries``, without the edges along the antimeridian and the South
Pole, in hundredths of a degree.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

_FILE = Path(__file__).with_suffix(".npz")

#: Unit of the vertices in the file [degrees].
_UNIT = 0.01


@cache
def coastlines() -> tuple[np.ndarray, ...]:
    """Return lines ``(vertex, 2)`` of longitude (-180 to 180) and latitude [degrees]."""
    with np.load(_FILE) as file:
        return tuple(np.split(file["vertices"] * _UNIT, np.cumsum(file["lengths"], dtype=int)[:-1]))
