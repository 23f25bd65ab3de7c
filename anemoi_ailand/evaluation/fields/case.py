# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""One comparison, checked before anything long starts: what is compared, where and when."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import xarray as xr

from anemoi_ailand.evaluation.fields.climatology import Period, climatology_period
from anemoi_ailand.evaluation.fields.fields import Fields, span
from anemoi_ailand.evaluation.fields.matching import (
    common_times,
    common_variables,
    held_out_points,
    match_points,
    point_groups,
)

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Case:
    """One comparison, checked: what is compared where and when. Made by :func:`prepare`."""

    forecast: Fields
    reference: Fields
    variables: list[str]
    #: Index ``(point of forecast,)`` into the points of the reference.
    points: np.ndarray
    #: Times that are scored, after the initial date.
    times: np.ndarray
    #: Indices into the points of the forecast by group.
    groups: dict[str, np.ndarray]
    #: How points never trained on are known, ``None`` if they are not.
    held_out_by: str | None
    #: First and last date of the climatology, also the training period in the figures.
    period: Period

    @property
    def initial(self) -> np.datetime64:
        """Date of the initial state."""
        return self.forecast.times[0]

    def truth(self, names: list[str], points: np.ndarray | None = None) -> xr.Dataset:
        """Reference at the scored times and points of the forecast (or the ``points`` of these), and initial date."""
        wanted = self.points if points is None else self.points[points]
        data = self.reference.load(names, self.initial, self.times[-1], wanted)
        return data.sel(time=np.append(self.forecast.times[:1], self.times))

    def emulated(self, names: list[str], points: np.ndarray | None = None) -> xr.Dataset:
        """Forecast at the same times and points, and initial date."""
        return self.forecast.load(names, self.initial, self.times[-1], points)


def prepare(
    forecast: Fields,
    reference: Fields,
    training_period: tuple[object, object] | None = None,
    held_out_every: int | None = None,
    *,
    overlap: bool = False,
) -> Case:
    """Check that forecast and reference can be compared, before anything long starts.

    Arguments as in `compare`, ``overlap`` as in `climatology_period`.
    """
    variables = common_variables(forecast, reference)
    points = match_points(forecast, reference)
    times = common_times(forecast, reference)
    period = climatology_period(reference, forecast.times[0], times[-1], training_period, overlap=overlap)
    held_out, held_out_by = held_out_points(reference, held_out_every)
    groups = point_groups(len(points), None if held_out is None else held_out[points])
    LOG.info(
        "Comparing %s at %s points, %s, from %s",
        variables,
        {name: len(index) for name, index in groups.items()},
        span(times),
        span(forecast.times[:1]),
    )
    return Case(forecast, reference, variables, points, times, groups, held_out_by, period)
