# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Weights of points by area or by a field, and points that are left out."""

import numpy as np
import pytest

from anemoi_ailand.data.grib.rows import rows_of
from anemoi_ailand.evaluation.fields.point_weights import left_out, point_weights
from tests.support import worlds as world


def places(grid):
    """Latitudes and longitudes of all points of a grid."""
    rows = rows_of(grid)
    longitudes = [np.arange(n) * 360.0 / n for n in rows.counts]
    return np.repeat(rows.latitudes, rows.counts), np.concatenate(longitudes)


def on(latitude, longitude, **constants):
    fields = {"2t": np.zeros((3, len(latitude)), np.float32)}
    times = world.times()[:3]
    return world.fields_of(times, fields, latitude=latitude, longitude=longitude, constants=constants)


@pytest.mark.parametrize("grid", ["N32", "O32", [5.0, 5.0]])
def test_areas_are_those_of_the_grid(grid):
    """They add up to the sphere; a subset of the points has the same areas, and land need not be in every row."""
    latitude, longitude = places(grid)
    areas = point_weights(on(latitude, longitude), "area")
    assert areas.sum() == pytest.approx(1.0)
    cosine = np.cos(np.radians(latitude)) / np.repeat(rows_of(grid).counts, rows_of(grid).counts)
    inside = np.abs(latitude) < 85
    np.testing.assert_allclose(areas[inside] / areas.max(), cosine[inside] / cosine.max(), rtol=5e-3)
    part = np.flatnonzero(np.random.default_rng(0).random(len(latitude)) < 0.05)
    np.testing.assert_array_equal(point_weights(on(latitude[part], longitude[part]), "area"), areas[part])


def test_weights_of_no_grid_are_declared():
    """Without a known grid, the area is a field; one that has no sense is refused."""
    latitude, longitude = np.random.default_rng(1).uniform(-60, 60, (2, 30))
    size = np.linspace(1.0, 2.0, 30)
    reference = on(latitude, longitude, cell_area=size, empty=np.zeros(30))
    np.testing.assert_array_equal(point_weights(reference, "cell_area"), size)
    for weights, message in (
        ("area", "30 points of 'memory' are on no reduced Gaussian or regular grid"),
        ("empty", "'memory' has values of it that are missing or not above zero"),
        ("cellarea", r"has no such field. Give area, one of its fields \['2t'\]"),
    ):
        with pytest.raises(ValueError, match=message):
            point_weights(reference, weights)


def test_glaciers_and_coasts_are_told_by_their_fields():
    """Ice caps by type or snow mass; the coast by sea, not by lakes."""
    latitude = np.linspace(-50.0, 70.0, 6)
    fields = {
        "tvl": np.array([12, 12, 2, 2, 2, 12]), "cvl": np.array([1.0, 0.2, 1, 1, 1, 0.5]),
        "sd": np.array([0.0, 0, 1e4, 300, 0, 0]), "lsm": np.array([1.0, 0.6, 1, 0.6, 0.98, 1]),
        "cl": np.array([0.0, 0.4, 0, 0.1, 0.019, 0]),
    }  # fmt: skip
    reference = on(latitude, latitude, **fields)
    assert left_out(reference, ["glacier"]).tolist() == [True, False, True, False, False, True]
    assert left_out(reference, ["coast"]).tolist() == [False, False, False, True, False, False]
    assert left_out(reference, ["glacier", "coast"]).sum() == 4
    assert left_out(on(latitude, latitude, lsm=fields["lsm"]), ["coast"]).sum() == 3
    with pytest.raises(ValueError, match=r"has 'glacier', and 'memory' has none of \['tvl', 'cvl', 'sd'\]"):
        left_out(on(latitude, latitude, tvl=fields["tvl"]), ["glacier"])
