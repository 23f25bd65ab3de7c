# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Strata follow their definitions, and the reference determines the available ones."""

import numpy as np
import pytest

from anemoi_ailand.evaluation.fields.reference import ReferenceCopy
from anemoi_ailand.evaluation.scores import available_strata as c
from anemoi_ailand.evaluation.scores import strata
from anemoi_ailand.evaluation.scores.strata import Strata
from tests.support import worlds as world


def named(cut):
    """Names of the groups instead of numbers."""
    return np.where(cut.labels < 0, "", np.array([*cut.groups, ""])[cut.labels]).tolist()


MONTHS = np.array([f"2022-{k:02d}-15" for k in range(1, 13)], "datetime64[ns]")
LATITUDES = np.array([0, -23.4, 23.4, 23.5, -23.5, 59.9, -60, 60])
DEFINITIONS = {
    "points": (strata.points(np.array([True, False, False])), ["held_out", "trained", "trained"]),
    "all": (strata.everything(2), ["all", "all"]),
    "climate classes by number": (
        strata.biome(np.array([0, 2, 8, 10, 11, -1])), ["rainforest", "desert", "boreal", "alpine", "", ""]),
    "snow above 5 %": (strata.snow_regime(np.array([0.0, 0.05, 0.051, 0.9])), ["snow-free"] * 2 + ["snow"] * 2),
    "soil types 1 to 7": (
        strata.soil_type(np.array([0.0, 1.0, 3.0, 7.0, 8.0])), ["", "coarse", "medium fine", "tropical organic", ""]),
    "latitude, alike in both hemispheres": (
        strata.latitude_band(LATITUDES), ["tropics"] * 3 + ["mid-latitudes"] * 3 + ["high latitudes"] * 2),
    "December in DJF": (
        strata.season(MONTHS), [["DJF"]] * 2 + [["MAM"]] * 3 + [["JJA"]] * 3 + [["SON"]] * 3 + [["DJF"]]),
    "day if the sun is up": (strata.daytime(np.array([[0.0, 1e-6, 0.9]])), [["night", "day", "day"]]),
    "frozen below 273.16 K": (
        strata.frozen(np.float32([[273.15, 273.16, 280.0]])), [["frozen", "unfrozen", "unfrozen"]]),
}  # fmt: skip


@pytest.mark.parametrize("what", DEFINITIONS)
def test_groups_follow_their_definition(what):
    found, expected = DEFINITIONS[what]
    assert named(found) == expected


def test_empty_climate_classes_remain():
    assert len(strata.biome(np.array([0, 2])).groups) == 11


def test_vegetation_is_that_of_the_larger_cover():
    """The larger cover decides, low vegetation if equal; only types that occur are groups."""
    low, high = np.full(5, 2), np.full(5, 5)
    got = strata.vegetation_type(low, high, np.array([0.6, 0.2, 0.4, 0.0, 0.0]), np.array([0.2, 0.6, 0.4, 0.3, 0.0]))
    assert named(got) == ["short grass", "deciduous broadleaf", "short grass", "deciduous broadleaf", "none"]
    assert got.groups == ("none", "short grass", "deciduous broadleaf")


def test_extremes_are_beyond_the_thresholds_of_the_point():
    """Values at the threshold are not extreme."""
    tails = np.array([[0.1, 0.0], [0.4, 0.3]])
    got = strata.extreme("swvl1", np.array([[0.05, 0.0], [0.1, 0.3], [0.41, 0.31]]), tails)
    assert named(got) == [["driest", ""], ["", ""], ["wettest", "wettest"]]
    assert strata.extreme("skt", np.zeros((1, 2)), tails).groups == ("coldest", "hottest")


def test_years_of_a_run_end_at_its_anniversary():
    """Years end at the anniversary; the start is in none, the remainder is the last year."""
    start = np.datetime64("2020-01-01", "ns")
    dates = ["2020-01-01", "2020-01-01T06", "2021-01-01", "2021-01-01T06", "2022-01-01", "2022-01-01T06"]
    got = strata.run_year(np.array(dates, "datetime64[ns]"), start)
    assert [row[0] for row in named(got)] == ["", "year 1", "year 1", "year 2", "year 2", "year 3"]


def test_cells_are_bin_and_group():
    """Cells number bin and group of each start, lead and point; -1 means no group."""
    bins, index = np.array([0, 1, 1]), np.array([[0, 1, 2], [1, 2, 3]])
    varying = Strata("x", ("a", "b"), np.array([[0, 1], [1, 1], [0, -1], [1, 0]]))
    want = [[[0, 1], [3, 3], [2, -1]], [[1, 1], [2, -1], [3, 2]]]
    assert varying.varies
    np.testing.assert_array_equal(varying.cells(bins, index, 2), want)
    fixed = Strata("x", ("a", "b"), np.array([1, -1]))
    assert not fixed.varies
    np.testing.assert_array_equal(fixed.cells(bins, index, 2), [[[1, -1], [3, -1], [3, -1]]] * 2)
    same = Strata("x", ("a", "b"), np.array([[0], [1], [0], [1]]))
    np.testing.assert_array_equal(same.cells(bins, index, 2)[0], [[0, 0], [3, 3], [2, 2]])


PERIOD = (np.datetime64("2020-01-01", "ns"), np.datetime64("2021-12-31T18", "ns"))


@pytest.fixture
def loaded():
    dates = np.arange("2022-03-01T00", "2022-03-05T00", 6, dtype="datetime64[h]").astype("datetime64[ns]")
    names = ["snowc", "stl1"]
    return ReferenceCopy(world.reference(), names, dates, PERIOD, np.arange(10)).values(names, 0)


def test_reference_determines_the_strata():
    """A full reference supports all strata, in the order of tables; one variable those of dates and places."""
    assert c.available(world.reference(), None, held_out=True) == list(c.STRATA_NAMES)
    poor = world.reference(world.values(("swvl1",)), {})
    assert c.available(poor, None, held_out=False) == ["all", "season", "daytime", "latitude", "extreme", "year"]
    missing = {"frozen": "stl1", "biome": "climate_class", "points": "held_out or point_id"}
    wanted = {name: f"{field}.*Add them to the dataset, or leave the strata out" for name, field in missing.items()}
    for name, message in {**wanted, "biomes": r"Unknown strata \['biomes'\].*'biome'"}.items():
        with pytest.raises(ValueError, match=message):
            c.available(poor, [name], held_out=False)


def test_static_strata_come_from_constant_fields():
    """Constant fields are found by dataset name or by the name in the layout of the reference."""
    layout = {"clim_sotype": world.CONSTANTS["slt"], "point_id": world.CONSTANTS["point_id"]}
    got = c.static_strata(world.reference(constants=layout), ["points", "soil_type", "latitude"])
    assert list(got) == ["all", "points", "soil_type", "latitude"]
    np.testing.assert_array_equal(got["points"].labels, [0, 1, 1, 1, 1] * 2)
    np.testing.assert_array_equal(got["soil_type"].labels, world.CONSTANTS["slt"] - 1)


def test_snow_regime_is_that_of_the_climatology(loaded):
    mean = loaded.means["snowc"].values.mean(axis=0)
    np.testing.assert_array_equal(c.snow_strata(loaded).labels, np.where(mean > 0.05, 0, 1))
    assert np.flatnonzero(c.snow_strata(loaded).labels == 0).tolist() == [7, 9]


def test_day_of_a_mean_is_that_of_its_middle(loaded):
    """A mean over the 6 h before the stamp is day if the sun is up 3 h before the stamp."""
    got = c.dated_strata(loaded, ["daytime"], loaded.times[0])
    at, of_means = got["daytime"].labels, got["daytime of means"].labels
    hour = (loaded.times - loaded.times.astype("datetime64[D]")) / np.timedelta64(1, "h")
    local = (hour[:, None] + loaded.longitude / 15) % 24
    clear = np.abs(np.abs(local - 12) - 6) > 0.7  # not near sunrise or sunset, early in March
    np.testing.assert_array_equal(at[clear], np.where(np.abs(local - 12) < 6, 0, 1)[clear])
    middle = (local - 3) % 24
    clear = np.abs(np.abs(middle - 12) - 6) > 0.7
    np.testing.assert_array_equal(of_means[clear], np.where(np.abs(middle - 12) < 6, 0, 1)[clear])
    assert c.dated_keys("slhf", got) == {"daytime": "daytime of means"}
    assert c.dated_keys("2t", got) == {"daytime": "daytime"}
