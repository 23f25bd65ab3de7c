# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A small land model in physical units and a made-up dataset for it, for the tests of re-forecasts."""

from pathlib import Path

import land_case as case
import numpy as np
import torch
from anemoi.models.preprocessing import Processors
from anemoi.models.preprocessing.normalizer import InputNormalizer

from anemoi_ailand.rollout.step.batch_invariance import make_batch_invariant
from anemoi_ailand.rollout.step.checkpoint import LandStep
from anemoi_ailand.variables import VARIABLES

N_DATES, N_POINTS = 40, 5
DATES = np.datetime64("2022-01-01T00", "s") + np.arange(N_DATES) * np.timedelta64(6, "h")
OTHERS = ["point_id", "snowc_of_nobody"]


class Interface:
    """What an inference checkpoint holds: network and normalisers."""

    def __init__(self, **network):
        self.model = make_batch_invariant(case.land_model(config=case.model_config(**network)))
        normalizer = InputNormalizer(
            config=case.data_config().processors.normalizer.config,
            data_indices=case.indices(),
            statistics=case.statistics(),
        )
        self.before, self.after = (Processors([["normalizer", normalizer]], inverse=i) for i in (False, True))
        self.before.first_run = False  # as in a checkpoint: training has made the first run, which refuses any NaN

    def predict_step(self, batch):
        return self.model.predict_step(batch, {"data": self.before}, {"data": self.after}, n_step_input=2)


def land_step(**network):
    index = case.indices().model
    inputs, outputs = ({i: n for n, i in part.name_to_index.items()} for part in (index.input, index.output))
    return LandStep(
        model=Interface(**network),
        dataset="data",
        inputs=tuple(inputs[i] for i in sorted(inputs)),
        outputs=tuple(outputs[i] for i in sorted(outputs)),
        path=Path("best.ckpt"),
        device=torch.device("cpu"),
    )


class FakeDataset:
    """What an opened anemoi dataset offers; says which dates were read."""

    def __init__(self, names=None, n_points=N_POINTS, members=1, chunk=4):
        self.variables = [*(names or sorted({*case.FORCING, *case.PROGNOSTIC})), *OTHERS]
        self.name_to_index = {n: i for i, n in enumerate(self.variables)}
        self.dates, self.missing, self.members = DATES, set(), members
        self.latitudes, self.longitudes = np.linspace(-50.0, 70.0, n_points), np.linspace(0.0, 300.0, n_points)
        self.variables_metadata = {n: {"units": VARIABLES[n].units} for n in self.variables if n in VARIABLES}
        self.chunks = (chunk, len(self.variables), 1, n_points)
        rng = np.random.default_rng(5)
        mean, stdev = ([d.get(n, v) for n in self.variables] for d, v in ((case.MEAN, 0.1), (case.STDEV, 0.3)))
        noise = rng.standard_normal((len(DATES), len(self.variables), 1, n_points))
        values = np.array(mean)[:, None, None] + 0.3 * np.array(stdev)[:, None, None] * noise
        values[:, self.name_to_index["point_id"]] = 10 + np.arange(n_points)
        self.values = values.astype(np.float32)
        self.reads = []

    @property
    def shape(self):
        return (len(self.dates), len(self.variables), self.members, len(self.latitudes))

    def __getitem__(self, index):
        if isinstance(index, slice):
            self.reads.extend(range(len(self.dates))[index])
        return self.values[index]

    def set(self, name, date, point, value):
        self.values[date, self.name_to_index[name], 0, point] = value


def by_hand(step, data, start, n_steps, points=slice(None)):
    """A roll-out from one start, written out: a loop over the step; shape (step, point, output)."""
    columns = [data.name_to_index[n] for n in step.inputs]
    fields = torch.from_numpy(data.values[:, columns, 0, points].swapaxes(1, 2).copy())
    here = [step.inputs.index(n) for n in step.prognostic]
    state, out = fields[start][:, here], []
    for k in range(start, start + n_steps):
        ends = torch.stack([fields[k], fields[k + 1]])
        ends[..., here] = state
        forecast = step(ends)
        state = forecast[:, [step.outputs.index(n) for n in step.prognostic]]
        out.append(forecast)
    return torch.stack(out).numpy()
