# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Roll a checkpoint out over a century, with whole years of a dataset repeated; keep the statistics of each year."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.physics.bounds import limits
from anemoi_ailand.rollout.forcing.cyclic_years import Cycle, cycle_of
from anemoi_ailand.rollout.forcing.dataset_fields import FieldsAtPoints, StoredFields
from anemoi_ailand.rollout.reforecast.annual_file import YearsFile
from anemoi_ailand.rollout.reforecast.annual_statistics import YearStatistics
from anemoi_ailand.rollout.reforecast.reforecast import BATCH_ROWS, BATCH_ROWS_ACCELERATOR
from anemoi_ailand.rollout.reforecast.sweep import check_read, on_device, step_all
from anemoi_ailand.rollout.run.progress import Progress
from anemoi_ailand.rollout.step.advance import StepLayout
from anemoi_ailand.rollout.step.checkpoint import LandStep, known_by, load_step
from anemoi_ailand.rollout.step.traced_model import traced
from anemoi_ailand.support.code_version import ROLL_OUT, loaded_sha256

LOG = logging.getLogger(__name__)

#: Marks of points that are written beside the statistics, if the dataset has them.
MARKS = ("point_id", "held_out", "climate_class")


@dataclass(frozen=True)
class Setting:
    """A model, the dataset that drives it, the years that are repeated, and the points.

    Attributes
    ----------
    step : LandStep
        The model.
    stored : StoredFields
        Its inputs.
    cycle : Cycle
        Years of the dataset.
    places : dict of numpy.ndarray, shape (point,)
        Latitude, longitude and marks.
    """

    step: LandStep
    stored: StoredFields
    cycle: Cycle
    places: dict[str, np.ndarray]

    @property
    def identity(self) -> dict[str, str]:
        """What makes a run another one."""
        first, last = self.cycle.dates[[0, -1]]
        return {
            "code_sha256": loaded_sha256(
                (*ROLL_OUT, "rollout/reforecast/cyclic_run.py", "rollout/forcing/cyclic_years.py")
            ),
            "checkpoint_sha256": known_by(self.step.path),
            "dataset": str(self.stored.path.resolve()),
            "forcing_repeated": f"{first} to {last}",
        }

    def statistics(self) -> YearStatistics:
        """Empty statistics of the state; soil water is bounded by the porosity, where the model knows it."""
        names, fields = self.step.prognostic, self.stored
        lower, upper = limits(names)
        upper = np.tile(upper, (len(fields.latitudes), 1))
        if "theta_sat" in fields.names:
            first = fields.read(0, 1, np.arange(len(upper)))[0]
            soil = [i for i, n in enumerate(names) if n.startswith("swvl")]
            upper[:, soil] = np.minimum(upper[:, soil], first[:, [fields.names.index("theta_sat")]])
        return YearStatistics(names, lower, upper, len(upper))


def setting(
    checkpoint: str | Path, dataset: str | Path, start: str | None = None, end: str | None = None, device: str = "cpu"
) -> Setting:
    """Open model and dataset, and choose the years that are repeated.

    Raises
    ------
    FileNotFoundError, ValueError
        As of :func:`~anemoi_ailand.rollout.step.checkpoint.load_step`, :class:`StoredFields` and
        :func:`~anemoi_ailand.rollout.forcing.cyclic_years.cycle_of`.
    """
    step = load_step(checkpoint, device)
    stored = StoredFields(dataset, step.inputs)
    return Setting(step, stored, cycle_of(stored.dates, start, end), _places(stored))


def roll_out(run: Setting, path: Path, years: int, *, batch_rows: int | None = None, progress: bool = True) -> Path:
    """Roll out year after year and write the statistics of each; years that the file holds are not made again.

    The state begins as in the dataset and is the model's own from then on. Memory does not grow with the years. A value
    that is not finite is counted, and the run goes on: where it came from is then to be seen.

    Parameters
    ----------
    run : Setting
        What is rolled out.
    path : Path
        The file.
    years : int
        Length of the run.
    batch_rows : int, optional
        Most rows of a model call.
    progress : bool
        Show a bar on a terminal, with simulated years per hour and the end to expect.

    Returns
    -------
    Path
        ``path``, with ``years`` years or more.

    Raises
    ------
    ValueError
        ``years`` is not positive, or forcing is missing.
    FileExistsError
        The file is of another run.
    """
    if years < 1:
        raise ValueError(f"years is {years}. Give 1 or more.")
    rows = batch_rows or (BATCH_ROWS if run.step.device.type == "cpu" else BATCH_ROWS_ACCELERATOR)
    fields, statistics = run.stored.at_points(np.arange(len(run.stored.latitudes))), run.statistics()
    with YearsFile(path, run.step.prognostic, run.places, run.identity) as file:
        done = file.years
        if done == 0:
            file.begin(_initial(run, fields))
        elif done < years:
            LOG.info("Going on with %s after %d years", path, done)
        state = torch.from_numpy(file.last_state())[None].to(run.step.device)
        with Progress(run.cycle.steps(years) - run.cycle.steps(min(done, years)), progress, "Century") as bar:
            step, model = traced(run.step)
            for k in range(done, years):
                model.check()
                statistics.begin()
                state = _year(step, fields, run.cycle.year(k), state, statistics, rows, bar)
                file.write(statistics, run.cycle.dates[k % run.cycle.n_years])
                bar.year(k + 1, years)
    return path


def ecland_years(run: Setting, path: Path) -> Path:
    """Write the same statistics of the states of the dataset itself, for the years that are repeated.

    ``path`` is replaced: this takes seconds.
    """
    path.unlink(missing_ok=True)
    names = run.step.prognostic
    fields = StoredFields(run.stored.path, names).at_points(np.arange(len(run.stored.latitudes)))
    statistics = run.statistics()
    identity = {k: v for k, v in run.identity.items() if k != "checkpoint_sha256"}
    with YearsFile(path, names, run.places, identity) as file:
        file.begin(fields.at(run.cycle.turns[0]))
        for k in range(run.cycle.n_years):
            statistics.begin()
            for date in run.cycle.year(k):
                statistics.add(fields.at(date + 1))
            file.write(statistics, run.cycle.dates[k])
    return path


def _year(
    step: LandStep,
    fields: FieldsAtPoints,
    dates: range,
    state: Tensor,
    statistics: YearStatistics,
    rows: int,
    bar: Progress,
) -> Tensor:
    """Make the steps of a year from ``state`` (1, point, prognostic), and return the state at its end."""
    layout = StepLayout(step.inputs, step.outputs, device=step.device)
    now = fields.at(dates[0])
    for date in dates:
        following = fields.at(date + 1)
        check_read(fields, layout, date, now, following)
        forecast = step_all(step, layout, state, on_device(now, step), on_device(following, step), rows)
        state, now = layout.state(forecast), following
        statistics.add(state[0].cpu().numpy(), torch.isfinite(forecast[0]).all(dim=-1).cpu().numpy())
        bar.step()
    return state


def _initial(run: Setting, fields: FieldsAtPoints) -> np.ndarray:
    """State (point, prognostic) of the dataset at the first date, checked."""
    date = run.cycle.turns[0]
    values = fields.at(date)
    fields.check(values, date, run.step.prognostic)
    return values[:, [run.step.inputs.index(n) for n in run.step.prognostic]]


def _places(stored: StoredFields) -> dict[str, np.ndarray]:
    marks = {name: values for name in MARKS if (values := stored.constant(name)) is not None}
    return {"latitude": stored.latitudes, "longitude": stored.longitudes, **marks}
