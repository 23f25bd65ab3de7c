# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""GRIB parameters agree with ecCodes and the table of variables."""

from __future__ import annotations

from datetime import datetime

import eccodes
import numpy as np
import pytest

from anemoi_ailand.data.grib import parameters as grib_parameters
from anemoi_ailand.data.grib.grib_reader import GribReader
from anemoi_ailand.data.grib.parameters import PARAMETERS, Level, archive_param, factor, level_kind
from anemoi_ailand.variables import VARIABLES
from tests.support.grib import Archive, files, points, stamps

FIRST = datetime(2020, 4, 1)
DATES = stamps(FIRST, 5)


def test_table_and_parameters_agree() -> None:
    """Every variable with a GRIB name in the table is read from it; other parameters are known exceptions."""
    named = {n: v.grib for n, v in VARIABLES.items() if v.grib}
    assert {n for n, g in named.items() if g not in [p.short_name for p in PARAMETERS.get(n, ())]} == set()
    assert set(PARAMETERS) - set(named) == {"slw", "evap", "late_sdswrf", "late_tprate", "late_tsrwe"}


@pytest.mark.parametrize("edition", [1, 2])
def test_parameters_are_those_of_eccodes(edition: int) -> None:
    """Each paramId in the edition has our short name and known units."""
    for name, ways in PARAMETERS.items():
        for way in ways:
            handle = eccodes.codes_grib_new_from_samples("GRIB2" if edition == 2 else "regular_ll_sfc_grib1")
            try:
                if edition == 2:
                    eccodes.codes_set(handle, "tablesVersion", 33)
                eccodes.codes_set(handle, "paramId", way.param)
            except eccodes.CodesInternalError:
                assert edition == 1, f"{way.short_name} is not in GRIB2"
                continue
            assert eccodes.codes_get_string(handle, "shortName") == way.short_name
            assert grib_parameters.factor(name, way, eccodes.codes_get_string(handle, "units")) != 0.0
            eccodes.codes_release(handle)


def test_archive_has_the_same_unit() -> None:
    """A variable has a MARS parameter if and only if ECMWF's of the same name has the unit of the table."""
    given = {name for name in VARIABLES if archive_param(name)}
    ways = {name: next((w for w in PARAMETERS.get(name, ()) if w.short_name == name), None) for name in VARIABLES}
    same = set()
    for name, way in ways.items():
        if way is not None and not way.accumulated and Level.SURFACE in way.levels:
            message = eccodes.codes_grib_new_from_samples("GRIB2")
            eccodes.codes_set(message, "paramId", way.param)
            if factor(name, way, eccodes.codes_get(message, "units")) == 1.0:
                same.add(name)
            eccodes.codes_release(message)
    assert given == same
    assert given >= {"swvl1", "stl4", "asn", "2t", "avg_sdswrf", "slt"}
    assert not given & {"sd", "sshf", "slhf", "sro", "evap", "theta_cap", "avg_q", "t", "late_sdswrf", "point_id"}


def test_kinds_of_level() -> None:
    """Snow layers and pressure levels are neither surface nor soil; lakes count as surface."""
    expected = {
        "surface": Level.SURFACE, "heightAboveGround": Level.SURFACE, "soilLayer": Level.SOIL,
        "depthBelowLandLayer": Level.SOIL, "hybrid": Level.MODEL, "isobaricInhPa": Level.OTHER,
        "snowLayer": Level.OTHER, "entireLake": Level.SURFACE,
    }  # fmt: skip
    assert {level: level_kind(level) for level in expected} == expected


def test_values_are_in_units_of_the_table(empty: Archive) -> None:
    """Snow in kg m-2, cover and albedo in %, and the logarithm of pressure are converted."""
    for date in DATES:
        for param, value in ((228141, 30.0), (260038, 40.0), (228032, 70.0)):
            empty.field("snow.grib", points(empty, value), param, date, dataType="an")
        empty.field("lnsp.grib", points(empty, np.log(9.0e4)), 152, date, typeOfLevel="hybrid", level=1)
    found = GribReader(files(empty.folder)).read(["sd", "snowc", "asn", "sp"], DATES[1:2])[:, 0, 0]
    np.testing.assert_allclose(found, [30.0, 0.4, 0.7, 9.0e4], rtol=1e-5)


def test_unknown_units_are_refused() -> None:
    """The message gives the parameter and the known units."""
    with pytest.raises(ValueError, match=r"swvl1 \(paramId 39\).*'kg m\*\*-3'.*'m3 m-3'.*Correct"):
        grib_parameters.factor("swvl1", PARAMETERS["swvl1"][0], "kg m**-3")
