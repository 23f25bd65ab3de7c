# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Forecasts are compared where all have values, and refused where the reference has none."""

from __future__ import annotations

import numpy as np
import pytest
from scored_world import DAYS_1_2_7, reference, reforecast, run, starts

from anemoi_ailand.evaluation.fields.alignment import align
from anemoi_ailand.evaluation.fields.reforecast import reforecast_of


def test_one_forecast_is_left_as_it_is():
    """Variables come in the order of the table."""
    got = align({"emulator": reforecast()}, reference())
    assert got.variables == ["swvl1", "stl1", "2t", "slhf"]
    np.testing.assert_array_equal(got.starts, starts())
    np.testing.assert_array_equal(got.leads, DAYS_1_2_7)
    np.testing.assert_array_equal(got.points, np.arange(10))


def test_forecasts_are_cut_to_what_they_have_in_common():
    """Starts, leads and points; each in its own order, all alike afterwards."""
    a = reforecast().select(slice(0, 8), slice(0, 10), np.array([5, 3, 9, 1]))
    b = reforecast(seed=None).select(slice(4, 12), slice(2, 12), np.array([1, 2, 3, 5]))
    got = align({"a": a, "b": b}, reference())
    np.testing.assert_array_equal(got.points, [5, 3, 1])
    truth = reforecast(seed=None).select(slice(4, 8), slice(2, 10), np.array([5, 3, 1])).read("stl1")
    np.testing.assert_array_equal(got.forecasts["b"].read("stl1"), truth)
    noise = got.forecasts["a"].read("stl1") - truth
    assert 0 < np.abs(noise).max() < 10  # the same dates and points, or seasons would differ by more


def test_variable_of_one_forecast_is_scored_for_that_one():
    """The union of the variables; who has which is known."""
    got = align({"a": reforecast(), "b": reforecast(names=("swvl1",))}, reference())
    assert got.variables == ["swvl1", "stl1", "2t", "slhf"]
    assert got.labels_with("stl1") == ["a"]
    assert got.labels_with("swvl1") == ["a", "b"]


def test_chosen_variables_only():
    """In the order of the table, and an error for one that is not there."""
    got = align({"a": reforecast()}, reference(), ["2t", "swvl1"])
    assert got.variables == ["swvl1", "2t"]
    with pytest.raises(ValueError, match=r"\['sd'\] cannot be scored.*'swvl1', 'stl1', '2t', 'slhf'"):
        align({"a": reforecast()}, reference(), ["swvl1", "sd"])
    with pytest.raises(ValueError, match=r"'swv1' is not in the table.*swvl1"):
        align({"a": reforecast()}, reference(), ["swv1"])


@pytest.mark.parametrize(
    ("part", "what"),
    [((slice(6, 12), None, None), "initial date"), ((None, slice(6, 12), None), "lead time"),
     ((None, None, slice(5, 10)), "point of the reference")],
)  # fmt: skip
def test_nothing_in_common_is_an_error(part, what):
    """Which of starts, leads and points is in the message."""
    rest = tuple(None if p is None else slice(0, p.start) for p in part)
    with pytest.raises(ValueError, match=f"have no {what} in common"):
        align({"a": reforecast().select(*part), "b": reforecast().select(*rest)}, reference())


def test_runs_beyond_the_reference_are_an_error():
    """Of many runs all must be covered; the number and the first date without truth are in the message."""
    late = run().assign_coords(start=starts(12, 20) + np.timedelta64(140, "D"))
    with pytest.raises(ValueError, match=r"do not overlap in time: 1 of 12 runs.*first 2023-01-03T06"):
        align({"a": reforecast_of(late)}, reference())


def test_dates_between_those_of_the_reference_are_an_error():
    """3 hours off."""
    odd = run().assign_coords(start=starts() + np.timedelta64(3, "h"))
    with pytest.raises(ValueError, match="12 of 12 runs"):
        align({"a": reforecast_of(odd)}, reference())


def test_single_run_beyond_the_reference_is_cut(caplog):
    """With a warning, as in the comparison of one forecast."""
    first = np.array(["2022-12-30"], "datetime64[ns]")
    with caplog.at_level("WARNING"):
        long = run(first=np.array(["2022-06-01"], "datetime64[ns]")).assign_coords(start=first)
        got = align({"a": reforecast_of(long)}, reference())
    assert got.leads.tolist() == [6, 12, 18, 24, 30, 36, 42]
    assert "5 leads are not scored" in caplog.text


def test_other_unit_is_an_error():
    """Of a variable in the file."""
    celsius = run()
    celsius["stl1"].attrs["units"] = "degC"
    with pytest.raises(ValueError, match="unit of 'stl1' is 'degC'"):
        align({"a": reforecast_of(celsius)}, reference())


def test_point_that_is_not_in_the_reference_is_an_error():
    """Matching is that of the comparison."""
    moved = run()
    moved["latitude"][3] += 1.0
    with pytest.raises(ValueError, match="1 of the 10 points of the forecast"):
        align({"a": reforecast_of(moved)}, reference())


@pytest.mark.parametrize("label", ["persistence", "climatology", "ecLand"])
def test_name_of_a_baseline_is_no_label(label):
    """Or two models would have one name."""
    with pytest.raises(ValueError, match=f"{label}.*cannot be labels"):
        align({label: reforecast()}, reference())


def test_no_forecast_is_an_error():
    """An empty mapping."""
    with pytest.raises(ValueError, match="No forecast to score"):
        align({}, reference())
