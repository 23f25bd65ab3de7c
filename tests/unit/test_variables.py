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
from anemoi_ailand.variables import _ROWS, END, START, VARIABLES, Role, Time, Variable, names, taken_at, variable

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


def rows_where(wrong: Callable[[Variable], bool]) -> list[str]:
    """Names of the rows for which ``wrong`` holds."""
    return [row.name for row in _ROWS if wrong(row)]


def test_names_are_usable() -> None:
    """The NetCDF name begins with a letter and needs no quoting; the long name is not empty."""
    assert rows_where(lambda r: not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", r.netcdf_name)) == []
    assert rows_where(lambda r: r.long_name != r.long_name.strip() or not r.long_name) == []


def test_units_are_units() -> None:
    """Units are in CF form and a library of units knows them."""
    assert rows_where(lambda r: not re.fullmatch(r"1|[A-Za-z]+(-?\d)?( [A-Za-z]+(-?\d)?)*", r.units)) == []
    assert rows_where(lambda r: parse(r.units) is None) == []


def test_bounds_are_ordered() -> None:
    """The lower bound is below the upper one; an open end is None."""
    assert rows_where(lambda r: None not in r.bounds and not r.bounds[0] < r.bounds[1]) == []


def test_role_fits_time() -> None:
    """Constants are static or a category; the state is instantaneous."""
    assert rows_where(lambda r: (r.role in (Role.STATIC, Role.CATEGORY)) != (r.time is Time.CONSTANT)) == []
    assert rows_where(lambda r: r.role is Role.PROGNOSTIC and r.time is not Time.INSTANT) == []


def test_prognostic_variables_are_complete() -> None:
    """The state is taken at the start of the step and has the scale of its increments; of the rest, only leaf area."""
    state = {row.name for row in _ROWS if row.role is Role.PROGNOSTIC} | {"lai_lv", "lai_hv"}
    assert rows_where(lambda r: r.name in state and r.taken != (START,)) == []
    assert rows_where(lambda r: r.name in state and not (r.increment_scale or 0.0) > 0.0) == []
    assert rows_where(lambda r: r.name not in state and r.increment_scale is not None) == []


def taken_as(row: Variable) -> bool:
    """Return whether the ends of the step at which a row is taken fit its role and time."""
    if row.name in CATEGORIES:
        return row.taken == (START,)
    if row.role in (Role.DIAGNOSTIC, Role.CATEGORY):
        return row.taken == ()
    if row.time in (Time.INTERVAL_MEAN, Time.LATE_MEAN):
        return row.taken == (END,)
    return bool(row.taken) and set(row.taken) <= {START, END}


def test_taken_fits_role_and_time() -> None:
    """A mean over the step is taken at its end; outputs and types are not taken, except the soil type."""
    assert rows_where(lambda r: not taken_as(r)) == []


def test_row_has_a_source() -> None:
    """Variables that Anemoi does not compute come from ecLand's own files; only marks of points do not."""
    assert rows_where(lambda r: r.computed and (r.native, r.reference, r.grib) != (None, None, None)) == []
    assert rows_where(lambda r: not r.computed and r.role is not Role.CATEGORY and not r.native) == []


def test_category_is_never_normalised() -> None:
    """A type is a name, not a number."""
    assert rows_where(lambda r: r.normalisation not in ("mean-std", "std", "max", "min-max", "none")) == []
    assert rows_where(lambda r: r.role is Role.CATEGORY and r.normalisation != "none") == []


def test_grib_and_reference_names_are_unique() -> None:
    """Two variables are never read from the same instantaneous GRIB parameter or reference variable."""
    for column in ("grib", "reference"):
        values = [getattr(row, column) for row in _ROWS if getattr(row, column)]
        assert sorted(values) == sorted(set(values)), column


def test_unknown_name_gives_near_ones() -> None:
    """The error names the nearest rows and the repair."""
    with pytest.raises(ValueError, match=r"'swvl5' is not in the table.*swvl\d.*add a row"):
        variable("swvl5")


def test_names_by_role_and_end_of_the_step() -> None:
    """Names by role keep the order of the table, those by end of the step the given order."""
    assert names(Role.PROGNOSTIC)[:2] == ["swvl1", "stl1"]
    assert sorted(names(*Role)) == sorted(VARIABLES)
    assert names(Role.FORCING, computed=True)[0] == "insolation"
    assert not set(names("forcing", computed=True)) & set(names("forcing", computed=False))
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
