# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Rules that form each variable of the table from ecLand's files: file, name, sign, time semantics."""

from __future__ import annotations

from dataclasses import dataclass, replace

from anemoi_ailand.data.native.interval_means import Kind
from anemoi_ailand.variables import HOURLY_RAIN

#: Term of a sum: name in the file and factor.
Part = tuple[str, float]


@dataclass(frozen=True)
class Rule:
    """Sum of ``parts`` from files of one role, at the stamp (``hours`` 0) or as a mean over the hours before it.

    The mean ends ``before`` the stamp [h].
    """

    role: str
    parts: tuple[Part, ...]
    hours: int = 0
    kind: Kind = Kind.INSTANT
    level: int | None = None
    before: int = 0


def _state(name: str, level: int | None = None) -> Rule:
    return Rule("o_gg", ((name, 1.0),), level=level)


def _flux(role: str, *parts: Part) -> Rule:
    return Rule(role, parts, 6, Kind.MEAN)


def _forcing(hours: int, kind: Kind, *names: str) -> Rule:
    return Rule("forcing", tuple((n, 1.0) for n in names), hours, kind)


#: Rules of all variables that change in time, except those derived from others.
#:
#: Signs: ``Qle`` and ``Qh`` are negative upward, as in the table; ``Evap`` is too, unlike the table; ``CO2flux`` is
#: positive into the land, unlike the table. ``Qsb`` is -(total + surface runoff) by an error in ecLand's output; the
#: sub-surface runoff is -Qsb - 2 Qs, with which the water balance closes.
RULES: dict[str, Rule] = {
    **{f"swvl{k}": _state("SoilMoist", k - 1) for k in (1, 2, 3, 4)},
    **{f"stl{k}": _state("SoilTemp", k - 1) for k in (1, 2, 3, 4)},
    "sd": _state("SWE"),
    "rsn": _state("snowdens"),
    "tsn": _state("SnowT"),
    "asn": _state("SAlbedo"),
    "slw": _state("slw"),
    "src": _state("CanopInt"),
    "skt": _state("AvgSurfT"),
    "2t": Rule("o_d2m", (("T2m", 1.0),)),
    "2d": Rule("o_d2m", (("D2m", 1.0),)),
    "slhf": _flux("o_efl", ("Qle", 1.0)),
    "sshf": _flux("o_efl", ("Qh", 1.0)),
    "ssr": _flux("o_efl", ("SWnet", 1.0)),
    "str": _flux("o_efl", ("LWnet", 1.0)),
    "evap": _flux("o_wat", ("Evap", -1.0)),
    "sro": _flux("o_wat", ("Qs", 1.0)),
    "ssro": _flux("o_wat", ("Qsb", -1.0), ("Qs", -2.0)),
    "smlt": _flux("o_wat", ("Qsm", 1.0)),
    "gpp": _flux("o_co2", ("Ag", 1.0)),
    "nee": _flux("o_co2", ("CO2flux", -1.0)),
    "t": _forcing(0, Kind.INSTANT, "Tair"),
    "q": _forcing(0, Kind.INSTANT, "Qair"),
    "sp": _forcing(0, Kind.INSTANT, "PSurf"),
    "u": _forcing(0, Kind.INSTANT, "Wind_E"),
    "v": _forcing(0, Kind.INSTANT, "Wind_N"),
    "avg_t": _forcing(6, Kind.INSTANT, "Tair"),
    "avg_q": _forcing(6, Kind.INSTANT, "Qair"),
    "avg_sp": _forcing(6, Kind.INSTANT, "PSurf"),
    "avg_u": _forcing(6, Kind.INSTANT, "Wind_E"),
    "avg_v": _forcing(6, Kind.INSTANT, "Wind_N"),
    "avg_sdswrf": _forcing(6, Kind.MEAN, "SWdown"),
    "avg_sdlwrf": _forcing(6, Kind.MEAN, "LWdown"),
    "avg_tprate": _forcing(6, Kind.MEAN, "Rainf", "Snowf"),
    "avg_tsrwe": _forcing(6, Kind.MEAN, "Snowf"),
    "late_sdswrf": _forcing(3, Kind.MEAN, "SWdown"),
    "late_tprate": _forcing(3, Kind.MEAN, "Rainf", "Snowf"),
    "late_tsrwe": _forcing(3, Kind.MEAN, "Snowf"),
    **{
        name: replace(_forcing(1, Kind.MEAN, "Rainf", "Snowf"), before=before)
        for before, name in enumerate(reversed(HOURLY_RAIN))
    },
}

#: Constants in ``surfclim``, by name in the table.
CLIMATE = {
    "lsm": "landsea", "z": "geopot", "sdor": "sdor", "cl": "CLAKE", "dl": "LDEPTH", "cur": "cu", "cvl": "cvl",
    "cvh": "cvh", "tvl": "tvl", "tvh": "tvh", "slt": "sotype",
}  # fmt: skip

#: Constants of the soil: name in ``o_fix``; without this file they follow from the soil type.
SOIL = {"theta_cap": "SoilFC", "theta_pwp": "SoilWilt", "theta_sat": "SoilSat"}

#: Wrong units attributes of ecLand, by variable; the values are right.
WRONG_UNITS = {"Qsm": {"kg m-2 s*1"}, "geopot": {"m2/m", "m2 m-2"}, "LDEPTH": {"-"}}
