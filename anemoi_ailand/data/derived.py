# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Variables derived from others in an archive: parameters of types, monthly climatologies, snow cover, absent snow."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.physics.snow import snow_cover, where_no_snow
from anemoi_ailand.physics.soil_types import soil_parameters
from anemoi_ailand.physics.vegetation import heat_roughness, photosynthesis_parameters, vegetation_parameters
from anemoi_ailand.variables import HOURLY_RAIN

#: Names of the inputs, and a function of their arrays.
Rule = tuple[tuple[str, ...], Callable[..., np.ndarray]]

#: Variables that follow a monthly climatology, see :func:`~anemoi_ailand.physics.vegetation.climatology_of_day`, by
#: the name of the climatology in ecLand's files.
MONTHLY = {"lai_lv": "Mlail", "lai_hv": "Mlaih", "al": "Malbedo"}

#: Those among them with one value that may stand for all times: its seasons are much smaller than its spread in space.
ONE_SUFFICES = ("al",)


def _vegetation(kind: str, which: int) -> Rule:
    return (kind,), lambda types: vegetation_parameters(types)[which]


def _photosynthesis(kind: str, which: int) -> Rule:
    return (kind, "c4"), lambda types, c4: photosynthesis_parameters(types, c4)[which]


def _of_c3(kind: str, which: int) -> Rule:
    return (kind,), lambda types: photosynthesis_parameters(types, np.zeros(len(types)))[which]


def _soil(which: int) -> Rule:
    return ("slt",), lambda types: soil_parameters(types)[which]


def _early(step: np.ndarray, late: np.ndarray) -> np.ndarray:
    """Return the mean over the first half of a step, from those over the whole and over the last half."""
    return np.maximum(2.0 * step - late, 0.0)


#: Parameters of photosynthesis: type of vegetation, and position in the result of ``photosynthesis_parameters``.
PHOTOSYNTHESIS = {
    "veg_vcmax_lv": ("tvl", 0), "veg_vcmax_hv": ("tvh", 0), "veg_resp_lv": ("tvl", 1), "veg_resp_hv": ("tvh", 1),
}  # fmt: skip

#: Rules for variables that are not in the files.
ABSENT: dict[str, Rule] = {
    "snowc": (("sd", "rsn"), snow_cover),
    "veg_cov_lv": _vegetation("tvl", 0),
    "veg_cov_hv": _vegetation("tvh", 0),
    "veg_z0m_lv": _vegetation("tvl", 1),
    "veg_z0m_hv": _vegetation("tvh", 1),
    "veg_rsmin_lv": _vegetation("tvl", 2),
    "veg_rsmin_hv": _vegetation("tvh", 2),
    "veg_lz0h_hv": (("tvh",), heat_roughness),
    **{name: _photosynthesis(*of) for name, of in PHOTOSYNTHESIS.items()},
    "theta_cap": _soil(0),
    "theta_pwp": _soil(1),
    "theta_sat": _soil(2),
}

#: Rules for variables in the files: temperature and density of absent snow are set to their defaults.
HELD: dict[str, Rule] = {
    "tsn": (("sd", "tsn"), lambda sd, tsn: where_no_snow(sd, tsn, tsn)[0]),
    "rsn": (("sd", "rsn"), lambda sd, rsn: where_no_snow(sd, rsn, rsn)[1]),
}


#: Rules for hourly rain where precipitation is known for halves of the step only.
_HALVES: dict[str, Rule] = {
    name: (("avg_tprate", "late_tprate"), (lambda _, late: late) if hour >= STEP_HOURS // 2 else _early)
    for hour, name in enumerate(HOURLY_RAIN)
}


def rules(held: Iterable[str]) -> dict[str, Rule]:
    """Return the rules that apply if the files have the variables ``held``; without ``c4``, vegetation counts as C3."""
    held = set(held)
    known = ABSENT if "c4" in held else ABSENT | {name: _of_c3(*of) for name, of in PHOTOSYNTHESIS.items()}
    absent = {n: r for n, r in known.items() if n not in held and held.issuperset(r[0])}
    return absent | {n: r for n, r in HELD.items() if held.issuperset(r[0])}


def halves(held: Iterable[str]) -> dict[str, Rule]:
    """Return the rules of hourly rain that the files do not have, if they have that of the last half of the step."""
    held = set(held)
    return {n: rule for n, rule in _HALVES.items() if n not in held and held.issuperset(rule[0])}
