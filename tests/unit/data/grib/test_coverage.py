# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Common dates of all variables, and errors for gaps."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from anemoi_ailand.data.grib.grib_reader import GribReader
from tests.support.grib import Archive, Grid, files, points, refuse, stamps

FIRST = datetime(2020, 4, 1)
DATES = stamps(FIRST, 5)


def test_gap_in_time_of_a_state(archive: Archive) -> None:
    """The error gives the time of the missing analysis, and the option to leave the variable out."""
    for date in (DATES[0], DATES[1], DATES[3]):
        archive.field("skt.grib", points(archive, 290.0), 235, date, dataType="an")
    match = r"'skt' has a gap in time at 2020-04-01 12:00: There is no skt at 2020-04-01 12:00.*`leave_out: \[skt\]`"
    refuse(archive.folder, match)
    assert GribReader(files(archive.folder), leave_out=["skt"]).coverage.last == DATES[-1]


def test_gap_in_time_of_a_flux(archive: Archive) -> None:
    """The error gives the interval that cannot be formed."""
    for base in (DATES[0], DATES[2]):
        archive.amount("tp.grib", points(archive, 1.0e-3), 228, base, 0, 6)
    refuse(archive.folder, r"'avg_tprate' has a gap in time at 2020-04-01 12:00: The mean of tp over the 6 h")


def test_steps_without_a_difference_of_six_hours(archive: Archive) -> None:
    """Steps 4 and 9 of a forecast give no mean over 6 h; the error lists the intervals."""
    for step in (4, 9):
        archive.amount("tp.grib", points(archive, 1.0e-3), 228, FIRST, 0, step)
    refuse(
        archive.folder,
        r"mean of tp over the 6 h to .* cannot be formed; there are 2 intervals: 2020-04-01 00:00 \+0-4 h",
    )


def test_no_date_in_common(archive: Archive) -> None:
    """The error gives the period of each variable."""
    archive.field("skt.grib", points(archive, 290.0), 235, FIRST + timedelta(days=30))
    refuse(archive.folder, r"no date in common: .*'skt': '2020-05-01 00:00 to")


def test_only_constants(tmp_path: Path) -> None:
    """Files without a variable that changes in time are refused."""
    archive = Archive(tmp_path, Grid("regular", 12))
    archive.field("lsm.grib", points(archive, 1.0), 172, FIRST)
    refuse(tmp_path, r"holds nothing that changes in time")
