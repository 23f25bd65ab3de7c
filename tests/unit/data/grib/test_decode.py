# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Decoding of fields, on one grid."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from anemoi_ailand.data.grib.decode import Decoder
from anemoi_ailand.data.grib.grib_reader import GribReader
from anemoi_ailand.data.grib.index import scan
from tests.support.grib import Archive, Grid, files, points, refuse, stamps

FIRST = datetime(2020, 4, 1)
DATES = stamps(FIRST, 5)


def test_grids_differ(archive: Archive) -> None:
    """Fields on two grids are refused; the error describes each grid."""
    other = Archive(archive.folder, Grid("regular", 30))
    for date in DATES:
        other.field("skt.grib", points(other, 290.0), 235, date)
    refuse(archive.folder, r"on 2 different grids.*'skt': 'regular_ll, 42 points', 'swvl1': 'regular_ll, 21 points'")


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
