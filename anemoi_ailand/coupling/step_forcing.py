# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Forcing of a land step of 6 h from one or more steps of the atmosphere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.coupling.crossing import ForcingField
from anemoi_ailand.coupling.height import saturation_humidity


class StepForcing:
    r"""Accumulate steps of the atmosphere until a step of the land is complete.

    A mean over the step is :math:`6^{-1} \sum_k h_k u_k`, :math:`h_k` the hours that :math:`u_k` covers; from instants
    :math:`6^{-1} \sum_k h\,(x_{k-1} + x_k) / 2`. Sums are in double precision, and a single value for the whole step is
    returned unchanged. ``step`` is that of the atmosphere [h]; all fields are at the points of the land, ``(point,)``.
    ``correct`` is applied to the forcing of each step of the atmosphere, by variable in units of the table.
    """

    #: Correction of the forcing, such as that for height.
    correct: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None = None

    def __init__(self, taken: Sequence[ForcingField], step: float) -> None:
        if step <= 0 or STEP_HOURS % step:
            raise ValueError(
                f"The atmosphere makes steps of {step:g} h, in which the land's {STEP_HOURS} h cannot be divided. "
                f"Take one with steps of {STEP_HOURS}, 3, 2 or 1 h."
            )
        self.taken, self.step = tuple(taken), step
        self.fields = tuple(dict.fromkeys(f for t in self.taken for f in t.fields))
        self._elapsed = 0.0
        self._sums: dict[str, Tensor] = {}
        #: Last values of the instants that are averaged (land point,), float32 in units of the table.
        self.before: dict[str, Tensor] = {}

    @property
    def complete(self) -> bool:
        """True if a step of the land is complete."""
        return self._elapsed >= STEP_HOURS

    def start(self, instants: Mapping[str, Tensor]) -> None:
        """Set the values (land point,) at the start of the run, in units of the table, for means over instants."""
        self.before = {t.name: instants[t.name] for t in self.taken if t.instants and t.name in instants}

    def add(self, fields: Mapping[str, Tensor]) -> None:
        """Add one step of the atmosphere: fields (land point,) by its own names, in its own units."""
        self._elapsed += self.step
        values = {t.name: _forcing(t, fields) for t in self.taken}
        values = values if self.correct is None else self.correct(values)
        for t in self.taken:
            value = values[t.name]
            if t.instants:
                value = value.float()  # as a saved state keeps it: a restart is bitwise
                before = self.before.get(t.name, value)
                self.before[t.name] = value
                value = (before.double() + value.double()) / 2.0
            if t.hours >= t.window:
                self._sums[t.name] = value
            elif self._elapsed > STEP_HOURS - t.window:
                self._sums[t.name] = self._sums.get(t.name, torch.zeros_like(value)) + value * t.hours

    def take(self) -> dict[str, Tensor]:
        """Return the forcing (land point,) of the complete step by variable, float32 in units of the table.

        The next step begins.
        """
        out = {}
        for t in self.taken:
            total = self._sums[t.name]
            out[t.name] = (total / t.window if t.hours < t.window else total).float()
        self._elapsed, self._sums = 0.0, {}
        return out


def _forcing(t: ForcingField, fields: Mapping[str, Tensor]) -> Tensor:
    """Return a forcing in units of the table, float64."""
    value = fields[t.field].double() * t.factor / t.seconds
    return value if t.pressure is None else saturation_humidity(value, fields[t.pressure].double())
