# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Grid of a GRIB message, and positions of the points of a run on it: ``grid: O96``."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from anemoi.inference.types import FloatArray, IntArray

from anemoi_ailand.constants import SAME_PLACE
from anemoi_ailand.data.grib.index import open_message, released
from anemoi_ailand.data.grib.rows import CLASSICAL, UNSTRUCTURED, Rows, guess, rows_of
from anemoi_ailand.support.eccodes import eccodes
from anemoi_ailand.support.sphere import nearest_points

LOG = logging.getLogger(__name__)

AUTO, TEMPLATE = "auto", "template"
_GAUSSIAN = re.compile(r"([ON])(\d+)")


@dataclass(frozen=True)
class Grid:
    """Grid of the messages with a ``message`` on it, and the points of the run.

    ``size`` is the number of points of the grid, ``index`` the position of each point of the run in it; None if the
    points are the grid.
    """

    name: str
    message: bytes
    size: int
    index: IntArray | None

    def field(self, values: FloatArray, missing: float) -> FloatArray:
        """Return values on the grid, ``missing`` elsewhere and for NaN; shape (size,), float64."""
        values = np.where(np.isnan(values), missing, values).astype(np.float64)
        if self.index is None:
            return values
        out = np.full(self.size, missing)
        out[self.index] = values
        return out


def check_grid(option: Any, edition: int) -> Any:
    """Check the option ``grid`` and return it in a form that JSON keeps."""
    gaussian = isinstance(option, str) and _GAUSSIAN.fullmatch(option)
    if gaussian and (gaussian[1] == "O" or int(gaussian[2]) in CLASSICAL) and int(gaussian[2]) > 1:
        return option
    if option == UNSTRUCTURED and edition == 1:
        raise ValueError("GRIB edition 1 has no unstructured grid. Set `edition: 2`, or a grid that holds the points.")
    if option in (AUTO, UNSTRUCTURED):
        return option
    if isinstance(option, Mapping) and list(option) == [TEMPLATE]:
        if not Path(option[TEMPLATE]).is_file():
            raise FileNotFoundError(f"There is no '{option[TEMPLATE]}', the template of the grid. Give a GRIB file.")
        return {TEMPLATE: str(option[TEMPLATE])}
    if isinstance(option, Sequence) and not isinstance(option, str) and len(option) == 2:
        east, north = steps = [float(x) for x in option]
        if min(steps) > 0.0 and all(abs(n - round(n)) < 1.0e-6 for n in (360.0 / east, 180.0 / north)):
            return steps
    raise ValueError(
        f"`grid` is {option!r}. Give {AUTO}, {UNSTRUCTURED}, an octahedral grid such as O96, one of "
        f"{[f'N{n}' for n in CLASSICAL]}, increments [east-west, north-south] that divide the globe, such as "
        "[0.25, 0.25], or {template: file.grib} with a message on the grid."
    )


def grid_of(option: Any, latitudes: FloatArray, longitudes: FloatArray, edition: int) -> Grid:
    """Return the grid of an option of :func:`check_grid`, with the positions of the points [degrees].

    ``auto`` is the coarsest grid with all points, Gaussian before regular, or ``unstructured``.

    Raises
    ------
    ValueError
        A point is not on the grid, two points have the same position, or the template has no coordinates.
    """
    if option == AUTO:
        option = guess(latitudes, longitudes)
        LOG.info("GRIB on the grid %s, to which the %d points belong", option, latitudes.size)
        check_grid(option, edition)
    if option == UNSTRUCTURED:
        keys = {"gridDefinitionTemplateNumber": 101, "numberOfDataPoints": latitudes.size}
        return Grid(UNSTRUCTURED, _made("GRIB2", latitudes.size, keys), latitudes.size, None)
    if isinstance(option, dict):
        name, message = Path(option[TEMPLATE]).name, _first_message(Path(option[TEMPLATE]))
        grid_latitudes, grid_longitudes = _coordinates(message, option[TEMPLATE])
        index, apart = nearest_points((grid_latitudes, grid_longitudes), (latitudes, longitudes))
        size = grid_latitudes.size
    else:
        rows, name = rows_of(option), str(option)
        message, size = _rows_message(option, rows, edition), rows.size
        index, apart = rows.places(latitudes, longitudes)
    _check_places(name, index, apart, latitudes, longitudes)
    whole = size == index.size and np.array_equal(index, np.arange(size))
    return Grid(name, message, size, None if whole else index)


def _rows_message(option: Any, rows: Rows, edition: int) -> bytes:
    """Return a message on a Gaussian or regular grid."""
    east = 360.0 - 360.0 / int(rows.counts.max())
    keys = {
        "latitudeOfFirstGridPointInDegrees": float(rows.latitudes[0]), "longitudeOfFirstGridPointInDegrees": 0.0,
        "latitudeOfLastGridPointInDegrees": float(rows.latitudes[-1]), "longitudeOfLastGridPointInDegrees": east,
    }  # fmt: skip
    if isinstance(option, str):

        def reduced(handle: int) -> None:
            eccodes.codes_set(handle, "N", int(option[1:]))
            eccodes.codes_set(handle, "Nj", 2 * int(option[1:]))
            eccodes.codes_set_long_array(handle, "pl", rows.counts.tolist())

        return _made(f"reduced_gg_sfc_grib{edition}", rows.size, keys, reduced)
    spacing = {"iDirectionIncrementInDegrees": option[0], "jDirectionIncrementInDegrees": option[1]}
    shape = {"Ni": int(rows.counts[0]), "Nj": len(rows.counts)}
    return _made("GRIB2" if edition == 2 else "regular_ll_sfc_grib1", rows.size, {**shape, **keys, **spacing})


def _made(sample: str, size: int, keys: Mapping[str, float], before: Callable[[int], None] | None = None) -> bytes:
    """Return a message of zeros: an ecCodes sample with further keys."""
    with released(eccodes.codes_grib_new_from_samples(sample)) as handle:
        if before is not None:
            before(handle)
        set_keys(handle, keys)
        eccodes.codes_set_values(handle, np.zeros(size))
        return bytes(eccodes.codes_get_message(handle))


def _first_message(path: Path) -> bytes:
    with path.open("rb") as file:
        handle = eccodes.codes_grib_new_from_file(file)
    if handle is None:
        raise ValueError(f"'{path}', the template of the grid, has no GRIB message. Give a GRIB file on the grid.")
    with released(handle):
        return bytes(eccodes.codes_get_message(handle))


def _coordinates(message: bytes, path: str) -> tuple[FloatArray, FloatArray]:
    with open_message(message) as handle:
        try:
            latitudes, longitudes = (eccodes.codes_get_double_array(handle, k) for k in ("latitudes", "longitudes"))
        except eccodes.CodesInternalError as error:
            raise ValueError(
                f"'{path}', the template of the grid, does not hold the coordinates of its points ({error}). Give a "
                "GRIB file on a Gaussian, regular or projected grid, or set `grid: unstructured`."
            ) from error
        return latitudes, longitudes


def set_keys(handle: int, keys: Mapping[str, Any]) -> None:
    """Set keys of a message one by one, in order."""
    for key, value in keys.items():
        eccodes.codes_set(handle, key, value)


def _check_places(name: str, index: IntArray, apart: FloatArray, latitudes: FloatArray, longitudes: FloatArray) -> None:
    off = np.flatnonzero(apart > SAME_PLACE)
    if off.size:
        i = int(off[0])
        raise ValueError(
            f"{off.size} of {index.size} points are not on the grid {name}, the first at latitude {latitudes[i]:.3f}, "
            f"longitude {longitudes[i]:.3f}, {apart[i]:.3f} degrees from its nearest point. Set `grid` to that of the "
            "points, or to unstructured."
        )
    twice = index.size - np.unique(index).size
    if twice:
        raise ValueError(f"{twice} points have the position of another one on the grid {name}. Give each point once.")
