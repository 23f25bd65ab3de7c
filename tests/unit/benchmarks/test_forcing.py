# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Other forcing for a trained network: the fields that are changed, the errors, and their table."""

import numpy as np
import pytest

import anemoi_ailand as ail
from anemoi_ailand.constants import STEP
from benchmarks import forcing


@pytest.fixture(scope="module")
def data():
    return ail.open_data("$AILAND_SAMPLE").to_xarray(("2021-06-01", "2021-06-09"))


def changed(one, two):
    return {n for n in one.data_vars if not np.array_equal(one[n].values, two[n].values)}


def test_only_temperature_and_humidity_are_changed(data):
    """Instants and means, with their units; other forcing stays."""
    air = {"t", "q", "avg_t", "avg_q"}
    assert {n: changed(data, f(data)) for n, f in forcing.FORCINGS.items()} == {
        "2 m": air, "2 m, moved": air, "instants": {"avg_t", "avg_q"}
    }  # fmt: skip
    low = forcing.at_two_metres(data)
    np.testing.assert_array_equal(low["t"].values, data["t2m"].values)
    assert low["q"].attrs["units"] == "kg kg-1"
    shift = (low["t"] - data["t"]).values
    np.testing.assert_allclose((low["avg_t"] - data["avg_t"]).values[1:], 0.5 * (shift[1:] + shift[:-1]), atol=1e-4)


def test_moved_temperature_is_nearer_to_that_of_the_training(data):
    """In instants and means alike."""
    low, moved = forcing.at_two_metres(data), forcing.moved_to_ten(data)
    for name in ("t", "avg_t"):
        far, near = (np.sqrt(((d[name] - data[name]) ** 2).mean()) for d in (low, moved))
        assert near < 0.5 * far


class Wrong:
    """Stepper whose error is the number of its step."""

    outputs = ("stl1",)

    def run(self, data, names, start, end, progress):
        made = data[names].sel(time=slice(start, end))
        return made + (made["time"] - made["time"][0]) / np.timedelta64(STEP)


def test_errors_are_those_of_the_steps_of_a_lead(data):
    """The mean square over the steps of each lead, over all starts."""
    starts = data["time"].values[:8:4]
    found = forcing.errors(Wrong(), data, data, starts, [slice(1, 2), slice(5, 9)])
    np.testing.assert_allclose(found["stl1"], [1.0, np.sqrt((25 + 36 + 49 + 64) / 4)], rtol=1e-4)


def test_table_has_the_change_in_percent():
    """The RMSE with the forcing of the training stands first, the mean over all variables last."""
    own = {"stl1": np.array([0.5, 1.0, 2.0]), "swvl1": np.array([0.01, 0.02, 0.03])}
    other = {"stl1": np.array([1.0, 1.0, 2.0]), "swvl1": np.array([0.01, 0.02, 0.015])}
    first, _, stl1, swvl1, together = forcing.table({forcing.AS_TRAINED: own, "2 m": other}).splitlines()
    assert "RMSE, 1 step / 7 d / 90 d" in first and "2 m [%]" in first
    assert "0.5 / 1 / 2" in stl1 and "+100 / +0 / +0" in stl1
    assert "+0 / +0 / -50" in swvl1
    assert "+41 / +0 / -29" in together
