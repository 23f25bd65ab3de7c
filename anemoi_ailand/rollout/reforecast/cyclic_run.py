# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Roll-out over a century with repeated years of a dataset, keeping the statistics of each year."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.data.mapping.mapped_path import of_checkpoint
from anemoi_ailand.data.plausibility.checker import Checker
from anemoi_ailand.physics.bounds import limits
from anemoi_ailand.rollout.forcing.cyclic_years import Cycle, find_cycle
from anemoi_ailand.rollout.forcing.dataset_fields import FieldsAtPoints, StoredFields
from anemoi_ailand.rollout.reforecast.annual_statistics import YearsFile, YearStatistics, recorded_execution
from anemoi_ailand.rollout.reforecast.sweep import on_device, read_forcing
from anemoi_ailand.rollout.run.progress import Progress
from anemoi_ailand.rollout.step.advance import StepLayout
from anemoi_ailand.rollout.step.checkpoint import LandStep, checkpoint_checksum, load_step
from anemoi_ailand.rollout.step.compiled_step import choose_execution
from anemoi_ailand.rollout.step.row_blocks import BlockStep, steps_at_once
from anemoi_ailand.rollout.step.training_record import checker_of
from anemoi_ailand.support.checksum import ROLL_OUT, loaded_sha256

LOG = logging.getLogger(__name__)

#: Marks of points written with the statistics, if the dataset has them.
MARKS = ("point_id", "held_out", "climate_class")


@dataclass(frozen=True)
class Setting:
    """Model, dataset with its inputs, repeated years, and latitude, longitude and marks of the points."""

    step: LandStep
    stored: StoredFields
    cycle: Cycle
    places: dict[str, np.ndarray]

    @property
    def identity(self) -> dict[str, str]:
        """Attributes that distinguish this run from others."""
        first, last = self.cycle.dates[[0, -1]]
        return {
            "code_sha256": loaded_sha256(
                (*ROLL_OUT, "rollout/reforecast/cyclic_run.py", "rollout/forcing/cyclic_years.py")
            ),
            "checkpoint_sha256": checkpoint_checksum(self.step.path),
            "execution": self.step.execution,
            "dataset": str(self.stored.path.resolve()),
            "forcing_repeated": f"{first} to {last}",
        }

    def executed(self, execution: str, years: int, path: Path) -> Setting:
        """Choose the execution for a number of years; with ``auto``, years that were begun plain stay plain.

        ``path`` is the file of the years, see :func:`run_years`.
        """
        if execution == "auto" and recorded_execution(path) == "plain":
            execution = "plain"
        point_steps = len(self.stored.latitudes) * self.cycle.steps(years)
        return replace(self, step=choose_execution(self.step, execution, point_steps))

    def statistics(self) -> YearStatistics:
        """Return empty statistics of the state; soil water is bounded by porosity if the model has it."""
        names, fields = self.step.prognostic, self.stored
        lower, upper = limits(names)
        upper = np.tile(upper, (len(fields.latitudes), 1))
        if "theta_sat" in fields.names:
            first = fields.read(0, 1, np.arange(len(upper)))[0]
            soil = [i for i, n in enumerate(names) if n.startswith("swvl")]
            upper[:, soil] = np.minimum(upper[:, soil], first[:, [fields.names.index("theta_sat")]])
        return YearStatistics(names, lower, upper, len(upper))


def setting(
    checkpoint: str | Path,
    dataset: str | Path,
    start: str | None = None,
    end: str | None = None,
    device: str = "cpu",
    trust: bool | str | None = None,
) -> Setting:
    """Open model and dataset, and select the years to repeat; the step is plain."""
    step = load_step(checkpoint, device, trust)
    stored = StoredFields(of_checkpoint(dataset, step.path), step.inputs)
    marks = {name: values for name in MARKS if (values := stored.constant(name)) is not None}
    places = {"latitude": stored.latitudes, "longitude": stored.longitudes, **marks}
    return Setting(step, stored, find_cycle(stored.dates, start, end), places)


def run_years(run: Setting, path: Path, years: int, *, progress: bool = True, plausibility: str = "error") -> Path:
    """Run year after year and write the statistics of each; years already in the file are skipped.

    Only the initial state comes from the dataset. Memory does not grow with the number of years. Values that are not
    finite are counted and do not stop the run, so that their origin can be found in the file. Input is checked as
    ``plausibility`` says (see :func:`~anemoi_ailand.load`). A file of another run is a ``FileExistsError``.
    """
    if years < 1:
        raise ValueError(f"years is {years}. Give 1 or more.")
    fields, statistics = run.stored.at_points(np.arange(len(run.stored.latitudes))), run.statistics()
    checker = checker_of(run.step, plausibility)
    with YearsFile(path, run.step.prognostic, run.places, run.identity) as file:
        done = file.years
        if done == 0:
            file.begin(_initial(run, fields, checker))
        elif done < years:
            LOG.info("Resuming %s after %d years", path, done)
        state = torch.from_numpy(file.last_state()).to(run.step.device)
        steps = run.cycle.steps(years) - run.cycle.steps(min(done, years))
        with BlockStep(run.step) as blocks, Progress(steps, progress, "Century") as bar:
            for k in range(done, years):
                blocks.check()
                statistics.begin()
                forcing_checker = checker if k < run.cycle.n_years else None  # then the same years come again
                state = _year(blocks, fields, run.cycle.year(k), state, statistics, bar, forcing_checker)
                file.write(statistics, run.cycle.dates[k % run.cycle.n_years])
                bar.year(k + 1, years)
    checker.report()
    return path


def ecland_years(run: Setting, path: Path) -> Path:
    """Write the same statistics for the states of the dataset itself, over the repeated years; replaces ``path``."""
    path.unlink(missing_ok=True)
    names = run.step.prognostic
    fields = StoredFields(run.stored.path, names).at_points(np.arange(len(run.stored.latitudes)))
    statistics = run.statistics()
    identity = {k: v for k, v in run.identity.items() if k not in ("checkpoint_sha256", "execution")}
    with YearsFile(path, names, run.places, identity) as file:
        file.begin(fields.at(run.cycle.turns[0]))
        for k in range(run.cycle.n_years):
            statistics.begin()
            for date in run.cycle.year(k):
                statistics.add(fields.at(date + 1))
            file.write(statistics, run.cycle.dates[k])
    return path


def _year(
    blocks: BlockStep,
    fields: FieldsAtPoints,
    dates: range,
    state: Tensor,
    statistics: YearStatistics,
    bar: Progress,
    checker: Checker | None = None,
) -> Tensor:
    """Step through a year from ``state`` (point, prognostic) and return the state at its end."""
    step = blocks.step
    layout = StepLayout(step.inputs, step.outputs, device=step.device)
    now = fields.at(dates[0])
    start = layout.with_state(on_device(now, step), state)
    most = steps_at_once(len(now), step.device)
    for k in range(0, len(dates), most):
        some = dates[k : k + most]
        now, forcing = read_forcing(fields, layout, some, now, None, checker)
        for forecast in blocks.steps(layout, start, on_device(forcing, step).mT):
            finite = torch.isfinite(forecast).all(dim=-1)
            statistics.add(layout.state(forecast).cpu().numpy(), finite.cpu().numpy())
        bar.steps(len(some))
    return layout.state_in(start)


def _initial(run: Setting, fields: FieldsAtPoints, checker: Checker) -> np.ndarray:
    """Return the checked state (point, prognostic) of the dataset at the first date."""
    date = run.cycle.turns[0]
    values = fields.at(date)
    fields.check(values, date, run.step.prognostic)
    checker.start(fields.named(values), fields.date(date), fields.places)
    return StepLayout(run.step.inputs, run.step.outputs).state_in(torch.from_numpy(values)).numpy()
