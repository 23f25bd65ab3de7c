# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Bad forcing in the middle of a run stops it, is held, or is clipped."""

from __future__ import annotations

import logging
import timeit
from datetime import datetime, timedelta

import numpy as np
import pytest

from anemoi_ailand.rollout.forcing.forcing_filter import ForcingFilter, suspicious
from anemoi_ailand.variables import VARIABLES, Role

NAMES = ["t", "avg_tprate", "avg_sdswrf", "lai_lv"]
DATE, STEP = datetime(2020, 5, 2, 6), timedelta(hours=6)
N = 6
WHERE = (10.0 + np.arange(N), 20.0 + np.arange(N))


def good(offset: float = 0.0) -> np.ndarray:
    """Values within bounds that differ, shape (variable, point)."""
    base = np.array([280.0, 1e-4, 300.0, 2.0])[:, None]
    return (base * (1.0 + 0.01 * np.arange(N)) + offset * base * 0.02).astype("f4")


def spoilt(name: str, at: list[int], value: float) -> np.ndarray:
    """Good values with bad ones of a variable at some points."""
    values = good()
    values[NAMES.index(name), at] = value
    return values


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_missing_values_are_refused(value: float) -> None:
    """The error has variable, date, number and places."""
    message = (
        r"'lai_lv' at 2020-05-02 06:00 is missing or infinite at 2 of 6 points, the first at latitude 12.000, "
        r"longitude 22.000 \(.*\); latitude 15.000, longitude 25.000"
    )
    with pytest.raises(ValueError, match=message):
        ForcingFilter()(spoilt("lai_lv", [2, 5], value), NAMES, DATE, WHERE)


@pytest.mark.parametrize(("name", "value"), [("t", 27.0), ("t", 1000.0), ("avg_tprate", 86.0), ("lai_lv", -1.0)])
def test_values_beyond_bounds_are_refused(name: str, value: float) -> None:
    """A wrong unit is reported with bounds, place and value."""
    low, high = VARIABLES[name].bounds
    message = rf"'{name}' at .* outside its bounds \[{low}, {high}\] .* at 1 of 6 .*latitude 11.000.* \({value:.6g}\)"
    with pytest.raises(ValueError, match=message):
        ForcingFilter()(spoilt(name, [1], value), NAMES, DATE, WHERE)


@pytest.mark.parametrize(("name", "value"), [("avg_tprate", -5e-8), ("avg_sdswrf", -1e-3), ("avg_sdswrf", 1800.001)])
def test_rounding_at_a_bound_is_not_an_error(name: str, value: float) -> None:
    """Rounding of packing or interpolation is accepted."""
    ForcingFilter()(spoilt(name, [0], value), NAMES, DATE, WHERE)


def test_good_values_pass_unchanged() -> None:
    """Every policy returns the same array; bounds themselves are accepted, for every forcing of the table."""
    for policy in ("error", "hold", "clip"):
        values = good()
        assert ForcingFilter(policy)(values, NAMES, DATE, WHERE) is values
    for row in VARIABLES.values():
        if row.role is Role.FORCING and not row.computed:
            ends = [-1e30 if row.bounds[0] is None else row.bounds[0], 1e30 if row.bounds[1] is None else row.bounds[1]]
            assert not len(suspicious(np.array([ends], dtype="f4"), [row.name])), row.name


def test_hold_takes_the_last_good_value_of_the_point() -> None:
    """Missing values and values out of bounds are replaced over several steps, point by point."""
    held = ForcingFilter("hold")
    held(good(), NAMES, DATE, WHERE)
    for k in (1, 2):
        values = good(offset=k)
        values[0, 3], values[1, 4] = np.nan, 7.0
        found = held(values, NAMES, DATE + k * STEP, WHERE)
        expected = good(offset=k)
        expected[0, 3], expected[1, 4] = good()[0, 3], good()[1, 4]
        np.testing.assert_array_equal(found, expected)
        assert np.isnan(values[0, 3])  # what was given is not changed
    recovered = held(good(offset=3), NAMES, DATE + 3 * STEP, WHERE)
    np.testing.assert_array_equal(recovered, good(offset=3))


def test_hold_without_an_earlier_value_stops() -> None:
    """The first date has no earlier value."""
    with pytest.raises(ValueError, match=r"'t' at .* missing or infinite at 1 of 6.* No earlier value"):
        ForcingFilter("hold")(spoilt("t", [1], np.nan), NAMES, DATE, WHERE)


def test_clip_takes_the_bound() -> None:
    """Values beyond either bound become the bound."""
    found = ForcingFilter("clip")(spoilt("avg_tprate", [1, 2], -1.0), NAMES, DATE, WHERE)
    expected = good()
    expected[1, [1, 2]] = 0.0
    np.testing.assert_array_equal(found, expected)


def test_clip_does_not_make_up_missing_values() -> None:
    """NaN stops the run also among values out of bounds, and only NaN is counted."""
    values = spoilt("t", [1], np.nan)
    values[0, 2] = 1000.0
    with pytest.raises(ValueError, match=r"missing or infinite at 1 of 6 points.*latitude 11.000"):
        ForcingFilter("clip")(values, NAMES, DATE, WHERE)


def test_replaced_values_are_logged_once_a_day(caplog: pytest.LogCaptureFixture) -> None:
    """Replacements are logged by variable at the end of a day and of the run, and summed."""
    clipped, bad = ForcingFilter("clip"), spoilt("avg_tprate", [0, 1, 2], 9.0)
    with caplog.at_level(logging.WARNING):
        for k in range(4):  # 06, 12, 18 UTC and 00 UTC of the next day
            clipped(bad if k != 1 else good(), NAMES, DATE + k * STEP, WHERE)
        assert [r.getMessage() for r in caplog.records] == [
            "Forcing of 2020-05-02, values replaced (clip): {'avg_tprate': 6}"
        ]
        clipped.report()
    assert len(caplog.records) == 2
    assert clipped.totals == {"avg_tprate": 9}


def test_unknown_policy() -> None:
    """The error lists the policies."""
    with pytest.raises(ValueError, match=r"'climatology'. Give one of \['error', 'hold', 'clip'\]"):
        ForcingFilter("climatology")


def test_checking_is_cheap() -> None:
    """Ten variables at 100,000 points take less than 2 ms."""
    names = ["t", "q", "avg_t", "avg_q", "avg_sp", "avg_sdswrf", "avg_sdlwrf", "avg_tprate", "avg_tsrwe", "lai_lv"]
    middle = [np.mean(VARIABLES[n].bounds) for n in names]
    values = np.repeat(np.array(middle, "f4")[:, None], 100_000, axis=1)
    where = (np.zeros(100_000), np.zeros(100_000))
    check = ForcingFilter()
    assert min(timeit.repeat(lambda: check(values, names, DATE, where), number=1, repeat=20)) < 2e-3
