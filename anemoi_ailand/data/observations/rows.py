# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observations as rows, the common form of all files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from anemoi_ailand.support.units import CONVERSIONS, Conversion, conversion, convert, table_units
from anemoi_ailand.variables import Range, match_name, names, variable

#: Snow depth [m], observed although the table of variables has mass and density only.
SNOW_DEPTH = "sde"

#: Relative humidity at 2 m over water [1], GRIB's short name; the table of variables has the dewpoint.
RELATIVE_HUMIDITY = "2r"

#: Units of observations that are not in the table.
_FURTHER = {SNOW_DEPTH: "m", RELATIVE_HUMIDITY: "1"}
_LENGTHS = {"m": 1.0, "cm": 0.01, "mm": 0.001}

#: Ranges that are possible: snow depth [m], whose largest on record is 11.8 m, on Mount Ibuki in 1927; relative
#: humidity [1], which instruments in fog report a little too high.
_POSSIBLE: dict[str, Range] = {SNOW_DEPTH: (0.0, 15.0), RELATIVE_HUMIDITY: (0.0, 1.05)}


@dataclass(frozen=True)
class Rows:
    """Base of tables whose columns are arrays (row, ...), or such tables themselves."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def take(self, rows: np.ndarray | slice) -> Self:
        """Return some rows, by position or mask."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        chosen: dict[str, Any] = {n: v.take(rows) if isinstance(v, Rows) else v[rows] for n, v in columns.items()}
        return replace(self, **chosen)


@dataclass(frozen=True)
class ObservationRows(Rows):
    """Observations, one row each; all arrays have shape (row,).

    Attributes
    ----------
    times : numpy.ndarray
        Time, UTC, ``datetime64[s]``.
    latitudes, longitudes : numpy.ndarray
        Degrees.
    names : numpy.ndarray
        Variable: a name of the table, ``sde`` for snow depth, or ``2r`` for relative humidity at 2 m.
    values, errors : numpy.ndarray
        Value and standard deviation of its error, in the unit of the table; an unknown error is NaN.
    elevations : numpy.ndarray
        Height above sea level [m]; NaN if unknown.
    sources : numpy.ndarray
        File.
    """

    times: np.ndarray
    latitudes: np.ndarray
    longitudes: np.ndarray
    names: np.ndarray
    values: np.ndarray
    errors: np.ndarray
    elevations: np.ndarray
    sources: np.ndarray

    @staticmethod
    def joined(parts: Sequence[ObservationRows]) -> ObservationRows:
        """Join the rows of several files; without any, the result is empty."""
        parts = [*parts, make_rows("", "", [], [], [], [])]
        return ObservationRows(
            **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(ObservationRows)}
        )


def make_rows(
    source: str, names: np.ndarray | str, times: np.ndarray | Sequence, latitudes: np.ndarray | Sequence,
    longitudes: np.ndarray | Sequence, values: np.ndarray | Sequence, errors: np.ndarray | None = None,
    elevations: np.ndarray | None = None,
) -> ObservationRows:  # fmt: skip
    """Make rows of arrays that broadcast to the shape of ``values``; absent errors and elevations are NaN."""
    shape = np.shape(values)

    def flat(given: np.ndarray | Sequence | str | float, dtype: str) -> np.ndarray:
        return np.broadcast_to(np.asarray(given, dtype), shape).ravel()

    return ObservationRows(
        flat(times, "datetime64[s]"), flat(latitudes, "f8"), flat(longitudes, "f8"), flat(names, "U16"),
        flat(values, "f8"), flat(np.nan if errors is None else errors, "f8"),
        flat(np.nan if elevations is None else elevations, "f8"), flat(source, "U256"),
    )  # fmt: skip


def observed_name(name: str) -> str:
    """Return the name of an observed variable by its name in the table or in NetCDF; others raise a ValueError."""
    known = [*_FURTHER, *names("prognostic", "diagnostic")]
    return match_name(name, known, "the variables that can be observed")


def observed_units(name: str) -> str:
    """Return the unit of an observed variable."""
    return _FURTHER.get(name) or table_units(name)


def possible_range(name: str) -> Range:
    """Return the range outside which an observation is not possible."""
    return _POSSIBLE[name] if name in _POSSIBLE else variable(name).possible


def other_units(name: str) -> dict[str, Conversion]:
    """Return the units that are mistaken for that of an observed variable, with their conversions to it."""
    if name == SNOW_DEPTH:
        return {unit: (factor, 0.0) for unit, factor in _LENGTHS.items() if factor != 1.0}
    return CONVERSIONS.get(observed_units(name), {})


def in_units(values: np.ndarray, units: str | None, name: str, where: str, *, error: bool = False) -> np.ndarray:
    """Convert values by the unit that a file states; an ``error`` is a difference, so that offsets do not apply."""
    if name == SNOW_DEPTH:
        if units is not None and units not in _LENGTHS:
            raise ValueError(f"'{name}' in '{where}' has units '{units}'. Give one of {list(_LENGTHS)}.")
        return values * _LENGTHS[units or "m"]
    factor, offset = conversion(units, observed_units(name), name, where)
    return convert(values, (factor, 0.0 if error else offset))
