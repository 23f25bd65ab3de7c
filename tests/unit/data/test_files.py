# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Files: user-supplied paths, layout by content, reading of NetCDF."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import netCDF4
import numpy as np
import pytest

from anemoi_ailand.data.files.netcdf import filled, open_file, read_records, times, utc_reference
from anemoi_ailand.data.files.paths import resolve
from anemoi_ailand.data.open_reader import detect, open_reader
from tests.faults.faults import words
from tests.support.files import FIRST, native_copy, ramp, spoil, stamps, write_land


@pytest.fixture
def years(tmp_path: Path) -> Path:
    for name in ("land_2019.nc", "land_2020.nc", "land_mean.nc", "README.md", "run.log", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "deep.nc").touch()
    return tmp_path


def names(path: object) -> list[str]:
    return [p.name for p in resolve(path)]  # type: ignore[arg-type]


def test_entries_become_files(years):
    """A folder without notes, logs, hidden files, subfolders; a pattern of dates, digits only; a list, each once."""
    assert names(str(years)) == ["land_2019.nc", "land_2020.nc", "land_mean.nc"]
    assert names(f"{years}/land_{{date:strftime(%Y)}}.nc") == ["land_2019.nc", "land_2020.nc"]
    listed = [f"{years}/*_2020.nc", str(years / "land_2019.nc"), f"{years}/land_20*.nc"]
    assert names(listed) == ["land_2020.nc", "land_2019.nc"]


def test_path_without_a_match(years):
    """The error gives the nearest existing folder and its content."""
    with pytest.raises(FileNotFoundError, match=r"No file matches .*land_2031.nc.*land_2019.nc"):
        resolve(str(years / "land_2031.nc"))
    with pytest.raises(
        FileNotFoundError,
        match=r"which holds \['README.md', 'below', 'land_2019.nc', 'land_2020.nc', 'land_mean.nc', 'run.log'\]",
    ):
        resolve(str(years / "land_2031.nc"))  # no hidden files
    with pytest.raises(FileNotFoundError, match="nearest existing folder"):
        resolve(str(years / "no" / "such" / "*.nc"))
    empty = years / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match=r"The folder '.*empty' has no files of data; it holds \[\]"):
        resolve(str(empty))


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
    with pytest.raises(PermissionError, match=words("files of forcing that may not be read")):
        resolve(str(years))


def test_layout_follows_from_content(tmp_path):
    """Both layouts of ecLand, the reference layout, our own output and GRIB, whatever their names; else it is named."""
    sample = {"": "reference", "/static.nc": "reference", "/native/points": "native", "/native/grid": "native"}
    assert {path: detect(resolve(f"$AILAND_SAMPLE{path}")) for path in sample} == sample
    (tmp_path / "x").write_bytes(b"GRIB....")
    assert detect([tmp_path / "x"]) == "grib"
    assert detect([write_land(tmp_path / "f.nc", {"swvl1": ramp(2, 2), "t2m": ramp(2, 2)}, stamps(2))]) == "land"
    native = native_copy(tmp_path / "n")
    shutil.move(native / "forcing", tmp_path / "something.nc")
    assert detect([tmp_path / "something.nc"]) == "native"
    with pytest.raises(ValueError, match=r"No layout is recognised in .*o_ggd.nc"):
        detect([native / "o_ggd.nc"])
    (tmp_path / "tower.csv").write_text("TIMESTAMP_START,TA_F\n")
    with pytest.raises(ValueError, match=r"tower.csv' is a table in text.*open_data\(path, layout=\"tower\"\)"):
        detect([tmp_path / "tower.csv"])


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9, 0.95])
@pytest.mark.parametrize("kind", ["HDF5", "classic"])
def test_truncated_file_is_refused(tmp_path, kind, keep):
    """A file may be truncated anywhere; the library would read zeros beyond the end of a classic file."""
    path = land(tmp_path) if kind == "HDF5" else native_copy(tmp_path / "native") / "forcing"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(OSError, match=rf"{path.name}.*(truncated|cannot be read)"), open_file(path):
        pass


def land(folder: Path) -> Path:
    return write_land(folder / "land.nc", {"swvl1": ramp(5, 3)}, stamps(5))


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


def test_times_must_increase_in_the_real_calendar(tmp_path):
    """The error gives the record, or the calendar."""
    path = land(tmp_path)
    for calendar, stamp, message in (
        ("360_day", 0, "360_day"),
        ("standard", 0, "record 3"),
        ("standard", 175332, "record 3"),
    ):
        with netCDF4.Dataset(path, "a") as ds:
            ds["time"].calendar, ds["time"][3] = calendar, stamp
        with open_file(path) as ds, pytest.raises(ValueError, match=message):
            times(ds, path)


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


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        *(({"units": SINCE + zone}, rf"'a.nc' is in the zone '{zone.strip().replace('+', '.')}'.*layout='tower'")
          for zone in (" Europe/Berlin", " CET", " local", " +2 hours")),  # their offset depends on the date
        ({"units": SINCE, "timezone": "+02:00"}, r"units '.*' and timezone '.02:00'"),
        ({"units": SINCE, "tz": "local"}, "'local'"),
        *(({"units": units}, r"'a.nc' has units '.*', which are not seconds")
          for units in ("", "hours", "fortnights since 2000-01-01", "hours since then", "m since 2000-01-01")),
    ],
    ids=str,
)  # fmt: skip
def test_unknown_reference_of_time_is_refused(attributes: dict[str, str], message: str) -> None:
    """Zones other than an offset, a zone in an attribute that contradicts the units, and no reference or unit."""
    with pytest.raises(ValueError, match=message):
        utc_reference(SimpleNamespace(**attributes), "a.nc")


@pytest.mark.parametrize("units", ["days since 1-1-1", "seconds since 2018-01-01", "hours since 1900-01-01T00:00:0.0"])
def test_common_forms_of_the_reference(units: str) -> None:
    """Short forms and ISO 8601 become units that the NetCDF library reads."""
    plain, offset = utc_reference(SimpleNamespace(units=units), "a.nc")
    assert offset == timedelta(0)
    assert netCDF4.num2date(0, plain, only_use_cftime_datetimes=False) == netCDF4.num2date(
        0, units.replace("T", " "), only_use_cftime_datetimes=False
    )
    assert netCDF4.num2date(0, utc_reference(SimpleNamespace(units=SINCE), "a")[0]) == datetime(2000, 1, 1)
    assert utc_reference(SimpleNamespace(units=SINCE, time_zone="UTC"), "a.nc") == (SINCE, timedelta(0))
