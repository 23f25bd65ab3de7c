# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""One step with the arguments that another program has at hand: state, static fields, forcing at either end."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anemoi_ailand.data.sun import COMPUTED
from anemoi_ailand.rollout.step.physical_step import PhysicalStep
from anemoi_ailand.variables import END, START, Time, taken_at, variable

#: Names of the outputs, in order.
OUTPUTS = ("new_state", "diagnostics")

#: Input that stands for sun and calendar, where these are computed inside, and its columns: degrees, and days since
#: 1 January 00 UTC of its own year at t and t + 6 h.
PLACE_TIME = "place_time"
PLACE_TIME_COLUMNS = ("latitude", "longitude", "day_start", "day_end")

_YEAR, _DAY = 365.25, 24.0
_FULL_TURN, _DEGREE = 2.0 * math.pi, math.pi / 180.0

#: Declination and equation of time by the cosine and sine of 0, 1, 2, 3 times the day's angle [degrees].
#: Hogan and Hirahara (2015), as in earthkit-data, utils/meteo.py.
_DECLINATION = ((0.396372, -22.91327, -0.387205, -0.154527), (0.0, 4.025430, 0.051967, 0.084798))
_EQUATION_OF_TIME = ((0.004297, 0.107029, -0.837378, 0.0), (0.0, -1.837877, -2.340475, 0.0))


class HostStep(nn.Module):
    r"""The step of :class:`~anemoi_ailand.rollout.step.physical_step.PhysicalStep` for a host that knows no checkpoint.

    A host keeps the state, has static fields once, and forcing at both ends of the step; only what is read is asked
    for. The new state has the columns of the state, so that it goes in again as it is.

    Parameters
    ----------
    step : PhysicalStep
        The step, in the precision that is wanted.
    sun_inside : bool
        Compute sun and calendar from place and time (:func:`sun_columns`), instead of asking for them as forcing.

    Attributes
    ----------
    columns : dict of tuple of str by name
        Columns of ``state``, ``static``, ``forcing_start``, ``forcing_end``, and with sun inside of ``place_time``.
    results : dict of tuple of str by name
        Columns of :data:`OUTPUTS`.

    Shapes: each (row, column), in the units of the table of variables; ``place_time`` (row, 4) is double precision:
    latitude and longitude [degrees], and the days since 1 January 00 UTC of its own year at t and at t + 6 h.
    """

    _from_start: Tensor
    _from_end: Tensor
    _state: Tensor
    _diagnostics: Tensor

    def __init__(self, step: PhysicalStep, *, sun_inside: bool = True) -> None:
        super().__init__()
        self.step = step
        forcing = [n for n in step.inputs if n not in step.prognostic and variable(n).time is not Time.CONSTANT]
        self.sun = tuple(n for n in COMPUTED if n in forcing) if sun_inside else ()
        given = [n for n in forcing if n not in self.sun]
        self.columns: dict[str, tuple[str, ...]] = {
            "state": step.prognostic,
            "static": tuple(n for n in step.inputs if variable(n).time is Time.CONSTANT),
            "forcing_start": tuple(taken_at(START, given)),
            "forcing_end": tuple(taken_at(END, given)),
        }
        self._places()
        if self.sun:
            self.columns[PLACE_TIME] = PLACE_TIME_COLUMNS
        diagnostic = tuple(n for n in step.outputs if n not in step.prognostic)
        self.results = dict(zip(OUTPUTS, (step.prognostic, diagnostic), strict=True))
        for name, names in (("_state", step.prognostic), ("_diagnostics", diagnostic)):
            self.register_buffer(name, torch.tensor([step.outputs.index(n) for n in names], dtype=torch.long))

    def _places(self) -> None:
        """Where the model's inputs at both ends are in all columns side by side, sun at start and end last."""
        c = self.columns
        fixed = [*c["state"], *c["static"]]
        stored = [*fixed, *c["forcing_start"], *c["forcing_end"], *self.sun, *self.sun]
        of_end, of_sun = len(fixed) + len(c["forcing_start"]), len(stored) - 2 * len(self.sun)
        start = {n: i for i, n in enumerate(stored[:of_end])} | {n: of_sun + i for i, n in enumerate(self.sun)}
        end = {n: of_end + i for i, n in enumerate(c["forcing_end"])}
        end |= {n: of_sun + len(self.sun) + i for i, n in enumerate(self.sun)}
        # what the model does not read at an end is filled from the other one
        for name, there, other in (("_from_start", start, end), ("_from_end", end, start)):
            index = [there[n] if n in there else other[n] for n in self.step.inputs]
            self.register_buffer(name, torch.tensor(index, dtype=torch.long))

    def forward(
        self,
        state: Tensor,
        static: Tensor,
        forcing_start: Tensor,
        forcing_end: Tensor,
        place_time: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """State and diagnostics at t + 6 h; see the class for shapes."""
        parts = [state, static, forcing_start, forcing_end]
        if self.sun:
            if place_time is None:
                raise ValueError(f"Sun and calendar are computed inside, from `{PLACE_TIME}`, which is not given.")
            place, days = place_time[..., :2], place_time[..., 2:].unbind(-1)
            parts += [sun_columns(self.sun, place, d).to(state.dtype) for d in days]
        fields = torch.cat(parts, dim=-1)
        y = self.step(fields[..., self._from_start], fields[..., self._from_end])
        return y[..., self._state], y[..., self._diagnostics]


def sun_columns(names: Sequence[str], place: Tensor, days: Tensor) -> Tensor:
    r"""Sun and calendar as tensors; the values are those of :func:`anemoi_ailand.data.sun.compute` at whole hours.

    With :math:`\gamma = 2\pi d / 365.25`, hour h (UTC), latitude :math:`\varphi`, longitude :math:`\lambda`,

    .. math:: \mu_0 = \max\bigl(0, \sin\delta \sin\varphi + \cos\delta \cos\varphi \cos(15 (h - 12) + \lambda + e)\bigr)

    where declination :math:`\delta` and equation of time e are series in the cosines and sines of :math:`k \gamma`.

    Parameters
    ----------
    names : sequence of str
        Of :data:`anemoi_ailand.data.sun.COMPUTED`.
    place : Tensor, shape (row, 2)
        Latitude and longitude [degrees].
    days : Tensor, shape (row,)
        Days since 1 January 00 UTC of the year.

    Returns shape (row, name), no unit, in the precision of the arguments: double is meant.
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
