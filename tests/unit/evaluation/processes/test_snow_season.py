# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The snow season in closed form: known first and last days, north and south."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.processes.snow_season import (
    SEASON_DAYS,
    compare_snow_seasons,
    date_errors,
    peak,
    season,
    snow_seasons,
    snow_variable,
)
from tests.support.worlds import fields_of, six_hourly

LATITUDE = np.array([60.0, -50.0, 10.0])


def triangle(times: np.ndarray, first: str, last: str, height: float = 50.0) -> np.ndarray:
    """Snow mass that rises from above 1 on ``first`` and falls to above 1 on ``last``, the peak in the middle."""
    day = times.astype("datetime64[D]")
    begin, end = np.datetime64(first), np.datetime64(last)
    share = np.minimum(day - begin, end - day) / ((end - begin) / 2)
    return np.where((day >= begin) & (day <= end), 2.0 + height * share, 0.0).astype(np.float32)


@pytest.fixture
def world():
    """Function ``(shift in days) -> fields``: snow in the north from 10 Nov to 19 Apr, south 1 June to 30 Sep, none."""
    times = six_hourly("2020-08-01T00", "2021-07-31T18")

    def make(shift: int = 0, name: str = "sd", scale: float = 1.0) -> Fields:
        north = triangle(times - np.timedelta64(shift, "D"), "2020-11-10", "2021-04-19")
        south = triangle(times - np.timedelta64(shift, "D"), "2021-06-01", "2021-07-10")
        values = scale * np.stack([north, south, 0 * north], axis=1)
        return fields_of(times, {name: values}, latitude=LATITUDE, longitude=np.array([0.0, 10.0, 20.0]))

    return make


def naive_longest_run(snow: list[bool]) -> int:
    """Length of the longest run of True, by splitting a text."""
    return max(len(run) for run in "".join("x" if s else " " for s in snow).split(" "))


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_season_agrees_with_a_naive_search(snow):
    """Onset, melt-out and duration agree with a search in the text of the days."""
    found = {k: v[0] for k, v in season(np.array(snow)[:, None]).items()}
    text, longest = "".join("x" if s else " " for s in snow), naive_longest_run(snow)
    assert found["has_season"] == (longest >= SEASON_DAYS)
    assert found["snow_days"] == text.count("x")
    first = text.find("x" * SEASON_DAYS)
    assert (found["onset"] == first) if first > 0 else np.isnan(found["onset"])
    begin = text.find("x" * longest) if longest >= SEASON_DAYS else len(text)
    ends = longest >= SEASON_DAYS and begin + longest < len(text)
    assert (found["melt_out"] == begin + longest) if ends else np.isnan(found["melt_out"])
    assert (found["duration"] == longest) if ends and begin > 0 else np.isnan(found["duration"])


def test_peak_is_the_largest_day():
    """The peak is 7 kg m-2 on day 2; a point below 1 kg m-2 has none."""
    found = peak(np.array([[0.0, 0.1], [3.0, 0.9], [7.0, 0.2], [2.0, 0.0]]))
    np.testing.assert_array_equal(found["peak"], [7.0, np.nan])
    np.testing.assert_array_equal(found["peak_day"], [2.0, np.nan])


def test_seasons_of_north_and_south_are_counted_from_their_own_first_day(world):
    """Onset 10 November is day 101 after 1 August; 1 June is day 120 after 1 February; the tropics have none."""
    found = snow_seasons(world())
    north, south, tropics = (found.sel(snow_year=y).isel(point=i) for y, i in ((2020, 0), (2021, 1), (2020, 2)))
    assert (float(north.onset), float(north.melt_out), float(north.duration)) == (101, 262, 161)
    assert (float(north.peak), float(north.peak_day)) == (pytest.approx(52.0), 181)
    assert (float(south.onset), float(south.melt_out), float(south.days)) == (120, 160, 181)
    assert np.isnan(tropics.onset) and tropics.has_season == 0 and tropics.snow_days == 0


def test_season_cut_by_the_dates_is_not_known(world):
    """A run from 1 January has no onset and duration of the season, but a melt-out."""
    found = snow_seasons(world(), start=np.datetime64("2021-01-01", "ns")).sel(snow_year=2020).isel(point=0)
    assert np.isnan(found.onset) and np.isnan(found.duration)
    assert float(found.melt_out) == 262


def value(table: pd.DataFrame, metric: str, column: str = "value", **where: object) -> float:
    """Value of the one matching row over all years."""
    rows = table[(table.metric == metric) & table.snow_year.isna()]
    for name, wanted in {"group": "all", **where}.items():
        rows = rows[rows[name] == wanted]
    return float(rows[column].item())


def test_errors_of_a_forecast_that_is_late(world):
    """A shift of five days is the bias and MAE of onset, melt-out and peak date; the duration has no error."""
    table, _ = compare_snow_seasons({"late": world(5), "early": world(-5)}, world())
    for name in ("onset", "melt_out", "peak_day"):
        assert value(table, f"{name}_bias", model="late") == 5.0
        assert value(table, f"{name}_bias", model="early") == -5.0
        assert value(table, f"{name}_mae", model="early") == 5.0
    assert value(table, "duration_bias", model="late") == 0.0
    assert value(table, "onset_bias", "n", model="late") == 2


def test_a_season_that_is_missed(world):
    """A forecast without snow misses both seasons; its errors and those of an empty group are NaN, not zero."""
    table, _ = compare_snow_seasons({"bare": world(scale=0.0)}, world())
    assert (value(table, "misses"), value(table, "hits"), value(table, "false_alarms")) == (2, 0, 0)
    assert np.isnan(value(table, "onset_mae")) and value(table, "onset_mae", "n") == 0
    table, _ = compare_snow_seasons({"run": world()}, replace(world(), constants={"held_out": np.zeros(3)}))
    assert np.isnan(value(table, "hits", group="held_out")) and value(table, "hits", "n", group="held_out") == 0


def test_snow_cover_stands_in_for_mass(world):
    """Without ``sd`` in both, cover above 0.1 is snow, and there is no peak; one of them must be in both."""
    cover = world(name="snowc", scale=0.1)
    table, seasons = compare_snow_seasons({"run": cover}, cover)
    assert seasons["run"][0].attrs["snow_from"] == "snowc"
    assert "peak" not in seasons["run"][0]
    assert value(table, "melt_out_mae") == 0.0
    assert snow_variable(["sd", "snowc"], ["snowc"]) == "snowc"
    with pytest.raises(ValueError, match="'sd', 'snowc'"):
        snow_variable(["sd"], ["snowc"])


def test_date_errors_are_one_row_for_each_known_date(world):
    """Two seasons with known dates at both ends are four rows; the tropics have none."""
    _, seasons = compare_snow_seasons({"late": world(5)}, world())
    rows = date_errors(seasons)
    assert rows[["event", "snow_year", "point", "error_days"]].values.tolist() == [
        ["onset", 2020, 0, 5.0], ["onset", 2021, 1, 5.0], ["melt_out", 2020, 0, 5.0], ["melt_out", 2021, 1, 5.0],
    ]  # fmt: skip
    assert len(date_errors({})) == 0
