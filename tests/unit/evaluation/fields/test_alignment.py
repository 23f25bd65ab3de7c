# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Forecasts are compared over their common starts, leads and points."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.evaluation.fields.alignment import align
from tests.support.worlds import DAYS_1_2_7, reference, reforecast, reforecast_of, run, starts


def test_single_forecast_is_unchanged():
    """A single forecast keeps its starts, leads and points; variables have the order of the table."""
    got = align({"emulator": reforecast()}, reference())
    assert got.variables == ["swvl1", "stl1", "2t", "slhf"]
    np.testing.assert_array_equal(got.starts, starts())
    np.testing.assert_array_equal(got.leads, DAYS_1_2_7)
    np.testing.assert_array_equal(got.points, np.arange(10))


def test_forecasts_are_cut_to_their_common_part():
    """All forecasts have the same starts, leads and points after the alignment."""
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
    """Chosen variables have the order of the table, and an unavailable one is an error."""
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
    """The message says whether starts, leads or points have nothing in common."""
    rest = tuple(None if p is None else slice(0, p.start) for p in part)
    with pytest.raises(ValueError, match=f"have no {what} in common"):
        align({"a": reforecast().select(*part), "b": reforecast().select(*rest)}, reference())


def test_runs_beyond_the_reference_are_an_error():
    """Runs of many starts must lie within the reference; the message gives their number and the first date."""
    late = run().assign_coords(start=starts(12, 20) + np.timedelta64(140, "D"))
    with pytest.raises(ValueError, match=r"do not overlap in time: 1 of 12 runs.*first 2023-01-03T06"):
        align({"a": reforecast_of(late)}, reference())


def test_dates_between_those_of_the_reference_are_an_error():
    """Starts that are 3 hours off are refused."""
    odd = run().assign_coords(start=starts() + np.timedelta64(3, "h"))
    with pytest.raises(ValueError, match="12 of 12 runs"):
        align({"a": reforecast_of(odd)}, reference())


def test_single_run_beyond_the_reference_is_cut(caplog):
    """A single run is cut at the end of the reference, with a warning."""
    first = np.array(["2022-12-30"], "datetime64[ns]")
    with caplog.at_level("WARNING"):
        long = run(first=np.array(["2022-06-01"], "datetime64[ns]")).assign_coords(start=first)
        got = align({"a": reforecast_of(long)}, reference())
    assert got.leads.tolist() == [6, 12, 18, 24, 30, 36, 42]
    assert "5 leads are not scored" in caplog.text


@pytest.mark.parametrize("label", ["persistence", "climatology", "ecLand"])
def test_name_of_a_baseline_is_refused_as_label(label):
    """Labels of reference and baselines are reserved."""
    with pytest.raises(ValueError, match=f"{label}.*cannot be labels"):
        align({label: reforecast()}, reference())


def test_no_forecast_is_an_error():
    """An empty mapping is refused."""
    with pytest.raises(ValueError, match="No forecast to score"):
        align({}, reference())
