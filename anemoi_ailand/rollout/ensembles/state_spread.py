# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Initial states of an ensemble: perturbed, or read from files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.hosts.anemoi_inference import ORIGIN
from anemoi_ailand.physics.snow import snow_cover
from anemoi_ailand.physics.soil_types import soil_parameters
from anemoi_ailand.rollout.ensembles.options import StateSpread
from anemoi_ailand.rollout.ensembles.smooth_fields import SmoothFields, innovations, perturbs
from anemoi_ailand.rollout.forcing.common_points import on_same_points
from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.variables import variable

LAYERS = len(SOIL_LAYER_THICKNESS)
#: Suffix of states saved by a run; other files are read as fields.
SAVED = ".state"
_PURPOSE = 2


def perturbed_states(
    fields: Mapping[str, np.ndarray],
    names: Sequence[str],
    spread: StateSpread,
    smooth: SmoothFields,
    members: range,
    seed: int,
    *,
    control: bool,
) -> np.ndarray:
    r"""Perturb the initial state of all members.

    Soil layer k becomes :math:`x_k + \sigma z_k` with :math:`\langle z_k z_l \rangle = r^{|k - l|}`, water between zero
    and saturation. Snow mass with its liquid water, and interception, are multiplied by
    :math:`e^{\sigma z - \sigma^2 / 2}`, so no snow appears where there was none; snow cover follows from the mass.

    ``fields`` holds state and static fields at the points (``theta_sat`` or ``slt``; without them the bounds of the
    table apply), ``names`` the prognostic variables in the order of the result, (variable, member, point), float32.
    With ``control``, member 0 is unperturbed.
    """
    drawn = innovations(seed, _PURPOSE, members, 0, 2 * LAYERS + 2, control=control)
    power = np.abs(np.subtract.outer(np.arange(LAYERS), np.arange(LAYERS)))
    mix = np.linalg.cholesky(spread.vertical_correlation**power)
    for first in (0, LAYERS):
        drawn[:, first : first + LAYERS] = np.einsum("ij,mjk->mik", mix, drawn[:, first : first + LAYERS])
    z = smooth(drawn).swapaxes(0, 1)
    out = {n: np.repeat(fields[n][None].astype(np.float32), len(members), axis=0) for n in names}
    saturation = fields.get("theta_sat")
    if saturation is None and "slt" in fields:
        saturation = soil_parameters(fields["slt"])[-1]
    for k in range(LAYERS):
        _add(out, f"swvl{k + 1}", spread.swvl * z[k], saturation)
        _add(out, f"stl{k + 1}", spread.stl * z[LAYERS + k], None)
    on = perturbs(members, control=control)
    _multiply(out, ("sd", "slw"), spread.sd, z[2 * LAYERS], on)
    _multiply(out, ("src",), spread.src, z[2 * LAYERS + 1], on)
    if spread.sd and {"snowc", "sd", "rsn"} <= set(out):
        cover = snow_cover(out["sd"], out["rsn"])
        out["snowc"] = np.where(on > 0, cover, out["snowc"]).astype(np.float32)
    return np.stack([out[n] for n in names])


def states_of_files(
    pattern: str, names: Sequence[str], date: datetime, where: tuple[np.ndarray, np.ndarray], members: range
) -> np.ndarray:
    """Read the initial state of each member from its own file, (variable, member, point), float32.

    ``pattern`` is a path with ``{member}``, ``where`` latitudes and longitudes of the run.
    """
    states = []
    for member in members:
        path = pattern.format(member=member)
        source = _of_saved(path, names, date) if path.endswith(SAVED) else _of_reader(path, names, date)
        here: dict[str, Any] = {"latitudes": where[0], "longitudes": where[1], ORIGIN: "the run"}
        on_same_points([here, {"latitudes": source[1], "longitudes": source[2], ORIGIN: path}])
        states.append(source[0])
    return np.stack(states, axis=1).astype(np.float32)


def _of_reader(path: str, names: Sequence[str], date: datetime) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return state (variable, point), latitudes and longitudes of a file in any layout."""
    reader = open_reader(path)
    return reader.read(list(names), [date])[:, 0], reader.latitudes, reader.longitudes


def _of_saved(path: str, names: Sequence[str], date: datetime) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same from a state saved by a run."""
    state = LandState.load(path, None)
    if state.date != date:
        raise ValueError(f"The state '{path}' is of {state.date}, the run starts at {date}. Give states of that date.")
    if missing := [n for n in names if n not in state.inputs]:
        raise ValueError(
            f"The state '{path}' has no {missing}; it has {list(state.prognostic)}. Give states with them."
        )
    return np.stack([state[n].numpy() for n in names]), state.latitudes, state.longitudes


def _add(out: dict[str, np.ndarray], name: str, change: np.ndarray, highest: np.ndarray | None) -> None:
    if name not in out:
        return
    low, high = variable(name).bounds
    changed = out[name] + change.astype(np.float32)
    limit = highest if highest is not None else high
    # an unperturbed value keeps its bits, even beyond a bound by rounding
    out[name] = np.where(change == 0.0, out[name], np.clip(changed, low, limit)).astype(np.float32)


def _multiply(out: dict[str, np.ndarray], names: Sequence[str], relative: float, z: np.ndarray, on: np.ndarray) -> None:
    sigma = np.float32(np.sqrt(np.log1p(relative**2)))
    factor = np.exp(sigma * z - np.float32(0.5) * sigma**2 * on)
    for name in names:
        if name in out:
            out[name] = out[name] * factor
