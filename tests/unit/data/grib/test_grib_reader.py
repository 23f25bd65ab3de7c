# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reader of GRIB archives; parameters agree with ecCodes and the table of variables."""

from datetime import datetime, timedelta
from pathlib import Path

import eccodes
import numpy as np
import pytest

from anemoi_ailand.data.grib import parameters as grib_parameters
from anemoi_ailand.data.grib.decode import Decoder
from anemoi_ailand.data.grib.grib_reader import GribReader
from anemoi_ailand.data.grib.index import scan
from anemoi_ailand.data.grib.parameters import PARAMETERS, Level, level_kind
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import Reader
from anemoi_ailand.variables import VARIABLES
from tests.support.files import ramp, write_land
from tests.support.grib import (
    AMOUNTS,
    CONSTANTS,
    MODEL_LEVEL,
    STATE,
    Archive,
    Grid,
    close,
    files,
    points,
    refuse,
    stamps,
)

FIRST = datetime(2020, 4, 1)
DATES = stamps(FIRST, 5)
#: Snow density and temperature are tested where there is snow.
STATES = [n for n in STATE if n not in ("rsn", "tsn")]


@pytest.mark.parametrize("written", [None, (1, "parameters"), (2, "levels")])
def test_archive_gives_the_sample(
    tmp_path: Path, folder: Path, ecland: Reader, written: tuple[int, str] | None
) -> None:
    """States, fluxes, forcing and constants equal the sample to the precision of packing; GRIB1 has no soil levels."""
    if written is not None:
        edition, soil = written
        folder = tmp_path
        Archive(folder, Grid("regular", len(ecland.point_id)), edition).write(ecland, DATES, soil)
    reader = open_reader(str(folder))
    names = [*STATES, *MODEL_LEVEL, *AMOUNTS, "late_sdswrf", "late_tprate", "late_tsrwe", *CONSTANTS]
    assert (reader.coverage.first, reader.coverage.last) == (DATES[1], DATES[-1])
    close(reader.read(names, DATES[1:]), ecland.read(names, DATES[1:]))
    derived = [n for n in ecland.variables if n.startswith(("veg_", "theta_"))]  # from types of vegetation and soil
    assert len(derived) == 9
    np.testing.assert_allclose(reader.read(derived, DATES[1:2]), ecland.read(derived, DATES[1:2]), rtol=1e-5)


def test_state_of_snow(folder: Path, ecland: Reader) -> None:
    """With snow its density, temperature and cover are those of the sample; without snow, ecLand's constants."""
    found = GribReader(files(folder)).read(["sd", "rsn", "tsn", "snowc"], DATES[1:])
    expected = ecland.read(["sd", "rsn", "tsn", "snowc"], DATES[1:])
    snow = expected[0] > 1.0
    assert snow.any()
    np.testing.assert_allclose(found[:, snow], expected[:, snow], rtol=1e-3)
    bare = found[0] == 0.0
    assert set(found[1][bare]) == {np.float32(100.0)} and set(found[2][bare]) == {np.float32(273.16)}


def test_state_at_the_start_of_a_forecast(folder: Path) -> None:
    """Fluxes begin 6 h later than the state, which can be read alone."""
    reader = GribReader(files(folder))
    assert reader.coverage.first == DATES[1]
    assert np.isfinite(reader.read(["swvl1", "t", "lsm"], DATES[:1])).all()
    with pytest.raises(ValueError, match=r"1 of 1 dates are not in .*2020-04-01 00:00; it covers 2020-04-01 06:00"):
        reader.read(["swvl1", "slhf"], DATES[:1])


def test_input_from_one_of_several_forecasts(empty: Archive) -> None:
    """`forecast` selects one of two overlapping forecasts, including its later steps."""
    for base, value in ((FIRST, 0.2), (FIRST + timedelta(hours=6), 0.4)):
        for step in (0, 6, 12):
            empty.field("fc.grib", points(empty, value), 39, base, step=step)
    shortest, first = GribReader(files(empty.folder)), GribReader(files(empty.folder), forecast="2020-04-01T00")
    np.testing.assert_allclose(shortest.read(["swvl1"], DATES[:3])[0, :, 0], [0.2, 0.4, 0.4], rtol=1e-6)
    np.testing.assert_allclose(first.read(["swvl1"], DATES[:3])[0, :, 0], [0.2, 0.2, 0.2], rtol=1e-6)


def test_unknown_forecast(archive: Archive) -> None:
    """The error lists the starts of all forecasts."""
    refuse(
        archive.folder, r"No forecast starts at 2021-01-01 00:00; there are \['2020-04-01 00:00'", forecast="2021-01-01"
    )


def test_one_member_of_an_ensemble(empty: Archive) -> None:
    """The option `number` selects it; without the option several members are an error."""
    for number in (1, 2):
        for date in DATES[:2]:
            keys = {"productDefinitionTemplateNumber": 1, "number": number}
            empty.field("pf.grib", points(empty, number / 10.0), 39, date, **keys)
    found = GribReader(files(empty.folder), number=2).read(["swvl1"], DATES[:1])
    np.testing.assert_allclose(found, 0.2, rtol=1e-6)
    with pytest.raises(ValueError, match=r"ensemble members \[1, 2\].*`number`"):
        GribReader(files(empty.folder))


def test_lowest_model_level_is_the_forcing(archive: Archive) -> None:
    """The level with the largest number is read; pressure levels never are."""
    for date in DATES:
        for kind, level, value in (("hybrid", 136, 280.0), ("hybrid", 137, 290.0), ("isobaricInhPa", 1000, 300.0)):
            archive.field("t.grib", points(archive, value), 130, date, typeOfLevel=kind, level=level, dataType="an")
    assert np.unique(GribReader(files(archive.folder)).read(["t"], DATES[1:2])) == [290.0]


def test_pressure_levels_and_2m_are_not_forcing(archive: Archive) -> None:
    """They never replace a missing model level."""
    archive.field("t.grib", points(archive, 300.0), 130, FIRST, typeOfLevel="isobaricInhPa", level=1000)
    for date in DATES:
        archive.field("t.grib", points(archive, 300.0), 167, date)
    reader = GribReader(files(archive.folder))
    assert "2t" in reader.variables and "t" not in reader.variables


def test_evaporation_is_positive_upward(archive: Archive) -> None:
    """An amount of -6 mm in GRIB over 6 h is +1 kg m-2 h-1."""
    archive.amount("e.grib", points(archive, -6.0e-3), 182, FIRST, 0, 6)
    found = GribReader(files(archive.folder)).read(["evap"], DATES[1:2])
    np.testing.assert_allclose(found, 1.0 / 3600.0, rtol=1e-6)


def test_packing_noise_is_set_to_zero(archive: Archive) -> None:
    """No rain between two steps gives zero, whatever the rounding of packing."""
    rain = archive.grid.spread(np.linspace(0.0, 0.0123, archive.grid.n_points))
    noisy = np.where(np.arange(rain.size) == archive.grid.place[-1], 0.0423, rain)
    archive.amount("tp.grib", rain, 228, FIRST, 0, 6)
    archive.amount("tp.grib", noisy, 228, FIRST, 0, 12)
    second = GribReader(files(archive.folder)).read(["avg_tprate"], DATES[1:3])[0, 1]
    assert second.min() >= 0.0
    np.testing.assert_allclose(second[:-1], 0.0, atol=1e-9)


def test_decreasing_accumulation(archive: Archive) -> None:
    """It is an error, with its size and the likely repair."""
    for step, amount in ((6, 3.0e-3), (12, 2.0e-3)):
        archive.amount("tp.grib", points(archive, amount), 228, FIRST, 0, step)
    reader = GribReader(files(archive.folder))
    with pytest.raises(ValueError, match=r"accumulated tp decreases before 2020-04-01 12:00.*`restart_hours`"):
        reader.read(["avg_tprate"], DATES[1:3])


def test_netcdf_given_as_grib(tmp_path: Path) -> None:
    """The error says that it is NetCDF."""
    path = write_land(tmp_path / "a.grib", {"swvl1": ramp(5, 3, 0.1)}, DATES)
    with pytest.raises(ValueError, match=r"'a.grib' is NetCDF, not GRIB. Correct `path` or `layout`"):
        GribReader([path])


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


def test_editions_of_one_grid_may_be_mixed(archive: Archive) -> None:
    """ERA5 comes as GRIB1 at the surface and GRIB2 at model levels."""
    old = Archive(archive.folder, archive.grid, 1)
    for date in DATES:
        old.field("skt.grib", points(archive, 290.0), 235, date, dataType="an")
    assert GribReader(files(archive.folder)).variables == ("swvl1", "skt")


def test_file_that_has_changed_since_opened(archive: Archive) -> None:
    """Fields are read by position, so a changed file is refused."""
    reader = GribReader([archive.folder / "state.grib"])
    (archive.folder / "state.grib").write_bytes(b"x" * 10000)
    with pytest.raises(ValueError, match=r"has changed since it was opened"):
        reader.read(["swvl1"], DATES)


def test_points_outside_the_bitmap_are_missing(archive: Archive) -> None:
    """They are NaN, and all others have values."""
    values = Decoder(scan([archive.folder / "state.grib"]))(0).values
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(values)), archive.grid.place)
    np.testing.assert_allclose(values[archive.grid.place], 0.3, rtol=1e-6)


def test_quantum_is_the_step_of_the_packing(archive: Archive) -> None:
    """All packed values are whole multiples of the quantum above the smallest value."""
    archive.field("t.grib", np.linspace(0.0, 1.0, archive.grid.size), 235, FIRST)
    decoded = Decoder(scan([archive.folder / "t.grib"]))(0)
    steps = decoded.values / decoded.quantum
    assert 2.0**-25 < decoded.quantum <= 2.0**-23
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)


def test_cache_is_small(archive: Archive) -> None:
    """Memory does not grow with the number of fields read."""
    for i in range(60):
        archive.field("t.grib", points(archive, float(i)), 235, FIRST + timedelta(days=i))
    decoder = Decoder(scan([archive.folder / "t.grib"]))
    for row in range(60):
        decoder(row)
    assert decoder._cached.cache_info().currsize == 24
