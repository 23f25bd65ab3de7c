# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Conversion of units to those of the table of variables, by the attribute of the file and never by the values.

:data:`CONVERSIONS` is used by every reader (6-hourly points, hourly ecLand files, GRIB, stations) and by the coupling.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from anemoi_ailand.constants import WATER_DENSITY, ZERO_CELSIUS
from anemoi_ailand.variables import variable

#: Factor and offset: a value in the unit of the table is ``factor * value + offset``.
Conversion = tuple[float, float]

#: Seconds of an hour and of a day [s].
HOUR, DAY = 3600.0, 86400.0

#: Molar mass of carbon dioxide [kg mol-1]. IUPAC standard atomic weights 2021 (12.011 + 2 x 15.999).
MOLAR_MASS_CO2 = 44.009e-3

#: Unit of the carbon fluxes, ``kg m-2 s-1`` in the table, which conversions of water must not reach.
CO2_FLUX = "kg m-2 s-1 of CO2"
_CARBON = ("gpp", "nee")

#: Unit of an amount over an interval, by the unit of its mean rate.
AMOUNTS = {"W m-2": "J m-2", "kg m-2 s-1": "kg m-2"}

_IDENTITY = (1.0, 0.0)
_CELSIUS = ("degC", "C", "°C", "Celsius", "celsius", "degree_Celsius", "degrees_Celsius", "degreesC")
_FAHRENHEIT = ("degF", "°F", "Fahrenheit", "fahrenheit", "degree_Fahrenheit", "degrees_Fahrenheit")
_PERCENT = {"%": (0.01, 0.0), "percent": (0.01, 0.0)}
_UMOL = ("umol m-2 s-1", "umolCO2 m-2 s-1", "umol CO2 m-2 s-1")

#: Conversions by unit of the table and unit of a file. Ambiguous units are left out: ``m`` of snow (depth or water
#: equivalent), ``J m-2`` (over an unknown time), ``%`` of humidity (relative or specific).
CONVERSIONS: dict[str, dict[str, Conversion]] = {
    "K": {
        **dict.fromkeys(_CELSIUS, (1.0, ZERO_CELSIUS)),
        **dict.fromkeys(_FAHRENHEIT, (5.0 / 9.0, ZERO_CELSIUS - 32.0 * 5.0 / 9.0)),
    },
    "Pa": {"hPa": (100.0, 0.0), "mbar": (100.0, 0.0), "kPa": (1000.0, 0.0)},
    "kg kg-1": {"g kg-1": (1.0e-3, 0.0)},
    "1": _PERCENT,
    "m3 m-3": _PERCENT,
    "kg m-2": {"mm": _IDENTITY, "m of water equivalent": (WATER_DENSITY, 0.0)},
    "kg m-2 s-1": {
        "mm s-1": _IDENTITY,
        **dict.fromkeys(("mm h-1", "kg m-2 h-1"), (1.0 / HOUR, 0.0)),
        **dict.fromkeys(("mm d-1", "kg m-2 d-1"), (1.0 / DAY, 0.0)),
        **dict.fromkeys(("m s-1", "m of water equivalent s-1"), (WATER_DENSITY, 0.0)),
    },
    CO2_FLUX: {
        **dict.fromkeys(("kg m-2 s-1", "kg CO2 m-2 s-1"), _IDENTITY),
        **dict.fromkeys(_UMOL, (1.0e-6 * MOLAR_MASS_CO2, 0.0)),
    },
}

_DIMENSIONLESS = (
    "", "-", "1", "~", "(0-1)", "0-1", "fraction", "Fraction", "Proportion", "Numeric", "dimensionless", "kgkg-1",
    "m3m-3", "m2m-2",
)  # fmt: skip


def tidy(units: str) -> str:
    """Return one spelling of a unit, without blanks: ``W/m**2`` becomes ``Wm-2``, ``mm/hour`` ``mmh-1``."""
    text = units.replace("**", "").replace("^", "").replace("µ", "u").replace("μ", "u")  # micro sign, Greek mu
    text = re.sub(r"/\s*\(([^)]*)\)", lambda m: "".join(f"/{t}" for t in re.findall(r"[A-Za-z]+\d*", m[1])), text)
    text = re.sub(r"\s+", "", text)
    text = re.sub(r"/([A-Za-z]+)(\d*)", lambda m: f"{m[1]}-{m[2] or 1}", text)
    text = re.sub(r"(hour|hr)(?=-1)", "h", text).replace("day-1", "d-1")
    return "1" if text in _DIMENSIONLESS else text


_TIDY = {unit: {tidy(k): pair for k, pair in rows.items()} for unit, rows in CONVERSIONS.items()}


def same_units(a: str, b: str) -> bool:
    """Return whether two spellings mean the same unit.

    >>> same_units("W/m2", "W m**-2"), same_units("-", "1"), same_units("K", "degC")
    (True, True, False)
    """
    return tidy(a) == tidy(b)


def table_units(name: str) -> str:
    """Return the unit that values of a variable are converted to; :data:`CO2_FLUX` for carbon fluxes."""
    return CO2_FLUX if name in _CARBON else variable(name).units


def known_units(expected: str, *, offsets: bool = True) -> list[str]:
    """Return all units that can be converted to ``expected``, itself included; without ``offsets`` by a factor only."""
    return sorted({expected, *(u for u, (_, offset) in CONVERSIONS.get(expected, {}).items() if offsets or not offset)})


def find_conversion(found: str, expected: str) -> Conversion | None:
    """Return factor and offset from ``found`` to ``expected``; None if there is no conversion."""
    if same_units(found, expected):
        return _IDENTITY
    return _TIDY.get(expected, {}).get(tidy(found))


def factor(found: str, expected: str) -> float | None:
    """Return the factor between units of a quantity whose meaning is known; None without one, or with an offset.

    An amount of water in ``m`` is then m of water equivalent, as in GRIB.
    """
    water = same_units(found, "m") and expected == "kg m-2"
    pair = find_conversion("m of water equivalent" if water else found, expected)
    return pair[0] if pair is not None and pair[1] == 0.0 else None


def conversion(found: str | None, expected: str, what: str, where: str | Path) -> Conversion:
    """Return factor and offset from the unit of a file (None: that of the table) to :func:`table_units`.

    ``what`` and ``where`` are variable and file, for the message if there is no conversion.

    >>> conversion("degC", "K", "Tair", "forcing.nc")
    (1.0, 273.15)
    """
    pair = _IDENTITY if found is None else find_conversion(found, expected)
    if pair is None:
        others = ", ".join(f"'{u}'" for u in known_units(expected) if u != expected)
        raise ValueError(
            f"'{what}' in '{where}' has units '{found}'; '{expected}' is expected"
            + (f" (or one of {others})" if others else "")
            + ". Convert the values in the file, or correct its attribute if only that is wrong."
        )
    return pair


def convert(values: np.ndarray, pair: Conversion) -> np.ndarray:
    """Apply a conversion; values that need none are returned as they are."""
    return values if pair == _IDENTITY else values * pair[0] + pair[1]


def check_units(found: str | None, expected: str, what: str, where: str | Path) -> None:
    """Refuse a unit that is neither None nor a spelling of ``expected``, where values are not converted."""
    if found is not None and not same_units(found, expected):
        raise ValueError(
            f"'{what}' in '{where}' has units '{found}'; '{expected}' is expected. "
            "Convert the values in the file, or correct its attribute if only that is wrong."
        )
