# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Roll-out in memory: state and next step, between reading forcing and writing output."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.constants import STEP
from anemoi_ailand.data.plausibility.checker import Checker
from anemoi_ailand.rollout.ensembles.ensemble import Ensemble
from anemoi_ailand.rollout.forcing.forcing_filter import ForcingFilter, check_finite, check_hourly_rain, check_units_fit
from anemoi_ailand.rollout.step.advance import StepLayout
from anemoi_ailand.rollout.step.output_check import WaterBudget, check_outputs
from anemoi_ailand.rollout.step.row_blocks import BlockStep


class Rollout:
    """State of all members at all points, stepped with the forcing at the points.

    Members and points are folded into rows. The start slot (row, input) of
    :class:`~anemoi_ailand.rollout.step.advance.StepLayout` is allocated once and updated in place.

    Parameters
    ----------
    networks : sequence of BlockStep
        One network for all members, or several that members use in turn.
    ensemble : Ensemble
        Members and their perturbations.
    start : numpy.ndarray, shape (input, point)
        State, static fields and forcing at the initial date, in the order of the model's inputs; without hourly rain.
    forcing : sequence of str
        Variables that are new at every step.
    date : datetime
        Initial date.
    where : pair of numpy.ndarray, shape (point,)
        Latitudes and longitudes [degrees].
    policy : {'error', 'hold', 'clip'}
        Treatment of bad forcing.
    checker : Checker, optional
        Checker of forcing and outputs; none by default. The caller gives it the start, and reports what it found.

    Attributes
    ----------
    begun : bool
        Whether a step was begun: the forcing before it has passed all checks.
    """

    def __init__(
        self,
        networks: Sequence[BlockStep],
        ensemble: Ensemble,
        start: np.ndarray,
        forcing: Sequence[str],
        date: datetime,
        where: tuple[np.ndarray, np.ndarray],
        policy: str = "error",
        checker: Checker | None = None,
    ) -> None:
        step = networks[0].step
        _check_alike(networks)
        self.networks, self.ensemble, self.where = list(networks), ensemble, where
        # forcing that was constant over the training period counts as static, as Anemoi has it among constant fields
        self._given = tuple(forcing)
        forcing = (*self._given, *ensemble.drawn)
        self.layout = StepLayout(step.inputs, step.outputs, forcing=forcing, device=step.device)
        self.inputs, self.outputs, self.prognostic = step.inputs, step.outputs, self.layout.prognostic
        self.forcing, self.date, self.number = self.layout.forcing, date, 0
        self._filter = ForcingFilter(policy)
        self.checker, self.begun = checker or Checker("off"), False
        self._water = WaterBudget(self.layout)
        self.device = step.device
        self._start = self._first(start)

    def _first(self, start: np.ndarray) -> Tensor:
        """Start slot of the first step, checked."""
        # hourly rain comes last among the inputs, and is not read at a start
        fields, layout = dict(zip(self.inputs, start, strict=False)), self.layout
        states = self.ensemble.states(fields, self.prognostic, self.date)
        places = self.ensemble.places()
        check_finite(states, self.prognostic, self.prognostic, self.date, places)
        check_units_fit(states, self.prognostic, self.date, places)
        values, names = [states], [*self.prognostic]
        if layout.static:
            values.append(self.ensemble.static(np.stack([fields[n] for n in layout.static])))
            names.extend(layout.static)
        if first := layout.forcing_start:
            values.append(self.ensemble.at_start(np.stack([fields[n] for n in first]), first))
            names.extend(first)
        rows = self._tensor(np.concatenate(values))
        return layout.slot(rows.T, layout.sources(names)).t().contiguous().t()  # points innermost in memory

    @property
    def n_rows(self) -> int:
        """Number of rows: members times points."""
        return len(self._start)

    def steps(self, values: np.ndarray) -> Tensor:
        """Make the next steps with the forcing at their ends, bitwise as one by one.

        Shapes: ``(forcing, step, point) -> (step, member x point, output)``, a new tensor with points innermost in
        memory. Random rain within the step is not among the forcing that is given.

        Raises
        ------
        ValueError
            Forcing that is missing, out of bounds or impossible, or a result that is not finite or impossible, with
            variable, date and place.
        """
        dates = [self.date + (k + 1) * STEP for k in range(values.shape[1])]
        values = self.checked(values, dates)
        self.begun = True
        rows = torch.from_numpy(np.asarray(self.ensemble.forcings(values, self._given, dates), dtype=np.float32))
        ends = rows.movedim(0, -1)
        water = self._water.begin(self.checker, self._start)
        out = self.computed(ends)
        if not math.isfinite(out.sum()):  # ten times faster than a test of every value
            for date, one in zip(dates, out.numpy(), strict=True):
                check_finite(one.T, self.outputs, self.outputs, date, self.ensemble.places(), False)
        check_outputs(self.checker, out, self.outputs, dates, self.where)
        self._water.check(self.checker, water, ends.to(self.device), out, dates, self.where)
        self.date, self.number = dates[-1], self.number + len(dates)
        return out

    def checked(self, values: np.ndarray, dates: Sequence[datetime]) -> np.ndarray:
        """Return forcing (forcing, step, point) at consecutive dates, checked, with bad values treated."""
        check_hourly_rain(values, self._given, dates, self.where)
        values = self._filter.several(values, self._given, dates, self.where)
        self.checker.forcing(dict(zip(self._given, values, strict=True)), dates, self.where)
        return values

    def set_state(self, out: Tensor) -> None:
        """Take the state from outputs (member x point, output)."""
        self.layout.set_state_(self._start, self.layout.state(out.to(self.device)))

    def progress(self) -> dict[str, np.ndarray]:
        """Return all arrays from which the roll-out resumes bitwise."""
        names = self.prognostic, self.layout.forcing_start
        state, instants = (self._start[:, self.layout.columns(n)].cpu().numpy() for n in names)
        held = {f"held_{name}": values for name, values in self._filter.state().items()}
        return {"state": state, "instants": instants, **held, **self.ensemble.progress()}

    def restore(self, progress: Mapping[str, np.ndarray], date: datetime, number: int) -> None:
        """Resume from :meth:`progress` after step ``number``, at ``date``."""
        for values, names in ((progress["state"], self.prognostic), (progress["instants"], self.layout.forcing_start)):
            self.layout.set_(self._start, self.layout.columns(names), self._tensor(values))
        self._filter.restore({k.removeprefix("held_"): v for k, v in progress.items() if k.startswith("held_")})
        self.ensemble.restore(progress, number)
        self.date, self.number = date, number

    def finish(self) -> None:
        """Log the forcing replaced on the last day and what is implausible, and stop the threads."""
        self._filter.report()
        self.checker.report()
        for network in self.networks:
            network.close()

    def columns(self) -> Tensor:
        """Return the start slot at the present date, shape (member x point, input)."""
        return self._start

    def computed(self, ends: Tensor) -> Tensor:
        """Advance with the forcing (step, row, forcing), each member with its network; see :meth:`BlockStep.steps`."""
        if len(self.networks) == 1:
            return self.networks[0].steps(self.layout, self._start, ends)
        out = ends.new_empty((len(ends), len(self.outputs), self.n_rows)).mT
        n_points = self.n_rows // len(self.ensemble)
        for member, number in enumerate(self.ensemble.network_of(len(self.networks))):
            rows = slice(member * n_points, (member + 1) * n_points)
            out[:, rows] = self.networks[number].steps(self.layout, self._start[rows], ends[:, rows])
        return out

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(values, dtype=np.float32)).to(self.device)


def _check_alike(networks: Sequence[BlockStep]) -> None:
    first = networks[0].step
    for other in networks[1:]:
        if (other.step.inputs, other.step.outputs) != (first.inputs, first.outputs):
            differ = set(first.inputs + first.outputs) ^ set(other.step.inputs + other.step.outputs)
            raise ValueError(
                f"The checkpoints {first.path} and {other.step.path} read or predict different variables: "
                f"{sorted(differ) or 'in another order'}. Give networks of the same variables."
            )
