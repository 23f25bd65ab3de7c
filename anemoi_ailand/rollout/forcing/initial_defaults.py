# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Initial values of variables that analyses lack, derived from physics or set by the user, and always logged.

Archives have no liquid water in snow, and often no snow cover or snow temperature, but a network that carries them
needs initial values. They are derived where physics allows (:data:`DERIVED`); other numbers are given by the user.
Without snow, filled variables have ecLand's value (:data:`SNOW_FREE`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from anemoi_ailand.constants import SNOW_ALBEDO_MAX, SNOW_DENSITY_MIN, TRIPLE_POINT
from anemoi_ailand.physics.snow import snow_cover
from anemoi_ailand.variables import Role, variable


@dataclass(frozen=True)
class Derivation:
    """Derivation of a variable: the variables needed, a function of their arrays, and its description."""

    inputs: tuple[str, ...]
    make: Callable[..., np.ndarray]
    words: str


#: Derivations from the rest of the state. ``slw``: snow holds liquid water only while it melts, and a run forgets it
#: within days. ``snowc``: formula of ecLand. ``tsn``: snow lies on the soil and is not warmer than melting; without
#: snow ecLand has the triple point. The effect on forecasts is measured in docs/guide/forcing.md.
DERIVED: dict[str, Derivation] = {
    "slw": Derivation(("sd",), np.zeros_like, "0, dry snow"),
    "snowc": Derivation(("sd", "rsn"), snow_cover, "ecLand's formula of sd and rsn"),
    "tsn": Derivation(("stl1",), lambda stl1: np.minimum(stl1, TRIPLE_POINT), "min(stl1, 273.16 K)"),
}

#: Values of ecLand without snow; albedo and density of existing snow are given by the user.
SNOW_FREE: dict[str, float] = {
    "slw": 0.0,
    "snowc": 0.0,
    "tsn": TRIPLE_POINT,
    "rsn": SNOW_DENSITY_MIN,
    "asn": SNOW_ALBEDO_MAX,
}


def check_defaults(defaults: Mapping[str, float]) -> None:
    """Refuse variables without a default (unknown, computed, types of soil and vegetation) and invalid numbers."""
    for name, value in defaults.items():
        row = variable(name)
        if row.computed or row.role is Role.CATEGORY:
            raise ValueError(f"`defaults` names '{name}', {row.long_name}, which has no default. Remove it.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise ValueError(f"The default of '{name}' is {value!r}. Give a number in {row.units}.")
        low, high = row.bounds
        if (low is not None and value < low) or (high is not None and value > high):
            raise ValueError(
                f"The default of '{name}' is {value:g}, outside {list(row.bounds)} {row.units}. Correct it."
            )


def plan(
    wanted: Sequence[str], held: Collection[str], defaults: Mapping[str, float], made: bool
) -> tuple[dict[str, Derivation], list[str]]:
    """Find derivations, by name, of the variables that are wanted but not held, and the names without one.

    ``defaults`` are numbers of the user, which take precedence over physics. ``made`` allows :data:`DERIVED`: for the
    initial state, not for forcing.
    """
    filled: dict[str, Derivation] = {}
    for name in wanted:
        if name in held:
            continue
        if name in defaults:
            constant = partial(np.asarray, float(defaults[name]), "f4")
            number = Derivation((), constant, f"{defaults[name]:g}, from `defaults`")
            filled[name] = _bare(name, number, held)
        elif made and name in DERIVED and (way := _of_held(DERIVED[name], held, defaults)) is not None:
            filled[name] = _bare(name, way, held)
    return filled, [n for n in wanted if n not in held and n not in filled]


def _of_held(way: Derivation, held: Collection[str], defaults: Mapping[str, float]) -> Derivation | None:
    """Fill inputs that are not held with the numbers of the user; None if one is missing."""
    if not all(n in held or n in defaults for n in way.inputs):
        return None
    inputs = tuple(n for n in way.inputs if n in held)

    def make(*arrays: np.ndarray) -> np.ndarray:
        found = dict(zip(inputs, arrays, strict=True))
        return way.make(*(found[n] if n in found else np.float32(defaults[n]) for n in way.inputs))

    return Derivation(inputs, make, way.words)


def _bare(name: str, way: Derivation, held: Collection[str]) -> Derivation:
    """Use ecLand's value where there is no snow."""
    if name not in SNOW_FREE or "sd" not in held:
        return way
    inputs = tuple(dict.fromkeys((*way.inputs, "sd")))
    own, sd = [inputs.index(n) for n in way.inputs], inputs.index("sd")

    def make(*arrays: np.ndarray) -> np.ndarray:
        return np.where(arrays[sd] > 0.0, way.make(*(arrays[i] for i in own)), np.float32(SNOW_FREE[name]))

    return Derivation(inputs, make, f"{way.words}; {SNOW_FREE[name]:g} without snow" if SNOW_FREE[name] else way.words)


def cold_start(names: Sequence[str], static: Mapping[str, float], temperature: float) -> dict[str, np.ndarray]:
    """Return a state to begin a spin-up with, by name: no snow, and soil halfway between wilting point and capacity.

    All soil layers have ``temperature`` [K], the mean of the air. A variable without a rule is an error.
    """
    moisture = 0.5 * (static["theta_pwp"] + static["theta_cap"])
    values = {n: moisture if n.startswith("swvl") else temperature for n in names if n.startswith(("swvl", "stl"))}
    values |= {n: v for n, v in {"sd": 0.0, "src": 0.0, **SNOW_FREE}.items() if n in names}
    missing = [n for n in names if n not in values]
    if missing:
        raise ValueError(f"A cold start has no rule for {missing}. Give an initial state from a dataset.")
    return {n: np.array([values[n]], np.float32) for n in names}
