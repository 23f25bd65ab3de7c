# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The step of the land: columns of its inputs and outputs by name, and the start of the next step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from anemoi_ailand.constants import STEP as STEP
from anemoi_ailand.variables import END, START, Time, taken_at, variable

#: Number of rows up to which the slots of many steps are filled at once.
FEW_ROWS = 64

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
        state_in, into, start = (
            [self.inputs.index(n) for n in names] for names in (self.prognostic, self.forcing, self.forcing_start)
        )
        state_out, diagnostics_out = (
            [self.outputs.index(n) for n in names] for names in (self.prognostic, self.diagnostic)
        )
        self._state_in, self._forcing_start = self._index(state_in), self._index(start)
        self._state_out, self._diagnostics_out = self._index(state_out), self._index(diagnostics_out)
        self._runs_forcing, self._runs_start = _runs(range(len(into)), into), _runs(start, start)
        self.runs_state = _runs(state_out, state_in)

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

    @staticmethod
    def set_(slot: Tensor, columns: Tensor, values: Tensor) -> None:
        """Replace :meth:`columns` of a slot by values (row, name), in place."""
        slot.t().index_copy_(0, columns, values.t())

    def set_state_(self, slot: Tensor, state: Tensor) -> None:
        """As :meth:`with_state`, in place."""
        self.set_(slot, self._state_in, state)

    def set_forcing_(self, slot: Tensor, forcing: Tensor) -> None:
        """Replace the forcing of a slot by values (row, forcing), in place."""
        _copy(forcing, slot, self._runs_forcing)

    def state(self, outputs: Tensor) -> Tensor:
        """State (..., row, prognostic) in the outputs of a step."""
        return outputs.index_select(-1, self._state_out)

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
        _copy(outputs, start, self.runs_state)
        _copy(end, start, self._runs_start)

    def slots_of_steps(self, start: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
        """Start slots (step + 1, input, row) and end slots (step, input, row) of steps in turn.

        ``start (row, input)`` is the first, ``ends (step, row, forcing)`` as in :func:`advance_steps`; the states of
        later starts are to be filled.
        """
        following = start.new_zeros((len(ends), len(self.inputs), len(start)))
        following.index_copy_(1, self.columns(self.forcing), ends.mT)
        starts = start.t().repeat(len(ends) + 1, 1, 1)
        starts[1:].index_copy_(1, self._forcing_start, following.index_select(1, self._forcing_start))
        return starts, following

    def _index(self, positions: Sequence[int]) -> Tensor:
        return torch.tensor(positions, dtype=torch.long, device=self._device)


def _runs(of: Sequence[int], into: Sequence[int]) -> list[tuple[slice, slice]]:
    """Divide a copy of columns into copies of adjacent ones, which are views and so faster than an index."""
    runs: list[list[int]] = []  # first columns and length
    for i, j in zip(of, into, strict=True):
        if runs and (i - runs[-1][0], j - runs[-1][1]) == (runs[-1][2], runs[-1][2]):
            runs[-1][2] += 1
        else:
            runs.append([i, j, 1])
    return [(slice(i, i + n), slice(j, j + n)) for i, j, n in runs]


def _copy(values: Tensor, slot: Tensor, runs: Sequence[tuple[slice, slice]]) -> None:
    """Copy columns (row, name) in place."""
    for of, into in runs:
        slot[:, into].copy_(values[:, of])


def advance(model: Model, layout: StepLayout, start: Tensor, end: Tensor, state: Tensor | None = None) -> Tensor:
    r"""Make one step, :math:`y_{t+6h} = f(x_t, u_t, u_{t+6h}, s)` for state x, forcing u and static fields s.

    Shapes: ``start, end (row, input) -> (row, output)``, in the units of the table. ``state`` (row, prognostic)
    replaces the one in ``start``. See :meth:`StepLayout.next_start` for the step after it.
    """
    if state is not None:
        start = layout.with_state(start, state)
    return model(start, end)


def differentiable_steps(model: Model, layout: StepLayout, start: Tensor, ends: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield the outputs (row, output) of steps in turn, with gradients.

    ``start (row, input)`` is the start slot of the first step, ``ends`` are the end slots, with all of the forcing.
    """
    for end in ends:
        outputs = advance(model, layout, start, end)
        yield outputs
        start = layout.next_start(start, end, outputs)


def advance_steps(model: Model, layout: StepLayout, start: Tensor, ends: Tensor, out: Tensor) -> None:
    """Make several steps into ``out``; the start slot becomes that of the step after them, in place.

    Shapes: ``start (row, input)``, ``ends (step, row, forcing)`` in the order of ``layout.forcing``, and
    ``out (step, row, output)``, which may have fewer rows. No gradients; nothing is read back from a device.
    """
    if len(start) <= FEW_ROWS:
        _advance_few(model, layout, start, ends, out)
        return
    end = torch.zeros_like(start)
    for forcing, result in zip(ends, out, strict=True):
        layout.set_forcing_(end, forcing)
        outputs = advance(model, layout, start, end)
        result.copy_(outputs[: len(result)])
        layout.next_start_(start, end, outputs)


def _advance_few(model: Model, layout: StepLayout, start: Tensor, ends: Tensor, out: Tensor) -> None:
    """Make several steps of few rows: the slots of all steps are filled at once, as calls cost more than copies."""
    starts, following = layout.slots_of_steps(start, ends)
    states = [(of, starts[1:, into].unbind()) for of, into in layout.runs_state]
    for k, (first, end, result) in enumerate(zip(starts.unbind(), following.unbind(), out.unbind(), strict=False)):
        outputs = advance(model, layout, first.t(), end.t())
        result.copy_(outputs[: len(result)])
        by_variable = outputs.t()
        for of, into in states:
            into[k].copy_(by_variable[of])
    start.t().copy_(starts[-1])
