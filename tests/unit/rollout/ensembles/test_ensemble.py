# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Members are folded into points, and each is the same in every run; random fields."""

from datetime import datetime

import numpy as np
import pytest

from anemoi_ailand.constants import EARTH_RADIUS
from anemoi_ailand.rollout.ensembles.ensemble import Ensemble
from anemoi_ailand.rollout.ensembles.options import EnsembleOptions
from anemoi_ailand.rollout.ensembles.smooth_fields import N_WAVES, SmoothFields, stream
from tests.support import stepper as case

DATE, N = datetime(2022, 1, 1), 9
NAMES = ["swvl1", "stl1", "sd"]
FORCING = ["t", "q", "avg_tprate"]
FORCING_SPREAD = {"precipitation": 0.5, "temperature": 2.0}


def ensemble(points=slice(None), **options):
    lat, lon = case.places(N)
    return Ensemble(EnsembleOptions(**options), lat[points], lon[points])


def fields():
    rng = np.random.default_rng(1)
    found = {"swvl1": rng.uniform(0.1, 0.4, N), "stl1": rng.uniform(260, 300, N), "sd": rng.uniform(0, 9, N)}
    return {n: v.astype("f4") for n, v in found.items()} | {"theta_sat": np.full(N, 0.45, dtype="f4")}


def forcing(k=0):
    rng = np.random.default_rng(k)
    return np.stack([rng.uniform(260, 300, N), rng.uniform(0, 0.01, N), rng.uniform(0, 1e-4, N)]).astype("f4")


def by_member(values, members):
    return values.reshape(len(values), members, -1)


def test_rows_are_members_one_after_the_other():
    """States, forcing, static fields and places have the same order."""
    some = ensemble(members=3, initial={}, forcing=FORCING_SPREAD)
    states, air = some.states(fields(), NAMES, DATE), some.forcing(forcing(), FORCING)
    assert states.shape == air.shape == (3, 3 * N)
    np.testing.assert_array_equal(states[:, :N], [fields()[n] for n in NAMES])  # the control
    np.testing.assert_array_equal(air[:, :N], forcing())
    assert np.abs(states[1].reshape(3, N) - fields()["stl1"]).mean(axis=1)[1:].min() > 0.1
    np.testing.assert_array_equal(by_member(some.static(forcing()), 3), np.repeat(forcing()[:, None], 3, axis=1))
    np.testing.assert_array_equal(some.places(), np.tile(case.places(N), 3))


def test_unperturbed_variables_are_repeated():
    """State or forcing that is not perturbed is the same for all members."""
    state, air = ensemble(members=2, initial={}), ensemble(members=2, forcing={})
    np.testing.assert_array_equal(by_member(state.forcing(forcing(), FORCING), 2)[:, 1], forcing())
    assert not np.array_equal(by_member(air.forcing(forcing(), FORCING), 2)[:, 1], forcing())
    np.testing.assert_array_equal(by_member(air.states(fields(), NAMES, DATE), 2)[0, 1], fields()["swvl1"])


@pytest.mark.parametrize(("first", "members"), [(0, 1), (0, 25), (25, 25), (49, 1)])
def test_member_is_the_same_in_any_run(first, members):
    """State and forcing of a member are bitwise independent of the other members."""
    options = {"initial": {"sd": 0.5}, "forcing": FORCING_SPREAD, "seed": 3}
    whole, part = ensemble(members=50, **options), ensemble(members=members, first=first, **options)
    chosen = slice(first, first + members)
    assert part.members == range(first, first + members)
    np.testing.assert_array_equal(
        by_member(part.states(fields(), NAMES, DATE), members),
        by_member(whole.states(fields(), NAMES, DATE), 50)[:, chosen],
    )
    for k in range(3):
        np.testing.assert_array_equal(
            by_member(part.forcing(forcing(k), FORCING), members),
            by_member(whole.forcing(forcing(k), FORCING), 50)[:, chosen],
        )


def test_state_and_forcing_have_no_numbers_in_common():
    """Perturbations of air and soil temperature are independent."""
    options = {"members": 800, "control": False}
    state = ensemble(initial={"stl": 1.0}, **options).states(fields(), NAMES, DATE)[1]
    air = ensemble(forcing={"temperature": 1.0}, **options).at_start(forcing(), FORCING)[0]
    changes = state.reshape(800, N) - fields()["stl1"], air.reshape(800, N) - forcing()[0]
    assert abs(np.corrcoef(*(c[:, 0] for c in changes))[0, 1]) < 4.0 / np.sqrt(800)


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
