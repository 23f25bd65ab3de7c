# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Strata follow their definitions, and the reference determines the available ones."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.evaluation.fields.reference import load_reference
from anemoi_ailand.evaluation.scores import available_strata as c
from anemoi_ailand.evaluation.scores import strata
from anemoi_ailand.evaluation.scores.strata import Strata
from tests.support import worlds as world


def named(cut):
    """Names of the groups instead of numbers."""
    return np.where(cut.labels < 0, "", np.array([*cut.groups, ""])[cut.labels]).tolist()


def test_points_are_held_out_or_trained():
    """Points follow the mask."""
    assert named(strata.points(np.array([True, False, False]))) == ["held_out", "trained", "trained"]
    assert named(strata.everything(2)) == ["all", "all"]


def test_biome_is_the_climate_class():
    """Numbers name climate classes; other numbers are in no group, and empty classes remain."""
    got = strata.biome(np.array([0, 2, 8, 10, 11, -1]))
    assert named(got) == ["rainforest", "desert", "boreal", "alpine", "", ""]
    assert len(got.groups) == 11


def test_snow_zone_is_above_the_threshold():
    """Snow cover above the threshold is the snow zone."""
    assert named(strata.snow_regime(np.array([0.0, 0.05, 0.051, 0.9]))) == ["snow-free", "snow-free", "snow", "snow"]


def test_soil_types_begin_with_one():
    """Types 1 to 7 are groups, 0 and 8 are not."""
    assert named(strata.soil_type(np.array([0.0, 1.0, 3.0, 7.0, 8.0]))) == [
        "", "coarse", "medium fine", "tropical organic", "",
    ]  # fmt: skip


def test_vegetation_is_that_of_the_larger_cover():
    """The larger cover decides, low vegetation if equal; only types that occur are groups."""
    low, high = np.full(5, 2), np.full(5, 5)
    got = strata.vegetation_type(low, high, np.array([0.6, 0.2, 0.4, 0.0, 0.0]), np.array([0.2, 0.6, 0.4, 0.3, 0.0]))
    assert named(got) == ["short grass", "deciduous broadleaf", "short grass", "deciduous broadleaf", "none"]
    assert got.groups == ("none", "short grass", "deciduous broadleaf")


@pytest.mark.parametrize(
    ("latitude", "band"),
    [(0, "tropics"), (-23.4, "tropics"), (23.5, "mid-latitudes"), (-59.9, "mid-latitudes"), (60, "high latitudes")],
)
def test_latitude_bands_are_alike_in_both_hemispheres(latitude, band):
    """Bands depend on the absolute latitude."""
    assert named(strata.latitude_band(np.array([latitude, -latitude]))) == [band, band]


def test_season_is_that_of_the_month():
    """December belongs to DJF."""
    months = np.array([f"2022-{k:02d}-15" for k in range(1, 13)], "datetime64[ns]")
    want = ["DJF"] * 2 + ["MAM"] * 3 + ["JJA"] * 3 + ["SON"] * 3 + ["DJF"]
    assert [row[0] for row in named(strata.season(months))] == want


def test_day_is_where_the_sun_is_up():
    """A positive cosine of the zenith angle is day."""
    assert named(strata.daytime(np.array([[0.0, 1e-6, 0.9]]))) == [["night", "day", "day"]]


def test_ground_is_frozen_below_the_triple_point():
    """The limit is 273.16 K."""
    assert named(strata.frozen(np.float32([[273.15, 273.16, 280.0]]))) == [["frozen", "unfrozen", "unfrozen"]]


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
    return load_reference(world.reference(), ["snowc", "stl1"], dates, PERIOD, np.arange(10))


def test_full_reference_allows_all_cuts():
    """A full reference supports all strata, in the order of tables."""
    assert c.available(world.reference(), None, held_out=True) == list(c.STRATA_NAMES)


def test_poor_reference_allows_some():
    """A reference with one variable supports strata of dates and places."""
    poor = world.reference(world.values(("swvl1",)), {})
    assert c.available(poor, None, held_out=False) == ["all", "season", "daytime", "latitude", "extreme", "year"]


@pytest.mark.parametrize(
    ("name", "missing"), [("frozen", "stl1"), ("biome", "climate_class"), ("points", "held_out or point_id")]
)
def test_strata_that_the_reference_does_not_allow_is_an_error(name, missing):
    """The message names the missing field of wanted strata."""
    with pytest.raises(ValueError, match=f"{missing}.*Add them to the dataset, or leave the strata out"):
        c.available(world.reference(world.values(("swvl1",)), {}), [name], held_out=False)


def test_unknown_strata_is_an_error():
    """The message lists the known names."""
    with pytest.raises(ValueError, match=r"Unknown strata \['biomes'\].*'biome'"):
        c.available(world.reference(), ["biomes"], held_out=True)


def test_static_strata_come_from_constant_fields():
    """Constant fields are found by dataset name or by the name in the layout of the reference."""
    layout = {"clim_sotype": world.CONSTANTS["slt"], "point_id": world.CONSTANTS["point_id"]}
    got = c.static_strata(world.reference(constants=layout), ["points", "soil_type", "latitude"])
    assert list(got) == ["all", "points", "soil_type", "latitude"]
    np.testing.assert_array_equal(got["points"].labels, [0, 1, 1, 1, 1] * 2)
    np.testing.assert_array_equal(got["soil_type"].labels, world.CONSTANTS["slt"] - 1)


def test_snow_regime_is_that_of_the_climatology(loaded):
    """The snow regime follows from the mean snow cover."""
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
