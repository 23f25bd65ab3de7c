# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The table is consistent with itself and with the words of the field."""

from __future__ import annotations

import re

import pint
import pytest

from anemoi_ailand.model.closed_land import CATEGORIES
from anemoi_ailand.variables import _ROWS, END, START, VARIABLES, Role, Time, Variable, names, taken_at, variable

ROWS = pytest.mark.parametrize("row", _ROWS, ids=lambda row: row.name)
UNITS = pint.UnitRegistry()

#: Units that variables of the same kind share, by ending of the long name or by name.
SAME_UNITS = {"K": "temperature", "Pa": "pressure", "W m-2": "radiation", "m3 m-3": "soil water"}


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


@ROWS
def test_names_are_usable(row: Variable) -> None:
    """The NetCDF name begins with a letter and needs no quoting."""
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", row.netcdf_name)
    assert row.long_name == row.long_name.strip() != ""


@ROWS
def test_units_are_units(row: Variable) -> None:
    """Units are in CF form and a library of units knows them."""
    assert re.fullmatch(r"1|[A-Za-z]+(-?\d)?( [A-Za-z]+(-?\d)?)*", row.units)
    assert parse(row.units) is not None


@ROWS
def test_units_fit_the_long_name(row: Variable) -> None:
    """What is called a temperature is in K, and so on."""
    for units, word in SAME_UNITS.items():
        if row.long_name.split(",")[0].endswith(word) and "mean over" not in row.long_name:
            assert parse(row.units).dimensionality == parse(units).dimensionality


@ROWS
def test_bounds_are_ordered(row: Variable) -> None:
    """The lower bound is below the upper one; an open end is None."""
    low, high = row.bounds
    assert low is None or high is None or low < high


@ROWS
def test_role_fits_time(row: Variable) -> None:
    """What does not change is static or a category; the state is instantaneous."""
    constant = row.role in (Role.STATIC, Role.CATEGORY)
    assert constant == (row.time is Time.CONSTANT)
    if row.role is Role.PROGNOSTIC:
        assert row.time is Time.INSTANT


@ROWS
def test_prognostic_has_what_the_model_needs(row: Variable) -> None:
    """The state is taken at the start of the step and has the scale of its increments; of the rest, only leaf area."""
    if row.role is Role.PROGNOSTIC or row.name in ("lai_lv", "lai_hv"):
        assert row.taken == (START,)
        assert row.increment_scale is not None
        assert row.increment_scale > 0
    else:
        assert row.increment_scale is None


@ROWS
def test_taken_fits_role_and_time(row: Variable) -> None:
    """A mean over the step carries the stamp of its end and is taken there only; outputs and types are not taken.

    The soil type is, by the closed step.
    """
    assert set(row.taken) <= {START, END}
    if row.name in CATEGORIES:
        assert row.taken == (START,)
    elif row.role in (Role.DIAGNOSTIC, Role.CATEGORY):
        assert row.taken == ()
    elif row.time in (Time.INTERVAL_MEAN, Time.LATE_MEAN):
        assert row.taken == (END,)
    else:
        assert row.taken


@ROWS
def test_row_has_a_source(row: Variable) -> None:
    """What Anemoi does not compute comes from ecLand's own files; only marks of points do not."""
    if row.computed:
        assert (row.native, row.reference, row.grib) == (None, None, None)
    elif row.role is not Role.CATEGORY:
        assert row.native


@ROWS
def test_category_is_never_normalised(row: Variable) -> None:
    """A type is a name, not a number."""
    assert row.normalisation in ("mean-std", "std", "max", "min-max", "none")
    if row.role is Role.CATEGORY:
        assert row.normalisation == "none"


@ROWS
def test_cell_methods_follow_the_time(row: Variable) -> None:
    """CF says point, mean or nothing."""
    expected = {Time.INSTANT: "time: point", Time.CONSTANT: None}.get(row.time, "time: mean")
    assert (row.cell_methods or "")[: len(expected or "")] == (expected or "")


def test_grib_and_reference_names_are_unique() -> None:
    """Two variables are never read from the same instantaneous GRIB parameter or reference variable."""
    for column in ("grib", "reference"):
        values = [getattr(row, column) for row in _ROWS if getattr(row, column)]
        assert sorted(values) == sorted(set(values)), column


def test_unknown_name_gives_near_ones() -> None:
    """The error names the nearest rows and the repair."""
    with pytest.raises(ValueError, match=r"'swvl5' is not in the table.*swvl\d.*add a row"):
        variable("swvl5")


def test_names_by_role_keep_the_order_of_the_table() -> None:
    """The four soil layers come first, and every variable has exactly one role."""
    assert names(Role.PROGNOSTIC)[:2] == ["swvl1", "stl1"]
    assert sorted(names(*Role)) == sorted(VARIABLES)
    assert names(Role.FORCING, computed=True)[0] == "insolation"
    assert not set(names("forcing", computed=True)) & set(names("forcing", computed=False))


def test_taken_at_keeps_the_given_order() -> None:
    """A temperature is taken at both ends, a mean at the end, a state at the start."""
    asked = ["avg_tprate", "t", "swvl1"]
    assert taken_at(START, asked) == ["t", "swvl1"]
    assert taken_at(END, asked) == ["avg_tprate", "t"]
