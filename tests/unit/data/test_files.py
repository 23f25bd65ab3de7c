# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Files: user-supplied paths, layout by content, reading of NetCDF."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import netCDF4
import numpy as np
import pytest

from anemoi_ailand.data.files.layout import detect
from anemoi_ailand.data.files.netcdf import filled, open_file, read_records, times, utc_reference
from anemoi_ailand.data.files.paths import resolve
from anemoi_ailand.data.open_reader import open_reader
from tests.support.files import FIRST, native_copy, ramp, spoil, stamps, write_land


@pytest.fixture
def years(tmp_path: Path) -> Path:
    for name in ("land_2019.nc", "land_2020.nc", "land_mean.nc", "README.md", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "deep.nc").touch()
    return tmp_path


def names(path: object) -> list[str]:
    return [p.name for p in resolve(path)]  # type: ignore[arg-type]


def test_folder_means_its_data_files(years):
    """Notes, hidden files and subfolders are left out."""
    assert names(str(years)) == ["land_2019.nc", "land_2020.nc", "land_mean.nc"]


def test_pattern_of_dates_matches_digits_only(years):
    """{date:strftime(%Y)} matches four digits."""
    assert names(f"{years}/land_{{date:strftime(%Y)}}.nc") == ["land_2019.nc", "land_2020.nc"]


def test_glob_and_list_give_each_file_once(years):
    """The files are in the order of the list."""
    assert names([f"{years}/*_2020.nc", str(years / "land_2019.nc"), f"{years}/land_20*.nc"]) == [
        "land_2020.nc", "land_2019.nc",
    ]  # fmt: skip


def test_path_without_a_match(years):
    """The error gives the nearest existing folder and its content."""
    with pytest.raises(FileNotFoundError, match=r"No file matches .*land_2031.nc.*land_2019.nc"):
        resolve(str(years / "land_2031.nc"))
    with pytest.raises(FileNotFoundError, match="nearest existing folder"):
        resolve(str(years / "no" / "such" / "*.nc"))


def test_entries_that_cannot_be_read(years, monkeypatch):
    """No entry, an invalid pattern of dates, a zarr store, and a file without permission (replaced: root may read)."""
    for entry, message in (
        ([], "empty"),
        ("a_{date:strftime(%Q)}.nc", "not understood"),
        ("a_{date}.nc", "not understood"),
        (str(years / "a.zarr"), r"a.zarr' is a zarr store, not files. Give .* `dataset: .*a.zarr`"),
    ):
        (years / "a.zarr").mkdir(exist_ok=True)
        with pytest.raises(ValueError, match=message):
            resolve(entry)
    monkeypatch.setattr("os.access", lambda path, mode: path.name != "land_2020.nc")
    with pytest.raises(PermissionError, match=r"1 of 3 files are not readable, first '.*land_2020.nc'"):
        resolve(str(years))


@pytest.mark.parametrize(
    ("path", "layout"),
    [("", "reference"), ("/static.nc", "reference"), ("/native/points", "native"), ("/native/grid", "native")],
)
def test_files_of_the_sample(path, layout):
    """Both layouts of ecLand, and the reference layout, are recognised."""
    assert detect(resolve(f"$AILAND_SAMPLE{path}")) == layout


def test_our_own_output_and_grib(tmp_path):
    """Files with dataset names have the layout `land`; GRIB is recognised by its first four bytes."""
    (tmp_path / "x").write_bytes(b"GRIB....")
    assert detect([tmp_path / "x"]) == "grib"
    assert detect([write_land(tmp_path / "f.nc", {"swvl1": ramp(2, 2), "t2m": ramp(2, 2)}, stamps(2))]) == "land"


def test_names_of_files_do_not_matter(tmp_path):
    """EcLand forcing under another name is recognised."""
    native = native_copy(tmp_path / "n")
    shutil.move(native / "forcing", tmp_path / "something.nc")
    assert detect([tmp_path / "something.nc"]) == "native"


def test_unknown_content_is_listed(tmp_path):
    """An empty file of ecLand alone has no layout."""
    native = native_copy(tmp_path / "n")
    with pytest.raises(ValueError, match=r"No layout is recognised in .*o_ggd.nc"):
        detect([native / "o_ggd.nc"])


@pytest.fixture
def land(tmp_path: Path) -> Path:
    return write_land(tmp_path / "land.nc", {"swvl1": ramp(5, 3)}, stamps(5))


def truncate(path: Path, keep: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.95])
def test_truncated_file_is_refused(land, keep):
    """An HDF5 file may be truncated anywhere."""
    truncate(land, keep)
    with pytest.raises(OSError, match=r"land.nc.*cannot be read as NetCDF"), open_file(land):
        pass


@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_truncated_classic_file_is_refused(tmp_path, keep):
    """The library would read zeros beyond the end of a classic file."""
    path = native_copy(tmp_path / "native") / "forcing"
    truncate(path, keep)
    with pytest.raises(OSError, match=r"forcing.*(cut off|cannot be read)"), open_file(path):
        pass


def test_time_reference_is_that_of_the_file(tmp_path):
    """References at the start of the run and in the year before give the same stamps."""
    native = native_copy(tmp_path / "native")
    first = {}
    for name in ("forcing", "o_gg.nc", "o_efl.nc"):
        with open_file(native / name) as ds:
            first[name] = times(ds, native / name)[0]
    assert first == {
        "forcing": datetime(2018, 1, 1), "o_gg.nc": datetime(2018, 1, 1), "o_efl.nc": datetime(2018, 1, 1, 6),
    }  # fmt: skip


def test_times_must_increase_in_the_real_calendar(land):
    """The error gives the record, or the calendar."""
    with netCDF4.Dataset(land, "a") as ds:
        ds["time"].calendar = "360_day"
    with open_file(land) as ds, pytest.raises(ValueError, match="360_day"):
        times(ds, land)
    with netCDF4.Dataset(land, "a") as ds:
        ds["time"].calendar = "standard"
    for stamp in (0, 175326 + 6):
        spoil(land, "time", stamp, 3)
        with open_file(land) as ds, pytest.raises(ValueError, match="record 3"):
            times(ds, land)


def test_fill_value_becomes_nan(tmp_path):
    """The fill value of ecLand, 1e20, is never a value."""
    path = native_copy(tmp_path / "native") / "o_gg.nc"
    spoil(path, "SWE", 1e20, (3, 1))
    with open_file(path) as ds:
        values = filled(ds["SWE"])
    assert np.isnan(values[3, 1]) and np.isfinite(values).sum() == values.size - 1


@pytest.mark.parametrize("wanted", [[1, 2, 3], [3, 1], [0, 99]])
def test_reading_records_near_and_far(tmp_path, wanted):
    """Read as one block or one by one, records are in the requested order."""
    path = write_land(tmp_path / "a.nc", {"swvl1": ramp(100, 2)}, stamps(100))
    with open_file(path) as ds:
        got = read_records(ds["swvl1"], np.array(wanted))
    np.testing.assert_allclose(got, ramp(100, 2)[wanted], rtol=1e-6)


SINCE = "hours since 2000-01-01 00:00:00"


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("", 0), (" UTC", 0), ("Z", 0), (" GMT", 0), (" +2:00", 2), ("+02:00", 2), (" +0530", 5.5), (" -6", -6)],
)
def test_files_are_read_in_utc(tmp_path: Path, zone: str, hours: float) -> None:
    """The offset in the units is applied, in any common spelling."""
    path = write_land(tmp_path / "a.nc", {"swvl1": ramp(3, 2, 0.1)}, stamps(3))
    with netCDF4.Dataset(path, "a") as ds:
        ds["time"].units = SINCE + zone
    assert open_reader(str(path)).coverage.first == FIRST - timedelta(hours=hours)


@pytest.mark.parametrize("zone", [" Europe/Berlin", " CET", " local", " +2 hours"])
def test_other_zones_are_refused(zone: str) -> None:
    """Their offset from UTC depends on the date."""
    with pytest.raises(ValueError, match=rf"'a.nc' is in the zone '{zone.strip().replace('+', '.')}'"):
        utc_reference(SimpleNamespace(units=SINCE + zone), "a.nc")


def test_zone_in_an_attribute_must_agree() -> None:
    """Some programs store the zone there; a contradiction is an error."""
    assert utc_reference(SimpleNamespace(units=SINCE, time_zone="UTC"), "a.nc") == (SINCE, timedelta(0))
    with pytest.raises(ValueError, match=r"units '.*' and timezone '.02:00'"):
        utc_reference(SimpleNamespace(units=SINCE, timezone="+02:00"), "a.nc")
    with pytest.raises(ValueError, match="'local'"):
        utc_reference(SimpleNamespace(units=SINCE, tz="local"), "a.nc")


@pytest.mark.parametrize(
    "units", ["", "hours", "fortnights since 2000-01-01", "hours since then", "m since 2000-01-01"]
)
def test_missing_reference_or_unit_of_time(units: str) -> None:
    """The error gives the file and the units."""
    with pytest.raises(ValueError, match=r"'a.nc' has units '.*', which are not seconds"):
        utc_reference(SimpleNamespace(units=units), "a.nc")


@pytest.mark.parametrize("units", ["days since 1-1-1", "seconds since 2018-01-01", "hours since 1900-01-01T00:00:0.0"])
def test_common_forms_of_the_reference(units: str) -> None:
    """Short forms and ISO 8601 become units that the NetCDF library reads."""
    plain, offset = utc_reference(SimpleNamespace(units=units), "a.nc")
    assert offset == timedelta(0)
    assert netCDF4.num2date(0, plain, only_use_cftime_datetimes=False) == netCDF4.num2date(
        0, units.replace("T", " "), only_use_cftime_datetimes=False
    )
    assert netCDF4.num2date(0, utc_reference(SimpleNamespace(units=SINCE), "a")[0]) == datetime(2000, 1, 1)
