# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Fields behind a value: instants, means of instants, amounts, soil layers, intervals that add up."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemoi_ailand.data.grib.accumulation import Intervals, cover, simple_ends
from anemoi_ailand.data.grib.grib_reader import GribReader
from anemoi_ailand.data.reader import Reader
from tests.support.grib import Archive, Grid, files, points, refuse, stamps, states

FIRST = datetime(2020, 4, 1)
DATES = stamps(FIRST, 5)


def test_mean_of_instants_is_trapezoidal(folder: Path, ecland: Reader) -> None:
    """The mean air temperature of the step is the mean of its ends."""
    t = ecland.read(["t"], DATES)[0]
    np.testing.assert_allclose(GribReader(files(folder)).read(["avg_t"], DATES[1:])[0], (t[1:] + t[:-1]) / 2, rtol=1e-6)


def test_mean_of_instants_includes_those_in_between(archive: Archive) -> None:
    """With 3-hourly instants 0, 3, 9 the mean is (0/2 + 3 + 9/2) / 2."""
    for hours, value in ((0, 0.0), (3, 3.0), (6, 9.0)):
        archive.field("t", points(archive, value), 130, FIRST, typeOfLevel="hybrid", level=137, step=hours)
    found = GribReader(files(archive.folder)).read(["avg_t"], DATES[1:2])
    np.testing.assert_allclose(found, 3.75, rtol=1e-5)


@pytest.mark.parametrize("edition", [1, 2])
def test_hourly_amounts_are_summed(tmp_path: Path, edition: int) -> None:
    """Amounts from step to step, as in ERA5, add up."""
    archive = Archive(tmp_path, Grid("regular", 12), edition)
    states(archive)
    for hour in range(6):
        archive.amount("ssrd.grib", points(archive, 3600.0 * (hour + 1)), 169, FIRST, hour, hour + 1)
    found = GribReader(files(tmp_path)).read(["avg_sdswrf"], DATES[1:2])
    np.testing.assert_allclose(found, 21.0 / 6.0, rtol=1e-6)


def test_means_over_intervals_are_weighted(archive: Archive) -> None:
    """Means over 2 h and 4 h are weighted by length."""
    for start, end, value in ((0, 2, 60.0), (2, 6, 90.0)):
        keys = {"stepType": "avg", "stepRange": f"{start}-{end}"}
        archive.field("mean.grib", points(archive, value), 235035, FIRST, **keys)
    np.testing.assert_allclose(GribReader(files(archive.folder)).read(["avg_sdswrf"], DATES[1:2]), 80.0, rtol=1e-6)


def test_grib1_amount_without_a_start(tmp_path: Path) -> None:
    """It begins with its forecast, or at each multiple of `restart_hours`."""
    archive = Archive(tmp_path, Grid("regular", 12), 1)
    states(archive)
    for step, value in ((6, 1.0), (12, 3.0)):
        archive.field("ssrd.grib", points(archive, value * 21600.0), 169, FIRST, step=step)
    plain, restarted = (GribReader(files(tmp_path), restart_hours=h) for h in (None, 6))
    assert plain.read(["avg_sdswrf"], DATES[1:3])[0, :, 0].tolist() == [1.0, 2.0]
    assert restarted.read(["avg_sdswrf"], DATES[1:3])[0, :, 0].tolist() == [1.0, 3.0]


def test_soil_given_by_depth(empty: Archive) -> None:
    """A soil layer may be given by its lower bound in metres."""
    keys = {"typeOfLevel": "depthBelowLandLayer", "scaleFactorOfFirstFixedSurface": 2,
            "scaledValueOfFirstFixedSurface": 7, "scaleFactorOfSecondFixedSurface": 2,
            "scaledValueOfSecondFixedSurface": 28}  # fmt: skip
    for date in DATES:
        empty.field("vsw.grib", points(empty, 0.25), 260199, date, dataType="an", **keys)
    reader = GribReader(files(empty.folder))
    assert reader.variables == ("swvl2",)
    assert np.unique(reader.read(["swvl2"], DATES[:1])) == [0.25]


def test_gap_in_time_of_a_state(archive: Archive) -> None:
    """The error gives the time of the missing analysis, and the option to leave the variable out."""
    for date in (DATES[0], DATES[1], DATES[3]):
        archive.field("skt.grib", points(archive, 290.0), 235, date, dataType="an")
    match = r"'skt' has a gap in time at 2020-04-01 12:00: There is no skt at 2020-04-01 12:00.*`leave_out: \[skt\]`"
    refuse(archive.folder, match)
    assert GribReader(files(archive.folder), leave_out=["skt"]).coverage.last == DATES[-1]


def intervals(*triples: tuple[int, int, int]) -> Intervals:
    """Return intervals from (base, start step, end step), with the position as row."""
    base, start, end = np.array(triples).T
    return Intervals.of(base + start, base + end, base, np.arange(len(triples)))


def test_single_interval_or_difference_within_one_forecast() -> None:
    """A forecast that starts with the interval needs no difference; two forecasts are never subtracted."""
    assert cover(intervals((0, 0, 12), (0, 0, 6), (6, 0, 6)), 6, 12) == [(1, 2)]
    assert cover(intervals((0, 0, 6), (0, 0, 12)), 6, 12) == [(1, 1), (-1, 0)]
    assert cover(intervals((0, 0, 6), (-12, 0, 24)), 6, 12) is None


def test_shortest_step_is_preferred() -> None:
    """Of two forecasts that cover the interval, the one with the later start is used."""
    found = intervals((0, 0, 18), (0, 0, 24), (12, 0, 6), (12, 0, 12))
    assert cover(found, 18, 24) == [(1, 3), (-1, 2)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8), st.integers(1, 8)), min_size=1, max_size=20))
def test_signed_intervals_add_up(triples: list[tuple[int, int, int]]) -> None:
    """For any archive, the signed intervals cover exactly the requested one."""
    triples = [(3 * b, s, s + n) for b, s, n in triples]
    found = cover(intervals(*triples), 6, 12)
    if found is None:
        assert 12 not in simple_ends(intervals(*triples), 6)
        return
    covered = np.zeros(40, int)
    for sign, row in found:
        base, start, end = triples[row]
        covered[base + start : base + end] += sign
    assert covered.tolist() == [1 if 6 <= hour < 12 else 0 for hour in range(40)]


def test_simple_ends_are_single_intervals_and_differences() -> None:
    """Consecutive intervals are left to `cover`."""
    found = intervals((0, 0, 6), (0, 0, 12), (100, 0, 3), (100, 3, 6), (200, 2, 5), (200, 2, 11))
    assert simple_ends(found, 6).tolist() == [6, 12, 211]


#: Archives that are refused: what is added to the fixture ``archive`` or ``empty``, and the message.
REFUSED = {
    "duplicate field": ("archive", lambda a: a.field("again.grib", points(a, 0.2), 39, DATES[1], dataType="an"),
        r"swvl1 from 2020-04-01 06:00 at step 0 h occurs 2 times, in \['again.grib', 'state.grib'\]"),
    "gap of a flux": ("archive", lambda a: [a.amount("a", points(a, 1e-3), 228, b, 0, 6) for b in (DATES[0], DATES[2])],
        r"'avg_tprate' has a gap in time at 2020-04-01 12:00: The mean of tp over the 6 h"),
    "steps 4 and 9": ("archive", lambda a: [a.amount("a", points(a, 1e-3), 228, FIRST, 0, step) for step in (4, 9)],
        r"mean of tp over the 6 h to .* cannot be formed; there are 2 intervals: 2020-04-01 00:00 \+0-4 h"),
    "no common date": ("archive", lambda a: a.field("a", points(a, 290.0), 235, FIRST + timedelta(days=30)),
        r"no date in common: .*'skt': '2020-05-01 00:00 to"),
    "only constants": ("empty", lambda a: a.field("lsm.grib", points(a, 1.0), 172, FIRST),
        r"holds nothing that changes in time"),
    "GRIB1 mean": ("empty", lambda a: replace(a, edition=1).field("a", points(a, 1.0), 235035, FIRST, step=6),
        r"1 fields of avg_sdswrf, a mean over an interval, do not give the interval.*`restart_hours`"),
    "unknown parameter": ("empty", lambda a: a.field("a", points(a, 1.0), 151, FIRST),
        r"None of the fields .* has a known parameter; there are \['msl'\]"),
    "two grids": ("archive", lambda a: replace(a, grid=Grid("regular", 30)).field("a", np.full(42, 290.0), 235, FIRST),
        r"on 2 different grids.*'skt': 'regular_ll, 42 points', 'swvl1': 'regular_ll, 21 points'"),
    "two levels": ("archive", lambda a: [a.field(n, points(a, v), p, d, typeOfLevel="hybrid", level=k) for d in DATES
                                         for n, v, p, k in (("t", 290.0, 130, 137), ("q", 0.01, 133, 136))],
        r"lowest model level differs.*'t': 137.*'q': 136"),
    "sea": ("archive", lambda a: a.field("a", a.grid.spread(np.zeros(12), 0.0), 172, FIRST),
        r"None of the 21 points .* is land, by the land-sea mask.*`land: false`"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_archive_is_refused(request: pytest.FixtureRequest, case: str) -> None:
    """The error names files, dates, intervals or parameters, and the repair."""
    fixture, add, message = REFUSED[case]
    archive = request.getfixturevalue(fixture)
    add(archive)
    refuse(archive.folder, message)
