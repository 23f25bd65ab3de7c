# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Mapping of points between land and atmosphere."""

import numpy as np
import pytest
import torch

from anemoi_ailand.coupling.land_points import LandPoints, land_points

LAND = (np.array([50.0, -10.0, 70.0]), np.array([7.0, 179.9, -30.0]))
GRID = (np.array([0.0, 70.2, 50.1, -10.1, 89.0]), np.array([0.0, 330.0, 7.1, -180.0, 0.0]))


def test_same_points_in_any_convention_of_longitude():
    """With `same` points, fields are read and written as a whole."""
    points = land_points("same", LAND, (LAND[0], LAND[1] % 360.0))
    field = torch.rand(3)
    assert torch.equal(points.read(field), field)
    assert torch.equal(points.write(field, torch.arange(3.0)), torch.arange(3.0))


def test_nearest_crosses_the_date_line():
    """The nearest point is that on the sphere, not in degrees."""
    assert land_points("nearest", LAND, GRID).index.tolist() == [2, 3, 1]


def test_far_points_are_refused():
    """Points that are too far away are refused with the farthest and the option to allow it."""
    with pytest.raises(
        ValueError, match=r"1 of 3 points .* within 20 km; the farthest, latitude 70\.000.* is 22 km away"
    ):
        land_points({"nearest": 20}, LAND, GRID)


def test_index_from_a_file(tmp_path):
    """An index file gives one position per point of the land."""
    np.save(tmp_path / "i.npy", np.array([4, 0, 2]))
    points = land_points({"index": str(tmp_path / "i.npy")}, LAND, GRID)
    field = torch.arange(5.0)
    assert points.read(field).tolist() == [4.0, 0.0, 2.0]
    assert points.write(field, torch.tensor([10.0, 20.0, 30.0])).tolist() == [20.0, 1.0, 30.0, 3.0, 10.0]
    assert field.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_several_points_of_the_land_at_one_of_the_atmosphere():
    """Points of the land that share a point of the atmosphere read it and write their mean."""
    points = LandPoints(np.array([1, 1, 0]), 3)
    assert points.read(torch.tensor([5.0, 6.0, 7.0])).tolist() == [6.0, 6.0, 5.0]
    assert points.write(torch.zeros(3), torch.tensor([1.0, 2.0, 4.0])).tolist() == [4.0, 1.5, 0.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_precision_of_the_field_stays(dtype):
    """The precision of the atmosphere's fields is kept."""
    for index in ([0, 1], [0, 0]):
        assert LandPoints(np.array(index), 2).write(torch.zeros(2, dtype=dtype), torch.ones(2)).dtype is dtype


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ("same", ValueError, "the land has 3 points and the atmosphere 5"),
        ({"index": "no.npy"}, FileNotFoundError, "There is no index"),
        ({"nearst": 3}, TypeError, "Did you mean 'nearest'"),
        ("closest", ValueError, "`points` is 'closest'. Give same"),
        ({"index": "a.npy", "nearest": 3}, ValueError, "`points` is"),
    ],
)
def test_invalid_option_is_refused(config, error, message):
    """Unknown options are refused."""
    with pytest.raises(error, match=message):
        land_points(config, LAND, GRID)


def test_other_points_of_the_same_number_are_refused():
    """Points that differ are refused with the first one."""
    with pytest.raises(
        ValueError, match=r"2 of 3 points differ, the first: latitude 50\.000, longitude 7\.000 of the land"
    ):
        land_points("same", LAND, (LAND[0][[2, 1, 0]], LAND[1][[2, 1, 0]]))


@pytest.mark.parametrize(
    ("index", "message"),
    [(np.array([0, 5]), "positions from 0 to 5; the atmosphere has points 0 to 4"), (np.array([-1]), "from -1"),
     (np.array([0.0]), "Give one integer per land point"), (np.zeros((2, 2), int), r"shape \(2, 2\)"),
     (np.array([], int), "0 positions")],
)  # fmt: skip
def test_a_bad_index_is_refused(index, message):
    """An index with other types, shapes or positions is refused."""
    with pytest.raises(ValueError, match=message):
        LandPoints(index, 5)


def test_an_index_of_another_length_is_refused(tmp_path):
    """Another number of points is refused with both numbers."""
    np.save(tmp_path / "i.npy", np.array([4, 0]))
    with pytest.raises(ValueError, match=r"has shape \(2,\); the land has 3 points"):
        land_points({"index": str(tmp_path / "i.npy")}, LAND, GRID)
