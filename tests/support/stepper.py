# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The small land model with the closed step behind a :class:`LandStepper`, and fields for it at random points."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import torch
from torch import nn

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.sun import COMPUTED
from anemoi_ailand.export.host_step import HostStep
from anemoi_ailand.export.onnx_check import Rows, sample_rows
from anemoi_ailand.rollout.step.checkpoint import LandStep
from anemoi_ailand.rollout.step.physical_step import PhysicalStep
from anemoi_ailand.rollout.stepper import LandStepper
from tests.support import columns
from tests.support.land import CLOSED, OPEN

DATE = datetime(2022, 1, 1)


def stepper(dtype="float32", seed=0, **options) -> LandStepper:
    """Make the stepper of a checkpoint with random weights; random fields would break rules of plausibility."""
    return LandStepper(CLOSED.land_step(seed), dtype, **{"threads": 1, "plausibility": "off", **options})


def with_network(leave) -> LandStep:
    """Make a step whose network output goes through a function, such as one that leaves torch."""
    step = CLOSED.land_step()

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
    """Return all fields that a step needs except sun and calendar, shape (point,), float64."""
    found = columns.fields(columns.land(n, seed=seed), seed=seed + 2)
    return {k: v.numpy() for k, v in found.items() if k not in (*CLOSED.diagnostic, *COMPUTED)}


def smooth_fields(n=64, seed=0) -> dict[str, np.ndarray]:
    """Return fields of warm, bare, moist ground, far from limits and phase changes."""
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
    """Make an initial state."""
    return of.initial(given or fields(n, seed), DATE, *places(n))


def forcings(n=64, steps=1):
    """Return the forcing of some steps."""
    return [fields(n, seed=10 + k) for k in range(steps)]


def sample_fields(of: LandStepper, steps=4):
    """Return a state of the packaged sample, and the forcing of the steps from it."""
    reader = open_reader("$AILAND_SAMPLE")
    dates = [datetime(2020, 5, 1) + k * timedelta(hours=6) for k in range(steps + 1)]
    names = [n for n in of.inputs if n not in COMPUTED]
    values = reader.read(names, dates)
    given = [dict(zip(names, values[:, k], strict=True)) for k in range(steps + 1)]
    return of.initial(given[0], dates[0], reader.latitudes, reader.longitudes), given[1:]


def export_step() -> LandStep:
    """Make a step with the open step, whose graph takes seconds and whose increments keep most states off a bound."""
    return OPEN.land_step(head=0.01, steady=False)


def host(dtype: torch.dtype = torch.float32, *, sun_inside: bool = True) -> HostStep:
    """Return the step of :func:`export_step` as a host calls it."""
    return HostStep(PhysicalStep(export_step()).to(dtype), sun_inside=sun_inside)


def rows(n: int = 200, dtype: torch.dtype = torch.float32, *, sun_inside: bool = True) -> Rows:
    """Return some rows of the packaged sample."""
    found = sample_rows(host(dtype, sun_inside=sun_inside), dtype)
    chosen = np.linspace(0, len(found.where) - 1, n).astype(int)
    return Rows({k: v[chosen] for k, v in found.arguments.items()}, [found.where[i] for i in chosen])
