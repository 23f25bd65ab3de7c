# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Statistics gathered step by step are those of all steps."""

import numpy as np
import pytest

from anemoi_ailand.rollout.reforecast.annual_statistics import STATISTICS, YearStatistics
from anemoi_ailand.variables import variable

NAMES = ("swvl1", "sd")
LOWER, UPPER = np.array([0.0, 0.0]), np.array([[0.4, np.inf], [0.5, np.inf], [0.6, np.inf]])


@pytest.fixture
def statistics():
    return YearStatistics(NAMES, LOWER, UPPER, 3)


def test_they_are_those_of_all_values(statistics):
    """Mean, extremes and last value equal those of the whole series."""
    values = np.random.default_rng(0).uniform(0.1, 0.3, (50, 3, 2)).astype(np.float32)
    for step in values:
        statistics.add(step)
    found = statistics.result()
    np.testing.assert_allclose(found["mean"], values.mean(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(found["min"], values.min(axis=0))
    np.testing.assert_array_equal(found["max"], values.max(axis=0))
    np.testing.assert_array_equal(found["end"], values[-1])
    assert tuple(found) == STATISTICS
    assert statistics.steps == 50


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


def test_a_new_year_begins_with_nothing(statistics):
    """Nothing is left of the year before."""
    statistics.add(np.zeros((3, 2)))
    statistics.begin()
    statistics.add(np.full((3, 2), 0.2))
    found = statistics.result()
    assert statistics.steps == 1
    assert found["min"].min() == found["max"].max() == np.float32(0.2)
    assert found["at_lower"].sum() == 0
