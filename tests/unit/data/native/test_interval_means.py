# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Means over the hours that end at a stamp, for any native step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemoi_ailand.data.native.interval_means import Kind, native_step, whole_ends, window

T0 = np.datetime64("2020-01-01T00:00:00", "s")


def every(hours: float, n: int, first: np.datetime64 = T0) -> np.ndarray:
    return first + np.arange(n) * np.timedelta64(round(hours * 3600), "s")


def mean(values: np.ndarray, stamps: np.ndarray, end: np.datetime64, hours: float, kind: Kind) -> float:
    records, weights = window(stamps, np.array([end]), hours, kind, "x")
    return float(values[records[0]] @ weights)


@pytest.mark.parametrize(
    ("step", "kind", "expected"),
    [
        (1, Kind.MEAN, 9.5),  # stamps 7, ..., 12 h, each the mean over the hour before: values are the hours
        (1, Kind.INSTANT, 9.0),  # the trapezoid of a straight line from 6 to 12
        (2, Kind.MEAN, 10.0),  # 8, 10, 12
        (3, Kind.INSTANT, 9.0),
        (6, Kind.MEAN, 12.0),  # one record
        (6, Kind.INSTANT, 9.0),  # (6 + 12) / 2
    ],
)
def test_mean_of_the_six_hours_that_end_at_noon(step, kind, expected):
    """The values are their stamps in hours, so the means are known."""
    stamps = every(step, 48 // step + 1)
    hours = (stamps - T0) / np.timedelta64(3600, "s")
    assert mean(hours, stamps, T0 + np.timedelta64(12, "h"), 6, kind) == pytest.approx(expected, rel=1e-14)


@given(step=st.sampled_from([0.5, 1, 2, 3, 6]), kind=st.sampled_from(list(Kind)), value=st.floats(-1e6, 1e6))
def test_mean_of_a_constant_is_the_constant(step, kind, value):
    """Weights sum to one for every step that divides 6 h."""
    stamps = every(step, int(24 / step) + 1)
    got = mean(np.full(len(stamps), value), stamps, T0 + np.timedelta64(12, "h"), 6, kind)
    assert got == pytest.approx(value, rel=1e-12, abs=1e-9)


def test_records_that_give_no_mean():
    """An end between records or after the last one, and a single record."""
    for end in (np.timedelta64(90, "m"), np.timedelta64(100, "h")):
        with pytest.raises(ValueError, match="has no record at"):
            window(every(1, 49), np.array([T0 + end]), 6, Kind.MEAN, "'forcing'")
    with pytest.raises(ValueError, match="1 record"):
        native_step(every(1, 1), "'forcing'")


@pytest.mark.parametrize(("kind", "first"), [(Kind.MEAN, 5), (Kind.INSTANT, 6)])
def test_whole_ends_are_the_first_and_last_complete_intervals(kind, first):
    """A mean stamped 0 h covers the hour before, an instant does not."""
    stamps = every(1, 30)
    begin, end = whole_ends(stamps, 6, kind, "x")
    assert (begin, end) == (stamps[first], stamps[-1])
    window(stamps, np.array([begin, end]), 6, kind, "x")
    with pytest.raises(ValueError, match="not complete"):
        window(stamps, stamps[first - 1 : first], 6, kind, "x")
