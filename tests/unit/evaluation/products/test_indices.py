# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Products in closed form, against naive loops and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import percentileofscore

from anemoi_ailand.evaluation.products import indices as p

CENTRES = [0.035, 0.175, 0.64, 1.945]
DAYS_2022 = np.arange("2022-01-01", "2023-01-01", dtype="datetime64[D]")


def test_root_zone_water_is_of_the_top_metre() -> None:
    """0.1, 0.2, 0.3 m3 m-3 in 0.07, 0.21, 0.72 m hold 265 kg m-2; the fourth layer does not count."""
    assert p.root_zone_water(np.array([[0.1], [0.2], [0.3], [0.9]]))[0] == pytest.approx(265.0)


def test_wetness_index_at_known_points() -> None:
    """0 at the wilting point, 1 at field capacity, beyond these outside; NaN where there is no range."""
    theta = np.array([[0.1, 0.3, 0.2, 0.4, 0.2]])
    index = p.wetness_index(theta, np.array([0.1, 0.1, 0.1, 0.1, 0.2]), np.array([0.3, 0.3, 0.3, 0.3, 0.2]))
    np.testing.assert_allclose(index, [[0.0, 1.0, 0.5, 1.5, np.nan]])


@given(st.floats(0.04, 1.9), st.floats(1.0, 20.0))
def test_frost_depth_finds_the_isotherm_of_a_linear_profile(depth: float, gradient: float) -> None:
    """A temperature that rises with depth and is 273.15 K at 0.04 to 1.9 m is frozen down to there."""
    stl = 273.15 + gradient * (np.array(CENTRES) - depth)
    assert p.frost_depth(stl[:, None])[0] == pytest.approx(depth)


@pytest.mark.parametrize(
    ("celsius", "depth"),
    [([1, -1, -1, 1], 0.0), ([-1, -2, -1, -3], 1.945), ([-1, 1, -5, 2], 0.105), ([0, 1, 2, 3], 0.0)],
    ids=["thawed on top", "all frozen", "first isotherm", "at the melting point"],
)
def test_frost_depth_in_special_cases(celsius: list[float], depth: float) -> None:
    """Frost counts from the surface to the first isotherm; a column all frozen gives its lowest middle."""
    assert p.frost_depth(np.array(celsius, float)[:, None] + 273.15)[0] == pytest.approx(depth)


def test_percentile_agrees_with_scipy_in_its_window() -> None:
    """Each value against scipy's percentile in the days of the sample within 15 of the middle of its slot."""
    rng = np.random.default_rng(1)
    sample_days = np.arange("2019-01-01", "2022-01-01", dtype="datetime64[D]")
    sample = rng.integers(0, 30, (len(sample_days), 2)).astype(np.float32)  # whole numbers: many are equal
    values = rng.integers(0, 30, (len(DAYS_2022), 2)).astype(np.float32)
    found = p.percentile(values, DAYS_2022, sample, sample_days)
    for day, middle in ((0, 4), (59, 54), (185, 184), (364, 362)):
        near = np.abs((p.day_of_year(sample_days) - middle + 182) % 365 - 182) <= 15
        assert near.sum() in (31 * 3, 31 * 3 + 1)  # 29 February is with the 28th
        for point in range(2):
            expected = percentileofscore(sample[near, point], values[day, point], kind="mean")
            assert found[day, point] == pytest.approx(expected, rel=1e-6)


def test_percentile_of_a_soil_that_never_changes_is_fifty() -> None:
    """A constant soil is at the 50th percentile and not in drought."""
    days = np.arange("2020-01-01", "2022-01-01", dtype="datetime64[D]")
    found = p.percentile(np.zeros((365, 1)), DAYS_2022, np.zeros((len(days), 1)), days)
    assert np.all(found == 50.0)
    assert np.all(p.drought_class(found) == p.NO_DROUGHT)


def test_percentile_without_sample_in_the_window_is_missing() -> None:
    """A value without sample days in its window is NaN."""
    july = np.arange("2020-07-01", "2020-08-01", dtype="datetime64[D]")
    found = p.percentile(np.zeros((365, 1)), DAYS_2022, np.zeros((31, 1)), july)
    assert np.isnan(found[0, 0])
    assert found[195, 0] == 50.0


def test_drought_classes_have_the_limits_of_the_drought_monitor() -> None:
    """2, 5, 10, 20 and 30 % are the last of their classes."""
    found = p.drought_class(np.array([0, 2, 2.1, 5, 5.1, 10, 10.1, 20, 20.1, 30, 30.1, 100]))
    assert found.tolist() == [4, 4, 3, 3, 2, 2, 1, 1, 0, 0, -1, -1]


def test_days_are_counted_by_month_and_season() -> None:
    """Every other day from 15 November 2021 to 10 March 2022: months and seasons begin where the calendar says."""
    days = np.arange("2021-11-15", "2022-03-11", dtype="datetime64[D]")
    flags = (np.arange(len(days)) % 2 == 0)[:, None]
    starts, counts, given = p.count_days(flags, days, 1)
    assert [str(s) for s in starts] == ["2021-11-01", "2021-12-01", "2022-01-01", "2022-02-01", "2022-03-01"]
    assert given.tolist() == [16, 31, 31, 28, 10]
    assert counts[:, 0].tolist() == [8, 16, 15, 14, 5]
    starts, counts, given = p.count_days(flags, days, 3)
    assert [str(s) for s in starts] == ["2021-09-01", "2021-12-01", "2022-03-01"]
    assert (given.tolist(), counts[:, 0].tolist()) == ([16, 90, 10], [8, 45, 5])
