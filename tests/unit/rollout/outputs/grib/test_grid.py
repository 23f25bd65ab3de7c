# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Grids of GRIB messages and positions of points on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import eccodes
import numpy as np
import pytest

from anemoi_ailand.rollout.outputs.grib.grid import AUTO, UNSTRUCTURED, check_grid, grid_of, guess, rows_of

NAMED: list[Any] = ["O96", "N32", "N80", [2.0, 1.0]]


def points(option: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return all points of a grid of rows."""
    rows = rows_of(option)
    longitudes = [np.arange(count) * 360.0 / count for count in rows.counts]
    return np.repeat(rows.latitudes, rows.counts), np.concatenate(longitudes)


def some(option: Any, n: int = 300, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return some points of a grid, with longitudes from -180, and their positions."""
    latitudes, longitudes = points(option)
    places = np.random.default_rng(seed).permutation(latitudes.size)[:n]
    return latitudes[places], (longitudes[places] + 180.0) % 360.0 - 180.0, places


@pytest.mark.parametrize("edition", [1, 2])
@pytest.mark.parametrize("option", NAMED, ids=str)
def test_points_are_where_eccodes_has_them(option: Any, edition: int) -> None:
    """The coordinates that ecCodes computes for the message are those of the points."""
    latitudes, longitudes, places = some(option)
    grid = grid_of(check_grid(option, edition), latitudes, longitudes, edition)
    np.testing.assert_array_equal(grid.index, places)
    handle = eccodes.codes_new_from_message(grid.message)
    assert eccodes.codes_get_long(handle, "edition") == edition
    found = [eccodes.codes_get_double_array(handle, k)[grid.index] for k in ("latitudes", "longitudes")]
    if isinstance(option, str):
        assert eccodes.codes_get_string(handle, "gridName") == option
    eccodes.codes_release(handle)
    np.testing.assert_allclose(found[0], latitudes, rtol=0.0, atol=1e-3)
    np.testing.assert_allclose(np.cos(np.radians(found[1] - longitudes)), 1.0, rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("option", [*NAMED[:3], [1.0, 1.0], [0.25, 0.25]], ids=str)
def test_guess_finds_the_grid(option: Any) -> None:
    """A grid is found from some of its points."""
    assert guess(*some(option)[:2]) == option


def test_guess_takes_nothing_by_chance() -> None:
    """Arbitrary points, or too few, are unstructured."""
    latitudes, longitudes, _ = some("O96", 7)
    assert guess(latitudes, longitudes) == UNSTRUCTURED
    rng = np.random.default_rng(2)
    assert guess(rng.uniform(-80.0, 80.0, 50), rng.uniform(0.0, 360.0, 50)) == UNSTRUCTURED


def test_whole_grid_in_order_needs_no_places() -> None:
    """A global field in the order of the grid needs no index."""
    assert grid_of(AUTO, *points("N32"), 2).index is None


def test_template_of_any_grid(tmp_path: Path) -> None:
    """A template gives a grid without a name, here a box."""
    handle = eccodes.codes_grib_new_from_samples("GRIB2")
    latitudes, longitudes = (eccodes.codes_get_double_array(handle, k) for k in ("latitudes", "longitudes"))
    with (tmp_path / "box.grib").open("wb") as file:
        eccodes.codes_write(handle, file)
    eccodes.codes_release(handle)
    option = check_grid({"template": str(tmp_path / "box.grib")}, 2)
    grid = grid_of(option, latitudes[[7, 3]], longitudes[[7, 3]] - 360.0, 2)
    np.testing.assert_array_equal(grid.index, [7, 3])
    assert grid.size == latitudes.size


@pytest.mark.parametrize(
    ("option", "edition", "error", "match"),
    [
        ("O", 2, ValueError, "O96"),
        ("N97", 2, ValueError, "N320"),
        ("F80", 2, ValueError, "octahedral"),
        ([0.7, 0.7], 2, ValueError, "divide the globe"),
        ([1.0], 2, ValueError, "increments"),
        (UNSTRUCTURED, 1, ValueError, "edition 1 has no unstructured"),
        ({"template": "nowhere.grib"}, 2, FileNotFoundError, "no 'nowhere.grib'"),
    ],
)
def test_unknown_grid_is_refused(option: Any, edition: int, error: type[Exception], match: str) -> None:
    """An unknown grid is refused with the known forms."""
    with pytest.raises(error, match=match):
        check_grid(option, edition)


def test_points_off_the_grid_are_refused() -> None:
    """Points off the grid are counted, and the first is located."""
    latitudes, longitudes, _ = some("O96", 20)
    latitudes[4] += 0.1
    words = rf"1 of 20 points are not on the grid O96, the first at latitude {latitudes[4]:.3f}"
    with pytest.raises(ValueError, match=words):
        grid_of("O96", latitudes, longitudes, 2)


def test_two_points_at_one_place_are_refused() -> None:
    """Two points at one position are refused, as one would be lost."""
    latitudes, longitudes, _ = some("O96", 20)
    latitudes[3], longitudes[3] = latitudes[2], longitudes[2] + 360.0
    with pytest.raises(ValueError, match="1 points have the position of another one"):
        grid_of("O96", latitudes, longitudes, 2)


def test_template_without_coordinates_is_refused(tmp_path: Path) -> None:
    """A template without coordinates is refused."""
    message = grid_of(UNSTRUCTURED, np.zeros(4), np.arange(4.0), 2).message
    (tmp_path / "u.grib").write_bytes(message)
    with pytest.raises(ValueError, match="does not hold the coordinates"):
        grid_of({"template": str(tmp_path / "u.grib")}, np.zeros(4), np.arange(4.0), 2)


def test_guess_without_grid_is_refused_in_edition_1() -> None:
    """GRIB1 has no unstructured grid."""
    with pytest.raises(ValueError, match="Set `edition: 2`"):
        grid_of(AUTO, np.array([1.234]), np.array([5.678]), 1)
