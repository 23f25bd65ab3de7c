# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reading of NetCDF files: errors, stamps, missing values, records."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from anemoi_ailand.data.files.netcdf import filled, open_file, read_records, records, times
from tests.support.files import FIRST, native_copy, ramp, spoil, stamps, write_land


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


def test_time_without_reference(land):
    """Units 'hours' without a date are refused."""
    with netCDF4.Dataset(land, "a") as ds:
        ds["time"].units = "hours"
    with open_file(land) as ds, pytest.raises(ValueError, match="since a date"):
        times(ds, land)


def test_time_that_goes_back(land):
    """The error gives the record."""
    spoil(land, "time", 0, 3)
    with open_file(land) as ds, pytest.raises(ValueError, match="record 3"):
        times(ds, land)


def test_other_calendar(land):
    """A year of 360 days is refused."""
    with netCDF4.Dataset(land, "a") as ds:
        ds["time"].calendar = "360_day"
    with open_file(land) as ds, pytest.raises(ValueError, match="360_day"):
        times(ds, land)


def test_fill_value_becomes_nan(tmp_path):
    """The fill value of ecLand, 1e20, is never a value."""
    path = native_copy(tmp_path / "native") / "o_gg.nc"
    spoil(path, "SWE", 1e20, (3, 1))
    with open_file(path) as ds:
        values = filled(ds["SWE"])
    assert np.isnan(values[3, 1]) and np.isfinite(values).sum() == values.size - 1


def test_records_are_found_by_stamp():
    """The number is -1 for an absent stamp."""
    available = {d: i for i, d in enumerate(stamps(3))}
    assert records([stamps(3)[2], datetime(1999, 1, 1), FIRST], available).tolist() == [2, -1, 0]


@pytest.mark.parametrize("wanted", [[1, 2, 3], [3, 1], [0, 99]])
def test_reading_records_near_and_far(tmp_path, wanted):
    """Read as one block or one by one, records are in the requested order."""
    path = write_land(tmp_path / "a.nc", {"swvl1": ramp(100, 2)}, stamps(100))
    with open_file(path) as ds:
        got = read_records(ds["swvl1"], np.array(wanted))
    np.testing.assert_allclose(got, ramp(100, 2)[wanted], rtol=1e-6)
