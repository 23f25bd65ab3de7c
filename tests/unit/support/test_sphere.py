# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Longitudes in two conventions are one place; what is no coordinate is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anemoi_ailand.support.sphere import apart, check_places

EAST = np.array([0.0, 90.0, 180.0, 350.0, 359.9999])


@pytest.mark.parametrize("other", [EAST - 360.0 * (EAST >= 180.0), EAST + 360.0, EAST])
def test_conventions_of_longitude_are_one_place(other: np.ndarray) -> None:
    """-180 to 180, 0 to 360."""
    assert apart(EAST, other, "longitude") < 1e-9


def test_other_places_are_apart() -> None:
    """By how much; latitudes do not turn, and another number of points is another set."""
    assert apart(np.array([359.5]), np.array([0.25]), "longitude") == pytest.approx(0.75)
    assert apart(np.array([1.0]), np.array([361.0]), "point_id") == 360.0
    assert apart(EAST, EAST[:2], "longitude") == np.inf


@pytest.mark.parametrize(
    ("latitudes", "longitudes", "message"),
    [
        ([10.0, 91.0], [0.0, 0.0], "'latitude' in 'a.nc' is 91 at point 1, and outside -90 to 90 degrees at 1 of 2"),
        ([10.0, np.nan], [0.0, 0.0], "'latitude' in 'a.nc' is nan at point 1"),
        ([0.0, 0.0], [-181.0, 5e5], "'longitude' in 'a.nc' is -181 at point 0, .* at 2 of 2 points"),
    ],
)
def test_what_is_no_place(latitudes: list[float], longitudes: list[float], message: str) -> None:
    """Swapped axes, missing values, metres."""
    with pytest.raises(ValueError, match=message):
        check_places(np.array(latitudes), np.array(longitudes), Path("a.nc"))


def test_poles_and_the_date_line_are_places() -> None:
    """In either convention."""
    check_places(np.array([-90.0, 90.0, 0.0]), np.array([-180.0, 360.0, 180.0]), Path("a.nc"))
