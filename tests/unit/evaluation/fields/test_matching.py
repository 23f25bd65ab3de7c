# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Variables, points and times that a forecast shares with the reference, and those of several forecasts."""

import numpy as np
import pytest

from anemoi_ailand.evaluation.fields.alignment import align
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
from tests.support.worlds import DAYS_1_2_7, fields_of, reference, reforecast, reforecast_of, run, six_hourly, starts

ONE = np.zeros((5, 3))


@pytest.fixture
def times():
    return six_hourly("2022-01-01T00", "2022-01-02T00")


def test_common_variables_are_the_predicted_ones_in_the_order_of_the_table(times):
    """Forcing and variables missing in the reference are left out; the order is that of the table."""
    forecast = fields_of(times, {"stl1": ONE, "2t": ONE, "swvl1": ONE, "t": ONE, "src": ONE})
    reference = fields_of(times, {"swvl1": ONE, "t": ONE, "2t": ONE, "stl1": ONE})
    assert common_variables(forecast, reference) == ["swvl1", "stl1", "2t"]


def test_variables_that_do_not_agree_are_an_error(times):
    """Nothing in common, or another unit in forecast or reference."""
    kelvin, celsius = (fields_of(times, {"stl1": ONE}, {"stl1": units}) for units in ("K", "degC"))
    other = fields_of(times, {"swvl1": ONE})
    unit = r"'stl1' in .* has units 'degC'; 'K' is expected.*Convert"
    nothing = r"\['stl1'\].*\['swvl1'\].*same recipe"
    for forecast, truth, message in ((kelvin, celsius, unit), (celsius, kelvin, unit), (kelvin, other, nothing)):
        with pytest.raises(ValueError, match=message):
            common_variables(forecast, truth)


def test_spelling_of_a_unit_does_not_matter(times):
    """GRIB and CF spellings are equal; a missing unit is that of the table."""
    for units in ("m**3 m**-3", "m3  m-3", "m^3 m^-3", None):
        fields = fields_of(times, {"swvl1": ONE}, {"swvl1": units})
        assert common_variables(fields, fields) == ["swvl1"]


def at(times, latitude, longitude):
    """Fields at given places."""
    values = {"swvl1": np.zeros((5, len(latitude)))}
    return fields_of(times, values, latitude=np.array(latitude), longitude=np.array(longitude))


def test_points_are_matched_in_any_order_and_as_a_subset(times):
    """Points match in any order and longitude convention, to the tolerance."""
    reference = at(times, [10.0, 20.0, 30.0, -89.9], [-60.0, 0.0, 179.9999, 5.0])
    forecast = at(times, [30.0004, 10.0], [-180.0003, 300.0])
    np.testing.assert_array_equal(match_points(forecast, reference), [2, 0])


def test_points_that_share_coordinates(times):
    """They match by order if all coordinates are equal; in a subset they are refused."""
    fields = at(times, [10.0, 10.0, 20.0], [5.0, 5.0, 5.0])
    np.testing.assert_array_equal(match_points(fields, fields), [0, 1, 2])
    reference = at(times, [10.0, 20.0, 30.0], [0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match=r"1 points.*same coordinates"):
        match_points(at(times, [10.0, 10.0], [0.0, 0.0]), reference)


def test_point_that_is_not_in_the_reference_is_an_error(times):
    reference = at(times, [10.0, 20.0], [0.0, 0.0])
    forecast = at(times, [10.0, 20.01, 25.0], [0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match=r"2 of the 3 points.*latitude 25\.0000.*5 degrees away"):
        match_points(forecast, reference)


def test_common_times_begin_after_the_initial_date_and_end_with_the_reference():
    """Lead 0 is left out, as are dates after the end of the reference."""
    forecast = fields_of(six_hourly("2022-01-01T00", "2022-01-03T00"), {"swvl1": np.zeros((9, 2))})
    reference = fields_of(six_hourly("2021-12-31T00", "2022-01-02T00"), {"swvl1": np.zeros((9, 2))})
    np.testing.assert_array_equal(common_times(forecast, reference), six_hourly("2022-01-01T06", "2022-01-02T00"))


def test_no_overlap_in_time_is_an_error(times):
    """Runs after, before or only touching the reference, and one at 03, 09, ... UTC."""
    reference = fields_of(times, {"swvl1": ONE})
    period = "do not overlap.*{}.*2022-01-01T00:00 to 2022-01-02T00:00"
    cases = [
        (six_hourly(f"{day}T{hour}", f"{end}T{hour}"), period.format(day))
        for day, end, hour in (("2023-01-01", "2023-01-02", "00"), ("2021-12-31", "2022-01-01", "18"),
                               ("2022-01-02", "2022-01-03", "00"))
    ]  # fmt: skip
    for dates, message in [*cases, (times + np.timedelta64(3, "h"), r"4 dates of the forecast.*steps or hours differ")]:
        with pytest.raises(ValueError, match=message):
            common_times(fields_of(dates, {"swvl1": ONE}), reference)


def test_held_out_is_marked_or_every_fifth_point(times):
    """``held_out`` takes precedence over ``point_id``; without either, held-out points are unknown."""
    ids, mark = {"point_id": np.array([3.0, 5.0, 6.0])}, {"held_out": np.array([1.0, 0.0, 0.0])}
    masks = [held_out_points(fields_of(times, {"swvl1": ONE}, constants=c)) for c in ({**ids, **mark}, ids, {})]
    assert [None if m is None else m.tolist() for m in masks] == [[True, False, False], [False, True, False], None]


def test_groups_share_out_all_points():
    groups = point_groups(4, np.array([True, False, False, True]))
    assert groups[HELD_OUT].tolist() == [0, 3]
    assert sorted([*groups[HELD_OUT], *groups[TRAINED]]) == groups[ALL].tolist()
    assert list(point_groups(4, None)) == [ALL]


def test_single_forecast_is_unchanged():
    got = align({"emulator": reforecast()}, reference())
    assert got.variables == ["swvl1", "stl1", "2t", "slhf"]
    np.testing.assert_array_equal(got.starts, starts())
    np.testing.assert_array_equal(got.leads, DAYS_1_2_7)
    np.testing.assert_array_equal(got.points, np.arange(10))


def test_forecasts_are_cut_to_their_common_part():
    a = reforecast().select(slice(0, 8), slice(0, 10), np.array([5, 3, 9, 1]))
    b = reforecast(seed=None).select(slice(4, 12), slice(2, 12), np.array([1, 2, 3, 5]))
    got = align({"a": a, "b": b}, reference())
    np.testing.assert_array_equal(got.points, [5, 3, 1])
    truth = reforecast(seed=None).select(slice(4, 8), slice(2, 10), np.array([5, 3, 1])).read("stl1")
    np.testing.assert_array_equal(got.forecasts["b"].read("stl1"), truth)
    noise = got.forecasts["a"].read("stl1") - truth
    assert 0 < np.abs(noise).max() < 10  # the same dates and points, or seasons would differ by more


def test_variable_of_one_forecast_is_scored_for_that_one():
    """The variables are the union over forecasts, with the labels that have each."""
    got = align({"a": reforecast(), "b": reforecast(names=("swvl1",))}, reference())
    assert got.variables == ["swvl1", "stl1", "2t", "slhf"]
    assert got.labels_with("stl1") == ["a"]
    assert got.labels_with("swvl1") == ["a", "b"]


def test_chosen_variables_only():
    got = align({"a": reforecast()}, reference(), ["2t", "swvl1"])
    assert got.variables == ["swvl1", "2t"]
    with pytest.raises(ValueError, match=r"\['sd'\] cannot be scored.*'swvl1', 'stl1', '2t', 'slhf'"):
        align({"a": reforecast()}, reference(), ["swvl1", "sd"])
    with pytest.raises(ValueError, match=r"'swv1' is not in the table.*swvl1"):
        align({"a": reforecast()}, reference(), ["swv1"])


def test_single_run_beyond_the_reference_is_cut(caplog):
    """A single run is cut at the end of the reference, with a warning."""
    first = np.array(["2022-12-30"], "datetime64[ns]")
    with caplog.at_level("WARNING"):
        long = run(first=np.array(["2022-06-01"], "datetime64[ns]")).assign_coords(start=first)
        got = align({"a": reforecast_of(long)}, reference())
    assert got.leads.tolist() == [6, 12, 18, 24, 30, 36, 42]
    assert "5 leads are not scored" in caplog.text


@pytest.mark.parametrize(("part", "what"), [(0, "initial date"), (1, "lead time"), (2, "point of the reference")])
def test_nothing_in_common_is_an_error(part, what):
    first, second = ([slice(None)] * 3 for _ in "ab")
    first[part], second[part] = slice(0, 5), slice(5, 10)
    with pytest.raises(ValueError, match=f"have no {what} in common"):
        align({"a": reforecast().select(*first), "b": reforecast().select(*second)}, reference())


def test_forecasts_that_cannot_be_scored_are_an_error():
    """Runs that end after the reference or fall between its dates, reserved labels, and no forecast at all."""
    late = reforecast_of(run().assign_coords(start=starts(12, 20) + np.timedelta64(140, "D")))
    odd = reforecast_of(run().assign_coords(start=starts() + np.timedelta64(3, "h")))
    cases = [({"a": late}, "do not overlap in time: 1 of 12 runs.*first 2023-01-03T06"), ({"a": odd}, "12 of 12 runs")]
    cases += [({name: odd}, f"{name}.*cannot be labels") for name in ("persistence", "climatology", "ecLand")]
    for forecasts, message in [*cases, ({}, "No forecast to score")]:
        with pytest.raises(ValueError, match=message):
            align(forecasts, reference())
