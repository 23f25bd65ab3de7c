# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The step of the land: columns of its inputs and outputs by name, and the start of the next step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from anemoi_ailand.constants import STEP as STEP
from anemoi_ailand.variables import END, START, Time, taken_at, variable

#: Fields at t and at t + 6 h, each (row, input), to outputs (row, output) at t + 6 h; in physical units.
Model = Callable[[Tensor, Tensor], Tensor]


class StepLayout:
    """Columns of a step by name: two slots of inputs, start (t) and end (t + 6 h), and the outputs.

    The start slot holds state, static fields and forcing at t; the end slot holds forcing at t + 6 h, which for means
    is the mean over the step. A model does not read the state at the end, nor forcing that the table of variables does
    not mark; these columns may hold any value.

    Parameters
    ----------
    inputs, outputs : sequence of str
        Variables of the model, in order. Variables in both are the state.
    forcing : sequence of str, optional
        Inputs that are new at every step, in the order in which they come; by default all time-varying ones in
        the table. Other inputs are static.
    device : torch.device or str
        Device of the slots.

    ``forcing_start`` and ``forcing_end`` are the forcing that the model reads at t and at t + 6 h, ``fields_start``
    adds the static fields.
    """

    def __init__(
        self,
        inputs: Sequence[str],
        outputs: Sequence[str],
        *,
        forcing: Sequence[str] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.prognostic = tuple(n for n in outputs if n in self.inputs)
        self.diagnostic = tuple(n for n in outputs if n not in self.inputs)
        others = [n for n in inputs if n not in self.prognostic]
        if forcing is None:
            forcing = [n for n in others if variable(n).time is not Time.CONSTANT]
        self.forcing = tuple(forcing)
        self.static = tuple(n for n in others if n not in self.forcing)
        self.forcing_start, self.forcing_end = (tuple(taken_at(end, self.forcing)) for end in (START, END))
        self.fields_start = tuple(taken_at(START, others))
        self._device = torch.device(device)
        self._state_in = self.columns(self.prognostic)
        self._forcing_start = self.columns(self.forcing_start)
        self._state_out, self._diagnostics_out = (
            self._index([self.outputs.index(n) for n in names]) for names in (self.prognostic, self.diagnostic)
        )
        self._state_adjacent = _adjacent(self._state_out)

    def columns(self, names: Sequence[str]) -> Tensor:
        """Positions of variables among the inputs, shape (name,)."""
        return self._index([self.inputs.index(n) for n in names])

    def sources(self, names: Sequence[str]) -> Tensor:
        """Position of each input among ``names``, ``len(names)`` if absent, shape (input,); see :meth:`slot`."""
        at = {name: i for i, name in enumerate(names)}
        return self._index([at.get(n, len(names)) for n in self.inputs])

    @staticmethod
    def slot(values: Tensor, sources: Tensor) -> Tensor:
        """Place values (..., row, name) into a slot (..., row, input) by :meth:`sources`; other columns are zero."""
        return pad(values, (0, 1)).index_select(-1, sources)

    def state_in(self, slot: Tensor) -> Tensor:
        """State (..., row, prognostic) in a slot."""
        return slot.index_select(-1, self._state_in)

    def with_state(self, slot: Tensor, state: Tensor) -> Tensor:
        """Copy of a slot with another state (..., row, prognostic)."""
        return slot.index_copy(-1, self._state_in, state)

    def setter(self, slot: Tensor, names: Sequence[str]) -> Callable[[Tensor], Any]:
        """Return a function that replaces variables of a slot by values (row, name), in place."""
        columns, rows = self.columns(names), slot.t()
        if (adjacent := _adjacent(columns)) is not None:
            return slot[:, adjacent].copy_
        return lambda values: rows.index_copy_(0, columns, values.t())

    @staticmethod
    def set_(slot: Tensor, columns: Tensor, values: Tensor) -> None:
        """Replace :meth:`columns` of a slot by values (..., row, name), in place."""
        slot.t().index_copy_(0, columns, values.t())

    def set_state_(self, slot: Tensor, state: Tensor) -> None:
        """As :meth:`with_state`, in place."""
        self.set_(slot, self._state_in, state)

    def state(self, outputs: Tensor) -> Tensor:
        """State (..., row, prognostic) in the outputs of a step."""
        return outputs.index_select(-1, self._state_out)

    def state_rows(self, outputs: Tensor) -> Tensor:
        """As :meth:`state` for outputs (row, output) with points innermost in memory; a view where possible."""
        if self._state_adjacent is not None:
            return outputs[:, self._state_adjacent]
        return outputs.t().index_select(0, self._state_out).t()

    def diagnostics(self, outputs: Tensor) -> Tensor:
        """Diagnostics (..., row, diagnostic) in the outputs of a step."""
        return outputs.index_select(-1, self._diagnostics_out)

    def next_start(self, start: Tensor, end: Tensor, outputs: Tensor) -> Tensor:
        """Start slot of the next step: state from the outputs, forcing from the end slot, static fields as they are.

        ``end`` holds all of ``forcing``, including what the model reads at a start only. Gradients pass.
        """
        forcing = end.index_select(-1, self._forcing_start)
        return self.with_state(start, self.state(outputs)).index_copy(-1, self._forcing_start, forcing)

    def next_start_(self, start: Tensor, end: Tensor, outputs: Tensor) -> None:
        """As :meth:`next_start`, in place: no copy of a slot, no gradients; fastest with points innermost in memory."""
        self.set_state_(start, self.state_rows(outputs))
        self.set_(start, self._forcing_start, end.t().index_select(0, self._forcing_start).t())

    def _index(self, positions: Sequence[int]) -> Tensor:
        return torch.tensor(positions, dtype=torch.long, device=self._device)


def _adjacent(positions: Tensor) -> slice | None:
    """Return increasing positions without a gap as a slice, which is faster than an index; else None."""
    listed = positions.tolist()
    whole = list(range(listed[0], listed[0] + len(listed))) if listed else []
    return slice(whole[0], whole[-1] + 1) if whole and whole == listed else None


def advance(model: Model, layout: StepLayout, start: Tensor, end: Tensor, state: Tensor | None = None) -> Tensor:
    r"""Make one step, :math:`y_{t+6h} = f(x_t, u_t, u_{t+6h}, s)` for state x, forcing u and static fields s.

    Shapes: ``start, end (row, input) -> (row, output)``, in the units of the table. ``state`` (row, prognostic)
    replaces the one in ``start``. See :meth:`StepLayout.next_start` for the step after it.
    """
    if state is not None:
        start = layout.with_state(start, state)
    return model(start, end)


def advance_steps(model: Model, layout: StepLayout, start: Tensor, ends: Tensor, out: Tensor) -> None:
    """Make several steps into ``out``; the start slot becomes that of the step after them, in place.

    Shapes: ``start (row, input)``, ``ends (step, row, forcing)`` in the order of ``layout.forcing``, and
    ``out (step, row, output)``, which may have fewer rows. No gradients; nothing is read back from a device.
    """
    now, end = start.clone(), torch.zeros_like(start)
    set_state = layout.setter(now, layout.prognostic)
    set_first, set_then = (layout.setter(slot, layout.forcing) for slot in (now, end))
    for forcing, result in zip(ends, out, strict=True):
        set_then(forcing)
        outputs = advance(model, layout, now, end)
        result.copy_(outputs[: len(result)])
        set_state(layout.state_rows(outputs))
        set_first(forcing)  # more than the model reads at a start
    layout.next_start_(start, end, outputs)
