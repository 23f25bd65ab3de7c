# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The state of a roll-out in memory, and its next step: everything between reading forcing and writing output."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.rollout.ensembles.ensemble import Ensemble
from anemoi_ailand.rollout.forcing.forcing_filter import ForcingFilter, check_finite
from anemoi_ailand.rollout.step.row_blocks import BlockStep
from anemoi_ailand.variables import END, START, taken_at

STEP = timedelta(hours=STEP_HOURS)


class RollOut:
    """State of all members at all points, stepped with the forcing at the points.

    Two tensors (member x point, input) hold what the model reads at the start and at the end of the step. Forcing at
    the end becomes that at the start of the next step.

    Parameters
    ----------
    networks : sequence of BlockStep
        One for all members, or several that they take in turn.
    ensemble : Ensemble
        Members.
    start : numpy.ndarray, shape (input, point)
        State, static fields and forcing at the date of the start, in the order of the model's input.
    forcing : sequence of str
        Names of the variables that come with every step.
    date : datetime
        Of the start.
    where : pair of numpy.ndarray, shape (point,)
        Latitudes and longitudes.
    policy : {'error', 'hold', 'clip'}
        What is done with bad forcing.

    Raises
    ------
    ValueError
        Networks that read or predict different variables; bad values at the start.
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
    ) -> None:
        step = networks[0].step
        _check_alike(networks)
        self.networks, self.ensemble, self.where = list(networks), ensemble, where
        self.inputs, self.outputs, self.prognostic = step.inputs, step.outputs, step.prognostic
        self.forcing, self.date, self.number = tuple(forcing), date, 0
        self._filter = ForcingFilter(policy)
        self._start = torch.empty((len(ensemble) * start.shape[1], len(self.inputs)), device=step.device)
        end, at_start = taken_at(END, self.forcing), taken_at(START, self.forcing)
        self._to_end = self._places([self.forcing.index(n) for n in end], end)
        self._to_start = self._places([self.forcing.index(n) for n in at_start], at_start)
        self._state = self._places([self.outputs.index(n) for n in self.prognostic], self.prognostic)
        self._fill(start)
        self._end = self._start.clone()  # what a model reads at the end only is written before each step

    def _places(self, sources: Sequence[int], names: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Where variables are in what comes, and their columns."""
        columns = [self.inputs.index(n) for n in names]
        device = self._start.device
        return torch.tensor(sources, dtype=torch.long, device=device), torch.tensor(
            columns, dtype=torch.long, device=device
        )

    def _fill(self, start: np.ndarray) -> None:
        fields = dict(zip(self.inputs, start, strict=True))
        states = self.ensemble.states(fields, self.prognostic, self.date)
        check_finite(states, self.prognostic, self.prognostic, self.date, self.ensemble.places())
        # also forcing that was constant over the training period, which Anemoi counts among the constant fields
        static = [n for n in self.inputs if n not in self.prognostic and n not in self.forcing]
        names = taken_at(START, self.forcing)
        self._start.zero_()  # what a model reads at the end only
        for these, values in (
            (self.prognostic, states),
            (static, self.ensemble.static(np.stack([fields[n] for n in static])) if static else ()),
            (names, self.ensemble.at_start(np.stack([fields[n] for n in names]), names) if names else ()),
        ):
            for name, row in zip(these, values, strict=True):
                self._start[:, self.inputs.index(name)] = self._tensor(row)

    @property
    def n_rows(self) -> int:
        """Members times points."""
        return len(self._start)

    def step(self, values: np.ndarray) -> Tensor:
        """Make the next step.

        Parameters
        ----------
        values : numpy.ndarray, shape (forcing, point)
            Forcing at the end of the step.

        Returns
        -------
        Tensor, shape (member x point, output)
            At the new date; a new tensor.

        Raises
        ------
        ValueError
            Forcing that is missing or out of bounds, or a result that is not finite: with variable, date, number and
            place of the points.
        """
        date = self.date + STEP
        values = self._filter(values, self.forcing, date, self.where)
        rows = self._tensor(self.ensemble.forcing(values, self.forcing))
        self._put(self._end, self._to_end, rows)
        out = self.computed()
        if not math.isfinite(out.sum()):  # an order faster than to ask every value
            check_finite(out.cpu().numpy().T, self.outputs, self.outputs, date, self.ensemble.places())
        self._put(self._start, self._to_start, rows)
        self.set_state(out)
        self.date, self.number = date, self.number + 1
        return out

    def set_state(self, out: Tensor) -> None:
        """Take the state from an output (member x point, output)."""
        self._put(self._start, self._state, out.T)

    def progress(self) -> dict[str, np.ndarray]:
        """Everything from which the roll-out goes on to the last bit."""
        state, instants = (self._start[:, columns].cpu().numpy() for _, columns in (self._state, self._to_start))
        held = {f"held_{name}": values for name, values in self._filter.state().items()}
        return {"state": state, "instants": instants, **held, **self.ensemble.progress()}

    def restore(self, progress: Mapping[str, np.ndarray], date: datetime, number: int) -> None:
        """Go on from :meth:`progress` of the step ``number``, which led to ``date``."""
        for values, (_, columns) in ((progress["state"], self._state), (progress["instants"], self._to_start)):
            self._start.index_copy_(1, columns, self._tensor(values))
        self._filter.restore({k.removeprefix("held_"): v for k, v in progress.items() if k.startswith("held_")})
        self.ensemble.restore(progress, number)
        self.date, self.number = date, number

    def finish(self) -> None:
        """Log what was put in for bad forcing on the last day, and end the threads."""
        self._filter.report()
        for network in self.networks:
            network.close()

    def columns(self) -> Tensor:
        """Inputs at the present date, shape (member x point, input)."""
        return self._start

    def computed(self) -> Tensor:
        """Output of the networks for all rows, shape (member x point, output)."""
        if len(self.networks) == 1:
            return self.networks[0](self._start, self._end)
        out = torch.empty((self.n_rows, len(self.outputs)), device=self._start.device)
        n_points = self.n_rows // len(self.ensemble)
        for member, number in enumerate(self.ensemble.network_of(len(self.networks))):
            rows = slice(member * n_points, (member + 1) * n_points)
            self.networks[number](self._start[rows], self._end[rows], out[rows])
        return out

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(self._start.device)

    @staticmethod
    def _put(tensor: Tensor, places: tuple[Tensor, Tensor], rows: Tensor) -> None:
        """Write rows (source, row) into the columns of their variables."""
        sources, columns = places
        if len(columns):
            tensor.index_copy_(1, columns, rows.index_select(0, sources).T)


def _check_alike(networks: Sequence[BlockStep]) -> None:
    first = networks[0].step
    for other in networks[1:]:
        if (other.step.inputs, other.step.outputs) != (first.inputs, first.outputs):
            differ = set(first.inputs + first.outputs) ^ set(other.step.inputs + other.step.outputs)
            raise ValueError(
                f"The checkpoints {first.path} and {other.step.path} read or predict different variables: "
                f"{sorted(differ) or 'in another order'}. Give networks of the same variables."
            )
