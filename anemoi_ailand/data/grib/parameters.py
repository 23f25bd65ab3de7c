# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""GRIB parameters of the variables of the table, and factors between their units.

A parameter is identified by its ``paramId`` in the ECMWF parameter database (https://codes.ecmwf.int/grib/param-db),
which is the same in GRIB1 and GRIB2. Of several parameters of a variable, the first one in the files is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from anemoi_ailand.support.units import AMOUNTS, known_units
from anemoi_ailand.support.units import factor as units_factor
from anemoi_ailand.variables import HOURLY_RAIN, Time, variable


class Level(IntEnum):
    """Kind of level, by ``typeOfLevel``."""

    SURFACE = 0
    SOIL = 1
    MODEL = 2
    OTHER = 3


#: Kind of level by ``typeOfLevel``; all others, except those in `_NEVER`, count as surface.
LEVELS = {
    "soilLayer": Level.SOIL,
    "soil": Level.SOIL,
    "depthBelowLandLayer": Level.SOIL,
    "depthBelowLand": Level.SOIL,
    "hybrid": Level.MODEL,
    "hybridLayer": Level.MODEL,
}

#: ``typeOfLevel`` of fields that share a parameter with a variable of the table and are other quantities.
_NEVER = ("isobaric", "theta", "potentialVorticity", "snow", "ice", "seaIce", "oceanLayer", "heightAboveSea", "lake")


def level_kind(type_of_level: str) -> Level:
    """Return the kind of level of a ``typeOfLevel``."""
    if type_of_level in LEVELS:
        return LEVELS[type_of_level]
    return Level.OTHER if type_of_level.startswith(_NEVER) else Level.SURFACE


@dataclass(frozen=True)
class Parameter:
    """GRIB parameter that gives a variable: an amount or a mean over an interval, or an instant."""

    param: int
    short_name: str
    levels: tuple[Level, ...] = (Level.SURFACE,)  #: kinds of level on which the parameter is the variable
    layer: int | None = None  #: soil layer, if it is given by the level and not by the parameter
    sign: int = 1  #: -1 if GRIB has the opposite sign of the table
    accumulated: bool = False
    mean: bool = False
    logarithm: bool = False  #: the field is the natural logarithm of the variable

    @property
    def interval(self) -> bool:
        """True if a value belongs to an interval and not to an instant."""
        return self.accumulated or self.mean


def _amount(param: int, name: str, sign: int = 1) -> Parameter:
    return Parameter(param, name, sign=sign, accumulated=True)


def _rate(param: int, name: str) -> Parameter:
    return Parameter(param, name, mean=True)


def _soil(layer: int, moisture: int, temperature: int) -> dict[str, tuple[Parameter, ...]]:
    either = (Level.SURFACE, Level.SOIL)
    return {
        f"swvl{layer}": (
            Parameter(moisture, f"swvl{layer}", either),
            Parameter(260199, "vsw", (Level.SOIL,), layer),
        ),
        f"stl{layer}": (
            Parameter(temperature, f"stl{layer}", either),
            Parameter(260360, "sot", (Level.SOIL,), layer),
        ),
    }


def _surface(**ids: int) -> dict[str, tuple[Parameter, ...]]:
    return {name: (Parameter(param, name),) for name, param in ids.items()}


_ML = (Level.MODEL,)
_SOLAR = (_amount(169, "ssrd"), _rate(235035, "avg_sdswrf"))
_RAIN = (_amount(228, "tp"), _amount(228228, "tp"), _rate(235055, "avg_tprate"))
_SNOWFALL = (_amount(144, "sf"), _amount(228144, "sf"), _rate(235031, "avg_tsrwe"))

#: Parameters of a variable of the table, best first.
PARAMETERS: dict[str, tuple[Parameter, ...]] = {
    **_soil(1, 39, 139),
    **_soil(2, 40, 170),
    **_soil(3, 41, 183),
    **_soil(4, 42, 236),
    "snowc": (Parameter(260038, "snowc"),),
    "sd": (Parameter(141, "sd"), Parameter(228141, "sd")),
    "rsn": (Parameter(33, "rsn"),),
    "tsn": (Parameter(238, "tsn"),),
    "asn": (Parameter(32, "asn"), Parameter(228032, "asn")),
    "slw": (Parameter(228038, "lwcs"),),
    **_surface(src=198),
    **{"2t": (Parameter(167, "2t"),), "2d": (Parameter(168, "2d"),), "skt": (Parameter(235, "skt"),)},
    "slhf": (_amount(147, "slhf"), _rate(235034, "avg_slhtf")),
    "sshf": (_amount(146, "sshf"), _rate(235033, "avg_ishf")),
    "ssr": (_amount(176, "ssr"), _rate(235037, "avg_snswrf")),
    "str": (_amount(177, "str"), _rate(235038, "avg_snlwrf")),
    "evap": (_amount(182, "e", sign=-1),),
    "sro": (_amount(8, "sro"), _amount(231010, "surfro"), _rate(235020, "avg_surfror")),
    "ssro": (_amount(9, "ssro"), _amount(231012, "ssurfro"), _rate(235021, "avg_ssurfror")),
    "smlt": (_amount(45, "smlt"), _rate(235024, "avg_smr")),
    "t": (Parameter(130, "t", _ML),),
    "q": (Parameter(133, "q", _ML),),
    "sp": (Parameter(134, "sp"), Parameter(152, "lnsp", (Level.MODEL, Level.SURFACE), logarithm=True)),
    "u": (Parameter(131, "u", _ML),),
    "v": (Parameter(132, "v", _ML),),
    "avg_sdswrf": _SOLAR,
    "avg_sdlwrf": (_amount(175, "strd"), _rate(235036, "avg_sdlwrf")),
    "avg_tprate": _RAIN,
    "avg_tsrwe": _SNOWFALL,
    "late_sdswrf": _SOLAR,
    "late_tprate": _RAIN,
    "late_tsrwe": _SNOWFALL,
    **dict.fromkeys(HOURLY_RAIN, _RAIN),
    **_surface(lai_lv=66, lai_hv=67, al=174),
    **_surface(lsm=172, z=129, sdor=160, cl=26, dl=228007, cur=229001, cvl=27, cvh=28, tvl=29, tvh=30, slt=43),
}

#: Variables whose parameter of the same name has another unit in ECMWF's archive: %, m of water equivalent.
_OTHER_UNITS = frozenset({"snowc", "sd", "src"})

#: Interval means formed from instants: name of the mean and of the instant.
MEANS_OF_INSTANTS = {f"avg_{name}": name for name in ("t", "q", "sp", "u", "v")}

#: Amounts that never decrease during a forecast.
NEVER_DECREASING = frozenset({8, 9, 45, 144, 169, 175, 176, 228, 228144, 228228, 231010, 231012})

#: All parameters that are read.
KNOWN_PARAMS = frozenset(p.param for ways in PARAMETERS.values() for p in ways)

#: Types of vegetation and soil are numbers of a code table.
_CATEGORIES = frozenset({"tvl", "tvh", "slt"})


def archive_param(name: str) -> str | None:
    """Return the MARS ``param`` of a variable at the surface; None if ECMWF has none with this meaning and unit.

    A flux has one only as a mean over the step (``avg_sdswrf``): ``sshf`` is an amount in the archive, and a flux here.
    """
    row = variable(name)
    if name in _OTHER_UNITS or row.time in (Time.LATE_MEAN, Time.HOUR_MEAN):
        return None
    for way in PARAMETERS.get(name, ()):
        same = way.short_name == name and way.mean == (row.time is Time.INTERVAL_MEAN) and way.sign == 1
        if same and not way.accumulated and Level.SURFACE in way.levels:
            return name
    return None


def factor(name: str, way: Parameter, units: str) -> float:
    """Return the factor from the units of a GRIB field to those of the table (of an amount, times s), with the sign."""
    if name in _CATEGORIES:
        return 1.0
    wanted = variable(name).units
    wanted = AMOUNTS[wanted] if way.accumulated else "1" if way.logarithm else wanted
    scale = units_factor(units, wanted)
    if scale is None:
        raise ValueError(
            f"GRIB parameter {way.short_name} (paramId {way.param}) for '{name}' is in '{units}'; known units are "
            f"{known_units(wanted, offsets=False)}. Correct the parameter in the files, or leave the variable out."
        )
    return way.sign * scale
