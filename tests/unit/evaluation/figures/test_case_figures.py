# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The figures show a typical snowy and a typical snow-free site, and a date that is compared."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.evaluation.fields.case import prepare
from anemoi_ailand.evaluation.fields.fields import open_fields
from anemoi_ailand.evaluation.figures.case_figures import choose_sites, map_time, site_title


@pytest.fixture
def case(write_forecast, reference_file):
    def make(change=None, every=None):
        return prepare(open_fields(write_forecast(change=change)), open_fields(reference_file), (2020, 2021), every)

    return make


def test_sites_are_held_out_the_snowy_one_first(case):
    """Points 0 and 5 are held out; snow lies at odd points only."""
    assert choose_sites(case()).tolist() == [5, 0]


def test_sites_without_two_held_out_points_are_taken_from_all(case):
    """A point held out alone is not enough for two sites; they differ, and the second has no snow."""
    sites = choose_sites(case(every=7, change=lambda run: run.isel(point=slice(1, 9))))
    assert sites[0] != sites[1]
    assert sites[1] % 2 == 1  # even points of the reference


def test_sites_without_a_snow_variable_are_two_different_points(case):
    """By the variability of the first variable alone."""
    sites = choose_sites(case(change=lambda run: run.drop_vars("snowc")))
    assert sorted(sites.tolist()) == [0, 5]


def test_single_point_gives_a_single_site(case):
    """One column instead of an error."""
    assert choose_sites(case(change=lambda run: run.isel(point=[3]))).tolist() == [0]


def testsite_title_says_where_and_whether_held_out(case):
    """Latitude and longitude with their side of the globe."""
    assert site_title(case(), 0) == "40.0°S, 100.0°W, held-out point"
    assert site_title(case(), 9).endswith("trained point")


def test_map_date_is_the_middle_or_the_one_asked_for(make_dates):
    """A date that is not compared, or is no date, is an error."""
    times = make_dates("2022-01-01T06", "2022-01-03T00")
    assert map_time(times, None) == np.datetime64("2022-01-02T06")
    assert map_time(times, "2022-01-02") == np.datetime64("2022-01-02T00")
    with pytest.raises(ValueError, match="not among the compared dates, 2022-01-01T06:00 to 2022-01-03T00:00"):
        map_time(times, "2022-01-02T03")
    with pytest.raises(ValueError, match="'noon' is not a date"):
        map_time(times, "noon")
