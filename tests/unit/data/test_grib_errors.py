# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""What is wrong with an archive is said before anything is written: what, what is there, what to do."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import eccodes
import netCDF4
import numpy as np
import pytest
from grib_writer import Archive, Grid, stamps

from anemoi_ailand.data import grib_parameters
from anemoi_ailand.data.grib import GribReader

FIRST = datetime(2020, 4, 1)
DATES = stamps(FIRST, 4)
N_POINTS = 12


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Soil moisture of layer 1 at four dates."""
    archive = Archive(tmp_path, Grid("regular", N_POINTS))
    for date in DATES:
        archive.field("state.grib", points(archive, 0.3), 39, date, dataType="an")
    return archive


def points(archive: Archive, value: float) -> np.ndarray:
    return archive.grid.spread(np.full(archive.grid.n_points, value))


def refuse(archive: Archive, match: str, **options: object) -> None:
    with pytest.raises(ValueError, match=match):
        GribReader(sorted(archive.folder.iterdir()), **options)


def test_parameter_missing(archive: Archive) -> None:
    """A variable that no field gives is named with those that are there."""
    reader = GribReader(sorted(archive.folder.iterdir()))
    with pytest.raises(ValueError, match=r"Variables \['stl1'\] are not in 'state.grib'.*\['swvl1'\].*add the files"):
        reader.read(["stl1"], DATES)


def test_units_unknown(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Units that are not in the list for a variable are refused, with the list."""
    monkeypatch.setitem(grib_parameters._UNITS, "m3 m-3", {"kg m**-3": 1e-3})
    refuse(archive, r"swvl1 \(paramId 39\).*'m\*\*3 m\*\*-3'.*\['kg m\*\*-3'\].*Correct")


def test_accumulation_decreases(archive: Archive) -> None:
    """Rain that grows less is an error, with the size of the fault and the likely repair."""
    for step, amount in ((6, 3.0e-3), (12, 2.0e-3)):
        archive.amount("tp.grib", points(archive, amount), 228, FIRST, 0, step)
    reader = GribReader(sorted(archive.folder.iterdir()))
    with pytest.raises(ValueError, match=r"accumulated tp decreases before 2020-04-01 12:00.*`restart_hours`"):
        reader.read(["avg_tprate"], DATES[1:3])


def test_steps_do_not_give_six_hours(archive: Archive) -> None:
    """Steps 4 and 9 of a forecast give no mean over 6 h that ends at a stamp."""
    for step in (4, 9):
        archive.amount("tp.grib", points(archive, 1.0e-3), 228, FIRST, 0, step)
    refuse(archive, r"mean of tp over the 6 h to .* cannot be formed; there are 2 intervals: 2020-04-01 00:00 \+0-4 h")


def test_gap_in_time_of_a_state(archive: Archive) -> None:
    """A missing analysis is named by its time, with the way round it."""
    for date in (DATES[0], DATES[1], DATES[3]):
        archive.field("skt.grib", points(archive, 290.0), 235, date, dataType="an")
    match = r"'skt' has a gap in time at 2020-04-01 12:00: There is no skt at 2020-04-01 12:00.*`leave_out: \[skt\]`"
    refuse(archive, match)
    assert GribReader(sorted(archive.folder.iterdir()), leave_out=["skt"]).coverage.last == DATES[-1]


def test_gap_in_time_of_a_flux(archive: Archive) -> None:
    """A missing forecast is named by the interval that cannot be formed."""
    for base in (DATES[0], DATES[2]):
        archive.amount("tp.grib", points(archive, 1.0e-3), 228, base, 0, 6)
    refuse(archive, r"'avg_tprate' has a gap in time at 2020-04-01 12:00: The mean of tp over the 6 h")


def test_no_date_in_common(archive: Archive) -> None:
    """Variables of different years are named with their spans."""
    archive.field("skt.grib", points(archive, 290.0), 235, FIRST + timedelta(days=30))
    refuse(archive, r"no date in common: \{'swvl1': '2020-04-01 00:00 to .*'skt': '2020-05-01 00:00 to")


def test_grids_differ(archive: Archive) -> None:
    """Fields of two grids are refused, with what each grid is."""
    other = Archive(archive.folder, Grid("regular", 30))
    for date in DATES:
        other.field("skt.grib", points(other, 290.0), 235, date)
    refuse(archive, r"on 2 different grids.*'skt': 'regular_ll, 42 points', 'swvl1': 'regular_ll, 21 points'")


def test_same_field_twice(archive: Archive) -> None:
    """Two fields for one thing are an error that names the files."""
    archive.field("again.grib", points(archive, 0.2), 39, DATES[1], dataType="an")
    refuse(archive, r"swvl1 from 2020-04-01 06:00 at step 0 h is there 2 times, in \['again.grib', 'state.grib'\]")


def test_forcing_on_different_levels(archive: Archive) -> None:
    """Temperature and humidity must be of one level."""
    for date in DATES:
        archive.field("t.grib", points(archive, 290.0), 130, date, typeOfLevel="hybrid", level=137)
        archive.field("q.grib", points(archive, 0.01), 133, date, typeOfLevel="hybrid", level=136)
    refuse(archive, r"lowest model level differs.*'t': 137.*'q': 136")


def test_no_such_forecast(archive: Archive) -> None:
    """The starts that are there are listed."""
    refuse(archive, r"No forecast starts at 2021-01-01 00:00; there are \['2020-04-01 00:00'", forecast="2021-01-01")


def test_no_land(archive: Archive) -> None:
    """A mask without land is refused."""
    archive.field("lsm.grib", archive.grid.spread(np.zeros(N_POINTS), 0.0), 172, FIRST)
    refuse(archive, r"None of the 21 points .* is land, by the land-sea mask.*`land: false`")


def test_netcdf_of_another_grid(archive: Archive) -> None:
    """Constants beside GRIB must have its points."""
    with netCDF4.Dataset(archive.folder / "other.nc", "w") as out:
        out.createDimension("point", 3)
        for name in ("latitude", "longitude", "c4"):
            out.createVariable(name, "f8", ("point",))[:] = 0.0
    refuse(archive, r"have 21 points, and NetCDF gives coordinates of 3 other points.*same order")


def test_no_grib_in_file(archive: Archive) -> None:
    """A file of something else is named, with how it begins."""
    (archive.folder / "page.grib").write_bytes(b"<html>not found</html>")
    refuse(archive, r"no GRIB message in .*page.grib, which begins with b'<html>no'")


def test_empty_file(archive: Archive) -> None:
    """An empty file, as a failed retrieval leaves it, is named."""
    (archive.folder / "empty.grib").touch()
    refuse(archive, r"empty.grib is empty. Retrieve it again")


def test_file_cut_short(archive: Archive) -> None:
    """A file cut in the middle of a message is named, with the place."""
    path = archive.folder / "state.grib"
    path.write_bytes(path.read_bytes()[:-20])
    refuse(archive, r"GRIB message at byte \d+ of .*state.grib is cut short")


def test_file_changed_since_opened(archive: Archive) -> None:
    """Fields are read by their place: a file that changed is refused, not read wrong."""
    reader = GribReader([archive.folder / "state.grib"])
    (archive.folder / "state.grib").write_bytes(b"x" * 10000)
    with pytest.raises(ValueError, match=r"is not what it was when it was opened"):
        reader.read(["swvl1"], DATES)


def test_nothing_of_use(tmp_path: Path) -> None:
    """Fields of other parameters are listed."""
    archive = Archive(tmp_path, Grid("regular", N_POINTS))
    archive.field("wave.grib", points(archive, 1.0), 151, FIRST)
    refuse(archive, r"None of the fields .* is of use; there are \['msl'\]")


def test_nothing_that_changes(tmp_path: Path) -> None:
    """Constants alone are not an archive."""
    archive = Archive(tmp_path, Grid("regular", N_POINTS))
    archive.field("lsm.grib", points(archive, 1.0), 172, FIRST)
    refuse(archive, r"holds nothing that changes in time")


def test_mean_without_interval(tmp_path: Path) -> None:
    """A time mean of GRIB1 that does not say over what is refused."""
    archive = Archive(tmp_path, Grid("regular", N_POINTS), 1)
    archive.field("mean.grib", points(archive, 1.0), 235035, FIRST, step=6)
    refuse(archive, r"1 fields of avg_sdswrf, a mean over an interval, do not say over which.*`restart_hours`")


def test_several_fields_in_a_message(archive: Archive) -> None:
    """GRIB2 messages of several fields are refused with the way to split them."""
    eccodes.codes_grib_multi_support_on()
    multi = eccodes.codes_grib_multi_new()
    handle = eccodes.codes_grib_new_from_samples("GRIB2")
    for _ in range(2):
        eccodes.codes_grib_multi_append(handle, 4, multi)
    with (archive.folder / "multi.grib").open("wb") as file:
        eccodes.codes_grib_multi_write(multi, file)
    eccodes.codes_grib_multi_release(multi)
    eccodes.codes_grib_multi_support_off()
    refuse(archive, r"multi.grib holds 2 fields, one is read.*grib_copy")
