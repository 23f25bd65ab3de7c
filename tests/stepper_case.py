# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A small land model with the closed step behind a :class:`LandStepper`, and fields for it at random points."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import closed_case as case
import numpy as np
import torch
from anemoi.models.preprocessing import Processors
from anemoi.models.preprocessing.normalizer import InputNormalizer
from torch import nn

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.sun import COMPUTED
from anemoi_ailand.rollout.step.batch_invariance import make_batch_invariant
from anemoi_ailand.rollout.step.checkpoint import LandStep
from anemoi_ailand.rollout.stepper import LandStepper

DATE = datetime(2022, 1, 1)


class Interface(nn.Module):
    """What an inference checkpoint holds: network, normalisers and ``predict_step``."""

    def __init__(self, model: nn.Module, *, others: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.model = make_batch_invariant(model)
        config = model_config()
        normalizer = InputNormalizer(config=config, data_indices=case.indices(), statistics=case.statistics())
        named = [["normalizer", normalizer], *([n, nn.Identity()] for n in others)]
        before, after = (Processors(named, inverse=i) for i in (False, True))
        before.first_run = False  # as in a checkpoint: training has made the first run
        self.pre_processors, self.post_processors = nn.ModuleDict({"data": before}), nn.ModuleDict({"data": after})

    def predict_step(self, batch):
        return self.model.predict_step(batch, self.pre_processors, self.post_processors, n_step_input=2)


def model_config():
    """Configuration of the normaliser: types and the calendar stay as they are."""
    config = case.land_case.data_config(case.FORCING, case.DIAGNOSTIC).processors.normalizer.config
    config["none"] = case.NOT_NORMALISED
    return config


def land_step(seed=0, **options) -> LandStep:
    """A loaded checkpoint with random weights, not from a file."""
    index = case.indices().model
    inputs, outputs = (
        tuple(sorted(part.name_to_index, key=part.name_to_index.__getitem__)) for part in (index.input, index.output)
    )
    model = Interface(case.land_model(seed=seed), **options).eval()
    return LandStep(model, "data", inputs, outputs, Path("best.ckpt"), torch.device("cpu"))


def stepper(dtype="float32", seed=0, **options) -> LandStepper:
    return LandStepper(land_step(seed), dtype, **{"threads": 1, **options})


def with_network(leave) -> LandStep:
    """A step whose network output goes through a function, as one that leaves torch."""
    step = land_step()

    class Leaving(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, *args):
            out = self.inner(*args)
            return tuple(map(leave, out)) if isinstance(out, tuple) else leave(out)

    step.model.model.network = Leaving(step.model.model.network)
    return replace(step)


def places(n=64):
    """Latitudes and longitudes, shape (point,)."""
    rng = np.random.default_rng(3)
    return rng.uniform(-60.0, 80.0, n), rng.uniform(-180.0, 180.0, n)


def fields(n=64, seed=0) -> dict[str, np.ndarray]:
    """All fields that a step wants, sun and calendar apart, shape (point,), float64."""
    found = case.fields(case.land(n, seed=seed), seed=seed + 2)
    return {k: v.numpy() for k, v in found.items() if k not in (*case.DIAGNOSTIC, *COMPUTED)}


def smooth_fields(n=64, seed=0) -> dict[str, np.ndarray]:
    """Fields of warm, bare, moist ground, where no limit and no phase is near."""
    rng = np.random.default_rng(seed)
    found = fields(n, seed)
    for k in range(1, 5):
        found[f"swvl{k}"] = rng.uniform(0.22, 0.28, n)
        found[f"stl{k}"] = rng.uniform(288.0, 295.0, n)
    found |= {name: np.zeros(n) for name in ("snowc", "sd", "avg_tsrwe", "cur")}
    found |= {"src": np.full(n, 0.2), "rsn": np.full(n, 120.0), "tsn": np.full(n, 265.0), "slt": np.full(n, 3.0)}
    found |= {"avg_tprate": np.full(n, 1e-5), "t": rng.uniform(288.0, 295.0, n), "avg_t": rng.uniform(288.0, 295.0, n)}
    return found


def start(of: LandStepper, n=64, seed=0, given=None):
    """An initial state."""
    return of.initial(DATE, *places(n), given or fields(n, seed))


def forcings(n=64, steps=1):
    """Forcing of some steps."""
    return [fields(n, seed=10 + k) for k in range(steps)]


def sample_fields(of: LandStepper, steps=4):
    """State of the packaged sample at a date, and the forcing of the steps from it."""
    reader = open_reader("$AILAND_SAMPLE")
    dates = [datetime(2020, 5, 1) + k * timedelta(hours=6) for k in range(steps + 1)]
    names = [n for n in of.inputs if n not in COMPUTED]
    values = reader.read(names, dates)
    given = [dict(zip(names, values[:, k], strict=True)) for k in range(steps + 1)]
    return of.initial(dates[0], reader.latitudes, reader.longitudes, given[0]), given[1:]
