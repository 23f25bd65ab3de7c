# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Steps at a bound and values that are not finite are counted."""

import numpy as np
import pytest

from anemoi_ailand.rollout.reforecast.annual_statistics import YearStatistics
from anemoi_ailand.variables import variable

NAMES = ("swvl1", "sd")
LOWER, UPPER = np.array([0.0, 0.0]), np.array([[0.4, np.inf], [0.5, np.inf], [0.6, np.inf]])


@pytest.fixture
def statistics():
    return YearStatistics(NAMES, LOWER, UPPER, 3)


def test_steps_at_a_bound_are_counted(statistics):
    """Values at, beyond and within a thousandth of a typical change of a bound count; bounds may vary by point."""
    near = 0.9e-3 * variable("swvl1").increment_scale
    for first in (0.0, near, 3 * near, 0.4 - near):
        statistics.add(np.array([[first, 0.0], [first, 1.0], [first, 2.0]]))
    found = statistics.result()
    assert found["at_lower"].tolist() == [[2, 4], [2, 0], [2, 0]]
    assert found["at_upper"].tolist() == [[1, 0], [0, 0], [0, 0]]


def test_values_that_are_not_finite_are_counted(statistics):
    """NaN counts once per point and step, spoils the mean and is left out of the extremes."""
    statistics.add(np.ones((3, 2)))
    statistics.add(np.array([[np.nan, np.inf], [1.0, 1.0], [2.0, 2.0]]))
    statistics.add(np.ones((3, 2)), np.array([True, False, True]))
    found = statistics.result()
    assert statistics.not_finite.tolist() == [1, 1, 0]
    assert found["max"][0, 0] == 1
    assert np.isnan(found["mean"][0, 0])
    assert found["mean"][1, 0] == 1
