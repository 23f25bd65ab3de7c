# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Variables that analyses do not hold: made by physics at the start of a run, or set by the user. Never in silence.

Archives have no liquid water in snow, and often no snow cover or snow temperature; a network that carries them needs a
value to start from. Where physics gives one it is made (:data:`MADE`); a number for anything else is the user's to
give. Where there is no snow, what is filled has the value that ecLand has there (:data:`BARE`).
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
class Made:
    """How a variable is made: the variables needed, a function of their arrays, and the same in words."""

    inputs: tuple[str, ...]
    make: Callable[..., np.ndarray]
    words: str


#: Made from the rest of the state. ``slw``: snow holds liquid water only while it melts, and a run forgets it within
#: days. ``snowc``: ecLand's formula. ``tsn``: snow lies on the soil and cannot be warmer than melting; without snow
#: ecLand has the triple point. What they cost is measured in docs/forcing.md.
MADE: dict[str, Made] = {
    "slw": Made(("sd",), np.zeros_like, "0, dry snow"),
    "snowc": Made(("sd", "rsn"), snow_cover, "ecLand's formula of sd and rsn"),
    "tsn": Made(("stl1",), lambda stl1: np.minimum(stl1, TRIPLE_POINT), "min(stl1, 273.16 K)"),
}

#: Value where there is no snow, as ecLand has it; albedo and density of snow that is there are the user's to give.
BARE: dict[str, float] = {
    "slw": 0.0,
    "snowc": 0.0,
    "tsn": TRIPLE_POINT,
    "rsn": SNOW_DENSITY_MIN,
    "asn": SNOW_ALBEDO_MAX,
}


def check_defaults(defaults: Mapping[str, float]) -> None:
    """Refuse a number that is none, is out of bounds, or is for what must not be made up.

    Raises
    ------
    ValueError
        A name that is not in the table, sun or calendar, a type of soil or vegetation, no number, one out of bounds.
    """
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
) -> tuple[dict[str, Made], list[str]]:
    """How to fill those of ``wanted`` that are not ``held``, and those that cannot be.

    Parameters
    ----------
    wanted, held : sequence of str
        Variables that are needed, and those that the files hold.
    defaults : mapping
        Numbers of the user, which go before what physics makes.
    made : bool
        Whether physics may make something: for the state at the start, not for forcing.

    Returns
    -------
    dict, list of str
        How each is made of held variables; names for which there is no way.
    """
    filled: dict[str, Made] = {}
    for name in wanted:
        if name in held:
            continue
        if name in defaults:
            number = Made((), partial(np.asarray, float(defaults[name]), "f4"), f"{defaults[name]:g}, from `defaults`")
            filled[name] = _bare(name, number, held)
        elif made and name in MADE and (way := _of_held(MADE[name], held, defaults)) is not None:
            filled[name] = _bare(name, way, held)
    return filled, [n for n in wanted if n not in held and n not in filled]


def _of_held(way: Made, held: Collection[str], defaults: Mapping[str, float]) -> Made | None:
    """The same with the user's numbers for the inputs that are not held; None if one is neither."""
    if not all(n in held or n in defaults for n in way.inputs):
        return None
    inputs = tuple(n for n in way.inputs if n in held)

    def make(*arrays: np.ndarray) -> np.ndarray:
        found = dict(zip(inputs, arrays, strict=True))
        return way.make(*(found[n] if n in found else np.float32(defaults[n]) for n in way.inputs))

    return Made(inputs, make, way.words)


def _bare(name: str, way: Made, held: Collection[str]) -> Made:
    """The same, with ecLand's value where there is no snow."""
    if name not in BARE or "sd" not in held:
        return way
    inputs = tuple(dict.fromkeys((*way.inputs, "sd")))
    own, sd = [inputs.index(n) for n in way.inputs], inputs.index("sd")

    def make(*arrays: np.ndarray) -> np.ndarray:
        return np.where(arrays[sd] > 0.0, way.make(*(arrays[i] for i in own)), np.float32(BARE[name]))

    return Made(inputs, make, f"{way.words}; {BARE[name]:g} without snow" if BARE[name] else way.words)
