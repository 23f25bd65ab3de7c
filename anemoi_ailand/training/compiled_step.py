# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The step of the land model in compiled parts, forward and backward, for training.

The parts meet where the layout in memory changes: the network has the columns of a point side by side, the physics the
points of a column. The substeps of soil water are twelve calls of one part, since the backward pass of all of them in
one would take many minutes to compile; it recomputes each substep instead of storing its intermediate values.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS
from anemoi_ailand.hosts.torch_inductor import missing_compiler
from anemoi_ailand.model.contrasts import Air
from anemoi_ailand.model.land_model import LandModel
from anemoi_ailand.model.precision import hidden_precision
from anemoi_ailand.physics.bounds import clamp
from anemoi_ailand.physics.closed_step import STATE, Land, water_results
from anemoi_ailand.physics.soil_water import (
    N_SUBSTEPS,
    Column,
    Curve,
    Setting,
    begin_water,
    end_water,
    substep,
)
from anemoi_ailand.support.options import check_execution

LOG = logging.getLogger(__name__)

#: Point-steps from which compiling pays within a training: the plain step takes about ten minutes for them.
PAYS = 10**7

#: Fusing stops at this number of nodes; the default of torch divides the physics into many loops.
_FUSION = 100_000

Fields = dict[str, Tensor]


def open_step(land: LandModel, x: Fields, execution: str, point_steps: float) -> CompiledStep | None:
    """Compile the step of a training, or return None for the plain one; one line of the log says which and why.

    Parameters
    ----------
    land : LandModel
        Model to train.
    x : dict of Tensor
        Inputs of the first batch, as in :meth:`LandModel.forward`.
    execution : {'auto', 'plain', 'compiled'}
        ``auto`` compiles if ``point_steps`` exceed :data:`PAYS`. Without a C++ compiler, on an accelerator or without
        the closed step, the plain step is taken, with a warning if ``compiled`` was asked for.
    point_steps : float
        Windows times points times steps of the whole training.
    """
    check_execution(execution)
    if execution == "plain" or (execution == "auto" and point_steps < PAYS):
        LOG.info("Training with the plain step%s", "" if execution == "plain" else ", too short to compile one")
        return None
    if reason := _impossible(land, x):
        level = logging.WARNING if execution == "compiled" else logging.INFO
        LOG.log(level, "Training with the plain step: %s", reason)
        return None
    LOG.info("Compiling the step, which takes up to a few minutes; less if torch has it in its cache on disk")
    began = time.monotonic()
    torch.compiler.reset()  # torch limits the versions of a function in a process, trainings before this one included
    try:
        step = CompiledStep(land, n_rows(x))
        step.compile(x)
    except Exception as error:  # whatever torch and the compiler raise
        LOG.debug("Compiling failed", exc_info=True)
        reason = str(error).partition("\n")[0]
        LOG.warning("Training with the plain step: compiling failed (%s: %s)", type(error).__name__, reason)
        return None
    LOG.info("Training with the compiled step, made in %.0f s", time.monotonic() - began)
    return step


def n_rows(x: Fields) -> int:
    """Return the rows of a batch: windows times members times points."""
    return next(iter(x.values()))[:, 0, ..., 0].numel()


def _impossible(land: LandModel, x: Fields) -> str | None:
    device = next(iter(x.values())).device.type
    if device != "cpu":
        return f"the compiled one is for the CPU, and this training is on {device}"
    if land.closed is None:
        return "the model has no closed step, which is what the compiled one accelerates"
    if land.closed.former:
        return "its closed step is that of networks trained before"
    return missing_compiler()


class CompiledStep:
    """The closed step in training, with the values and gradients of :class:`LandModel` to rounding.

    Nothing of the model changes: its weights are read at each call, and checkpoints hold the plain model.

    Parameters
    ----------
    land : LandModel
        Model with the closed step.
    rows : int
        Windows times points of a batch. The code is made for this number.

    Shapes: as :meth:`LandModel.forward`.
    """

    def __init__(self, land: LandModel, rows: int) -> None:
        assert land.closed is not None
        self.rows, self._land, self._closed = rows, land, land.closed
        c = land.closed
        self._fields_of_start = _factors((*STATE, *c.extra, *c.at_start), c._start, c._start_mul, c._start_add)
        self._fields_of_end = _factors(c.at_end, c._end, c._end_mul, c._end_add)
        self._out = _factors(c.given, c._out, c._out_mul, c._out_add)
        self._diagnostic = land._diagnostic_out.tolist()
        self._lower, self._upper, self._most = (v.unsqueeze(-1) for v in (land._lower, land._upper, land.most))
        whole = partial(torch.compile, fullgraph=True, dynamic=False, options={"max_fusion_size": _FUSION})
        self._columns = whole(self._columns_of)
        self._network = torch.compile(self._outputs_of, dynamic=False)  # a network of one's own may break the graph
        self._above = whole(self._above_ground)
        self._substep = whole(_packed_substep)
        self._pullback = whole(_packed_pullback)
        self._finish = whole(self._outputs)

    def __call__(self, x: Fields) -> Fields:
        """Advance by one step, differentiably."""
        (name, ends), land = next(iter(x.items())), self._land
        start, end = (ends[:, k].flatten(0, -2).t().contiguous() for k in (0, 1))
        end = end.detach()  # only forcing is read at the end
        if not start.requires_grad:
            start.requires_grad_()  # the same code for the first step as for the others
        columns = self._columns(start, end).t().contiguous()
        with hidden_precision(land.hidden_dtype, columns.device):
            outputs = self._network(columns).t().contiguous()
        done, column, soil, moving, reaching = self._above(start, end, outputs)
        column = _MovedWater.apply(column, soil, moving, reaching, self._substep, self._pullback)
        out = self._finish(done, column, outputs)
        return {name: out.t().unflatten(0, ends.shape[:1] + ends.shape[2:-1]).unsqueeze(1)}

    def compile(self, x: Fields) -> None:
        """Compile all parts for inputs ``x``."""
        trained = [p for p in self._land.parameters() if p.requires_grad]
        out = self({name: v.detach() for name, v in x.items()})[self._land.dataset_name]
        torch.autograd.grad(out.sum(), trained, allow_unused=True)

    def _columns_of(self, start: Tensor, end: Tensor) -> Tensor:
        """Return the input of the network (column, row) for normalised fields (input, row) at both ends of the step."""
        c, first, last = self._land.columns, start.unbind(0), end.unbind(0)
        land, air, _ = self._physical(first, last)
        read = [*(first[k] for k in c.start_index), *(last[k] for k in c.end_index)]
        columns = torch.minimum(torch.stack(read), self._most)
        return torch.cat([columns, self._closed.features(land, air).movedim(-1, 0)])

    def _outputs_of(self, columns: Tensor) -> Tensor:
        """Return both outputs of the network side by side (row, output)."""
        return torch.cat([v.float() for v in self._land.network(columns)], dim=-1)

    def _above_ground(self, start: Tensor, end: Tensor, outputs: Tensor) -> tuple[Tensor, ...]:
        """Return the results but those of soil water, and column, setting and water that arrives, in rows."""
        land, air, fields = self._physical(start.unbind(0), end.unbind(0))
        rows, n = outputs.unbind(0), self._closed.n_outputs
        sensible = self._closed.sensible_heat(rows[n:])
        result, ground = self._closed.above_ground(land, air, fields, torch.stack(rows[:n], dim=-1), sensible)
        column, setting = begin_water(*ground)
        return (
            torch.stack([result[n] for n in self._closed.given if n in result]),
            _rows_of(column),
            *_packed(setting),
            torch.stack(ground.arriving.amounts),
        )

    def _physical(self, start: Sequence[Tensor], end: Sequence[Tensor]) -> tuple[Land, Air, Fields]:
        """Return land, air and the fields at the start in physical units."""
        a = {n: (start[k] - add) / mul for n, (k, mul, add) in self._fields_of_start.items()}
        b = {n: (end[k] - add) / mul for n, (k, mul, add) in self._fields_of_end.items()}
        return *self._closed.of_fields(a, b), a

    def _outputs(self, done: Tensor, column: Tensor, outputs: Tensor) -> Tensor:
        """Return the outputs of the step (output, row), normalised and within their bounds."""
        result = water_results(end_water(_column_of(column)))
        result |= dict(zip([n for n in self._out if n not in result], done.unbind(0), strict=True))
        rows = {k: result[n] * mul + add for n, (k, mul, add) in self._out.items()}
        rows |= dict(zip(self._diagnostic, outputs.unbind(0)[self._closed.n_outputs :], strict=True))
        return clamp(torch.stack([rows[k] for k in sorted(rows)]), self._lower, self._upper, straight_through=True)


class _MovedWater(torch.autograd.Function):
    """Column after all substeps, with the pull-back of each computed from the column before it."""

    @staticmethod
    def forward(ctx: Any, column: Tensor, soil: Tensor, moving: Tensor, reaching: Tensor, step: Callable,
                pullback: Callable) -> Tensor:  # fmt: skip
        column, moving = column.detach(), moving.detach()  # one code for all substeps
        columns, amounts = [column], [v.clone() for v in reaching.detach()]
        for amount in amounts:
            columns.append(step(columns[-1], soil, moving, amount))
        ctx.save_for_backward(soil, moving, *columns[:-1], *amounts)
        ctx.pullback = pullback
        return columns[-1]

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple:
        soil, moving, *saved = (v.detach() for v in ctx.saved_tensors)
        columns, amounts = saved[:N_SUBSTEPS], saved[N_SUBSTEPS:]
        grad, total, of_amounts = outer[0].contiguous(), torch.zeros_like(moving), []
        for column, amount in zip(reversed(columns), reversed(amounts), strict=True):
            grad, total, of_amount = ctx.pullback(column, soil, moving, amount, grad, total)
            of_amounts.append(of_amount)
        return grad, None, total, torch.stack(of_amounts[::-1]), None, None


def _rows_of(column: Column) -> Tensor:
    """Stack a column (quantity, row)."""
    return torch.stack([*column.layers, column.debt, column.surface, column.drained])


def _column_of(rows: Tensor) -> Column:
    """Undo :func:`_rows_of`."""
    values = iter(rows.unbind(0))
    return Column(_take(values, len(SOIL_LAYER_THICKNESS)), *values)


def _packed_substep(column: Tensor, soil: Tensor, moving: Tensor, reaching: Tensor) -> Tensor:
    """Call the substep with column and setting in rows (quantity, row)."""
    return _rows_of(substep(_column_of(column), _unpacked(soil, moving), reaching))


def _packed_pullback(
    column: Tensor, soil: Tensor, moving: Tensor, reaching: Tensor, grad: Tensor, total: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients by ``column`` and ``reaching`` for that by the column after, and add that by ``moving``."""
    _, pull = torch.func.vjp(lambda c, m, r: _packed_substep(c, soil, m, r), column, moving, reaching)
    of_column, of_moving, of_reaching = pull(grad)
    return of_column, total + of_moving, of_reaching


def _packed(setting: Setting) -> tuple[Tensor, Tensor]:
    """Stack what follows from the soil type, and what depends on state and network (quantity, row)."""
    s = setting
    soil = [*(v.squeeze(-1) for v in s.curve), s.wilting, s.full, s.fastest, *s.most]
    moving = [*s.ice, *s.gains, *s.flowing, *s.per_distance, s.capacity, s.exponent]
    return torch.stack(soil), torch.stack(moving)


def _unpacked(soil: Tensor, moving: Tensor) -> Setting:
    """Undo :func:`_packed`."""
    s, m = iter(soil.unbind(0)), iter(moving.unbind(0))
    curve = Curve(*(v.unsqueeze(-1) for v in _take(s, len(Curve._fields))))
    wilting, full, fastest = _take(s, 3)
    most, n = tuple(s), len(SOIL_LAYER_THICKNESS)
    ice, gains, flowing, per_distance = (_take(m, k) for k in (n, n, n, n - 1))
    return Setting(curve, wilting, full, fastest, most, ice, gains, flowing, per_distance, *m)


def _take(values: Iterator[Tensor], number: int) -> tuple[Tensor, ...]:
    return tuple(islice(values, number))


def _factors(names: Sequence[str], positions: Tensor, mul: Tensor, add: Tensor) -> dict[str, tuple[int, float, float]]:
    """Return position, factor and offset of the normalisation by name."""
    return dict(zip(names, zip(positions.tolist(), mul.tolist(), add.tolist(), strict=True), strict=True))
