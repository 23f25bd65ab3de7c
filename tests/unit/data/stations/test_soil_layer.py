# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Soil layers and sensors."""

from __future__ import annotations

import pytest

from anemoi_ailand.data.stations.soil_layer import INTERFACES, distance_to_centre, layer_bounds, soil_layer


def test_interfaces_are_those_of_ecland() -> None:
    """Layers end at 7, 28, 100 and 289 cm."""
    assert INTERFACES == (0.0, 0.07, 0.28, 1.0, 2.89)


@pytest.mark.parametrize(
    ("depth", "layer"),
    [
        ((0.05, 0.05), 1), ((0.07, 0.07), 2), ((0.0, 0.10), 1), ((0.0, 0.30), 2), ((0.10, 0.10), 2), ((0.5, 0.5), 3),
        ((0.0, 1.0), 3), ((1.0, 1.0), 4), ((2.0, 2.5), 4),
    ],
)  # fmt: skip
def test_sensor_belongs_to_the_layer_that_holds_most_of_it(depth: tuple[float, float], layer: int) -> None:
    """By overlap; a sensor at one depth by its place, on an interface to the layer below."""
    assert soil_layer(depth) == layer


@pytest.mark.parametrize("depth", [(-2.0, -2.0), (3.0, 3.0), (2.5, 3.5), (-0.5, 0.3)])
def test_sensor_outside_the_soil_belongs_to_no_layer(depth: tuple[float, float]) -> None:
    """Above the ground, below the lowest layer, or with less than half of its length in one."""
    assert soil_layer(depth) is None


def test_sensor_spread_over_three_layers_belongs_to_none() -> None:
    """0.21 of 0.50 m in layer 2 and less in the others is below half."""
    assert soil_layer((0.0, 0.50)) is None


def test_distance_to_the_middle_of_a_layer() -> None:
    """The middle of layer 1 is at 3.5 cm."""
    assert distance_to_centre((0.05, 0.05), 1) == pytest.approx(0.015)
    assert layer_bounds(2) == (0.07, 0.28)
