# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Variables that are not in an archive are derived as in ecLand."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np

from anemoi_ailand.data.grib.grib_reader import GribReader
from anemoi_ailand.data.reader import Reader
from tests.support.grib import files, stamps

FIRST = datetime(2020, 4, 1)
DATES = stamps(FIRST, 5)


def test_types_become_parameters(folder: Path, ecland: Reader) -> None:
    """Vegetation and soil parameters follow from the types as in the sample."""
    names = [n for n in ecland.variables if n.startswith(("veg_", "theta_"))]
    reader = GribReader(files(folder))
    assert len(names) == 9
    np.testing.assert_allclose(reader.read(names, DATES[1:2]), ecland.read(names, DATES[1:2]), rtol=1e-5)


def test_state_of_snow(folder: Path, ecland: Reader) -> None:
    """With snow its density, temperature and cover are those of the sample; without snow, ecLand's constants."""
    found = GribReader(files(folder)).read(["sd", "rsn", "tsn", "snowc"], DATES[1:])
    expected = ecland.read(["sd", "rsn", "tsn", "snowc"], DATES[1:])
    snow = expected[0] > 1.0
    assert snow.any()
    np.testing.assert_allclose(found[:, snow], expected[:, snow], rtol=1e-3)
    bare = found[0] == 0.0
    assert set(found[1][bare]) == {np.float32(100.0)} and set(found[2][bare]) == {np.float32(273.16)}
