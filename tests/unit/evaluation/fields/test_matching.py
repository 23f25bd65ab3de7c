# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Matching of variables, points and times."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.evaluation.fields.matching import (
    ALL,
    HELD_OUT,
    TRAINED,
    common_times,
    common_variables,
    held_out_points,
    match_points,
    point_groups,
)

ONE = np.zeros((5, 3))


@pytest.fixture
def times(make_dates):
    return make_dates("2022-01-01T00", "2022-01-02T00")


def test_common_variables_are_the_predicted_ones_in_the_order_of_the_table(make_fields, times):
    """Forcing and variables missing in the reference are left out; the order is that of the table."""
    forecast = make_fields(times, {"stl1": ONE, "2t": ONE, "swvl1": ONE, "t": ONE, "src": ONE})
    reference = make_fields(times, {"swvl1": ONE, "t": ONE, "2t": ONE, "stl1": ONE})
    assert common_variables(forecast, reference) == ["swvl1", "stl1", "2t"]


def test_no_common_variable_is_an_error(make_fields, times):
    """The message lists the variables of both."""
    with pytest.raises(ValueError, match=r"\['stl1'\].*\['swvl1'\].*same recipe"):
        common_variables(make_fields(times, {"stl1": ONE}), make_fields(times, {"swvl1": ONE}))


@pytest.mark.parametrize("where", ["forecast", "reference"])
def test_other_unit_is_an_error(make_fields, times, where):
    """Degrees Celsius in forecast or reference are refused."""
    units = {"forecast": {"stl1": "K"}, "reference": {"stl1": "K"}, where: {"stl1": "degC"}}
    forecast, reference = (make_fields(times, {"stl1": ONE}, units[w]) for w in ("forecast", "reference"))
    with pytest.raises(ValueError, match=r"unit of 'stl1' is 'degC'.*'K'.*Convert"):
        common_variables(forecast, reference)


@pytest.mark.parametrize("units", ["m**3 m**-3", "m3  m-3", "m^3 m^-3", None])
def test_spelling_of_a_unit_does_not_matter(make_fields, times, units):
    """GRIB and CF spellings are equal; a missing unit is that of the table."""
    fields = make_fields(times, {"swvl1": ONE}, {"swvl1": units})
    assert common_variables(fields, fields) == ["swvl1"]


def at(make_fields, times, latitude, longitude):
    """Fields at given places."""
    values = {"swvl1": np.zeros((5, len(latitude)))}
    return make_fields(times, values, latitude=np.array(latitude), longitude=np.array(longitude))


def test_points_are_matched_in_any_order_and_as_a_subset(make_fields, times):
    """Points match in any order and longitude convention, to the tolerance."""
    reference = at(make_fields, times, [10.0, 20.0, 30.0, -89.9], [-60.0, 0.0, 179.9999, 5.0])
    forecast = at(make_fields, times, [30.0004, 10.0], [-180.0003, 300.0])
    np.testing.assert_array_equal(match_points(forecast, reference), [2, 0])


def test_same_points_in_the_same_order_may_share_coordinates(make_fields, times):
    """Points at the same place match by order if all coordinates are equal."""
    fields = at(make_fields, times, [10.0, 10.0, 20.0], [5.0, 5.0, 5.0])
    np.testing.assert_array_equal(match_points(fields, fields), [0, 1, 2])


def test_point_that_is_not_in_the_reference_is_an_error(make_fields, times):
    """The message gives the number of unmatched points and the worst one."""
    reference = at(make_fields, times, [10.0, 20.0], [0.0, 0.0])
    forecast = at(make_fields, times, [10.0, 20.01, 25.0], [0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match=r"2 of the 3 points.*latitude 25\.0000.*5 degrees away"):
        match_points(forecast, reference)


def test_coincident_points_are_an_error(make_fields, times):
    """Two points of a subset at the same place are refused."""
    reference = at(make_fields, times, [10.0, 20.0, 30.0], [0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match=r"1 points.*same coordinates"):
        match_points(at(make_fields, times, [10.0, 10.0], [0.0, 0.0]), reference)


def test_common_times_begin_after_the_initial_date_and_end_with_the_reference(make_fields, make_dates):
    """Lead 0 is left out, as are dates after the end of the reference."""
    forecast = make_fields(make_dates("2022-01-01T00", "2022-01-03T00"), {"swvl1": np.zeros((9, 2))})
    reference = make_fields(make_dates("2021-12-31T00", "2022-01-02T00"), {"swvl1": np.zeros((9, 2))})
    np.testing.assert_array_equal(common_times(forecast, reference), make_dates("2022-01-01T06", "2022-01-02T00"))


@pytest.mark.parametrize(
    ("start", "end"),
    [("2023-01-01T00", "2023-01-02T00"), ("2021-12-31T18", "2022-01-01T18"), ("2022-01-02T00", "2022-01-03T00")],
)
def test_no_overlap_in_time_is_an_error(make_fields, make_dates, times, start, end):
    """Runs after, before or only touching the reference are refused."""
    forecast = make_fields(make_dates(start, end), {"swvl1": ONE})
    with pytest.raises(ValueError, match=f"do not overlap.*{start[:10]}.*2022-01-01T00:00 to 2022-01-02T00:00"):
        common_times(forecast, make_fields(times, {"swvl1": ONE}))


def test_dates_that_fall_between_those_of_the_reference_are_an_error(make_fields, times):
    """A forecast at 03, 09, ... UTC is not compared with 00, 06, ... UTC."""
    forecast = make_fields(times + np.timedelta64(3, "h"), {"swvl1": ONE})
    with pytest.raises(ValueError, match=r"4 dates of the forecast.*steps or hours differ"):
        common_times(forecast, make_fields(times, {"swvl1": ONE}))


def test_held_out_is_marked_or_every_fifth_point(make_fields, times):
    """``held_out`` takes precedence over ``point_id``; without either, held-out points are unknown."""
    ids, mark = {"point_id": np.array([3.0, 5.0, 6.0])}, {"held_out": np.array([1.0, 0.0, 0.0])}
    masks = [held_out_points(make_fields(times, {"swvl1": ONE}, constants=c)) for c in ({**ids, **mark}, ids, {})]
    assert [None if m is None else m.tolist() for m in masks] == [[True, False, False], [False, True, False], None]


def test_groups_share_out_all_points():
    """Held-out and trained points are disjoint and together all points."""
    groups = point_groups(4, np.array([True, False, False, True]))
    assert groups[HELD_OUT].tolist() == [0, 3]
    assert sorted([*groups[HELD_OUT], *groups[TRAINED]]) == groups[ALL].tolist()
    assert list(point_groups(4, None)) == [ALL]
