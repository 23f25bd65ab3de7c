# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Budget of a coupling: water and energy that the atmosphere gave and the land received."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from torch import Tensor

from anemoi_ailand.coupling.crossing import ForcingField
from anemoi_ailand.coupling.exchange import Exchange
from anemoi_ailand.support.units import AMOUNTS, HOUR
from anemoi_ailand.variables import variable

LOG = logging.getLogger(__name__)


class ExchangeBudget:
    r"""Sums of fluxes and amounts on both sides of an exchange, as means over the shared area.

    .. math:: \frac{\sum_i A_i u_i}{\sum_i A_i} \quad\text{and}\quad \frac{\sum_j A_j \bar u_j}{\sum_j A_j}

    with the shared areas :math:`A` of points of the atmosphere and of the land. They differ by rounding. Only fields
    that cover one step of the atmosphere are summed.
    """

    def __init__(self, taken: Sequence[ForcingField], points: Exchange, step: float) -> None:
        self._taken = [t for t in taken if t.amount and t.hours == step]
        self._points, self._seconds = points, step * HOUR
        self.given, self.received = ({t.name: 0.0 for t in self._taken} for _ in range(2))

    def add(self, fields: Mapping[str, Tensor], here: Mapping[str, Tensor]) -> None:
        """Add one step of the atmosphere: its fields (point,), and what was read of them (land point,)."""
        points = self._points
        for t in self._taken:
            there = points.at_targets(fields[t.field])
            for sums, values, areas in (
                (self.given, there, points.target_areas), (self.received, here[t.field], points.land_areas)
            ):  # fmt: skip
                sums[t.name] += float((values * areas).sum() / areas.sum()) * t.factor / t.seconds * self._seconds

    def log(self) -> None:
        """Log what crossed."""
        for t in self._taken:
            LOG.info(
                "Crossed to the land, mean over its share: %s %.6g %s given, %.6g received",
                t.name, self.given[t.name], AMOUNTS[variable(t.name).units], self.received[t.name],
            )  # fmt: skip
