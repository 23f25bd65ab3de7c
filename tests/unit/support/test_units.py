# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Units are converted by the attribute of a file, alike in every reader, or refused."""

from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from anemoi_ailand.data.grib.static import read_static
from anemoi_ailand.data.native.native_reader import NativeReader
from anemoi_ailand.data.native.native_variables import CLIMATE, RULES
from anemoi_ailand.data.points.point_reader import PointReader
from anemoi_ailand.data.stations.station import converted
from anemoi_ailand.support.units import (
    CO2_FLUX,
    CONVERSIONS,
    check_units,
    conversion,
    factor,
    known_units,
    same_units,
    table_units,
)
from anemoi_ailand.variables import VARIABLES, Time
from tests.support.files import stamps, write_land

#: Variable, spelling in a file, value there and in the unit of the table.
CONVERTED = [
    *(("t", units, 53.6, 285.15) for units in ("degF", "°F", "Fahrenheit", "degrees_Fahrenheit")),
    *(("t", units, 12.0, 285.15) for units in ("degC", "C", "°C", "Celsius", "degree_Celsius", "degrees_Celsius")),
    ("t", "K", 285.0, 285.0),
    *(("avg_sp", units, 1013.0, 101300.0) for units in ("hPa", "mbar")),
    ("avg_sp", "kPa", 101.3, 101300.0),
    *(("q", units, 8.0, 0.008) for units in ("g/kg", "g kg-1", "g kg**-1")),
    ("q", "kg/kg", 0.008, 0.008),
    ("q", "1", 0.008, 0.008),
    ("asn", "%", 40.0, 0.4),
    ("asn", "-", 0.4, 0.4),
    *(("swvl1", units, 25.0, 0.25) for units in ("%", "percent")),
    *(("swvl1", units, 0.25, 0.25) for units in ("m3 m-3", "m3/m3", "m**3 m**-3")),
    *(("sd", units, 30.0, 30.0) for units in ("mm", "kg m-2", "kg/m2")),
    ("sd", "m of water equivalent", 0.03, 30.0),
    *(("avg_tsrwe", units, 86.4, 1.0e-3) for units in ("mm/day", "mm d-1", "mm day**-1", "kg m-2 d-1", "kg/m2/day")),
    *(("avg_tsrwe", units, 3.6, 1.0e-3) for units in ("mm h-1", "mm/h", "mm h**-1", "mm/hr", "mm hour-1", "kg/m2/h")),
    *(("avg_tsrwe", units, 1e-3, 1e-3) for units in ("mm s-1", "mm/s", "kg m-2 s-1", "kg/m2/s", "kg/(m2 s)")),
    ("avg_tsrwe", "m s-1", 1e-6, 1e-3),
    *(("slhf", units, 90.0, 90.0) for units in ("W/m2", "W m-2", "W m**-2", "Wm-2")),
    *(("gpp", units, 10.0, 4.4009e-7) for units in ("umol/m2/s", "µmol m-2 s-1", "umolCO2 m-2 s-1", "umol/(m2 s)")),
    ("gpp", "kg CO2/m2/s", 1e-7, 1e-7),
]  # fmt: skip

#: Variable and unit that can mean two things, or the wrong one.
REFUSED = [
    ("sd", "m"), ("avg_sdswrf", "J m-2"), ("avg_tsrwe", "mm"), ("q", "%"), ("t", "F"), ("gpp", "mm s-1"),
    ("gpp", "g C m-2 s-1"), ("avg_tsrwe", "umol m-2 s-1"),
]  # fmt: skip


def by_points(folder: Path, name: str, units: str, value: float) -> np.ndarray:
    """Read one value from the 6-hourly layout; the next value is missing."""
    values = np.full((3, 2), value)
    values[1, 1] = np.nan
    path = write_land(folder / "points.nc", {name: values}, stamps(3), {name: units})
    found = PointReader([path]).read([name], stamps(3))[0]
    assert np.isnan(found[1, 1])
    return np.delete(found.ravel(), 3)


def by_native(folder: Path, name: str, units: str, value: float) -> np.ndarray:
    """Read one value from an hourly file as ecLand reads or writes it."""
    rule = RULES[name]
    (part, sign), *_ = rule.parts
    path = folder / "native.nc"
    with netCDF4.Dataset(path, "w") as ds:
        for dimension, size in (("time", 13), ("nlevs", 4), ("x", 1)):
            ds.createDimension(dimension, size)
        time = ds.createVariable("time", "f8", ("time",))
        time.units, time[:] = "hours since 2020-01-01 00:00:00", np.arange(13)
        for axis in ("lat", "lon"):
            ds.createVariable(axis, "f8", ("x",))[:] = 0.0
        if rule.role != "forcing":
            ds.createVariable("timestp", "i4", ("time",))[:] = 0
        marker = {"forcing": ("Tair", "K"), "o_gg": ("SoilMoist", "m3 m-3")}.get(rule.role, (part, units))
        for variable, unit in {marker[0]: marker[1], part: units}.items():
            out = ds.createVariable(
                variable, "f8", ("time", "nlevs", "x") if variable == "SoilMoist" else ("time", "x")
            )
            out.units, out[:] = unit, sign * value
    reader = NativeReader([path])
    return reader.read([name], [reader.coverage.last])[0, 0]


def by_stations(folder: Path, name: str, units: str, value: float) -> np.ndarray:
    """Convert a measured value."""
    return converted(np.array([value]), units, name, "here")


READERS: dict[str, Callable[[Path, str, str, float], np.ndarray]] = {
    "6-hourly": by_points, "hourly": by_native, "stations": by_stations,
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
def test_every_spelling_is_converted_in_every_reader(tmp_path: Path, reader: str) -> None:
    """All values arrive in the unit of the table."""
    offenders = []
    for i, (name, units, value, expected) in enumerate(CONVERTED):
        folder = tmp_path / str(i)
        folder.mkdir()
        try:
            found = READERS[reader](folder, name, units, value)
        except ValueError as error:
            offenders.append((name, units, str(error)))
        else:
            if not np.allclose(found, expected, rtol=1e-6, atol=0.0):
                offenders.append((name, units, found.tolist()))
    assert offenders == []


@pytest.mark.parametrize("reader", READERS)
def test_ambiguous_units_are_refused_in_every_reader(tmp_path: Path, reader: str) -> None:
    """Depth or water of snow, an amount over an unknown time, relative or specific humidity, carbon or its dioxide."""
    offenders = []
    for i, (name, units) in enumerate(REFUSED):
        folder = tmp_path / str(i)
        folder.mkdir()
        try:
            offenders.append((name, units, READERS[reader](folder, name, units, 1.0).tolist()))
        except ValueError as error:
            if f"has units '{units}'" not in str(error) or table_units(name) not in str(error):
                offenders.append((name, units, str(error)))
    assert offenders == []


def test_hourly_soil_water_is_an_amount_in_its_layer_or_a_fraction(tmp_path: Path) -> None:
    """7 cm of soil with 17.5 kg m-2 hold 0.25 m3 m-3; the 6-hourly layout has no layers and refuses it."""
    for units in ("kg m-2", "mm"):
        assert by_native(tmp_path, "swvl1", units, 17.5) == pytest.approx(0.25)
        with pytest.raises(ValueError, match=f"'swvl1' in .* has units '{units}'; 'm3 m-3' is expected"):
            by_points(tmp_path, "swvl1", units, 17.5)


@pytest.mark.parametrize("units", [None, "", "kg/m2/s"])
def test_measured_carbon_flux_needs_units(units: str | None) -> None:
    """A mass of carbon is not taken for a mass of carbon dioxide."""
    with pytest.raises(ValueError, match=r"'nee' in 'site\.nc' has units '.*', which do not determine .*umol m-2 s-1"):
        converted(np.zeros(1), units, "nee", "site.nc")


def test_constants_are_converted(tmp_path: Path) -> None:
    """Static NetCDF of a GRIB archive with cover in percent."""
    path = write_land(tmp_path / "a.nc", {"cvl": np.array([40.0, 100.0])}, stamps(1), {"cvl": "%"})
    np.testing.assert_allclose(read_static([path]).fields["cvl"], [0.4, 1.0], rtol=1e-6)
    assert {VARIABLES[n].time for n in CLIMATE} == {Time.CONSTANT}


def test_conversions_lead_to_units_of_the_table() -> None:
    """The unit of the table, and a missing attribute, leave values as they are."""
    assert set(CONVERSIONS) - {CO2_FLUX} <= {v.units for v in VARIABLES.values()}
    for units in CONVERSIONS:
        assert conversion(units, units, "x", Path("a.nc")) == conversion(None, units, "x", "a.nc") == (1.0, 0.0)
        assert units in known_units(units)


def test_factor_of_a_quantity_whose_meaning_is_known() -> None:
    """``m`` of water is then water equivalent; a conversion with an offset has no factor."""
    assert (factor("m", "kg m-2"), factor("%", "1"), factor("hPa", "Pa")) == (1000.0, 0.01, 100.0)
    assert factor("degC", "K") is None and "degC" not in known_units("K", offsets=False)
    assert factor("m", "kg m-2 s-1") is None


def test_spellings_of_one_unit() -> None:
    """As ecLand, ecCodes and others write them; other units stay different."""
    same = [("W/m2", "W m-2"), ("kg/m2/s", "kg m-2 s-1"), ("-", "1"), ("W m**-2", "W m-2"), ("m3/m3", "m3 m-3"),
            ("(0 - 1)", "1"), ("~", "1"), ("mm/hour", "mm h-1")]  # fmt: skip
    other = [("K", "degC"), ("kg m-2", "m"), ("W m-2", "J m-2"), ("%", "1"), ("m s-1", "m s-2"), ("m", "mm")]
    assert [pair for pair in same if not same_units(*pair)] == []
    assert [pair for pair in other if same_units(*pair)] == []


def test_unit_of_unconverted_values_is_checked() -> None:
    """Spellings pass, other units do not."""
    check_units("W m**-2", "W m-2", "x", "a.nc")
    check_units(None, "K", "x", "a.nc")
    with pytest.raises(ValueError, match=r"'x' in 'a\.nc' has units 'degC'; 'K' is expected"):
        check_units("degC", "K", "x", "a.nc")
