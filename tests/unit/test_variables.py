# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The table of variables and the constants are consistent with themselves and with the words of the field."""

import re
from collections.abc import Callable
from pathlib import Path

import pint
import pytest

from anemoi_ailand import constants
from anemoi_ailand.model.closed_land import CATEGORIES
from anemoi_ailand.variables import (
    _ROWS,
    END,
    START,
    VARIABLES,
    Role,
    Time,
    Variable,
    match_name,
    names,
    taken_at,
    variable,
)

UNITS = pint.UnitRegistry()


def parse(units: str) -> pint.Unit:
    """Parse units in CF form: ``kg m-2 s-1`` is kg * m**-2 * s**-1."""
    if units == "1":
        return UNITS.dimensionless
    return UNITS.parse_units(re.sub(r"([A-Za-z])(-?\d+)", r"\1**\2", units).replace(" ", "*"))


def test_names_are_unique() -> None:
    """No row is hidden by another of the same name, in the dataset or in NetCDF."""
    assert len(VARIABLES) == len(_ROWS)
    netcdf = [row.netcdf_name for row in _ROWS]
    assert len(set(netcdf)) == len(netcdf)


#: Variables with a scale of their increments: the state, and leaf area, which may be state.
STATE = {row.name for row in _ROWS if row.role is Role.PROGNOSTIC} | {"lai_lv", "lai_hv"}
#: Rules that every row follows.
RULES: dict[str, Callable[[Variable], object]] = {
    "the NetCDF name needs no quoting": lambda r: re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", r.netcdf_name),
    "the long name is not empty": lambda r: r.long_name and r.long_name == r.long_name.strip(),
    "units are in CF form": lambda r: re.fullmatch(r"1|[A-Za-z]+(-?\d)?( [A-Za-z]+(-?\d)?)*", r.units),
    "a library of units knows them": lambda r: parse(r.units) is not None,
    "the lower bound is below the upper one": lambda r: None in r.bounds or r.bounds[0] < r.bounds[1],
    "constants are static or a category": lambda r: (
        (r.role in (Role.STATIC, Role.CATEGORY)) == (r.time is Time.CONSTANT)
    ),
    "the state is instantaneous": lambda r: r.role is not Role.PROGNOSTIC or r.time is Time.INSTANT,
    "the state is taken at the start of the step": lambda r: r.name not in STATE or r.taken == (START,),
    "the state has a scale of increments": lambda r: r.name not in STATE or (r.increment_scale or 0.0) > 0.0,
    "other variables have no scale of increments": lambda r: r.name in STATE or r.increment_scale is None,
    "the ends at which it is taken fit role and time": lambda r: taken_as(r),
    "what Anemoi computes has no source": lambda r: not r.computed or (r.native, r.reference, r.grib) == (None,) * 3,
    "all else but marks of points is in ecLand's files": lambda r: r.computed or r.role is Role.CATEGORY or r.native,
    "the normalisation is known": lambda r: r.normalisation in ("mean-std", "std", "max", "min-max", "none"),
    "a type is never normalised": lambda r: r.role is not Role.CATEGORY or r.normalisation == "none",
}


@pytest.mark.parametrize("rule", RULES)
def test_rows_follow_the_rules(rule: str) -> None:
    """Each rule holds for every row."""
    assert [row.name for row in _ROWS if not RULES[rule](row)] == []


def taken_as(row: Variable) -> bool:
    """Return whether a mean over the step is taken at its end, and outputs and types (but soil) are not taken."""
    if row.name in CATEGORIES:
        return row.taken == (START,)
    if row.role in (Role.DIAGNOSTIC, Role.CATEGORY):
        return row.taken == ()
    if row.time in (Time.INTERVAL_MEAN, Time.LATE_MEAN):
        return row.taken == (END,)
    return bool(row.taken) and set(row.taken) <= {START, END}


def test_grib_and_reference_names_are_unique() -> None:
    """Two variables are never read from the same instantaneous GRIB parameter or reference variable."""
    for column in ("grib", "reference"):
        values = [getattr(row, column) for row in _ROWS if getattr(row, column)]
        assert sorted(values) == sorted(set(values)), column


def test_netcdf_names_are_found() -> None:
    """A row is found by its name in NetCDF, which is not a name of the table."""
    assert VARIABLES["t2m"] is variable("t2m") is VARIABLES["2t"]
    assert "t2m" not in VARIABLES
    assert match_name("t2m", ["swvl1", "2t"], "x") == match_name("2t", ["2t"], "x") == "2t"


def test_table_prints_itself() -> None:
    """A line or a row for each variable."""
    assert len(repr(VARIABLES).splitlines()) == len(VARIABLES) == VARIABLES._repr_html_().count("<tr>") - 1
    assert "<td>t2m</td><td>2 metre temperature</td><td>K</td>" in VARIABLES._repr_html_()


def test_unknown_name_gives_near_ones() -> None:
    """The error names the nearest rows and the repair."""
    with pytest.raises(KeyError, match=r"no variable 'swvl9' in the table of variables. Nearest: .'swvl4'"):
        VARIABLES["swvl9"]
    with pytest.raises(ValueError, match=r"no variable 't2m' in the state. Available: ..swvl1., .stl1."):
        match_name("t2m", ["swvl1", "stl1"], "the state")
    with pytest.raises(ValueError, match=r"'swvl5' is not in the table.*swvl\d.*add a row"):
        variable("swvl5")


def test_names_by_role_and_end_of_the_step() -> None:
    """Names by role keep the order of the table, those by end of the step the given order."""
    assert names(Role.PROGNOSTIC)[:2] == ["swvl1", "stl1"]
    assert sorted(names(*Role)) == sorted(VARIABLES)
    assert names(Role.FORCING, computed=True)[0] == "insolation"
    assert not set(names("forcing", computed=True)) & set(names("forcing", computed=False))
    with pytest.raises(ValueError, match=r"no role \['prognostc'\]. Available: \['forcing'"):
        names("prognostc")
    assert taken_at(START, ["avg_tprate", "t", "swvl1"]) == ["t", "swvl1"]
    assert taken_at(END, ["avg_tprate", "t", "swvl1"]) == ["avg_tprate", "t"]


NAMES = [name for name, value in vars(constants).items() if name.isupper() and not isinstance(value, str)]


def test_constants_are_described_with_their_unit() -> None:
    """The comment above each constant says what it is and gives the unit in brackets."""
    text = Path(constants.__file__).read_text(encoding="utf-8")
    comment = r"#: [^\n]*\[[^\]\n]+\][^\n]*\n(#: [^\n]*\n)*"
    assert [name for name in NAMES if not re.search(rf"{comment}{name} = ", text)] == []


def test_soil_is_2_89_m_deep() -> None:
    """The four layers of the ECMWF soil reach down to 2.89 m."""
    assert sum(constants.SOIL_LAYER_THICKNESS) == pytest.approx(2.89)
