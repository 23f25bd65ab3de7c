# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Roll-out of a few points with their forcing in memory, and its spin-up by repeating the period."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.data.plausibility.checker import Checker, further_static
from anemoi_ailand.data.reader import Reader
from anemoi_ailand.data.sun import COMPUTED, compute
from anemoi_ailand.rollout.ensembles.ensemble import SINGLE, Ensemble
from anemoi_ailand.rollout.forcing.forcing_filter import check_finite, check_hourly_rain
from anemoi_ailand.rollout.run.progress import Progress
from anemoi_ailand.rollout.step.advance import StepLayout
from anemoi_ailand.rollout.step.checkpoint import LandStep
from anemoi_ailand.rollout.step.output_check import WaterBudget, check_outputs
from anemoi_ailand.rollout.step.row_blocks import BlockStep, steps_at_once
from anemoi_ailand.support.units import DAY, HOUR

LOG = logging.getLogger(__name__)

#: Changes by one more year of spin-up below which a state is spun up, by the first letters of variables [their unit].
TOLERANCE = {"swvl": 5.0e-4, "stl": 0.05}

#: Mean length of a year, and how much of the period may lack to whole years [days].
_YEAR, _LACKING = 365.25, 3

_STEPS_A_DAY = round(DAY / HOUR / STEP_HOURS)


@dataclass(frozen=True)
class SpinUp:
    """Spun-up state (point, prognostic), its length in years, and what the last year changed, by kind of variable."""

    state: Tensor
    years: int
    change: dict[str, float]

    @property
    def converged(self) -> bool:
        """True if the last change is below :data:`TOLERANCE`."""
        return all(self.change[kind] < limit for kind, limit in TOLERANCE.items())

    def __str__(self) -> str:
        water, heat = (f"{self.change[kind]:.1g}" for kind in TOLERANCE)
        return (
            f"{self.years} years ({'converged' if self.converged else 'not converged'}); the last year changes "
            f"soil water by {water} m3 m-3 and soil temperature by {heat} K at most"
        )


class PointRun:
    """Roll-out over consecutive dates with static fields and forcing of a reader.

    Sun and calendar are computed. All values that the model reads are checked when they are read.

    Parameters
    ----------
    step : LandStep
        Model.
    reader : Reader
        Static fields and forcing at a few points; instants are needed at the first date, means from the second on.
    dates : sequence of datetime
        Dates every 6 h; the run starts at the first.
    checker : Checker, optional
        Checker of static fields, state, forcing and outputs; none by default. The caller reports what it found.
    """

    def __init__(
        self, step: LandStep, reader: Reader, dates: Sequence[datetime], checker: Checker | None = None
    ) -> None:
        self.step, self.dates, self.checker = step, list(dates), checker or Checker("off")
        self.layout = StepLayout(step.inputs, step.outputs, device=step.device)
        self._places = reader.latitudes, reader.longitudes
        self._starts = self._slots(reader, self.layout.fields_start, self.dates[:-1])
        first = [n for n in (*self.layout.fields_start, *further_static(reader.variables)) if n in reader.variables]
        self._fields = dict(zip(first, reader.read(first, self.dates[:1])[:, 0], strict=True)) if first else {}
        self.checker.start(self._fields, self.dates[0], self._places)
        self._ends = self._forcing(self._slots(reader, self.layout.forcing_end, self.dates[1:]))
        self._blocks = BlockStep(step)

    def state(self, fields: dict[str, np.ndarray]) -> Tensor:
        """Return the state (point, prognostic) of fields (point,) by name; refuse missing values."""
        values = np.stack([np.broadcast_to(fields[n], self._places[0].shape) for n in self.layout.prognostic])
        check_finite(values, self.layout.prognostic, self.layout.prognostic, self.dates[0], self._places)
        known = self._fields | dict(zip(self.layout.prognostic, values, strict=True))
        self.checker.start(known, self.dates[0], self._places)
        return torch.from_numpy(np.ascontiguousarray(values.T, dtype=np.float32)).to(self.step.device)

    def run(self, state: Tensor, n_steps: int | None = None, *, progress: bool = True) -> np.ndarray:
        """Return the outputs (date, point, output) at the dates after the first, for ``n_steps`` steps or all."""
        n_steps = len(self._starts) if n_steps is None else n_steps
        out = torch.empty((n_steps, len(state), len(self.step.outputs)), device=self.step.device)
        now, water = self.layout.with_state(self._starts[0], state), WaterBudget(self.layout)
        with Progress(n_steps, progress, "Rollout") as bar:
            for begin, end in _pieces(n_steps, len(now), self.step.device):
                before = water.begin(self.checker, now)
                out[begin:end] = self._blocks.steps(self.layout, now, self._ends[begin:end])
                dates = self.dates[begin + 1 : end + 1]
                if torch.isfinite(out[begin:end]).all():  # else an error below
                    check_outputs(self.checker, out[begin:end], self.step.outputs, dates, self._places)
                    water.check(self.checker, before, self._ends[begin:end], out[begin:end], dates, self._places)
                bar.steps(end - begin)
        values = out.cpu().numpy()
        for date, one in zip(self.dates[1:], values, strict=False):
            check_finite(one.T, self.step.outputs, self.step.outputs, date, self._places, False)
        return values

    def spin_up(self, state: Tensor, most_years: int, *, progress: bool = True) -> SpinUp:
        r"""Repeat the whole years of the period before its first date until soil water and temperature do not change.

        All :math:`Y` years advance at once, as rows: with :math:`F_y` the roll-out of year y, iteration k gives

        .. math:: x_{k+1}^{(y+1)} = F_y(x_k^{(y)}), \qquad x_{k+1}^{(0)} = F_{Y-1}(x_k^{(Y-1)})

        so that :math:`x_k^{(0)}` is the state at the first date after the k years that precede it in the repeated
        period. The spin-up ends when one more year changes no layer by :data:`TOLERANCE`. The period may lack
        up to 3 days to whole years, so that the file of a calendar year serves in any time zone.
        """
        years, length, last = self._years()
        columns = {k: [i for i, n in enumerate(self.layout.prognostic) if n.startswith(k)] for k in TOLERANCE}
        begins = length * torch.arange(years, device=self.step.device)
        states, n_points = state.repeat(years, 1), len(state)
        made = SpinUp(state, 0, dict.fromkeys(TOLERANCE, np.inf))
        steps = max(length, last)
        with Progress(most_years * steps, progress, f"Spin-up, at most {most_years} years") as bar:
            while made.years < most_years and not made.converged:
                after = torch.empty_like(states)
                now = self.layout.with_state(self._starts.index_select(0, begins).flatten(0, 1), states)
                for begin, end in _pieces(steps, len(now), self.step.device, (length, last)):
                    at = (begins + torch.arange(begin, end, device=begins.device)[:, None]).clamp(
                        max=len(self._ends) - 1
                    )
                    self._blocks.steps(self.layout, now, self._ends[at].flatten(1, 2))
                    state = self.layout.state_in(now)
                    if end == length:
                        after[n_points:] = state[:-n_points]
                    if end == last:  # the last year ends here, where the first begins
                        after[:n_points] = state[-n_points:]
                    bar.steps(end - begin)
                change = {k: float((after - states)[:n_points, at].abs().max()) for k, at in columns.items()}
                states, made = after, SpinUp(after[:n_points], made.years + 1, change)
                LOG.debug("Spin-up: %s", made)
        if not np.isfinite(states.cpu().numpy()).all():
            raise ValueError(f"The spin-up with {self.step.path.name} is not finite. Give another checkpoint or state.")
        if not made.converged:
            LOG.warning("The spin-up has not converged: %s. Give more years of spin-up.", made)
        else:
            LOG.info("Spin-up: %s", made)
        return made

    def _years(self) -> tuple[int, int, int]:
        """Return the whole years of the period, the steps of a year, and those of the last one: whole days."""
        days = len(self._starts) // _STEPS_A_DAY
        years = int((days + _LACKING) // _YEAR)
        if years < 1:
            raise ValueError(
                f"The forcing from {self.dates[0]} to {self.dates[-1]} is shorter than a year, so it cannot be "
                "repeated for a spin-up. Give a longer file, or an initial state and no spin-up."
            )
        length = round(_STEPS_A_DAY * _YEAR)
        total = _STEPS_A_DAY * min(days, round(years * _YEAR))
        return years, length, total - (years - 1) * length

    def _forcing(self, ends: Tensor) -> Tensor:
        """Return the forcing (date, point, forcing) of end slots, with what the model reads at the next start only."""
        following = torch.cat([self._starts[1:], self._starts[-1:]])  # nothing starts at the last date
        only = self.layout.columns([n for n in self.layout.forcing_start if n not in self.layout.forcing_end])
        ends = ends.index_copy(-1, only, following.index_select(-1, only))
        return ends.index_select(-1, self.layout.columns(self.layout.forcing))

    def _slots(self, reader: Reader, names: Sequence[str], dates: Sequence[datetime]) -> Tensor:
        """Return slots (date, point, input) with the values of ``names`` at ``dates``."""
        drawn = [n for n in names if n in self.step.drawn]
        names = [n for n in names if n not in drawn]
        missing = [n for n in names if n not in reader.variables and n not in COMPUTED]
        if missing:
            raise ValueError(f"{reader.name} has no {missing}, which the model {self.step.path.name} reads.")
        held = [n for n in names if n not in COMPUTED]
        sun = [n for n in names if n in COMPUTED]
        values = np.concatenate([reader.read(held, dates), compute(sun, dates, *self._places)])
        if drawn:
            values = Ensemble(SINGLE, *self._places, "random").forcings(values, [*held, *sun], dates)
        else:
            check_hourly_rain(values, [*held, *sun], dates, self._places)
        for date, one in zip(dates, values.transpose(1, 0, 2), strict=True):
            check_finite(one, [*held, *sun, *drawn], [*held, *sun], date, self._places)
        if dates and dates[0] > self.dates[0]:
            self.checker.forcing(dict(zip([*held, *sun], values, strict=False)), dates, self._places)
        values = values.transpose(1, 0, 2)
        rows = torch.from_numpy(np.ascontiguousarray(values.swapaxes(1, 2))).to(self.step.device)
        return self.layout.slot(rows, self.layout.sources([*held, *sun, *drawn]))


def _pieces(n_steps: int, n_rows: int, device: torch.device, ends: Sequence[int] = ()) -> list[tuple[int, int]]:
    """Divide steps into those made in one call; pieces end at ``ends``."""
    return list(pairwise(sorted({*range(0, n_steps, steps_at_once(n_rows, device)), *ends, n_steps})))
