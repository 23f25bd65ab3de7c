# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The reference decides what can be cut by; a cut that is asked for and cannot be is an error."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.evaluation.fields.reference import load_truth
from anemoi_ailand.evaluation.scores import available_strata as c
from tests.support import worlds as world

PERIOD = (np.datetime64("2020-01-01", "ns"), np.datetime64("2021-12-31T18", "ns"))


@pytest.fixture
def truth():
    dates = np.arange("2022-03-01T00", "2022-03-05T00", 6, dtype="datetime64[h]").astype("datetime64[ns]")
    return load_truth(world.reference(), ["snowc", "stl1"], dates, PERIOD, np.arange(10))


def test_full_reference_allows_all_cuts():
    """In the order of tables."""
    assert c.available(world.reference(), None, held_out=True) == list(c.CUTS)


def test_poor_reference_allows_some():
    """Without soil temperature, snow, types and marks of points."""
    poor = world.reference(world.values(("swvl1",)), {})
    assert c.available(poor, None, held_out=False) == ["all", "season", "daytime", "latitude", "extreme", "year"]


@pytest.mark.parametrize(
    ("cut", "missing"), [("frozen", "stl1"), ("biome", "climate_class"), ("points", "held_out or point_id")]
)
def test_cut_that_the_reference_does_not_allow_is_an_error(cut, missing):
    """If it was asked for; what is missing is in the message."""
    with pytest.raises(ValueError, match=f"{missing}.*Add these to the dataset, or leave the cuts out"):
        c.available(world.reference(world.values(("swvl1",)), {}), [cut], held_out=False)


def test_unknown_cut_is_an_error():
    """With the list of names."""
    with pytest.raises(ValueError, match=r"no cut \['biomes'\].*'biome'"):
        c.available(world.reference(), ["biomes"], held_out=True)


def test_all_is_always_there():
    """Also if not asked for."""
    assert c.available(world.reference(), ["season"], held_out=True) == ["all", "season"]


def test_static_cuts_come_from_constant_fields():
    """By their name in the table, or in the layout of the reference (``clim_sotype``)."""
    layout = {"clim_sotype": world.CONSTANTS["slt"], "point_id": world.CONSTANTS["point_id"]}
    got = c.static_cuts(world.reference(constants=layout), ["points", "soil_type", "latitude"], held_out_every=5)
    assert list(got) == ["all", "points", "soil_type", "latitude"]
    np.testing.assert_array_equal(got["points"].labels, [0, 1, 1, 1, 1] * 2)
    np.testing.assert_array_equal(got["soil_type"].labels, world.CONSTANTS["slt"] - 1)


def test_snow_regime_is_that_of_the_climatology(truth):
    """Snow lies at every other point of this world, more of it where the winter is colder."""
    mean = truth.means["snowc"].values.mean(axis=0)
    np.testing.assert_array_equal(c.snow_cut(truth).labels, np.where(mean > 0.05, 0, 1))
    assert np.flatnonzero(c.snow_cut(truth).labels == 0).tolist() == [7, 9]


def test_day_of_a_mean_is_that_of_its_middle(truth):
    """The mean over the 6 h that end at the stamp is of the day if the sun is up 3 h before."""
    got = c.dated_cuts(truth, ["daytime"], truth.times[0])
    at, of_means = got["daytime"].labels, got["daytime of means"].labels
    hour = (truth.times - truth.times.astype("datetime64[D]")) / np.timedelta64(1, "h")
    local = (hour[:, None] + truth.longitude / 15) % 24
    clear = np.abs(np.abs(local - 12) - 6) > 0.7  # not near sunrise or sunset, early in March
    np.testing.assert_array_equal(at[clear], np.where(np.abs(local - 12) < 6, 0, 1)[clear])
    middle = (local - 3) % 24
    clear = np.abs(np.abs(middle - 12) - 6) > 0.7
    np.testing.assert_array_equal(of_means[clear], np.where(np.abs(middle - 12) < 6, 0, 1)[clear])
    assert c.dated_cuts_of("slhf", got) == {"daytime": "daytime of means"}
    assert c.dated_cuts_of("2t", got) == {"daytime": "daytime"}


def test_frost_season_and_years_have_the_dates_of_the_truth(truth):
    """One label a time, and a point where points differ."""
    got = c.dated_cuts(truth, ["season", "frozen", "year"], truth.times[0])
    assert {name: cut.labels.shape for name, cut in got.items()} == {
        "season": (16, 1), "frozen": (16, 10), "year": (16, 1),
    }  # fmt: skip
    np.testing.assert_array_equal(got["frozen"].labels == 0, truth.values["stl1"] < np.float32(273.16))
