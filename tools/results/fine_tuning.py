# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page on fine-tuning: what presets recover of a known change from pseudo-towers, and what they forget."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from tools.results.steps import EVERYTHING, Inputs, key_of, once
from tools.results.tuning_twin import BASE, BOWEN, NATURE, PRESETS, RAW, TowerData, tune

LOG = logging.getLogger("results")

PART = "fine-tuning"

#: Draws of the errors of the towers, each with its own seed of the training.
SEEDS = (1, 2, 3, 4, 5)

#: Trainings on each draw: preset and kind of observations.
TRAINED = (*((preset, BOWEN) for preset in PRESETS), ("S5", RAW))


def trainings(seeds: tuple[int, ...] = SEEDS) -> list[tuple[str, str, int]]:
    """Return preset, kind of observations and seed of all trainings: floors after the first draw."""
    floors = [(preset, NATURE, 0) for preset in PRESETS]
    every = [[(preset, kind, seed) for preset, kind in TRAINED] for seed in seeds]
    return [*every[0], *floors, *(training for of_seed in every[1:] for training in of_seed)]


def checkpoints(inputs: Inputs) -> dict[tuple[str, str, int], Path]:
    """Return the best checkpoint of every training, made unless it is there."""
    assert inputs.reference is not None and inputs.nature is not None
    folder = inputs.folder / PART
    folder.mkdir(exist_ok=True)
    towers, key = TowerData(inputs.reference, inputs.nature), key_of(
        BASE, inputs.reference, inputs.nature, places=EVERYTHING
    )  # fmt: skip
    found = {}
    for name in trainings():
        path = folder / "-".join(map(str, name)) / "best" / "inference-best.ckpt"
        found[name] = once(path, key, partial(tune, towers, folder, *name))
    return found
