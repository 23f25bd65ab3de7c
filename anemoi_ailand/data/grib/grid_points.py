# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Selection and coordinates of the grid points of a GRIB archive."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from anemoi_ailand.data.grib.decode import Decoder, one_grid
from anemoi_ailand.data.grib.index import Scan
from anemoi_ailand.data.grib.static import Static
from anemoi_ailand.data.grib.time_series import Series
from anemoi_ailand.data.selection import LAND
from anemoi_ailand.support.sphere import same_points
from anemoi_ailand.variables import VARIABLES, Role

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Points:
    """Points of a reader; arrays have the shape (point,)."""

    keep: np.ndarray  #: positions in the fields
    latitudes: np.ndarray
    longitudes: np.ndarray
    fields: dict[str, np.ndarray]  #: constants from NetCDF, monthly climatologies (month, point)


def find_points(scan: Scan, sources: dict[str, Series], static: Static, land: bool, name: str) -> Points:
    """Select the points and find their coordinates; ``name`` describes the files in messages.

    ``land`` keeps land points only: land-sea mask of at least 0.5 or, without a mask, the first state variable not
    missing.
    """
    whole = Decoder(scan)
    rows = np.unique(np.concatenate([s.rows for s in sources.values()]))
    size = len(whole(int(rows[0])).values)
    place = one_grid(scan, rows, whole)
    latitudes, longitudes = _coordinates(place, static, size, name)
    if wrong := {n: f.shape[-1] for n, f in static.fields.items() if f.shape[-1] != size}:
        raise ValueError(
            f"The fields of {name} have {size} points, those in NetCDF {wrong}. Give NetCDF of the same grid."
        )
    keep = _land(whole, sources, static, size, name) if land else np.arange(size)
    return Points(keep, latitudes[keep], longitudes[keep], {n: f[..., keep] for n, f in static.fields.items()})


def _coordinates(
    place: tuple[np.ndarray, np.ndarray] | None, static: Static, size: int, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates from GRIB, or from NetCDF if GRIB has none; if both have them, they must agree."""
    given = None if static.latitudes is None or static.longitudes is None else (static.latitudes, static.longitudes)
    if given is not None and (len(given[0]) != size or (place is not None and not same_points(place, given))):
        raise ValueError(
            f"The fields of {name} have {size} points, and NetCDF gives coordinates of {len(given[0])} other points. "
            "Give NetCDF of the same grid, in the same order."
        )
    found = place if place is not None else given
    if found is None:
        raise ValueError(
            f"The fields of {name} are on an unstructured grid, whose coordinates are not in GRIB. Give a NetCDF "
            "file with 'latitude' and 'longitude' of its points in `static`; a roll-out to GRIB writes it as "
            "FILE.points.nc."
        )
    return found


def _land(whole: Decoder, sources: dict[str, Series], static: Static, size: int, name: str) -> np.ndarray:
    mask = static.fields.get("lsm")
    if "lsm" in sources:
        weight, row = sources["lsm"].terms(0)[0]
        mask = weight * whole(row).values
    if mask is not None:
        is_land, why = mask >= LAND, "the land-sea mask"
    else:
        states = [n for n in sources if VARIABLES[n].role is Role.PROGNOSTIC] or list(sources)
        is_land, why = np.isfinite(whole(int(sources[states[0]].rows[0])).values), f"'{states[0]}' not missing"
    keep = np.flatnonzero(is_land)
    LOG.info("%d of %d points are land, by %s", len(keep), size, why)
    if len(keep) == 0:
        raise ValueError(f"None of the {size} points of {name} is land, by {why}. Correct it, or set `land: false`.")
    return keep
