# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Time zones of an axis are applied or refused, never ignored."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import netCDF4
import pytest

from anemoi_ailand.data.files.time_units import utc_reference
from anemoi_ailand.data.open_reader import open_reader
from tests.support.files import FIRST, ramp, stamps, write_land

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
