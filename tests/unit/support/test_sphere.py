# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Points on the sphere."""

from pathlib import Path

import numpy as np
import pytest

from anemoi_ailand.constants import SAME_PLACE
from anemoi_ailand.support import sphere
from anemoi_ailand.support.sphere import (
    check_coordinates,
    extent,
    nearest_points,
    same_points,
    separation,
    wrap_longitude,
)

EAST = np.array([0.0, 90.0, 180.0, 350.0, 359.9999])
NORTH = np.array([90.0, -90.0, 10.0, 0.0, 45.0])


def haversine(a: tuple[float, float], b: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Great-circle distance [degrees] by another formula."""
    lat, lats = np.radians(a[0]), np.radians(b[0])
    half = np.sin((lats - lat) / 2) ** 2 + np.cos(lat) * np.cos(lats) * np.sin(np.radians(b[1] - a[1]) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(np.clip(half, 0, 1))))


@pytest.mark.parametrize("few_pairs", [sphere.FEW_PAIRS, 0])
def test_nearest_points_are_those_of_a_naive_loop(few_pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Index and distance equal those of the haversine formula over all pairs, in any convention of longitudes."""
    monkeypatch.setattr(sphere, "FEW_PAIRS", few_pairs)
    rng = np.random.default_rng(1)
    points = np.degrees(np.arcsin(rng.uniform(-1, 1, 500))), rng.uniform(-180.0, 180.0, 500)
    targets = np.degrees(np.arcsin(rng.uniform(-1, 1, 50))), rng.uniform(0.0, 360.0, 50)
    index, distance = nearest_points(points, targets)
    for i, place in enumerate(zip(*targets, strict=True)):
        expected = haversine(place, points)
        assert index[i] == expected.argmin()
        assert distance[i] == pytest.approx(expected.min(), rel=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "degrees"),
    [((0, 0), (0, 90), 90.0), ((90, 0), (-90, 50), 180.0), ((60, 0), (60, 180), 60.0), ((1, 2), (1, 362), 0.0),
     ((0, 0), (0, 1e-6), 1e-6)],
)  # fmt: skip
def test_distance_is_along_the_great_circle(a: tuple[float, float], b: tuple[float, float], degrees: float) -> None:
    """Quarter, half, over the pole, once around, and a very small one."""
    found = nearest_points(([a[0]], [a[1]]), ([b[0]], [b[1]]))[1]
    assert found[0] == pytest.approx(degrees, rel=1e-9, abs=1e-12)


def test_extent_is_nearly_the_largest_distance() -> None:
    """At least half of it and never more, across the date line in any convention; zero for one point."""
    rng = np.random.default_rng(2)
    for size in (1.0, 30.0, 90.0):
        points = rng.uniform(-size, size, 40), rng.uniform(-size, size, 40) + 180.0
        largest = max(haversine(place, points).max() for place in zip(*points, strict=True))
        found = extent(points)
        assert largest / 2.0 <= found <= largest * (1.0 + 1e-9)
        assert found == pytest.approx(extent((points[0], wrap_longitude(points[1]))))
    assert extent((np.zeros(1), np.zeros(1))) == extent((np.zeros(0), np.zeros(0))) == 0.0


@pytest.mark.parametrize("other", [EAST - 360.0 * (EAST >= 180.0), EAST + 360.0, EAST])
def test_conventions_of_longitude_give_the_same_points(other: np.ndarray) -> None:
    """Longitudes from -180 or from 0 degrees on."""
    assert same_points((NORTH, EAST), (NORTH, other))
    np.testing.assert_allclose(wrap_longitude(other), wrap_longitude(EAST), atol=1e-9)


def test_other_points_are_not_the_same() -> None:
    """Beyond the tolerance in either coordinate, another number of points, or a missing coordinate."""
    moved = NORTH + np.array([0.0, 0.0, 1.1, 0.0, 0.0]) * SAME_PLACE
    assert separation((NORTH, EAST), (moved, EAST)).max() == pytest.approx(1.1 * SAME_PLACE)
    assert not same_points((NORTH, EAST), (moved, EAST))
    assert not same_points((NORTH, EAST), (NORTH, EAST + 1.1 * SAME_PLACE))
    assert not same_points((NORTH, EAST), (NORTH[:2], EAST[:2]))
    assert not same_points((NORTH, EAST), (NORTH, np.where(EAST == 90.0, np.nan, EAST)))
    assert same_points((NORTH, EAST), (NORTH, EAST + 0.9 * SAME_PLACE))


def test_wrapped_longitude_within_the_range_is_bitwise_unchanged() -> None:
    """Numbers and arrays; 180 degrees east is 180 degrees west."""
    assert [wrap_longitude(x) for x in (0.1, -180.0, 179.9, 180.0, 271.7)] == [0.1, -180.0, 179.9, -180.0, 271.7 - 360]


@pytest.mark.parametrize(
    ("latitudes", "longitudes", "message"),
    [
        ([10.0, 91.0], [0.0, 0.0], "'latitude' in 'a.nc' is 91 at point 1, and outside -90 to 90 degrees at 1 of 2"),
        ([10.0, np.nan], [0.0, 0.0], "'latitude' in 'a.nc' is nan at point 1"),
        ([0.0, 0.0], [-181.0, 5e5], "'longitude' in 'a.nc' is -181 at point 0, .* at 2 of 2 points"),
    ],
)
def test_invalid_coordinates_are_refused(latitudes: list[float], longitudes: list[float], message: str) -> None:
    """Swapped axes, missing values, metres; poles and the date line are valid."""
    check_coordinates(np.array([-90.0, 90.0, 0.0]), np.array([-180.0, 360.0, 180.0]), Path("a.nc"))
    with pytest.raises(ValueError, match=message):
        check_coordinates(np.array(latitudes), np.array(longitudes), Path("a.nc"))
