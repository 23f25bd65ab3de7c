# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Check of the outputs of steps: values that are physically possible and plausible, and the budget of water."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS, STEP_SECONDS, WATER_DENSITY
from anemoi_ailand.data.plausibility.checker import Checker
from anemoi_ailand.rollout.step.advance import StepLayout

#: Storage of water, and the mass of water that one unit of it is [kg m-2].
_STORAGE = {f"swvl{k}": WATER_DENSITY * depth for k, depth in enumerate(SOIL_LAYER_THICKNESS, 1)} | {
    "sd": 1.0, "src": 1.0,
}  # fmt: skip

#: What leaves the land [kg m-2 s-1], and covers whose water is not in the storage.
_LOSSES, _OTHER_WATER = ("evap", "sro", "ssro"), ("cl", "cur")


def check_outputs(
    checker: Checker, out: Tensor, names: Sequence[str], dates: Sequence[datetime], where: tuple[np.ndarray, np.ndarray]
) -> None:
    """Compare outputs (date, row, output) with the ranges of the table; two passes if all are plausible.

    ``where`` are the places of the points, which repeat in the rows of members and of several starts.

    Raises
    ------
    Implausible
        Values that are not possible, with variable, date and place.
    """
    if not checker.on:
        return
    lowest, highest = out.amin(dim=(0, 1)), out.amax(dim=(0, 1))  # no copy, whatever is innermost in memory
    beyond = checker.beyond(names, lowest.tolist(), highest.tolist())
    if beyond:
        checker.outputs({n: out[..., list(names).index(n)].numpy(force=True) for n in beyond}, dates, where)


class WaterBudget:
    r"""Check of the water that steps lose (positive) or create, a mean over the steps of one call at each row.

    .. math:: r = \Delta t\, \overline{P - E - R_s - R_b} - \Delta W / n

    as :func:`~anemoi_ailand.physics.budgets.water_residual`, with the storage of soil, snow and interception.
    Points with lakes or towns, whose water is not in the state, are left out. Nothing is checked of a network that does
    not predict all terms.

    Parameters
    ----------
    layout : StepLayout
        Columns of the step.
    """

    def __init__(self, layout: StepLayout) -> None:
        known = {*layout.prognostic} >= {*_STORAGE} and {*layout.outputs} >= {*_LOSSES}
        self.complete = known and "avg_tprate" in layout.forcing
        if not self.complete:
            return
        self._rain = layout.forcing.index("avg_tprate")
        self._losses = [layout.outputs.index(n) for n in _LOSSES]
        self._before, self._after = (
            [(names.index(n), mass) for n, mass in _STORAGE.items()] for names in (layout.inputs, layout.outputs)
        )
        self._other = [layout.inputs.index(n) for n in _OTHER_WATER if n in layout.inputs]

    def begin(self, checker: Checker, start: Tensor) -> Tensor | None:
        """Return the storage in a start slot (row, input) before the steps, NaN at points with lakes or towns."""
        if not (checker.on and self.complete):
            return None
        storage = _sum(start, self._before)
        for column in self._other:
            storage.masked_fill_(start[:, column] > 0.0, torch.nan)
        return storage

    def check(
        self, checker: Checker, before: Tensor | None, ends: Tensor, out: Tensor, dates: Sequence[datetime],
        where: tuple[np.ndarray, np.ndarray],
    ) -> None:  # fmt: skip
        """Compare storage with forcing (date, row, forcing) and outputs (date, row, output) of the steps.

        Raises
        ------
        Implausible
            A residual that is not possible, with date and place.
        """
        if before is None:
            return
        flow = ends[..., self._rain].sum(0)
        for column in self._losses:
            flow -= out[..., column].sum(0)
        residual = (STEP_SECONDS * flow - _sum(out[-1], self._after) + before) / len(out)
        checker.water(residual.numpy(force=True), dates[-1], where)


def _sum(values: Tensor, columns: Sequence[tuple[int, float]]) -> Tensor:
    """Return the weighted sum of columns (row, column), shape (row,); columns are contiguous in memory."""
    (first, mass), *others = columns
    total = values[:, first] * mass
    for column, mass in others:
        total.add_(values[:, column], alpha=mass)
    return total
