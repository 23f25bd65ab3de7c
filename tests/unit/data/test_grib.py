# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""GRIB as an archive gives it becomes the variables of the table."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from grib_writer import AMOUNTS, CONSTANTS, MODEL_LEVEL, STATE, Archive, Grid, sample, stamps

from anemoi_ailand.data.grib import GribReader
from anemoi_ailand.data.reader import Reader, open_reader

FIRST = datetime(2020, 4, 1)
DATES = stamps(FIRST, 5)
STATES = [n for n in STATE if n not in ("rsn", "tsn")]
#: Relative to the largest value: 24 bits of packing, twice for a difference, and float32.
PRECISION = 1.0e-6


@pytest.fixture(scope="module")
def ecland() -> Reader:
    return sample()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, ecland: Reader) -> Path:
    """The sample on a regular grid with sea, GRIB2, parameters per soil layer."""
    folder = tmp_path_factory.mktemp("grib")
    Archive(folder, Grid("regular", len(ecland.point_id))).write(ecland, DATES)
    return folder


@pytest.fixture
def archive(tmp_path: Path, ecland: Reader) -> Archive:
    """An empty archive on a regular grid."""
    return Archive(tmp_path, Grid("regular", len(ecland.point_id)))


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def close(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal to the precision of packing, of each variable's largest value."""
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0.0, atol=PRECISION * float(np.abs(b).max()))


def points(archive: Archive, value: float) -> np.ndarray:
    return archive.grid.spread(np.full(archive.grid.n_points, value))


def state(archive: Archive, dates: list[datetime] = DATES) -> None:
    """A state variable at every date, so that there is something to read."""
    for date in dates:
        archive.field("state.grib", points(archive, 0.3), 39, date, dataType="an")


@pytest.mark.parametrize("edition", [1, 2])
@pytest.mark.parametrize("soil", ["parameters", "levels"])
def test_archive_gives_the_sample(tmp_path: Path, ecland: Reader, edition: int, soil: str) -> None:
    """States, fluxes, forcing and constants are those of the sample, to the precision of packing."""
    if edition == 1 and soil == "levels":
        pytest.skip("GRIB1 has no levels of soil")
    Archive(tmp_path, Grid("regular", len(ecland.point_id)), edition).write(ecland, DATES, soil)
    reader = open_reader(str(tmp_path))
    names = [*STATES, *MODEL_LEVEL, *AMOUNTS, "late_sdswrf", "late_tprate", "late_tsrwe", *CONSTANTS]
    assert (reader.coverage.first, reader.coverage.last) == (DATES[1], DATES[-1])
    close(reader.read(names, DATES[1:]), ecland.read(names, DATES[1:]))


def test_types_become_parameters(folder: Path, ecland: Reader) -> None:
    """Vegetation and soil parameters come from the types as ecLand derives them."""
    names = [n for n in ecland.variables if n.startswith(("veg_", "theta_"))]
    reader = GribReader(files(folder))
    assert len(names) == 9
    np.testing.assert_allclose(reader.read(names, DATES[1:2]), ecland.read(names, DATES[1:2]), rtol=1e-5)


def test_snow_where_there_is_some(folder: Path, ecland: Reader) -> None:
    """Density, temperature and cover of snow are the sample's; without snow they are ecLand's constants."""
    found = GribReader(files(folder)).read(["sd", "rsn", "tsn", "snowc"], DATES[1:])
    expected = ecland.read(["sd", "rsn", "tsn", "snowc"], DATES[1:])
    snow = expected[0] > 1.0
    assert snow.any()
    np.testing.assert_allclose(found[:, snow], expected[:, snow], rtol=1e-3)
    bare = found[0] == 0.0
    assert set(found[1][bare]) == {np.float32(100.0)} and set(found[2][bare]) == {np.float32(273.16)}


def test_only_land_points_in_the_order_of_the_grid(folder: Path, ecland: Reader) -> None:
    """Sea is left out by the mask, identity is the place in the grid, and `land: false` keeps all with NaN."""
    grid = Grid("regular", len(ecland.point_id))
    land, everything = GribReader(files(folder)), GribReader(files(folder), land=False)
    np.testing.assert_array_equal(land.point_id, grid.place)
    np.testing.assert_allclose(land.latitudes, 50.0 - grid.place // grid.shape[1])
    np.testing.assert_allclose(land.longitudes, 5.0 + grid.place % grid.shape[1])
    values = everything.read(["swvl1"], DATES[1:2])[0, 0]
    assert len(values) == grid.size
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(values)), grid.place)


def test_without_mask_land_is_where_soil_is(archive: Archive) -> None:
    """Without a land-sea mask the missing values of the state say what is sea."""
    state(archive)
    np.testing.assert_array_equal(GribReader(files(archive.folder)).point_id, archive.grid.place)


def test_mean_of_instants_is_the_trapezoid(folder: Path, ecland: Reader) -> None:
    """Air temperature over the step is the mean of its ends."""
    t = ecland.read(["t"], DATES)[0]
    np.testing.assert_allclose(GribReader(files(folder)).read(["avg_t"], DATES[1:])[0], (t[1:] + t[:-1]) / 2, rtol=1e-6)


def test_mean_of_instants_takes_those_between(archive: Archive) -> None:
    """With 3-hourly instants 0, 3, 9 the mean is (0/2 + 3 + 9/2) / 2."""
    state(archive)
    for hours, value in ((0, 0.0), (3, 3.0), (6, 9.0)):
        archive.field("t", points(archive, value), 130, FIRST, typeOfLevel="hybrid", level=137, step=hours)
    found = GribReader(files(archive.folder)).read(["avg_t"], DATES[1:2])
    np.testing.assert_allclose(found, 3.75, rtol=1e-5)


def test_lowest_model_level_is_the_forcing(archive: Archive) -> None:
    """Of many levels the one with the largest number is read; pressure levels never are."""
    state(archive)
    for date in DATES:
        for kind, level, value in (("hybrid", 136, 280.0), ("hybrid", 137, 290.0), ("isobaricInhPa", 1000, 300.0)):
            archive.field("t.grib", points(archive, value), 130, date, typeOfLevel=kind, level=level, dataType="an")
    assert np.unique(GribReader(files(archive.folder)).read(["t"], DATES[1:2])) == [290.0]


def test_pressure_levels_and_2m_are_no_forcing(archive: Archive) -> None:
    """A wrong level is not taken for want of the right one."""
    state(archive)
    archive.field("t.grib", points(archive, 300.0), 130, FIRST, typeOfLevel="isobaricInhPa", level=1000)
    for date in DATES:
        archive.field("t.grib", points(archive, 300.0), 167, date)
    reader = GribReader(files(archive.folder))
    assert "2t" in reader.variables and "t" not in reader.variables


def test_soil_given_by_depth(archive: Archive) -> None:
    """A soil layer may be said by its lower bound in metres."""
    keys = {"typeOfLevel": "depthBelowLandLayer", "scaleFactorOfFirstFixedSurface": 2,
            "scaledValueOfFirstFixedSurface": 7, "scaleFactorOfSecondFixedSurface": 2,
            "scaledValueOfSecondFixedSurface": 28}  # fmt: skip
    for date in DATES:
        archive.field("vsw.grib", points(archive, 0.25), 260199, date, dataType="an", **keys)
    reader = GribReader(files(archive.folder))
    assert reader.variables == ("swvl2",)
    assert np.unique(reader.read(["swvl2"], DATES[:1])) == [0.25]


def test_units_are_those_of_the_table(archive: Archive) -> None:
    """Snow in kg m-2, cover and albedo in %, and lnsp reach the table's units."""
    for date in DATES:
        for param, value in ((228141, 30.0), (260038, 40.0), (228032, 70.0)):
            archive.field("snow.grib", points(archive, value), param, date, dataType="an")
        archive.field("lnsp.grib", points(archive, np.log(9.0e4)), 152, date, typeOfLevel="hybrid", level=1)
    found = GribReader(files(archive.folder)).read(["sd", "snowc", "asn", "sp"], DATES[1:2])[:, 0, 0]
    np.testing.assert_allclose(found, [30.0, 0.4, 0.7, 9.0e4], rtol=1e-5)


def test_evaporation_is_positive_upward(archive: Archive) -> None:
    """GRIB's evaporation of -6 mm in 6 h is +1 kg m-2 per hour."""
    state(archive)
    archive.amount("e.grib", points(archive, -6.0e-3), 182, FIRST, 0, 6)
    found = GribReader(files(archive.folder)).read(["evap"], DATES[1:2])
    np.testing.assert_allclose(found, 1.0 / 3600.0, rtol=1e-6)


@pytest.mark.parametrize("edition", [1, 2])
def test_hourly_amounts_are_summed(tmp_path: Path, ecland: Reader, edition: int) -> None:
    """Amounts from step to step, as ERA5's, add up: 1 + ... + 6 J over 6 h."""
    archive = Archive(tmp_path, Grid("regular", len(ecland.point_id)), edition)
    state(archive)
    for hour in range(6):
        archive.amount("ssrd.grib", points(archive, 3600.0 * (hour + 1)), 169, FIRST, hour, hour + 1)
    found = GribReader(files(tmp_path)).read(["avg_sdswrf"], DATES[1:2])
    np.testing.assert_allclose(found, 21.0 / 6.0, rtol=1e-6)


def test_means_over_intervals_are_weighted(archive: Archive) -> None:
    """Time means of 2 h and 4 h count by their length."""
    state(archive)
    for start, end, value in ((0, 2, 60.0), (2, 6, 90.0)):
        keys = {"stepType": "avg", "stepRange": f"{start}-{end}"}
        archive.field("mean.grib", points(archive, value), 235035, FIRST, **keys)
    np.testing.assert_allclose(GribReader(files(archive.folder)).read(["avg_sdswrf"], DATES[1:2]), 80.0, rtol=1e-6)


def test_grib1_step_without_start_is_since_the_forecast(tmp_path: Path, ecland: Reader) -> None:
    """An amount at step 12 that does not say since when begins with its forecast, or anew with `restart_hours`."""
    archive = Archive(tmp_path, Grid("regular", len(ecland.point_id)), 1)
    state(archive)
    for step, value in ((6, 1.0), (12, 3.0)):
        archive.field("ssrd.grib", points(archive, value * 21600.0), 169, FIRST, step=step)
    plain, restarted = (GribReader(files(tmp_path), restart_hours=h) for h in (None, 6))
    assert plain.read(["avg_sdswrf"], DATES[1:3])[0, :, 0].tolist() == [1.0, 2.0]
    assert restarted.read(["avg_sdswrf"], DATES[1:3])[0, :, 0].tolist() == [1.0, 3.0]


def test_packing_noise_is_set_to_zero(archive: Archive) -> None:
    """No rain between two steps stays no rain, whatever packing makes of it."""
    state(archive)
    rain = archive.grid.spread(np.linspace(0.0, 0.0123, archive.grid.n_points))
    noisy = np.where(np.arange(rain.size) == archive.grid.place[-1], 0.0423, rain)
    archive.amount("tp.grib", rain, 228, FIRST, 0, 6)
    archive.amount("tp.grib", noisy, 228, FIRST, 0, 12)
    second = GribReader(files(archive.folder)).read(["avg_tprate"], DATES[1:3])[0, 1]
    assert second.min() >= 0.0
    np.testing.assert_allclose(second[:-1], 0.0, atol=1e-9)


def test_roll_out_input_from_one_forecast(archive: Archive) -> None:
    """`forecast` takes one of two forecasts that overlap, also at its later steps."""
    for base, value in ((FIRST, 0.2), (FIRST + timedelta(hours=6), 0.4)):
        for step in (0, 6, 12):
            archive.field("fc.grib", points(archive, value), 39, base, step=step)
    shortest, first = GribReader(files(archive.folder)), GribReader(files(archive.folder), forecast="2020-04-01T00")
    np.testing.assert_allclose(shortest.read(["swvl1"], DATES[:3])[0, :, 0], [0.2, 0.4, 0.4], rtol=1e-6)
    np.testing.assert_allclose(first.read(["swvl1"], DATES[:3])[0, :, 0], [0.2, 0.2, 0.2], rtol=1e-6)


def test_state_at_the_start_of_a_forecast(folder: Path) -> None:
    """Fluxes begin 6 h later than the state: the state can be read, the fluxes are refused."""
    reader = GribReader(files(folder))
    assert reader.coverage.first == DATES[1]
    assert np.isfinite(reader.read(["swvl1", "t", "lsm"], DATES[:1])).all()
    with pytest.raises(ValueError, match=r"1 of 1 dates are not in .*2020-04-01 00:00; it covers 2020-04-01 06:00"):
        reader.read(["swvl1", "slhf"], DATES[:1])


def test_one_member_of_an_ensemble(archive: Archive) -> None:
    """The option `number` chooses; without it several members are an error."""
    for number in (1, 2):
        for date in DATES[:2]:
            keys = {"productDefinitionTemplateNumber": 1, "number": number}
            archive.field("pf.grib", points(archive, number / 10.0), 39, date, **keys)
    found = GribReader(files(archive.folder), number=2).read(["swvl1"], DATES[:1])
    np.testing.assert_allclose(found, 0.2, rtol=1e-6)
    with pytest.raises(ValueError, match=r"ensemble members \[1, 2\].*`number`"):
        GribReader(files(archive.folder))


def test_unstructured_grid_takes_coordinates_from_netcdf(tmp_path: Path, ecland: Reader) -> None:
    """Coordinates, identity and further constants come from NetCDF; without it the error says so."""
    Archive(tmp_path, Grid("unstructured", len(ecland.point_id))).write(ecland, DATES[:3])
    with pytest.raises(ValueError, match=r"unstructured grid.*'latitude' and 'longitude'.*`static`"):
        open_reader(str(tmp_path))
    coordinates(tmp_path / "coordinates.nc", ecland)
    reader = open_reader(str(tmp_path / "*.grib"), str(tmp_path / "coordinates.nc"))
    np.testing.assert_array_equal(reader.point_id, ecland.point_id)
    np.testing.assert_allclose(reader.longitudes, ecland.longitudes)
    np.testing.assert_array_equal(reader.climate_class, ecland.climate_class)
    close(reader.read(["swvl1", "c4"], DATES[1:3]), ecland.read(["swvl1", "c4"], DATES[1:3]))


def coordinates(path: Path, reader: Reader, n: int | None = None) -> None:
    """NetCDF of the points of a reader."""
    with netCDF4.Dataset(path, "w") as out:
        out.createDimension("point", n or len(reader.point_id))
        for name, values in (("latitude", reader.latitudes), ("longitude", reader.longitudes),
                             ("point_id", reader.point_id), ("climate_class", reader.climate_class),
                             ("c4", reader.read(["c4"], [DATES[0]])[0, 0])):  # fmt: skip
            out.createVariable(name, "f8", ("point",))[:] = values[:n]


def test_editions_of_one_grid_may_be_mixed(archive: Archive) -> None:
    """GRIB1 at the surface beside GRIB2 at model levels is how ERA5 comes."""
    state(archive)
    old = Archive(archive.folder, archive.grid, 1)
    for date in DATES:
        old.field("skt.grib", points(archive, 290.0), 235, date, dataType="an")
    assert GribReader(files(archive.folder)).variables == ("swvl1", "skt")
