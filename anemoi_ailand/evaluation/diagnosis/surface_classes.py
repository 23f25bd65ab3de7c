# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Classes of surface: the points that share a type of vegetation or soil, and how much of each they cover."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from anemoi_ailand.physics.soil_types import SOIL_TYPES
from anemoi_ailand.physics.vegetation import VEGETATION_TYPES

#: Tiles to which a class or a parameter belongs.
LOW, HIGH, SOIL, ANY = "low vegetation", "high vegetation", "soil", "surface"

#: Vegetation types by tile.
TYPES = {LOW: (1, 2, 7, 8, 9, 10, 11, 13, 16, 17), HIGH: (3, 4, 5, 6, 18, 19)}

#: Groups of vegetation types that share a way of life, by tile.
FAMILIES = {
    LOW: {"grass": (2, 7), "all crops": (1, 10), "shrubs": (16, 17), "tundra and semidesert": (9, 11)},
    HIGH: {"needleleaf": (3, 4), "broadleaf": (5, 6), "mixed forest and interrupted forest": (18, 19)},
}

#: Fewest points of a class, and the smallest cover that counts [1].
FEWEST, SMALLEST = 5, 0.02


@dataclass(frozen=True)
class SurfaceClass:
    """Points of one class: name, tile, and cover (point,) of the class at each point, zero outside [1]."""

    name: str
    tile: str
    cover: np.ndarray

    @property
    def members(self) -> np.ndarray:
        """Mask (point,) of the points that belong to the class."""
        return self.cover > SMALLEST


def surface_classes(fields: Mapping[str, np.ndarray]) -> list[SurfaceClass]:
    """Return the classes with at least :data:`FEWEST` points.

    Parameters
    ----------
    fields : mapping of array, shape (point,)
        ``tvl``, ``tvh``, ``cvl``, ``cvh`` and ``slt``, and with ``cl`` and ``cur`` also lakes and towns.

    Returns
    -------
    list of SurfaceClass
        Types of low and high vegetation and their families, all low, all high vegetation, soil types, lake, town, and
        the whole surface. Classes overlap.

    Examples
    --------
    >>> import numpy as np
    >>> same = {"tvl": np.full(6, 2.0), "tvh": np.zeros(6), "cvl": np.ones(6), "cvh": np.zeros(6), "slt": np.ones(6)}
    >>> [c.name for c in surface_classes(same)]
    ['short grass', 'all low vegetation', 'soil coarse', 'whole surface']
    """
    found = []
    for tile, kind, cover in ((LOW, "tvl", "cvl"), (HIGH, "tvh", "cvh")):
        types, covered = np.rint(fields[kind]).astype(int), np.asarray(fields[cover], float)
        single = {VEGETATION_TYPES[k]: (int(k),) for k in np.unique(types) if k > 0}
        families = {n: t for n, t in FAMILIES[tile].items() if np.isin(t, types).sum() > 1}
        for name, wanted in (single | families).items():
            found.append(SurfaceClass(name, tile, np.where(np.isin(types, wanted), covered, 0.0)))
        found.append(SurfaceClass(f"all {tile}", tile, np.where(types > 0, covered, 0.0)))
    soils = np.rint(fields["slt"]).astype(int)
    for k, name in enumerate(SOIL_TYPES, start=1):
        found.append(SurfaceClass(f"soil {name}", SOIL, (soils == k).astype(float)))
    for name, key in (("lake", "cl"), ("town", "cur")):
        if key in fields:
            found.append(SurfaceClass(name, ANY, np.asarray(fields[key], float)))
    found.append(SurfaceClass("whole surface", ANY, np.ones(len(soils))))
    return [c for c in found if c.members.sum() >= FEWEST]
