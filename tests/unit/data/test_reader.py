# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Readers of all layouts follow one protocol."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import STEP, Coverage, Reader
from anemoi_ailand.variables import VARIABLES

PLACES = ["$AILAND_SAMPLE", "$AILAND_SAMPLE/native/points", "$AILAND_SAMPLE/native/grid"]


@pytest.mark.parametrize("place", PLACES)
def test_reader_follows_the_protocol(place):
    """Shapes are consistent, values finite at both ends of the coverage; other dates and names are refused."""
    reader = open_reader(place)
    assert isinstance(reader, Reader)
    n = len(reader.point_id)
    assert reader.latitudes.shape == reader.longitudes.shape == (n,)
    assert list(reader.variables) == [v for v in VARIABLES if v in reader.variables]
    values = reader.read(reader.variables, [reader.coverage.first, reader.coverage.last])
    assert values.shape == (len(reader.variables), 2, n) and values.dtype == np.float32
    assert np.isfinite(values).all()
    for date in (reader.coverage.last + STEP, reader.coverage.first + timedelta(hours=1)):
        with pytest.raises(ValueError, match=r"1 of 1 dates are not in .*; it covers"):
            reader.read(["swvl1"], [date])
    with pytest.raises(ValueError, match=r"\['swlv1'\] are not in .*Nearest: .*'swvl1'"):
        reader.read(["swlv1"], [])


def test_constants_have_no_date():
    """They can be read at any date."""
    assert np.isfinite(open_reader("$AILAND_SAMPLE").read(["cvl"], [datetime(1900, 1, 1)])).all()


def test_coverage_contains_its_steps():
    """Both ends belong to it, hours between steps do not."""
    coverage = Coverage(datetime(2020, 1, 1, 6), datetime(2020, 1, 2))
    assert datetime(2020, 1, 1, 12) in coverage and datetime(2020, 1, 2) in coverage
    assert datetime(2020, 1, 1) not in coverage and datetime(2020, 1, 1, 9) not in coverage
    assert "2020-01-01 06:00 to 2020-01-02 00:00" in str(coverage)
