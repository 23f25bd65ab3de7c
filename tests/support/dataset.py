# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A made-up dataset for the small land model with the open step, and a roll-out from it by hand."""

import numpy as np
import torch

from anemoi_ailand.variables import VARIABLES, Time
from tests.support.land import OPEN

N_DATES, N_POINTS = 40, 5
DATES = np.datetime64("2022-01-01T00", "s") + np.arange(N_DATES) * np.timedelta64(6, "h")
OTHERS = ["point_id", "snowc_of_nobody"]


class FakeDataset:
    """Interface of an opened Anemoi dataset, which records the dates that are read."""

    def __init__(self, names=None, n_points=N_POINTS, members=1, chunk=4):
        self.variables = [*(names or sorted({*OPEN.forcing, *OPEN.prognostic})), *OTHERS]
        self.name_to_index = {n: i for i, n in enumerate(self.variables)}
        self.dates, self.missing, self.members = DATES, set(), members
        self.latitudes, self.longitudes = np.linspace(-50.0, 70.0, n_points), np.linspace(0.0, 300.0, n_points)
        self.variables_metadata = {n: {"units": VARIABLES[n].units} for n in self.variables if n in VARIABLES}
        self.chunks = (chunk, len(self.variables), 1, n_points)
        rng = np.random.default_rng(5)
        mean, stdev = ([d.get(n, v) for n in self.variables] for d, v in ((OPEN.mean, 0.1), (OPEN.stdev, 0.3)))
        noise = rng.standard_normal((len(DATES), len(self.variables), 1, n_points))
        values = np.array(mean)[:, None, None] + 0.3 * np.array(stdev)[:, None, None] * noise
        static = [i for n, i in self.name_to_index.items() if n in VARIABLES and VARIABLES[n].time is Time.CONSTANT]
        values[:, static] = values[0, static]
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


def by_hand(step, data, dates, points=slice(None)):
    """Roll out over dates by a loop over the step, with the state of the first; shape (step, point, output)."""
    columns = [data.name_to_index[n] for n in step.inputs]
    fields = torch.from_numpy(data.values[:, columns, 0, points].swapaxes(1, 2).copy())
    here = [step.inputs.index(n) for n in step.prognostic]
    state, out = fields[dates[0]][:, here], []
    for k in dates:
        ends = torch.stack([fields[k], fields[k + 1]])
        ends[..., here] = state
        forecast = step(ends)
        state = forecast[:, [step.outputs.index(n) for n in step.prognostic]]
        out.append(forecast)
    return torch.stack(out).numpy()
