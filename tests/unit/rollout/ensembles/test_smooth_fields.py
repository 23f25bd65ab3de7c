# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Random fields: variance, correlation, bitwise independence of other points."""

import numpy as np
import pytest

from anemoi_ailand.constants import EARTH_RADIUS
from anemoi_ailand.rollout.ensembles.smooth_fields import N_WAVES, SmoothFields, innovations, stream

L = 500.0


def at_distances(km):
    """Return points along the equator, at distances from the first one at the Greenwich meridian."""
    angle = 2.0 * np.degrees(np.arcsin(np.array([0.0, *km]) / 2.0 / EARTH_RADIUS))  # straight through the Earth
    return np.zeros(len(angle)), angle


def draws(fields, n, seed=0):
    return fields(np.random.default_rng(seed).standard_normal((n, 2 * N_WAVES)))


def places(n=37):
    rng = np.random.default_rng(2)
    return np.degrees(np.arcsin(rng.uniform(-1, 1, n))), rng.uniform(-180.0, 180.0, n)


def test_mean_is_zero_and_variance_one_everywhere():
    """Mean and variance are 0 and 1 within four standard errors of 4000 draws."""
    values = draws(SmoothFields(*places(), L, seed=1), 4000)
    assert np.abs(values.mean(axis=0)).max() < 4.0 / np.sqrt(4000)
    assert np.abs(values.var(axis=0) - 1.0).max() < 4.0 * np.sqrt(2.0 / 4000)


@pytest.mark.parametrize("km", [0.5 * L, L, 6.0 * L])
def test_correlation_is_gaussian_in_distance(km):
    """The correlation over 80 seeds of 100 draws is exp(-d^2 / 2 L^2)."""
    products = [
        np.prod(draws(SmoothFields(*at_distances([km]), L, seed=seed), 100, seed).T, axis=0).mean()
        for seed in range(80)
    ]
    error = np.std(products) / np.sqrt(len(products))
    assert error < 0.02
    assert abs(np.mean(products) - np.exp(-((km / L) ** 2) / 2.0)) < 4.0 * error


def test_poles_and_date_line_are_not_edges():
    """Fields are continuous at the date line and the poles."""
    lat, lon = np.array([90.0, 90.0, 10.0, 10.0, 10.0]), np.array([0.0, 123.0, 180.0, -180.0, 179.99])
    values = draws(SmoothFields(lat, lon, L, seed=1), 50)
    np.testing.assert_allclose(values[:, 0], values[:, 1], atol=1e-5)
    np.testing.assert_allclose(values[:, 2], values[:, 3], atol=1e-5)
    np.testing.assert_allclose(values[:, 2], values[:, 4], atol=0.02)


@pytest.mark.parametrize("points", [[0], [*range(30, 3, -1)], [7, 7, 8]])
def test_value_at_a_point_does_not_depend_on_the_others(points):
    """The value at a point is bitwise independent of order and number of points."""
    lat, lon = places()
    amplitudes = np.random.default_rng(1).standard_normal((3, 2, 2 * N_WAVES))
    whole = SmoothFields(lat, lon, L, seed=1)(amplitudes)
    some = SmoothFields(lat[points], lon[points], L, seed=1)(amplitudes)
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(some, whole[..., points])


@pytest.mark.parametrize("rows", [slice(3, 4), [4, 0]])
def test_value_of_a_draw_does_not_depend_on_the_others(rows):
    """A draw is bitwise independent of the other draws."""
    fields = SmoothFields(*places(), L, seed=1)
    amplitudes = np.random.default_rng(1).standard_normal((9, 2 * N_WAVES))
    np.testing.assert_array_equal(fields(amplitudes[rows]), fields(amplitudes)[rows])


def test_same_seed_same_field_and_another_another():
    """Another seed gives other waves."""
    one, again, other = (draws(SmoothFields(*places(), L, seed), 2) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.5


def test_streams_are_independent():
    """Streams of seed, purpose, member and step differ, and each is reproducible."""
    keys = [(s, p, m, k) for s in (1, 2) for p in (0, 1, 2) for m in (0, 1, 49) for k in (0, 1, 1460)]
    drawn = [stream(*key).standard_normal(200) for key in keys]
    np.testing.assert_array_equal(drawn[10], stream(*keys[10]).standard_normal(200))
    alike = np.corrcoef(drawn) - np.eye(len(keys))
    assert np.abs(alike).max() < 5.0 / np.sqrt(200)


def test_innovations_are_of_the_member_not_of_its_place():
    """Innovations of a member are independent of the range; only the control has none."""
    whole = innovations(1, 1, range(6), 7, 4, control=True)
    np.testing.assert_array_equal(innovations(1, 1, range(3, 6), 7, 4, control=True), whole[3:])
    assert whole.shape == (6, 4, 2 * N_WAVES)
    assert not whole[0].any()
    assert whole[1:].any(axis=-1).all()
    without = innovations(1, 1, range(6), 7, 4, control=False)
    np.testing.assert_array_equal(without[1:], whole[1:])
    assert without[0].any()
