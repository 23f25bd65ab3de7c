# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Variables derived from others in an archive: parameters of types, snow cover, state of absent snow."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from anemoi_ailand.physics.snow import snow_cover, where_no_snow
from anemoi_ailand.physics.soil_types import soil_parameters
from anemoi_ailand.physics.vegetation import vegetation_parameters

#: Names of the inputs, and a function of their arrays.
Rule = tuple[tuple[str, ...], Callable[..., np.ndarray]]


def _vegetation(kind: str, which: int) -> Rule:
    return (kind,), lambda types: vegetation_parameters(types)[which]


def _soil(which: int) -> Rule:
    return ("slt",), lambda types: soil_parameters(types)[which]


#: Rules for variables that are not in the files.
ABSENT: dict[str, Rule] = {
    "snowc": (("sd", "rsn"), snow_cover),
    "veg_cov_lv": _vegetation("tvl", 0),
    "veg_cov_hv": _vegetation("tvh", 0),
    "veg_z0m_lv": _vegetation("tvl", 1),
    "veg_z0m_hv": _vegetation("tvh", 1),
    "veg_rsmin_lv": _vegetation("tvl", 2),
    "veg_rsmin_hv": _vegetation("tvh", 2),
    "theta_cap": _soil(0),
    "theta_pwp": _soil(1),
    "theta_sat": _soil(2),
}

#: Rules for variables in the files: temperature and density of absent snow are set to their defaults.
HELD: dict[str, Rule] = {
    "tsn": (("sd", "tsn"), lambda sd, tsn: where_no_snow(sd, tsn, tsn)[0]),
    "rsn": (("sd", "rsn"), lambda sd, rsn: where_no_snow(sd, rsn, rsn)[1]),
}


def rules(held: Iterable[str]) -> dict[str, Rule]:
    """Return the rules that apply if the files have the variables ``held``."""
    held = set(held)
    absent = {n: r for n, r in ABSENT.items() if n not in held and held.issuperset(r[0])}
    return absent | {n: r for n, r in HELD.items() if held.issuperset(r[0])}
