# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""One long run of a re-forecast as fields (time, point), as budgets, snow seasons, stations and maps take them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.fields.matching import match_points
from anemoi_ailand.evaluation.fields.reforecast import Reforecast


def run_of(forecast: Reforecast, reference: Fields) -> Fields:
    """The run from the first start, with the initial state of the reference as its first record.

    Parameters
    ----------
    forecast : Reforecast
        Its first start is taken; lead times must follow each other without a gap.
    reference : Fields
        The dataset from whose state the run began.

    Raises
    ------
    ValueError
        Lead times have a gap, as those of protocol A do; points or units do not match.
    """
    gaps = np.flatnonzero(np.diff(np.append(0, forecast.leads)) != STEP_HOURS)
    if gaps.size:
        raise ValueError(
            f"The lead times of '{forecast.path}' have a gap before {forecast.leads[gaps[0]]} h. A run over years "
            "needs all of them: give a re-forecast with every lead time, as protocol B makes it."
        )
    run = forecast.select(starts=slice(0, 1))
    points = match_points(run.header, reference)
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
