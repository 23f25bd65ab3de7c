# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Common form of a station: sensors, soil layers, time axis."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.data.stations.station import Sensor, Station, make_station, soil_layer
from tests.support.files import times_between

PLACE = (40.0, -88.0, 200.0)


def sensor(
    name: str, values: list[float], depth: float | None = 0.05, first: str = "2020-01-01", label: str = ""
) -> Sensor:
    """Return a sensor with a value every 6 h."""
    times = times_between(first, len(values), 360)
    return Sensor(name, times, np.array(values), None if depth is None else (depth, depth), label)


def test_sensors_become_layers_on_one_axis() -> None:
    """Series have names of the table and NaN without a value; depths are kept."""
    sensors = [sensor("swvl", [0.1, 0.2]), sensor("stl", [280.0], 0.5, "2020-01-01T12"), sensor("slhf", [-5.0], None)]
    station = make_station("a", "n", PLACE, sensors)
    assert sorted(station.variables) == ["slhf", "stl3", "swvl1"]
    assert station.series.sizes["time"] == 3
    np.testing.assert_array_equal(station.series["swvl1"], np.float32([0.1, 0.2, np.nan]))
    assert station.series["swvl1"].attrs["units"] == "m3 m-3"
    assert station.depths == {"swvl1": ((0.05, 0.05),), "stl3": ((0.5, 0.5),)}


def test_one_sensor_a_layer_is_that_nearest_to_its_middle() -> None:
    """Of 10 and 20 cm, the second is nearer to 17.5 cm, the middle of 7-28 cm; of equals, the longer series counts."""
    station = make_station("a", "n", PLACE, [sensor("swvl", [0.1] * 4, 0.10), sensor("swvl", [0.2] * 2, 0.20)])
    np.testing.assert_allclose(station.series["swvl2"], 0.2, rtol=1e-6)
    assert station.depths["swvl2"] == ((0.2, 0.2),)
    station = make_station("a", "n", PLACE, [sensor("swvl", [0.1] * 2), sensor("swvl", [0.2] * 4)])
    np.testing.assert_allclose(station.series["swvl1"], 0.2, rtol=1e-6)


def test_mean_of_sensors_only_where_all_have_a_value() -> None:
    """So there is no jump when a sensor begins later."""
    sensors = [sensor("swvl", [0.1, 0.1, 0.1]), sensor("swvl", [0.3, 0.3], 0.02, "2020-01-01T06")]
    station = make_station("a", "n", PLACE, sensors, per_layer="mean")
    np.testing.assert_allclose(station.series["swvl1"], [0.2, 0.2], rtol=1e-6)
    assert len(station.depths["swvl1"]) == 2


def test_omissions_are_noted() -> None:
    """For a sensor without values and one below all layers."""
    sensors = [sensor("swvl", [], label="dead"), sensor("swvl", [0.1], 4.0, label="deep")]
    station = make_station("a", "n", PLACE, sensors, notes=["given"])
    assert station.variables == []
    assert station.notes == (
        "given", "dead: no good value at a 6-hourly stamp", "deep: depth (4.0, 4.0) m belongs to no soil layer",
    )  # fmt: skip


def test_unknown_way_to_use_several_sensors() -> None:
    """The error gives both ways."""
    with pytest.raises(ValueError, match=r"`per_layer` is 'median'; use 'one' or 'mean'"):
        make_station("a", "n", PLACE, [], per_layer="median")


@pytest.mark.parametrize("place", [(95.0, 0.0), (np.nan, 0.0), (0.0, 400.0)])
def test_invalid_coordinates(place: tuple[float, float]) -> None:
    """Out of range or NaN."""
    with pytest.raises(ValueError, match=r"itude' in 'here' is .* at point 0"):
        Station("a", "n", *place, elevation=0.0, series=xr.Dataset(), source="here")


def test_sensor_belongs_to_the_layer_with_most_of_it() -> None:
    """By overlap of at least half; a sensor at one depth by its place, on an interface to the layer below."""
    expected = {
        (0.05, 0.05): 1, (0.07, 0.07): 2, (0.0, 0.10): 1, (0.0, 0.30): 2, (0.10, 0.10): 2, (0.5, 0.5): 3,
        (0.0, 1.0): 3, (1.0, 1.0): 4, (2.0, 2.5): 4,
        (-2.0, -2.0): None, (3.0, 3.0): None, (2.5, 3.5): None, (-0.5, 0.3): None, (0.0, 0.50): None,
    }  # fmt: skip
    assert {depth: soil_layer(depth) for depth in expected} == expected
