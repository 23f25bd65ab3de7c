# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Index of GRIB files, equal to ecCodes; points and coordinates of their grids."""

from calendar import timegm
from datetime import datetime, timedelta
from pathlib import Path

import eccodes
import netCDF4
import numpy as np
import pytest

from anemoi_ailand.data.grib import index as grib_scan
from anemoi_ailand.data.grib.grib_reader import GribReader
from anemoi_ailand.data.grib.index import scan
from anemoi_ailand.data.grib.static import read_static
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import MARKS, Reader
from tests.support.grib import Archive, Grid, close, files, refuse, stamps

CENTURY_END = datetime(1999, 12, 31, 12)


@pytest.mark.parametrize("edition", [1, 2])
def test_index_agrees_with_eccodes(tmp_path: Path, edition: int) -> None:
    """Position, date, step and parameter of every message are those of ecCodes, across the turn of a century."""
    archive = Archive(tmp_path, Grid("regular", 5), edition)
    values = archive.grid.spread(np.arange(5.0), 0.0)
    for i in range(4):
        base = CENTURY_END + timedelta(hours=12 * i)
        archive.field("a.grib", values, 39, base)
        archive.amount("a.grib", values, 169, base, 0, 6)
        archive.amount("a.grib", values, 169, base, 6, 12)
    found = scan([tmp_path / "a.grib"])
    for row, expected in zip(found.rows, by_eccodes(tmp_path / "a.grib"), strict=True):
        header = found.headers[row["header"]]
        assert (row["offset"], row["length"], row["base"], header.param, header.start, header.end) == expected
    assert len(found.headers) == 3


def by_eccodes(path: Path) -> list[tuple[int, ...]]:
    """Return the index made by ecCodes from every message."""
    out = []
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            day, hour, *rest = (
                eccodes.codes_get_long(handle, k)
                for k in ("dataDate", "dataTime", "offset", "totalLength", "paramId", "startStep", "endStep")
            )
            base = timegm(datetime.strptime(f"{day}{hour:04d}", "%Y%m%d%H%M").timetuple())
            out.append((*rest[:2], base, rest[2], rest[3] * 3600, rest[4] * 3600))
            eccodes.codes_release(handle)
    return out


def test_eccodes_is_called_once_a_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred dates of one parameter take one call."""
    archive = Archive(tmp_path, Grid("regular", 5))
    for i in range(100):
        archive.amount("a.grib", np.zeros(archive.grid.size), 169, CENTURY_END + timedelta(days=i), 0, 6)
    asked = []
    ask = grib_scan._read_header
    monkeypatch.setattr(grib_scan, "_read_header", lambda m: asked.append(1) or ask(m))
    assert len(scan([tmp_path / "a.grib"]).rows) == 100
    assert len(asked) == 1


@pytest.mark.parametrize("n_lat", [1500, 3000])
def test_large_grib1(tmp_path: Path, n_lat: int) -> None:
    """The length of a GRIB1 message is right up to and beyond 24 bits."""
    handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib1")
    for key, value in {"Ni": 3000, "Nj": n_lat, "paramId": 39, "bitsPerValue": 16}.items():
        eccodes.codes_set(handle, key, value)
    eccodes.codes_set_values(handle, np.linspace(0.0, 1.0, 3000 * n_lat))
    with (tmp_path / "a.grib").open("wb") as file:
        for _ in range(2):
            eccodes.codes_write(handle, file)
    eccodes.codes_release(handle)
    rows = scan([tmp_path / "a.grib"]).rows
    assert rows["length"].tolist() == [(tmp_path / "a.grib").stat().st_size // 2] * 2
    assert rows["length"][0] > 6000 * n_lat


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>not found</html>", r"no GRIB message in .*x.grib, which begins with b'<html>no'"),
        (b"", r"x.grib is empty. Retrieve it again"),  # left by a failed retrieval
        (None, r"GRIB message at byte \d+ of .*x.grib is truncated"),
    ],
)
def test_broken_file(archive: Archive, content: bytes | None, message: str) -> None:
    """The error names the file, and the position or the first bytes."""
    whole = (archive.folder / "state.grib").read_bytes()
    (archive.folder / "x.grib").write_bytes(whole[:-20] if content is None else content)
    refuse(archive.folder, message)


def test_several_fields_in_a_message(archive: Archive) -> None:
    """They are refused, with the command that splits them."""
    eccodes.codes_grib_multi_support_on()
    multi = eccodes.codes_grib_multi_new()
    handle = eccodes.codes_grib_new_from_samples("GRIB2")
    for _ in range(2):
        eccodes.codes_grib_multi_append(handle, 4, multi)
    with (archive.folder / "multi.grib").open("wb") as file:
        eccodes.codes_grib_multi_write(multi, file)
    eccodes.codes_grib_multi_release(multi)
    eccodes.codes_grib_multi_support_off()
    refuse(archive.folder, r"multi.grib holds 2 fields, one is read.*grib_copy")


FIRST = datetime(2020, 4, 1)
DATES = stamps(FIRST, 5)


def test_only_land_points_in_the_order_of_the_grid(folder: Path, ecland: Reader) -> None:
    """The mask excludes sea, identity is the position in the grid, and `land: false` keeps all points, with NaN."""
    grid = Grid("regular", len(ecland.point_id))
    land, everything = GribReader(files(folder)), GribReader(files(folder), land=False)
    np.testing.assert_array_equal(land.point_id, grid.place)
    np.testing.assert_allclose(land.latitudes, 50.0 - grid.place // grid.shape[1])
    np.testing.assert_allclose(land.longitudes, 5.0 + grid.place % grid.shape[1])
    values = everything.read(["swvl1"], DATES[1:2])[0, 0]
    assert len(values) == grid.size
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(values)), grid.place)


def test_without_a_mask_land_has_soil_moisture(archive: Archive) -> None:
    """Points where the state is missing are sea."""
    np.testing.assert_array_equal(GribReader(files(archive.folder)).point_id, archive.grid.place)


def test_unstructured_grid_takes_coordinates_from_netcdf(tmp_path: Path, ecland: Reader) -> None:
    """Identity and constants come from NetCDF too; without it, the error asks for it."""
    Archive(tmp_path, Grid("unstructured", len(ecland.point_id))).write(ecland, DATES[:3])
    with pytest.raises(ValueError, match=r"unstructured grid.*'latitude' and 'longitude'.*`static`"):
        open_reader(str(tmp_path))
    coordinates(tmp_path / "coordinates.nc", ecland)
    reader = open_reader(str(tmp_path / "*.grib"), str(tmp_path / "coordinates.nc"))
    np.testing.assert_array_equal(reader.point_id, ecland.point_id)
    np.testing.assert_allclose(reader.longitudes, ecland.longitudes)
    np.testing.assert_array_equal(reader.climate_class, ecland.climate_class)
    assert not set(MARKS) & set(reader.variables)
    close(reader.read(["swvl1", "c4"], DATES[1:3]), ecland.read(["swvl1", "c4"], DATES[1:3]))


def test_netcdf_of_another_grid(archive: Archive) -> None:
    """It must have the points of GRIB."""
    with netCDF4.Dataset(archive.folder / "other.nc", "w") as out:
        out.createDimension("point", 3)
        for name in ("latitude", "longitude", "c4"):
            out.createVariable(name, "f8", ("point",))[:] = 0.0
    refuse(archive.folder, r"have 21 points, and NetCDF gives coordinates of 3 other points.*same order")


def coordinates(path: Path, reader: Reader) -> None:
    """Write the points of a reader to NetCDF."""
    with netCDF4.Dataset(path, "w") as out:
        out.createDimension("point", len(reader.point_id))
        for name, values in (("latitude", reader.latitudes), ("longitude", reader.longitudes),
                             ("point_id", reader.point_id), ("climate_class", reader.climate_class),
                             ("c4", reader.read(["c4"], [DATES[0]])[0, 0])):  # fmt: skip
            out.createVariable(name, "f8", ("point",))[:] = values


def write(path: Path, dimensions: dict[str, int], **variables: tuple[tuple[str, ...], np.ndarray, str]) -> Path:
    """Write NetCDF with variables given as (dimensions, values, units)."""
    with netCDF4.Dataset(path, "w") as out:
        for name, size in dimensions.items():
            out.createDimension(name, size)
        for name, (over, values, units) in variables.items():
            variable = out.createVariable(name, "f8", over)
            variable[:], variable.units = values, units
    return path


def test_coordinates_in_radians(tmp_path: Path) -> None:
    """They are converted, as in the grid files of ICON."""
    radians = (("cell",), np.array([0.0, np.pi / 4]), "radian")
    found = read_static([write(tmp_path / "grid.nc", {"cell": 2}, clat=radians, clon=radians)])
    np.testing.assert_allclose(found.latitudes, [0.0, 45.0])
    np.testing.assert_allclose(found.longitudes, [0.0, 45.0])


def test_axes_become_points_row_by_row(tmp_path: Path) -> None:
    """A grid of two axes is in the order of GRIB: west to east, row after row."""
    path = write(
        tmp_path / "grid.nc", {"lat": 2, "lon": 3},
        lat=(("lat",), np.array([50.0, 49.0]), "degrees_north"),
        lon=(("lon",), np.array([5.0, 6.0, 7.0]), "degrees_east"),
        clim_cvl=(("lat", "lon"), np.arange(6.0).reshape(2, 3) / 10, "1"),
    )  # fmt: skip
    found = read_static([path])
    np.testing.assert_array_equal(found.latitudes, [50.0] * 3 + [49.0] * 3)
    np.testing.assert_array_equal(found.longitudes, [5.0, 6.0, 7.0] * 2)
    np.testing.assert_allclose(found.fields["cvl"], np.arange(6) / 10)


def test_pathway_of_photosynthesis_is_decoded(tmp_path: Path) -> None:
    """The code 4 of ecLand is C4, the code 3 is C3."""
    found = read_static([write(tmp_path / "a.nc", {"x": 2}, clim_ctype=(("x",), np.array([3.0, 4.0]), "1"))])
    assert found.fields["c4"].tolist() == [0.0, 1.0]
