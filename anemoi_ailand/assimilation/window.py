# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The emulator over an assimilation window as a function of a control vector, in physical units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from anemoi_ailand.assimilation.equivalents import Equivalents
from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.rollout.step import gradients
from anemoi_ailand.rollout.step.advance import Model, StepLayout, differentiable_steps
from anemoi_ailand.variables import Role, match_name, variable

if TYPE_CHECKING:
    from anemoi_ailand.rollout.step.land_state import LandState
    from anemoi_ailand.rollout.stepper import LandStepper

#: Forcing that rain factors multiply: rain and snow alike, so that snow stays the same share.
PRECIPITATION = ("avg_tprate", "avg_tsrwe", "late_tprate", "late_tsrwe")


@dataclass(frozen=True)
class ForcingFactor:
    """Control that multiplies forcing over some steps; its background is 1.

    Attributes
    ----------
    label : str
        Name of the control, such as ``rain day 1``.
    of : tuple of str
        Forcing variables; those that the network does not read are left out.
    first, last : int
        First and last step, counted from 1; ``last`` may be beyond the window.

    Examples
    --------
    >>> from anemoi_ailand import ForcingFactor
    >>> ForcingFactor("sun", ("avg_sdswrf",), last=4).of
    ('avg_sdswrf',)
    """

    label: str
    of: tuple[str, ...] = PRECIPITATION
    first: int = 1
    last: int = 10**6


class AssimilationWindow:
    r"""Outputs of N steps as a pure function of a control vector, point by point.

    .. math:: y = h\bigl(m(x; u, s)\bigr)

    with controls x: variables of the state at the start, static fields throughout, and factors of the forcing u; all
    else in u and s is fixed. Points do not interact, so the tangent of all points is one block per point, the result of
    :meth:`jacobian`; see also :func:`~anemoi_ailand.rollout.step.gradients.tangent` and ``adjoint`` of the same module.

    Parameters
    ----------
    model : callable
        Step of both slots, see :data:`~anemoi_ailand.rollout.step.advance.Model`; with derivatives, or a faster one.
    layout : StepLayout
        Columns of its slots.
    start : Tensor, shape (point, input)
        Slot at the start of the window.
    ends : Tensor, shape (step, point, input)
        Slots at the end of each step.
    controls : sequence of str or ForcingFactor
        Prognostic or static variables, and factors of forcing.
    to : sequence of str
        Outputs: prognostic or diagnostic variables, and ``2r``, the relative humidity at 2 m [1].
    at : sequence of int, optional
        Steps after which the outputs are taken, counted from 1; by default the last one.
    recompute : bool
        Keep the slots of each step only and compute it again in the adjoint: memory does not grow with the inner values
        of all steps, for one more forward step each.

    Attributes
    ----------
    background : Tensor, shape (point, control)
        Control vector of the slots.
    controls, outputs : tuple of str
        Labels: variables before factors, and outputs such as ``2t +6 h``, by step.

    Raises
    ------
    ValueError
        A name is unknown or a category, a factor multiplies no forcing, or there is no such step.

    Examples
    --------
    >>> import anemoi_ailand as ail
    >>> land, data = ail.load("ailand"), ail.open_data("$AILAND_SAMPLE").to_xarray("2020-05-01")
    >>> controls = ["swvl1", ail.ForcingFactor("rain", last=2)]
    >>> window = ail.AssimilationWindow.open(land, land.initial(data), data, controls, to=["swvl1", "2t"], at=[2])
    >>> window.controls, window.outputs
    (('swvl1', 'rain'), ('swvl1 +12 h', '2t +12 h'))
    >>> x = window.background
    >>> x.shape, window(x).shape, window.jacobian(x).shape
    (torch.Size([44, 2]), torch.Size([44, 2]), torch.Size([44, 2, 2]))
    """

    def __init__(
        self, model: Model, layout: StepLayout, start: Tensor, ends: Tensor, controls: Sequence[str | ForcingFactor],
        to: Sequence[str], at: Sequence[int] | None = None, *, recompute: bool = False,
    ) -> None:  # fmt: skip
        self._model, self._layout, self._start, self._ends = model, layout, start, ends
        self._recompute = recompute
        at = [len(ends)] if at is None else sorted(set(at))
        if not at or at[0] < 1 or at[-1] > len(ends):
            raise ValueError(f"Outputs are wanted after the steps {at}, and the window has steps 1 to {len(ends)}.")
        self._at = at
        self._to = Equivalents(to, layout.outputs, start.device)
        self.outputs = tuple(f"{n} +{k * STEP_HOURS} h" for k in at for n in self._to.names)
        fields = [
            match_name(c, (*layout.prognostic, *layout.static), "state and static fields")
            for c in controls if isinstance(c, str)
        ]  # fmt: skip
        if labels := [n for n in fields if variable(n).role is Role.CATEGORY]:
            raise ValueError(f"{labels} are categories (whole numbers), which cannot be controls. Leave them out.")
        self._factors = [c for c in controls if isinstance(c, ForcingFactor)]
        self.controls = (*fields, *(f.label for f in self._factors))
        if not self.controls or len(set(self.controls)) < len(self.controls):
            raise ValueError(f"The controls are {list(self.controls)}. Name at least one, and each once.")
        self._fields = layout.columns(fields)
        self._scaled = [layout.columns([n for n in f.of if n in layout.forcing]) for f in self._factors]
        if none := [f.label for f, columns in zip(self._factors, self._scaled, strict=True) if not len(columns)]:
            raise ValueError(f"The factors {none} multiply nothing: the forcing is {list(layout.forcing)}.")
        ones = start.new_ones((len(start), len(self._factors)))
        self.background = torch.cat([start.index_select(-1, self._fields), ones], -1)

    @classmethod
    def open(
        cls, land: LandStepper, state: LandState, forcings: Any, controls: Sequence[str | ForcingFactor],
        to: Sequence[str], at: Sequence[int] | None = None, *, recompute: bool = False,
    ) -> AssimilationWindow:  # fmt: skip
        """Make the window of a stepper from a state and the forcing of its steps, as ``land.jacobian`` takes them."""
        slots = land.slots(state, forcings)
        return cls(land.differentiable, land.layout, *slots, controls, to, at, recompute=recompute)

    def __call__(self, x: Tensor) -> Tensor:
        """Compute the outputs, shape (row, control) to (row, output); rows are the points, or copies of all of them."""
        copies = len(x) // len(self._start)
        start = self._start.repeat(copies, 1).index_copy(-1, self._fields, x[:, : len(self._fields)])
        ends = (self._end(k, x, copies) for k in range(1, self._at[-1] + 1))
        model = self._again if self._recompute else self._model
        found = enumerate(differentiable_steps(model, self._layout, start, ends), 1)
        return torch.cat([self._to(out) for k, out in found if k in self._at], -1)

    def jacobian(self, x: Tensor, sizes: Tensor | None = None) -> Tensor:
        """Compute the Jacobian at ``x (point, control)``, shape (point, output, control).

        By the adjoint, or with ``sizes (control,)`` in the units of the controls by centred finite differences, which
        see beyond kinks (bounds, melt, freezing) and need no derivatives of the step.
        """
        if sizes is None:
            return gradients.jacobian(self, x, len(self.outputs))
        change = torch.diag(sizes).to(x)
        moved = torch.cat([x + change[:, None], x - change[:, None]]).flatten(0, 1)
        up, down = self(moved).unflatten(0, (2, len(sizes), len(x))).unbind()
        return ((up - down) / (2.0 * sizes.to(x)[:, None, None])).permute(1, 2, 0)

    def after(self, x: Tensor) -> Tensor:
        """Compute the start slot (point, input) of the step after the window for controls (point, control)."""
        slot, ends = self._start.index_copy(-1, self._fields, x[:, : len(self._fields)]), self._ends
        for k in range(1, len(ends) + 1):
            end = self._end(k, x, 1)
            slot = self._layout.next_start(slot, end, self._model(slot, end))
        return slot

    def _end(self, step: int, x: Tensor, copies: int) -> Tensor:
        """Return the end slot of a step, with the factors of the controls."""
        end = self._ends[step - 1].repeat(copies, 1)
        for i, (factor, columns) in enumerate(zip(self._factors, self._scaled, strict=True), len(self._fields)):
            if factor.first <= step <= factor.last:
                end = end.index_copy(-1, columns, end.index_select(-1, columns) * x[:, i : i + 1])
        return end

    def _again(self, start: Tensor, end: Tensor) -> Tensor:
        """Make a step whose inner values are computed again in the adjoint."""
        made: Tensor = checkpoint(self._model, start, end, use_reentrant=False)
        return made
