# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Units of NetCDF files changed to those of the table: by what the file says of itself, never by the values."""

from __future__ import annotations

import re
from pathlib import Path

from anemoi_ailand.constants import WATER_DENSITY, ZERO_CELSIUS

#: Spellings of units that mean the same, after :func:`tidy`.
_SAME = {"-": "1", "": "1", "fraction": "1", "dimensionless": "1", "kg kg-1": "1", "m3 m-3": "1", "m2 m-2": "1"}

_HOUR, _DAY = 3600.0, 86400.0

#: Factor and offset to a unit of the table. Not here is what can mean two things: `m` of snow, `J m-2` since when.
CONVERSIONS: dict[str, dict[str, tuple[float, float]]] = {
    "K": dict.fromkeys(("degC", "Celsius", "celsius", "degree_Celsius", "degrees_Celsius", "°C"), (1.0, ZERO_CELSIUS)),
    "Pa": {"hPa": (100.0, 0.0), "mbar": (100.0, 0.0), "kPa": (1000.0, 0.0)},
    "kg kg-1": {"g kg-1": (1.0e-3, 0.0)},
    "1": {"%": (0.01, 0.0), "percent": (0.01, 0.0)},
    "kg m-2": {"mm": (1.0, 0.0), "m of water equivalent": (WATER_DENSITY, 0.0)},
    "kg m-2 s-1": {
        "mm s-1": (1.0, 0.0),
        **dict.fromkeys(("mm h-1", "mm hr-1", "mm hour-1", "kg m-2 h-1", "kg m-2 hour-1"), (1.0 / _HOUR, 0.0)),
        **dict.fromkeys(("mm d-1", "mm day-1", "kg m-2 d-1", "kg m-2 day-1"), (1.0 / _DAY, 0.0)),
        **dict.fromkeys(("m s-1", "m of water equivalent s-1"), (WATER_DENSITY, 0.0)),
    },
}


def tidy(units: str) -> str:
    """One spelling of a unit: 'W/m**2' is 'W m-2'."""
    units = re.sub(r"\s+", " ", units.strip().replace("**", "").replace("^", ""))
    units = re.sub(r"/([A-Za-z]+)(\d*)", lambda m: f" {m.group(1)}-{m.group(2) or 1}", units).replace("  ", " ").strip()
    return _SAME.get(units, units)


def same_units(found: str, expected: str) -> bool:
    """Whether two spellings mean the same unit: 'W/m2' and 'W m-2', '-' and '1'."""
    return tidy(found) == tidy(expected)


def check_units(found: str | None, expected: str, what: str, path: Path) -> None:
    """Refuse a wrong unit.

    Raises
    ------
    ValueError
        ``found`` is neither absent nor a spelling of ``expected``.
    """
    if found is not None and not same_units(found, expected):
        raise ValueError(
            f"'{what}' in '{path}' has units '{found}'; '{expected}' is expected. "
            "Convert the values in the file, or correct its attribute if only that is wrong."
        )


def conversion(found: str | None, expected: str, what: str, path: Path) -> tuple[float, float]:
    """Factor and offset that change a unit to that of the table.

    Parameters
    ----------
    found : str or None
        Unit in the file; None is that of the table.
    expected : str
        Unit of the table.
    what, path : str, Path
        Variable and file, for messages.

    Raises
    ------
    ValueError
        There is no conversion.
    """
    known = CONVERSIONS.get(expected, {})
    if found is not None and (pair := known.get(tidy(found), known.get(found.strip()))) is not None:
        return pair
    check_units(found, expected, what, path)
    return 1.0, 0.0
