# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Perturbed forcing and states: spread, correlation, physical limits; bitwise the same member in every run."""

from datetime import datetime

import numpy as np
import pytest
import torch

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.physics.snow import snow_cover
from anemoi_ailand.rollout.ensembles.forcing_spread import CORRELATIONS, KINDS, PerturbedForcing, _saturation
from anemoi_ailand.rollout.ensembles.options import ForcingSpread, StateSpread
from anemoi_ailand.rollout.ensembles.smooth_fields import SmoothFields
from anemoi_ailand.rollout.ensembles.state_spread import perturbed_states, states_of_files
from anemoi_ailand.rollout.step.land_state import LandState
from tests.support import stepper as case

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


SOIL = [f"{name}{k}" for name in ("swvl", "stl") for k in range(1, 5)]
STATE = [*SOIL, "sd", "slw", "src", "rsn", "tsn", "asn", "snowc"]
N_PLACES = 12


def fields():
    """Return a state with equal points, except snow at every other one."""
    snow = np.where(np.arange(N_PLACES) % 2, 0.0, 30.0)
    found = {n: np.full(N_PLACES, 0.25 if n.startswith("swvl") else 285.0) for n in SOIL}
    found |= {
        "sd": snow,
        "slw": 0.1 * snow,
        "src": np.full(N_PLACES, 0.2),
        "rsn": np.full(N_PLACES, 200.0),
        "tsn": np.full(N_PLACES, 270.0),
    }
    found |= {
        "asn": np.full(N_PLACES, 0.7),
        "theta_sat": np.full(N_PLACES, 0.45),
        "snowc": snow_cover(snow, np.full(N_PLACES, 200.0)),
    }
    return {n: v.astype("f4") for n, v in found.items()}


def places(points=slice(None)):
    rng = np.random.default_rng(1)
    return rng.uniform(-50.0, 70.0, N_PLACES)[points], rng.uniform(0.0, 360.0, N_PLACES)[points]


def perturbed(members=range(1, 3), points=slice(None), names=STATE, given=None, *, control=True, seed=1, **spread):
    """Return perturbed states by name, each of shape (member, point)."""
    given = {n: v[points] for n, v in (given or fields()).items()}
    smooth = SmoothFields(*places(points), 500.0, seed)
    found = perturbed_states(given, names, StateSpread(**spread), smooth, members, seed, control=control)
    assert found.shape == (len(names), len(members), len(places(points)[0]))
    assert found.dtype == np.float32
    return dict(zip(names, found, strict=True))


@pytest.fixture(scope="module")
def many_states():
    return perturbed(range(1, 2001), swvl=0.02, stl=1.5, sd=0.3, src=0.5, vertical_correlation=0.6)


@pytest.mark.parametrize(("name", "spread"), [("swvl", 0.02), ("stl", 1.5)])
def test_spread_of_soil_is_that_asked_for(many_states, name, spread):
    """Each soil layer has the configured spread around the same mean."""
    for k in range(1, 5):
        changed = many_states[f"{name}{k}"] - fields()[f"{name}{k}"]
        assert changed.std() == pytest.approx(spread, rel=0.05)
        assert abs(changed.mean()) < 0.1 * spread


@pytest.mark.parametrize("name", ["swvl", "stl"])
def test_layers_are_correlated(many_states, name):
    """Layers have correlation r, r^2, r^3; water and temperature are independent."""
    changed = np.array([many_states[f"{name}{k}"].ravel() for k in range(1, 5)])
    expected = 0.6 ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    np.testing.assert_allclose(np.corrcoef(changed), expected, atol=0.03)
    other = many_states["stl1" if name == "swvl" else "swvl1"].ravel()
    assert abs(np.corrcoef(changed[0], other)[0, 1]) < 0.03


@pytest.mark.parametrize(("name", "relative"), [("sd", 0.3), ("slw", 0.3), ("src", 0.5)])
def test_snow_and_interception_have_a_factor(many_states, name, relative):
    """Snow has a log-normal factor with mean one; its liquid water has the same factor."""
    factor = many_states[name][:, ::2] / fields()[name][::2]
    assert factor.mean() == pytest.approx(1.0, abs=0.03)
    assert factor.std() == pytest.approx(relative, rel=0.07)
    assert factor.min() > 0.0
    if name == "slw":
        np.testing.assert_allclose(factor, many_states["sd"][:, ::2] / fields()["sd"][::2], rtol=1e-5)


def test_snow_free_points_stay_snow_free(many_states):
    """No snow, liquid water or cover appears where there was none."""
    for name in ("sd", "slw", "snowc"):
        assert (many_states[name][:, 1::2] == 0.0).all()
        assert (many_states[name][:, ::2] > 0.0).all()


def test_snow_cover_follows_from_the_mass(many_states):
    """Snow cover follows ecLand's formula; density, temperature and albedo stay."""
    np.testing.assert_array_equal(many_states["snowc"], snow_cover(many_states["sd"], many_states["rsn"]).astype("f4"))
    assert many_states["snowc"][:, ::2].std() > 0.0
    for name in ("rsn", "tsn", "asn"):
        np.testing.assert_array_equal(many_states[name], np.repeat(fields()[name][None], 2000, axis=0))


@pytest.mark.parametrize("water", [0.001, 0.449])
def test_water_is_within_zero_and_saturation(water):
    """The largest spread keeps the bounds."""
    given = fields() | {f"swvl{k}": np.full(N_PLACES, water, dtype="f4") for k in range(1, 5)}
    found = perturbed(range(1, 100), given=given, swvl=0.2)
    assert found["swvl1"].min() >= 0.0
    assert found["swvl1"].max() <= np.float32(0.45)
    assert ((found["swvl1"] == 0.0) | (found["swvl1"] == np.float32(0.45))).any()


@pytest.mark.parametrize(("slt", "highest"), [(None, 0.8), (1, 0.403), (6, 0.766)])
def test_saturation_without_porosity_is_that_of_the_soil_type(slt, highest):
    """Soil water is limited by saturation, or by the bound of the table without it."""
    given = {n: v for n, v in fields().items() if n != "theta_sat"}
    given |= {"swvl3": np.full(N_PLACES, highest - 0.001, dtype="f4")}
    given |= {} if slt is None else {"slt": np.full(N_PLACES, slt, dtype="f4")}
    assert perturbed(range(1, 100), given=given, swvl=0.1)["swvl3"].max() == np.float32(highest)


def test_temperature_is_within_the_bounds_of_the_table():
    """Soil temperature is limited by its bound."""
    given = fields() | {"stl1": np.full(N_PLACES, 358.0, dtype="f4")}
    assert perturbed(range(1, 100), given=given, stl=10.0)["stl1"].max() == 360.0


def test_state_of_the_control_is_as_given():
    """The control is bitwise the input, even beyond saturation; without control, member 0 is perturbed."""
    given = fields() | {"snowc": np.full(N_PLACES, 0.123, dtype="f4"), "swvl2": np.full(N_PLACES, 0.46, dtype="f4")}
    found, without = perturbed(range(3), given=given), perturbed(range(3), given=given, control=False)
    for name in STATE:
        np.testing.assert_array_equal(found[name][0], given[name])
        np.testing.assert_array_equal(found[name][1:], without[name][1:])
    for name in (*SOIL, "sd"):
        assert (found[name][1][::2] != given[name][::2]).all()
        assert (without[name][0][::2] != given[name][::2]).all()


def test_state_at_a_point_is_the_same_among_any_others():
    """The state at a point is bitwise independent of the other points."""
    points = [11, 2]
    whole, some = perturbed(range(3), src=0.3), perturbed(range(3), points, src=0.3)
    for name in STATE:
        np.testing.assert_array_equal(some[name], whole[name][:, points])


@pytest.mark.parametrize("names", [["swvl1", "stl1"], ["sd", "stl3"], ["snowc"]])
def test_other_states_are_perturbed_as_far_as_they_go(names):
    """With fewer variables, each has the same perturbation."""
    found, whole = perturbed(names=names), perturbed()
    for name in names:
        if name != "snowc":
            np.testing.assert_array_equal(found[name], whole[name])


def test_states_of_files(tmp_path):
    """Each member has the state of its own file, saved by a run or in another layout."""
    stepper = case.stepper()
    state, _ = case.sample_fields(stepper, 0)
    reader, names = open_reader("$AILAND_SAMPLE"), list(stepper.prognostic)
    where = reader.latitudes, reader.longitudes
    values = reader.read(names, [state.date])[:, 0]
    for member in (1, 2):
        state.changed({"stl1": state["stl1"] + member}).save(tmp_path / f"{member:03d}.state", "any")
    found = states_of_files(str(tmp_path / "{member:03d}.state"), names, state.date, where, range(1, 3))
    assert found.shape == (len(names), 2, len(where[0]))
    for i, name in enumerate(names):
        for member in (1, 2):
            expected = values[i] + np.float32(member if name == "stl1" else 0)
            np.testing.assert_array_equal(found[i, member - 1], expected)


def test_states_of_files_in_any_layout(tmp_path):
    """Other files are opened by the readers of the package."""
    with pytest.raises(FileNotFoundError, match="m0"):
        states_of_files(str(tmp_path / "m{member}.nc"), ["stl1"], datetime(2022, 1, 1), places(), range(1))
    reader = open_reader("$AILAND_SAMPLE")
    where = reader.latitudes, reader.longitudes
    found = states_of_files("$AILAND_SAMPLE", ["stl1", "sd"], datetime(2022, 1, 1), where, range(2))
    np.testing.assert_array_equal(found[:, 1], reader.read(["stl1", "sd"], [datetime(2022, 1, 1)])[:, 0])


@pytest.mark.parametrize(
    ("n", "date", "names", "message"),
    [
        (N_PLACES, 2, ["stl1"], r"is of 2022-01-02 00:00:00, the run starts at 2022-01-01 00:00:00"),
        (5, 1, ["stl1"], r"a\.state and the run are on different points: 5 and 12"),
        (N_PLACES, 1, ["stl1", "snowc"], r"a\.state.* has no \['snowc'\]"),
    ],
)
def test_states_that_do_not_fit(tmp_path, n, date, names, message):
    """Another date, other points or a missing variable are refused."""
    given = ("stl1", "sd")
    state = LandState(datetime(2022, 1, date), *places(slice(n)), torch.rand(n, 2), given, given)
    path = state.save(tmp_path / "a.state", "x")
    with pytest.raises(ValueError, match=message):
        states_of_files(str(path), names, datetime(2022, 1, 1), places(), range(1))
