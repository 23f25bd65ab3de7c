# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Static parameters in place of weights: the inputs of the network, changed as a diagnosis of the towers says."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

import anemoi_ailand as ail
from anemoi_ailand.evaluation.diagnosis.candidates import CANDIDATES
from anemoi_ailand.evaluation.diagnosis.diagnosis_text import said
from anemoi_ailand.evaluation.diagnosis.surface_classes import surface_classes
from anemoi_ailand.workflows.diagnose import Case, Emulation
from tools.results.steps import Inputs, once_json
from tools.results.tuning_twin import BASE, NATURE, RAW, TowerData

LOG = logging.getLogger("results")

#: Years in which the error of the base is known, and candidates: those that are inputs of the network.
ERROR_YEARS = (2018, 2019, 2020)
TRIED = tuple(n for n, c in CANDIDATES.items() if c.changes)

#: Probability from which a hypothesis is used.
_USED = 0.01

#: Factors and offsets (point,) of inputs by name, for the classes of surface of points.
Changes = Callable[[Mapping[str, np.ndarray]], dict[str, tuple[np.ndarray, np.ndarray]]]


def calibrations(inputs: Inputs, seeds: Sequence[int], key: Mapping[str, Any]) -> dict[tuple[str, str, int], Changes]:
    """Return the changes of inputs that follow from raw observations by seed, and from nature (the floor)."""
    path = inputs.folder / "fine-tuning-parameters.json"
    found = once_json(path, {**key, "seeds": list(seeds)}, lambda: hypotheses(inputs, seeds))
    return {("parameters", kind, int(seed)): partial(changes, found[f"{kind}-{seed}"])
            for kind, seed in (name.split("-") for name in found)}  # fmt: skip


def hypotheses(inputs: Inputs, seeds: Sequence[int]) -> dict[str, list[dict[str, Any]]]:
    """Return the probable hypotheses from the observations of each draw, and from nature."""
    assert inputs.reference is not None and inputs.nature is not None
    towers, data = TowerData(inputs.reference, inputs.nature), ail.open_data(inputs.reference)
    draws = {f"{RAW}-{seed}": towers.towers(RAW, seed) for seed in seeds} | {f"{NATURE}-0": towers.towers(NATURE, 0)}
    seen = {name: observed(towers, fields) for name, fields in draws.items()}
    emulation, out = Emulation(data, seen[f"{NATURE}-0"], BASE, ERROR_YEARS), {}
    responses = Case(emulation, seen[f"{NATURE}-0"]).responses(TRIED)  # without gaps, for all draws
    for name, fields in seen.items():
        found = Case(emulation, fields).hypotheses(responses)
        LOG.info("%s: %s", name, [f"{said(h)} {h.probability:.2f} {h.amplitude:.2f}" for h in found[:3]])
        used = [h for h in found if h.parameter in CANDIDATES and h.probability > _USED]
        out[name] = [
            {n: getattr(h, n) for n in ("surface", "parameter", "amplitude", "uncertainty", "probability")}
            for h in used
        ]
    return out


def observed(towers: TowerData, fields: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Return observations (time, point) with their places."""
    coordinates = {"time": towers.dates.astype("datetime64[ns]"), "latitude": ("point", towers.places[0]),
                   "longitude": ("point", towers.places[1])}  # fmt: skip
    return xr.Dataset({n: (("time", "point"), v) for n, v in fields.items()}, coordinates)


def changes(
    found: Sequence[Mapping[str, Any]], fields: Mapping[str, np.ndarray]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the factors and offsets (point,) of inputs: amplitudes of hypotheses, weighted by probability."""
    classes = {c.name: c.members for c in surface_classes(fields)}
    n_points, out = len(fields["slt"]), {}
    for h in found:
        amplitude = h["probability"] * h["amplitude"] * classes.get(h["surface"], np.zeros(n_points, bool))
        for name, change in CANDIDATES[h["parameter"]].changes.items():
            factor, offset = out.get(name, (np.ones(n_points), np.zeros(n_points)))
            out[name] = factor * change.factor**amplitude, offset + change.offset * amplitude
    return out
