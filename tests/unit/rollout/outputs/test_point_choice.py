# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Selection of the points to write."""

import numpy as np
import pytest

from anemoi_ailand.rollout.outputs.point_choice import PointChoice

LATITUDES = np.array([50.0, 50.0, 0.0, -10.0, -10.0, 89.0])
LONGITUDES = np.array([0.0, 10.0, 179.5, 180.0, 181.0, 300.0])


def chosen(longitudes=LONGITUDES, **config):
    return PointChoice(config).index(LATITUDES, longitudes).tolist()


def test_indices_in_the_order_given():
    """Indices count from 0, and points have the order given."""
    assert chosen(indices=[5, 0, 2]) == [5, 0, 2]
    assert PointChoice({"indices": [5, 0, 2]}).count == 3


@pytest.mark.parametrize("longitudes", [LONGITUDES, (LONGITUDES + 180.0) % 360.0 - 180.0], ids=["0 to 360", "-180 on"])
def test_area(longitudes):
    """In any convention of either side, across the date line and Greenwich, borders included."""
    expected = [
        ([60, -5, 40, 5], [0]), ([60, 355, 40, 5], [0]), ([60, 0, 40, 10], [0, 1]), ([10, 170, -20, -170], [2, 3, 4]),
        ([10, 170, -20, 190], [2, 3, 4]), ([10, -180, -20, -175], [3, 4]), ([10, 180, -20, 180], [3]),
        ([90, 0, -90, 360], [0, 1, 2, 3, 4, 5]), ([90, -180, -90, 180], [0, 1, 2, 3, 4, 5]), ([90, 10, 60, 5], [5]),
    ]  # fmt: skip
    assert [(area, chosen(longitudes, area=area)) for area, _ in expected] == expected


def test_area_without_points_is_refused():
    """An area without points is refused with the extent of the points."""
    with pytest.raises(ValueError, match=r"has none of the run's 6 points.*-10.00 and 89.00"):
        chosen(area=[-60, 0, -90, 360])


def test_nearest_is_on_the_sphere():
    """The nearest point is found near a pole and across the date line."""
    assert chosen(nearest=[[88.0, 120.0], [-9.0, -178.0], [49.0, 356.0]]) == [5, 4, 0]


@pytest.mark.parametrize(
    "config",
    [
        {"indices": []}, {"indices": [1, 1]}, {"indices": [-1]}, {"indices": [0.5]}, {"indices": 3},
        {"indices": [True]},
        {"area": [1, 2, 3]}, {"area": [10, 0, 20, 5]}, {"area": [91, 0, 0, 5]}, {"area": "Europe"},
        {"area": [1, float("nan"), 0, 5]}, {"nearest": [50.0, 7.0]}, {"nearest": []}, {"nearest": [[95.0, 7.0]]},
        {"nearest": [[50.0, 7.0], [50.0]]},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_values_are_refused(config):
    """Wrong values are refused when the run is configured."""
    with pytest.raises(ValueError, match=f"`points: {next(iter(config))}` is"):
        PointChoice(config)


def test_index_beyond_the_points_is_refused():
    """An index beyond the points is refused when they are known."""
    with pytest.raises(ValueError, match=r"has \[6\], and the run has 6 points"):
        chosen(indices=[0, 6])


def test_unknown_or_several_keys_are_refused():
    """An unknown key, several keys or no mapping are refused with the known ones."""
    with pytest.raises(TypeError, match=r"no option 'indeces'. Did you mean 'indices'"):
        PointChoice({"indeces": [1]})
    with pytest.raises(TypeError, match="Give a mapping"):
        PointChoice([1, 2])
    with pytest.raises(ValueError, match="Give one of"):
        PointChoice({"indices": [1], "area": [1, 2, 0, 4]})
