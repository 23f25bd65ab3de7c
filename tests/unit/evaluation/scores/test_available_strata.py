# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The reference determines the available strata."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.evaluation.fields.reference import load_reference
from anemoi_ailand.evaluation.scores import available_strata as c
from tests.support import worlds as world

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
