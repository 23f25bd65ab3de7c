# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""One step with the arguments of another program: state, static fields, forcing at both ends."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anemoi_ailand.data.sun import COMPUTED
from anemoi_ailand.rollout.step.advance import StepLayout, advance
from anemoi_ailand.rollout.step.physical_step import PhysicalStep

#: Names of the outputs, in order.
OUTPUTS = ("new_state", "diagnostics")

#: Argument that replaces sun and calendar if they are computed inside, and its columns: degrees, and days since
#: 1 January 00 UTC of the year at t and t + 6 h.
PLACE_TIME = "place_time"
PLACE_TIME_COLUMNS = ("latitude", "longitude", "day_start", "day_end")

_YEAR, _DAY = 365.25, 24.0
_FULL_TURN, _DEGREE = 2.0 * math.pi, math.pi / 180.0

#: Coefficients of declination and equation of time for cosine and sine of 0, 1, 2, 3 times the day angle [degrees].
#: Hogan and Hirahara (2015), as in earthkit-data, utils/meteo.py.
_DECLINATION = ((0.396372, -22.91327, -0.387205, -0.154527), (0.0, 4.025430, 0.051967, 0.084798))
_EQUATION_OF_TIME = ((0.004297, 0.107029, -0.837378, 0.0), (0.0, -1.837877, -2.340475, 0.0))


class HostStep(nn.Module):
    r"""Step of :class:`~anemoi_ailand.rollout.step.physical_step.PhysicalStep` for a host without the checkpoint.

    A host passes state, static fields, and the forcing that is read at either end. The new state has the columns of the
    state, so it is the state of the next call.

    Parameters
    ----------
    step : PhysicalStep
        Step in the precision wanted.
    sun_inside : bool
        Compute sun and calendar from place and time (:func:`sun_columns`) instead of taking them as forcing.

    Attributes
    ----------
    columns : dict of tuple of str by name
        Columns of ``state``, ``static``, ``forcing_start``, ``forcing_end`` and, with sun inside, ``place_time``.
    results : dict of tuple of str by name
        Columns of :data:`OUTPUTS`.

    Shapes: each (row, column), in the units of the table of variables; ``place_time`` (row, 4) is double precision:
    latitude and longitude [degrees], and days since 1 January 00 UTC of the year at t and at t + 6 h.
    """

    _start: Tensor
    _end: Tensor

    def __init__(self, step: PhysicalStep, *, sun_inside: bool = True) -> None:
        super().__init__()
        self.step = step
        self.layout = StepLayout(step.inputs, step.outputs)
        self.sun = tuple(n for n in COMPUTED if n in self.layout.forcing) if sun_inside else ()
        start, end = (
            tuple(n for n in names if n not in self.sun)
            for names in (self.layout.forcing_start, self.layout.forcing_end)
        )
        self.columns: dict[str, tuple[str, ...]] = {
            "state": self.layout.prognostic,
            "static": self.layout.static,
            "forcing_start": start,
            "forcing_end": end,
        }
        if self.sun:
            self.columns[PLACE_TIME] = PLACE_TIME_COLUMNS
        self.results = dict(zip(OUTPUTS, (self.layout.prognostic, self.layout.diagnostic), strict=True))
        first = (*self.layout.prognostic, *self.layout.static, *start, *self.sun)
        self.register_buffer("_start", self.layout.sources(first))
        self.register_buffer("_end", self.layout.sources((*end, *self.sun)))

    def forward(
        self,
        state: Tensor,
        static: Tensor,
        forcing_start: Tensor,
        forcing_end: Tensor,
        place_time: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Compute state and diagnostics at t + 6 h; shapes as in the class."""
        first, last = [state, static, forcing_start], [forcing_end]
        if self.sun:
            if place_time is None:
                raise ValueError(f"Sun and calendar are computed inside, from `{PLACE_TIME}`, which is not given.")
            place, days = place_time[..., :2], place_time[..., 2:].unbind(-1)
            for parts, day in zip((first, last), days, strict=True):
                parts.append(sun_columns(self.sun, place, day).to(state.dtype))
        start = self.layout.slot(torch.cat(first, dim=-1), self._start)
        end = self.layout.slot(torch.cat(last, dim=-1), self._end)
        y = advance(self.step, self.layout, start, end)
        return self.layout.state(y), self.layout.diagnostics(y)


def sun_columns(names: Sequence[str], place: Tensor, days: Tensor) -> Tensor:
    r"""Compute sun and calendar as tensors, equal to :func:`anemoi_ailand.data.sun.compute` at whole hours.

    With :math:`\gamma = 2\pi d / 365.25`, hour h (UTC), latitude :math:`\varphi`, longitude :math:`\lambda`,

    .. math:: \mu_0 = \max\bigl(0, \sin\delta \sin\varphi + \cos\delta \cos\varphi \cos(15 (h - 12) + \lambda + e)\bigr)

    where declination :math:`\delta` and equation of time e are series in the cosines and sines of :math:`k \gamma`.

    Parameters
    ----------
    names : sequence of str
        Names of :data:`anemoi_ailand.data.sun.COMPUTED`.
    place : Tensor, shape (row, 2)
        Latitude and longitude [degrees].
    days : Tensor, shape (row,)
        Days since 1 January 00 UTC of the year.

    Returns
    -------
    Tensor, shape (row, name)
        Dimensionless, in the precision of the arguments, which should be double.
    """
    latitude, longitude = (_DEGREE * place).unbind(-1)
    angle, hour = _FULL_TURN / _YEAR * days, (days - torch.floor(days)) * _DAY
    declination, equation = (_DEGREE * _series(c, angle) for c in (_DECLINATION, _EQUATION_OF_TIME))
    local = _FULL_TURN / _DAY * hour + longitude
    up = torch.sin(declination) * torch.sin(latitude)
    across = torch.cos(declination) * torch.cos(latitude)
    values = {
        "insolation": torch.relu(up - across * torch.cos(local + equation)),  # noon is half a turn from midnight
        "cos_julian_day": torch.cos(angle),
        "sin_julian_day": torch.sin(angle),
        "cos_local_time": torch.cos(local),
        "sin_local_time": torch.sin(local),
    }
    return torch.stack([values[n] for n in names], dim=-1)


def _series(coefficients: tuple[tuple[float, ...], tuple[float, ...]], angle: Tensor) -> Tensor:
    pairs = enumerate(zip(*coefficients, strict=True))
    return torch.stack([a * torch.cos(k * angle) + b * torch.sin(k * angle) for k, (a, b) in pairs]).sum(0)
