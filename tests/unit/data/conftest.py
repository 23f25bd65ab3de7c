# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Small GRIB archives shared by the tests of the GRIB reader."""

from datetime import datetime
from pathlib import Path

import pytest

from anemoi_ailand.data.reader import Reader
from tests.support.grib import Archive, Grid, sample, stamps, states

DATES = stamps(datetime(2020, 4, 1), 5)


@pytest.fixture(scope="session")
def ecland() -> Reader:
    """Return a reader of the packaged sample."""
    return sample()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, ecland: Reader) -> Path:
    """Return a folder with the sample on a regular grid with sea, GRIB2, a parameter for each soil layer."""
    folder = tmp_path_factory.mktemp("grib")
    Archive(folder, Grid("regular", len(ecland.point_id))).write(ecland, DATES)
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Return an archive with soil moisture of layer 1 at every date."""
    return states(Archive(tmp_path, Grid("regular", 12)))


@pytest.fixture
def empty(tmp_path: Path) -> Archive:
    """Return an archive without a field."""
    return Archive(tmp_path, Grid("regular", 12))
