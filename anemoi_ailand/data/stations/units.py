# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Units of observations, turned into those of the table of variables."""

from __future__ import annotations

import re

import numpy as np

from anemoi_ailand.variables import VARIABLES

#: 0 degrees Celsius [K]. BIPM, The International System of Units, 9th edition.
CELSIUS = 273.15

#: Molar mass of carbon dioxide [kg mol-1]. IUPAC standard atomic weights 2021 (12.011 + 2 x 15.999).
MOLAR_MASS_CO2 = 44.009e-3

#: What stations measure and the table has no row for, as a sum of rows: net radiation is net short-wave plus net
#: long-wave.
SUMS: dict[str, tuple[str, ...]] = {"rnet": ("ssr", "str")}

#: Factor and offset by unit of the table and unit of a file, written without blanks, ``^`` and ``**``.
_KNOWN: dict[str, dict[str, tuple[float, float]]] = {
    "m3 m-3": {"m3m-3": (1.0, 0.0), "m3/m3": (1.0, 0.0), "%": (0.01, 0.0), "percent": (0.01, 0.0)},
    "K": {"K": (1.0, 0.0)} | dict.fromkeys(("degC", "C", "°C", "celsius", "degreesC"), (1.0, CELSIUS)),
    "W m-2": dict.fromkeys(("Wm-2", "W/m2"), (1.0, 0.0)),
    "kg m-2": dict.fromkeys(("kgm-2", "kg/m2", "mm"), (1.0, 0.0)),
    "kg m-2 s-1": dict.fromkeys(
        ("umol/m2/s", "umolm-2s-1", "umolCO2m-2s-1", "umolCO2/m2/s", "umol/(m2s)"), (1e-6 * MOLAR_MASS_CO2, 0.0)
    ),
}


def target_units(name: str) -> str:
    """Unit of the table for a variable, for all layers of a soil variable (``swvl``, ``stl``) or for a sum."""
    if name in SUMS:
        return VARIABLES[SUMS[name][0]].units
    return VARIABLES[name if name in VARIABLES else f"{name}1"].units


def converted(values: np.ndarray, units: str | None, name: str, where: str) -> np.ndarray:
    """Return ``values`` in the unit of the table for ``name``, float64.

    Raises
    ------
    ValueError
        The unit is missing or not known; the message names ``where`` it was found and those that are known.
    """
    known = _KNOWN[target_units(name)]
    compact = re.sub(r"\s|\^|\*\*", "", units or "").replace("µ", "u").replace("μ", "u")  # micro sign, Greek mu
    if compact not in known:
        said = f"'{units}'" if units else "not given"
        raise ValueError(
            f"The unit of '{name}' in {where} is {said}; known are {sorted(known)}. "
            "Convert the values, or correct the attribute 'units'."
        )
    factor, offset = known[compact]
    return np.asarray(values, dtype=np.float64) * factor + offset
