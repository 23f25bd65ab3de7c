# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Initial values of variables that the files of a run do not hold."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.physics.snow import snow_cover
from anemoi_ailand.rollout.forcing.initial_defaults import DERIVED, SNOW_FREE, check_defaults, cold_start, plan
from anemoi_ailand.variables import VARIABLES, Role

SD = np.array([0.0, 0.5, 50.0], "f4")
HELD = {
    "sd": SD,
    "rsn": np.array([100.0, 150.0, 300.0], "f4"),
    "stl1": np.array([290.0, 274.0, 260.0], "f4"),
}


def made(name: str, defaults: dict[str, float] | None = None, without: tuple[str, ...] = ()) -> np.ndarray:
    """Values of a variable from those that are held."""
    held = {n: v for n, v in HELD.items() if n not in without}
    filled, missing = plan([name], held, defaults or {}, made=True)
    assert missing == []
    return np.broadcast_to(filled[name].make(*(held[n] for n in filled[name].inputs)), SD.shape)


def test_physics_fills_missing_variables() -> None:
    """Snow is dry, covers by ecLand's formula, and has the temperature of the soil without melting."""
    np.testing.assert_array_equal(made("slw"), [0.0, 0.0, 0.0])
    np.testing.assert_array_equal(made("snowc"), snow_cover(SD, HELD["rsn"]).astype("f4"))
    np.testing.assert_allclose(made("tsn"), [273.16, 273.16, 260.0], rtol=1e-6)


def test_numbers_of_the_user_go_before_physics() -> None:
    """Derivations use them, too; without snow the value is ecLand's."""
    np.testing.assert_allclose(made("asn", {"asn": 0.7}), [0.85, 0.7, 0.7], rtol=1e-6)
    np.testing.assert_allclose(made("tsn", {"tsn": 270.0}), [273.16, 270.0, 270.0], rtol=1e-6)
    expected = snow_cover(SD, np.full(3, 200.0, "f4"))
    np.testing.assert_allclose(made("snowc", {"rsn": 200.0}, without=("rsn",)), expected, rtol=1e-6)


@pytest.mark.parametrize(("name", "without"), [("snowc", "rsn"), ("tsn", "stl1"), ("slw", "sd")])
def test_physics_needs_its_inputs(name: str, without: str) -> None:
    """Without its inputs a variable is missing."""
    filled, missing = plan([name], set(HELD) - {without}, {}, made=True)
    assert (filled, missing) == ({}, [name])


def test_variables_without_a_default_are_missing() -> None:
    """Density and albedo of snow, soil, and everything but the initial state are not derived."""
    wanted = ["rsn", "asn", "swvl1", "stl1", "sd", "src"]
    assert plan(wanted, {"sd"}, {}, made=True) == ({}, ["rsn", "asn", "swvl1", "stl1", "src"])
    assert plan(["slw"], {"sd"}, {}, made=False) == ({}, ["slw"])


def test_variables_in_the_file_are_not_filled() -> None:
    """Values in the files take precedence over defaults."""
    assert plan(["sd", "rsn"], HELD, {"rsn": 200.0}, made=True) == ({}, [])


def test_made_variables_are_state_and_within_bounds() -> None:
    """Derived variables are state in the table, and their values within bounds."""
    for name in {*DERIVED, *SNOW_FREE}:
        assert VARIABLES[name].role is Role.PROGNOSTIC
    for name, value in SNOW_FREE.items():
        check_defaults({name: value})


@pytest.mark.parametrize(
    ("defaults", "message"),
    [
        ({"slww": 0.0}, r"'slww' is not in the table .*'slw'"),
        ({"slw": -1.0}, r"'slw' is -1, outside \[0.0, .* Correct it"),
        ({"stl1": 15.0}, r"'stl1' is 15, outside \[180.0, 360.0\] K"),
        ({"asn": "fresh"}, r"'asn' is 'fresh'. Give a number in 1"),
        ({"asn": float("nan")}, r"'asn' is nan. Give a number"),
        ({"slw": True}, r"'slw' is True. Give a number in kg m-2"),
        ({"tvl": 1}, r"'tvl', low vegetation type .*, which has no default"),
        ({"insolation": 0.0}, "'insolation', .*, which has no default"),
    ],
)
def test_bad_defaults_are_refused(defaults: dict, message: str) -> None:
    """Unknown names, invalid numbers and variables without a default are errors."""
    with pytest.raises(ValueError, match=message):
        check_defaults(defaults)


def test_cold_start():
    """No snow, soil halfway between wilting point and field capacity; a variable without a rule is an error."""
    names = ["swvl1", "swvl4", "stl1", "sd", "asn", "tsn", "src"]
    found = cold_start(names, {"theta_pwp": 0.1, "theta_cap": 0.3}, 280.0)
    expected = {"swvl1": 0.2, "swvl4": 0.2, "stl1": 280.0, "sd": 0.0, "asn": 0.85, "tsn": 273.16, "src": 0.0}
    assert {n: v[0] for n, v in found.items()} == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"no rule for \['lai_lv'\]"):
        cold_start(["sd", "lai_lv"], {"theta_pwp": 0.1, "theta_cap": 0.3}, 280.0)
