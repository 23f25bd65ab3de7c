# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""One long run as fields (time, point), paired with the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.evaluation.fields.climatology import Period
from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.fields.matching import (
    common_times,
    common_variables,
    held_out_points,
    match_points,
    point_groups,
)
from anemoi_ailand.evaluation.fields.reforecast import Reforecast


@dataclass(frozen=True)
class ComparedRun:
    """A run paired with the reference; made by :func:`compared_run`."""

    forecast: Fields
    reference: Fields
    variables: list[str]
    #: Index ``(point of forecast,)`` into the points of the reference.
    points: np.ndarray
    #: Common times after the initial date.
    times: np.ndarray
    #: Indices into the points of the forecast by group.
    groups: dict[str, np.ndarray]
    #: First and last date of the climatology.
    period: Period


def compared_run(forecast: Fields, reference: Fields, period: Period) -> ComparedRun:
    """Match a run with the reference: variables, units, points and times."""
    points = match_points(forecast, reference)
    held_out = held_out_points(reference)
    groups = point_groups(len(points), None if held_out is None else held_out[points])
    variables, times = common_variables(forecast, reference), common_times(forecast, reference)
    return ComparedRun(forecast, reference, variables, points, times, groups, period)


def run_of(forecast: Reforecast, reference: Fields) -> Fields:
    """Return the run from the first start, with the initial state of the reference as the first record.

    Raises
    ------
    ValueError
        Lead times have a gap, as in protocol A; points or units do not match.
    """
    gaps = np.flatnonzero(np.diff(np.append(0, forecast.leads)) != STEP_HOURS)
    if gaps.size:
        raise ValueError(
            f"The lead times of '{forecast.path}' have a gap before {forecast.leads[gaps[0]]} h. A run over years "
            "needs all of them: give a re-forecast with every lead time, as protocol B writes it."
        )
    run = forecast.select(starts=slice(0, 1))
    points = match_points(run, reference)
    start = int(np.searchsorted(reference.times, run.starts[0]))

    def read(names: Sequence[str], first: int, last: int) -> np.ndarray:
        parts = []
        if first == 0:
            parts.append(reference.reader(names, start, start + 1)[..., points])
        if last > 1:
            leads = run.select(leads=slice(max(first, 1) - 1, last - 1))
            parts.append(np.stack([leads.read(name)[0] for name in names], axis=1))
        return np.concatenate(parts)

    return Fields(
        path=forecast.path,
        times=np.append(run.starts, run.valid_times[0]),
        latitude=run.latitude,
        longitude=run.longitude,
        units={name: unit for name, unit in run.units.items() if name in reference.units},
        reader=read,
        attributes=run.attributes,
    )
