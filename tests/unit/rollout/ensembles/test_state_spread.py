# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Perturbed initial states: spread, correlation, physical limits; states from files."""

from datetime import datetime

import numpy as np
import pytest
import torch

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.physics.snow import snow_cover
from anemoi_ailand.rollout.ensembles.options import StateSpread
from anemoi_ailand.rollout.ensembles.smooth_fields import SmoothFields
from anemoi_ailand.rollout.ensembles.state_spread import perturbed_states, states_of_files
from anemoi_ailand.rollout.step.land_state import LandState
from tests.support import stepper as case

SOIL = [f"{name}{k}" for name in ("swvl", "stl") for k in range(1, 5)]
NAMES = [*SOIL, "sd", "slw", "src", "rsn", "tsn", "asn", "snowc"]
N = 12


def fields():
    """Return a state with equal points, except snow at every other one."""
    snow = np.where(np.arange(N) % 2, 0.0, 30.0)
    found = {n: np.full(N, 0.25 if n.startswith("swvl") else 285.0) for n in SOIL}
    found |= {"sd": snow, "slw": 0.1 * snow, "src": np.full(N, 0.2), "rsn": np.full(N, 200.0), "tsn": np.full(N, 270.0)}
    found |= {"asn": np.full(N, 0.7), "theta_sat": np.full(N, 0.45), "snowc": snow_cover(snow, np.full(N, 200.0))}
    return {n: v.astype("f4") for n, v in found.items()}


def places(points=slice(None)):
    rng = np.random.default_rng(1)
    return rng.uniform(-50.0, 70.0, N)[points], rng.uniform(0.0, 360.0, N)[points]


def perturbed(members=range(1, 3), points=slice(None), names=NAMES, given=None, *, control=True, seed=1, **spread):
    """Return perturbed states by name, each of shape (member, point)."""
    given = {n: v[points] for n, v in (given or fields()).items()}
    smooth = SmoothFields(*places(points), 500.0, seed)
    found = perturbed_states(given, names, StateSpread(**spread), smooth, members, seed, control=control)
    assert found.shape == (len(names), len(members), len(places(points)[0]))
    assert found.dtype == np.float32
    return dict(zip(names, found, strict=True))


@pytest.fixture(scope="module")
def many():
    return perturbed(range(1, 2001), swvl=0.02, stl=1.5, sd=0.3, src=0.5, vertical_correlation=0.6)


@pytest.mark.parametrize(("name", "spread"), [("swvl", 0.02), ("stl", 1.5)])
def test_spread_of_soil_is_that_asked_for(many, name, spread):
    """Each soil layer has the configured spread around the same mean."""
    for k in range(1, 5):
        changed = many[f"{name}{k}"] - fields()[f"{name}{k}"]
        assert changed.std() == pytest.approx(spread, rel=0.05)
        assert abs(changed.mean()) < 0.1 * spread


@pytest.mark.parametrize("name", ["swvl", "stl"])
def test_layers_are_correlated(many, name):
    """Layers have correlation r, r^2, r^3; water and temperature are independent."""
    changed = np.array([many[f"{name}{k}"].ravel() for k in range(1, 5)])
    expected = 0.6 ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    np.testing.assert_allclose(np.corrcoef(changed), expected, atol=0.03)
    other = many["stl1" if name == "swvl" else "swvl1"].ravel()
    assert abs(np.corrcoef(changed[0], other)[0, 1]) < 0.03


@pytest.mark.parametrize(("name", "relative"), [("sd", 0.3), ("slw", 0.3), ("src", 0.5)])
def test_snow_and_interception_have_a_factor(many, name, relative):
    """Snow has a log-normal factor with mean one; its liquid water has the same factor."""
    factor = many[name][:, ::2] / fields()[name][::2]
    assert factor.mean() == pytest.approx(1.0, abs=0.03)
    assert factor.std() == pytest.approx(relative, rel=0.07)
    assert factor.min() > 0.0
    if name == "slw":
        np.testing.assert_allclose(factor, many["sd"][:, ::2] / fields()["sd"][::2], rtol=1e-5)


def test_snow_free_points_stay_snow_free(many):
    """No snow, liquid water or cover appears where there was none."""
    for name in ("sd", "slw", "snowc"):
        assert (many[name][:, 1::2] == 0.0).all()
        assert (many[name][:, ::2] > 0.0).all()


def test_snow_cover_follows_from_the_mass(many):
    """Snow cover follows ecLand's formula; density, temperature and albedo stay."""
    np.testing.assert_array_equal(many["snowc"], snow_cover(many["sd"], many["rsn"]).astype("f4"))
    assert many["snowc"][:, ::2].std() > 0.0
    for name in ("rsn", "tsn", "asn"):
        np.testing.assert_array_equal(many[name], np.repeat(fields()[name][None], 2000, axis=0))


@pytest.mark.parametrize("water", [0.001, 0.449])
def test_water_is_within_zero_and_saturation(water):
    """The largest spread keeps the bounds."""
    given = fields() | {f"swvl{k}": np.full(N, water, dtype="f4") for k in range(1, 5)}
    found = perturbed(range(1, 100), given=given, swvl=0.2)
    assert found["swvl1"].min() >= 0.0
    assert found["swvl1"].max() <= np.float32(0.45)
    assert ((found["swvl1"] == 0.0) | (found["swvl1"] == np.float32(0.45))).any()


@pytest.mark.parametrize(("slt", "highest"), [(None, 0.8), (1, 0.403), (6, 0.766)])
def test_saturation_without_porosity_is_that_of_the_soil_type(slt, highest):
    """Soil water is limited by saturation, or by the bound of the table without it."""
    given = {n: v for n, v in fields().items() if n != "theta_sat"}
    given |= {"swvl3": np.full(N, highest - 0.001, dtype="f4")}
    given |= {} if slt is None else {"slt": np.full(N, slt, dtype="f4")}
    assert perturbed(range(1, 100), given=given, swvl=0.1)["swvl3"].max() == np.float32(highest)


def test_temperature_is_within_the_bounds_of_the_table():
    """Soil temperature is limited by its bound."""
    given = fields() | {"stl1": np.full(N, 358.0, dtype="f4")}
    assert perturbed(range(1, 100), given=given, stl=10.0)["stl1"].max() == 360.0


def test_control_is_as_given():
    """The control is bitwise the input, even beyond saturation; without control, member 0 is perturbed."""
    given = fields() | {"snowc": np.full(N, 0.123, dtype="f4"), "swvl2": np.full(N, 0.46, dtype="f4")}
    found, without = perturbed(range(3), given=given), perturbed(range(3), given=given, control=False)
    for name in NAMES:
        np.testing.assert_array_equal(found[name][0], given[name])
        np.testing.assert_array_equal(found[name][1:], without[name][1:])
    for name in (*SOIL, "sd"):
        assert (found[name][1][::2] != given[name][::2]).all()
        assert (without[name][0][::2] != given[name][::2]).all()


def test_point_is_the_same_among_any_others():
    """The state at a point is bitwise independent of the other points."""
    points = [11, 2]
    whole, some = perturbed(range(3), src=0.3), perturbed(range(3), points, src=0.3)
    for name in NAMES:
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
        (N, 2, ["stl1"], r"is of 2022-01-02 00:00:00, the run starts at 2022-01-01 00:00:00"),
        (5, 1, ["stl1"], r"a\.state and the run are on different points: 5 and 12"),
        (N, 1, ["stl1", "snowc"], r"a\.state.* has no \['snowc'\]"),
    ],
)
def test_states_that_do_not_fit(tmp_path, n, date, names, message):
    """Another date, other points or a missing variable are refused."""
    given = ("stl1", "sd")
    state = LandState(datetime(2022, 1, date), *places(slice(n)), torch.rand(n, 2), given, given)
    path = state.save(tmp_path / "a.state", "x")
    with pytest.raises(ValueError, match=message):
        states_of_files(str(path), names, datetime(2022, 1, 1), places(), range(1))
