# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Decoding of fields by their position in the files, and the coordinates of their grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from anemoi_ailand.data.grib.index import Scan, open_message, read_message
from anemoi_ailand.support.eccodes import eccodes
from anemoi_ailand.support.sphere import same_points

#: Number of decoded fields in memory: differences of accumulations and means of instants share fields.
_KEPT = 24
#: Marker of missing values while decoding; no field has this value.
_MISSING = 1.0e35


@dataclass(frozen=True)
class Decoded:
    """Values at the selected points, NaN where missing, and the smallest difference that the packing resolves."""

    values: np.ndarray
    quantum: float


class Decoder:
    """Decoder of the rows of a scan at the grid points ``keep`` (all by default), with a small cache."""

    def __init__(self, scan: Scan, keep: np.ndarray | None = None) -> None:
        self._scan, self._keep = scan, keep
        self._cached = lru_cache(_KEPT)(self._decode)

    def __call__(self, row: int) -> Decoded:
        """Return the field in a row of the scan."""
        return self._cached(row)

    def _decode(self, row: int) -> Decoded:
        with open_message(self._message(row)) as handle:
            eccodes.codes_set_double(handle, "missingValue", _MISSING)
            values = eccodes.codes_get_double_array(handle, "values")
            if eccodes.codes_is_defined(handle, "bitmapPresent") and eccodes.codes_get_long(handle, "bitmapPresent"):
                values = np.where(values == _MISSING, np.nan, values)
            return Decoded(values if self._keep is None else values[self._keep], _quantum(handle))

    def coordinates(self, row: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Return latitudes and longitudes of the grid of a row; None if the message has none."""
        with open_message(self._message(row)) as handle:
            if eccodes.codes_is_defined(handle, "alternativeRowScanning") and eccodes.codes_get_long(
                handle, "alternativeRowScanning"
            ):
                raise ValueError("Rows of the grid alternate in direction, which is not supported. Interpolate it.")
            try:
                return tuple(eccodes.codes_get_double_array(handle, k) for k in ("latitudes", "longitudes"))  # type: ignore[return-value]
            except eccodes.CodesInternalError:
                return None

    def _message(self, row: int) -> bytes:
        at = self._scan.rows[row]
        return read_message(self._scan.files[at["file"]], int(at["offset"]), int(at["length"]))


def one_grid(scan: Scan, rows: np.ndarray, decoder: Decoder) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the coordinates of the common grid of all rows; None if the files do not have them.

    GRIB1 and GRIB2 describe the same grid by different bytes, so grids with different headers are compared by points.
    """
    grids = scan.column("grid")[rows]
    firsts = [int(rows[i]) for i in np.unique(grids, return_index=True)[1]]
    places = [decoder.coordinates(row) for row in firsts]
    first = places[0]
    if len(places) > 1 and (first is None or any(p is None or not same_points(p, first) for p in places)):
        of = dict(_describe(scan, r, p) for r, p in zip(firsts, places, strict=True))
        raise ValueError(
            f"The fields are on {len(firsts)} different grids, for example {of}. Interpolate them to one grid, or give "
            "the files of one grid."
        )
    return first


def _describe(scan: Scan, row: int, place: tuple | None) -> tuple[str, str]:
    header = scan.headers[scan.rows["header"][row]]
    return header.short_name, f"{header.grid_type}, {'no coordinates' if place is None else f'{len(place[0])} points'}"


def _quantum(handle: int) -> float:
    """Return the step between values of simple and CCSDS packing, 2^E 10^-D; 0 for another packing."""
    keys = ("binaryScaleFactor", "decimalScaleFactor", "bitsPerValue")
    if not all(eccodes.codes_is_defined(handle, k) for k in keys):
        return 0.0
    binary, decimal, bits = (eccodes.codes_get_long(handle, k) for k in keys)
    return 2.0**binary * 10.0**-decimal if bits else 0.0
