# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Perturbed forcing: statistics, physical limits, and members that are bitwise the same in every run."""

import numpy as np
import pytest

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.rollout.ensembles.forcing_spread import CORRELATIONS, KINDS, PerturbedForcing, _saturation
from anemoi_ailand.rollout.ensembles.options import ForcingSpread
from anemoi_ailand.rollout.ensembles.smooth_fields import SmoothFields

NAMES = [
    "avg_tprate", "avg_tsrwe", "late_tprate", "avg_sdswrf", "avg_sdlwrf", "t", "q", "avg_t", "avg_q", "u", "lai_lv",
]  # fmt: skip
VALUES = dict(zip(NAMES, [2e-4, 1e-4, 3e-4, 400.0, 300.0, 280.0, 0.006, 281.0, 0.0065, 3.0, 2.0], strict=True))
N = 13


def forcing(members=range(1, 3), points=slice(None), *, control=True, seed=1, **spread):
    rng = np.random.default_rng(4)
    where = rng.uniform(-60.0, 70.0, N)[points], rng.uniform(0.0, 360.0, N)[points]
    fields = SmoothFields(*where, 500.0, seed)
    return PerturbedForcing(ForcingSpread(**spread), fields, members, seed, control=control)


def values(names=NAMES, n=N):
    """Return the same values at all points, shape (variable, point)."""
    return np.repeat(np.array([[VALUES[m]] for m in names], dtype="f4"), n, axis=1)


def steps(of, n_steps, given=None):
    """Return perturbed values, shape (step, variable, member, point)."""
    return np.array([of.step(values() if given is None else given, NAMES) for _ in range(n_steps)])


def row(found, name):
    return found[..., NAMES.index(name), :, :]


@pytest.fixture(scope="module")
def many():
    """Make 5 steps of 400 members at 13 places, without correlation in time, with the perturbations z."""
    of = forcing(range(1, 401), hours=0.1)
    found, z = [], []
    for _ in range(5):
        before = of._before.copy()
        found.append(of.step(values(), NAMES))
        z.append((before, of._before.copy()))
    return np.array(found), np.array(z)


@pytest.mark.parametrize(("relative", "hours"), [(0.5, 24.0), (1.0, 24.0), (0.5, 0.1)])
def test_precipitation_has_mean_one(relative, hours):
    """Rain and snow have the same log-normal factor with mean one."""
    found = steps(forcing(range(1, 1001), precipitation=relative, hours=hours), 1)
    factor = row(found, "avg_tprate") / np.float32(VALUES["avg_tprate"])
    error = factor.mean(axis=-1).std() / np.sqrt(1000)  # points are not independent
    assert abs(factor.mean() - 1.0) < 4.0 * error
    assert error < 0.03
    for name in ("avg_tsrwe", "late_tprate"):
        np.testing.assert_allclose(row(found, name) / np.float32(VALUES[name]), factor, rtol=1e-5)
    variance = np.log1p(relative**2) * 0.5 * (1.0 + np.exp(-STEP_HOURS / hours))
    assert np.log(factor).var() == pytest.approx(variance, rel=0.15)


def test_spreads_are_those_asked_for():
    """Temperature and long-wave radiation have the configured standard deviation."""
    found = steps(forcing(range(1, 1001), longwave=15.0, temperature=1.5, hours=1e6), 1)
    assert (row(found, "t") - VALUES["t"]).std() == pytest.approx(1.5, rel=0.1)
    assert (row(found, "avg_sdlwrf") - VALUES["avg_sdlwrf"]).std() == pytest.approx(15.0, rel=0.1)
    assert abs((row(found, "t") - VALUES["t"]).mean()) < 0.2


def test_correlations_are_those_of_the_table(many):
    """The four quantities have the configured correlations at a place."""
    z = many[1][:, 1]  # (step, kind, member, point)
    found = np.corrcoef(z.swapaxes(0, 1).reshape(len(KINDS), -1))
    np.testing.assert_allclose(found, CORRELATIONS, atol=0.06)


def test_more_rain_goes_with_less_sun_and_more_long_wave(many):
    """The signs of the correlations hold for the fields."""
    changed = {n: row(many[0], n).ravel() for n in ("avg_tprate", "avg_sdswrf", "avg_sdlwrf", "avg_t")}
    found = {n: np.corrcoef(changed["avg_tprate"], changed[n])[0, 1] for n in changed}
    assert found["avg_sdswrf"] < -0.6
    assert 0.3 < found["avg_sdlwrf"] < 0.6
    assert abs(found["avg_t"]) < 0.1


@pytest.mark.parametrize("hours", [6.0, 24.0, 100.0])
def test_correlation_in_time(hours):
    """The correlation is exp(-6 h / tau) after one step, its fourth power after four; the variance stays."""
    of = forcing(range(1, 201), hours=hours, seed=3)
    z = [of._before]
    for _ in range(40):
        of.step(values(), NAMES)
        z.append(of._before)
    z = np.array(z)
    for lag in (1, 4):
        found = (z[:-lag] * z[lag:]).mean() / z.var()
        assert found == pytest.approx(np.exp(-lag * STEP_HOURS / hours), abs=0.04)
    assert z[-10:].var() == pytest.approx(1.0, rel=0.15)


def test_night_stays_dark_and_nothing_is_negative():
    """The largest spreads keep physical limits."""
    given = values()
    given[NAMES.index("avg_sdswrf")] = np.linspace(0.0, 30.0, N)
    given[NAMES.index("avg_sdlwrf")] = 50.0
    given[NAMES.index("avg_tprate"), :3] = 0.0
    found = steps(forcing(range(1, 50), shortwave=300.0, longwave=150.0, precipitation=2.0), 5, given)
    for name in ("avg_sdswrf", "avg_sdlwrf", "avg_tprate", "avg_tsrwe", "q", "avg_q"):
        assert row(found, name).min() >= 0.0
    assert (row(found, "avg_sdswrf")[..., 0] == 0.0).all()
    assert (row(found, "avg_tprate")[..., :3] == 0.0).all()
    assert row(found, "avg_sdswrf")[..., -1].std() > 5.0
    assert (row(found, "avg_sdlwrf") == 0.0).any()


def test_less_sun_is_perturbed_less():
    """The amplitude of short-wave perturbations is s S / (S + s)."""
    given = values()
    given[NAMES.index("avg_sdswrf")] = 5.0
    few = row(steps(forcing(range(1, 500), shortwave=50.0, hours=1e6), 1, given), "avg_sdswrf").std()
    full = row(steps(forcing(range(1, 500), shortwave=50.0, hours=1e6), 1), "avg_sdswrf").std()
    assert few == pytest.approx(50.0 * 5.0 / 55.0, rel=0.15)
    assert full == pytest.approx(50.0 * 400.0 / 450.0, rel=0.15)


@pytest.mark.parametrize(("t", "q", "kelvin"), [("t", "q", 280.0), ("avg_t", "avg_q", 280.0), ("t", "q", 250.0)])
def test_relative_humidity_is_kept(t, q, kelvin):
    """The ratio of q to its saturation is kept, over water and ice."""
    given = values()
    given[NAMES.index(t)] = kelvin
    found = steps(forcing(range(1, 50), temperature=3.0), 2, given)
    before = VALUES[q] / _saturation(np.float32(kelvin))
    np.testing.assert_allclose(row(found, q) / _saturation(row(found, t)), before, rtol=1e-5)
    assert row(found, q).std() > 0.03 * VALUES[q]


def test_saturation_is_that_of_the_tables():
    """At 20 C, 0 C and -20 C over ice [Pa]: 2339, 611, 103 (WMO-No. 8, annex 4.B)."""
    found = _saturation(np.array([293.15, 273.15, 253.15], dtype="f4"))
    np.testing.assert_allclose(found, [2339.0, 611.0, 103.0], rtol=0.005)


def test_wind_and_leaves_stay():
    """Other variables are unchanged."""
    found = steps(forcing(), 2)
    for name in ("u", "lai_lv"):
        assert (row(found, name) == np.float32(VALUES[name])).all()


def test_end_of_a_step_is_the_start_of_the_next():
    """Instants have the perturbation at their time, means that of both ends."""
    of = forcing(range(1, 4))
    begin = of.at_start(values(["t", "q"]), ["t", "q"])
    found = steps(of, 2)
    mean = row(found, "avg_t") - VALUES["avg_t"]
    instants = [begin[0], row(found, "t")[0], row(found, "t")[1]]
    for k in (0, 1):
        both = (instants[k] + instants[k + 1]) / 2.0 - VALUES["t"]
        np.testing.assert_allclose(mean[k], both, atol=1e-4)
    assert np.abs(instants[0] - instants[1]).max() > 0.1


def test_control_is_as_given():
    """The control is bitwise the input, even for a sun below zero by rounding; without control, 0 is perturbed."""
    given = values()
    given[NAMES.index("avg_sdswrf"), 2] = -1e-4
    found = steps(forcing(range(3)), 3, given)
    for k in range(3):
        np.testing.assert_array_equal(found[k, :, 0], given)
    assert (found[:, : NAMES.index("u"), 1] != given[None, : NAMES.index("u")]).any(axis=-1).all()
    without = steps(forcing(range(3), control=False), 3, given)
    assert not np.array_equal(without[0, :, 0], given)
    np.testing.assert_array_equal(without[:, :, 1:], found[:, :, 1:])


def test_point_is_the_same_among_any_others():
    """The forcing at a point is bitwise independent of the other points."""
    members, points = range(1, 6), [11, 2]
    whole = steps(forcing(members), 4)
    some = steps(forcing(members, points), 4, values(n=len(points)))
    np.testing.assert_array_equal(some, whole[..., points])
