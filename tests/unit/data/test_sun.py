# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Sun and calendar equal those of Anemoi's own source."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from earthkit.data import from_source

from anemoi_ailand.data.sun import COMPUTED, compute
from anemoi_ailand.variables import VARIABLES

LATITUDES, LONGITUDES = np.array([72.9, 0.0, -54.6, 47.3]), np.array([-158.9, 0.0, 175.9, 359.5])
DATES = [datetime(2020, 1, 1), datetime(2020, 2, 29, 6), datetime(2021, 6, 21, 12), datetime(2022, 12, 31, 18)]


def test_names_are_the_computed_ones_of_the_table():
    """The names are those of the table, no more and no less."""
    assert set(COMPUTED) == {n for n, v in VARIABLES.items() if v.computed}


@pytest.mark.parametrize("name", COMPUTED)
def test_equal_to_the_source_forcings(name):
    """The values are bitwise equal in float32, the dtype of a dataset."""
    fields = from_source("forcings", latitudes=LATITUDES, longitudes=LONGITUDES, date=DATES, param=[name])
    theirs = np.array([f.to_numpy(flatten=True) for f in fields], "f4")
    ours = compute([name], DATES, LATITUDES, LONGITUDES)[0]
    np.testing.assert_array_equal(ours, theirs)
    assert np.ptp(ours) > 0
