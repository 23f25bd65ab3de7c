# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Repeat the points of a dataset, for measurements on grids of any size."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from anemoi_ailand.constants import STEP_HOURS

LOG = logging.getLogger(__name__)

#: Variables that mark single points, and mean nothing when points are repeated.
MARKS = ("held_out", "point_id")

#: Largest number of days by which a repeated point is later than the original. Equal values would be compressed to
#: nothing, and read in no time.
LATEST = 30


def repeat_points(source: Path, target: Path, n_points: int, n_dates: int) -> None:
    """Write a dataset with the first dates of another one and its points repeated at different places.

    The result is for timing only. As far as the dates of ``source`` suffice, each point has the fields of another day,
    at random. Chunks hold one date, all variables and all points, as anemoi-datasets makes them. Statistics are those
    of ``source``; no point is held out.

    Raises
    ------
    ValueError
        ``source`` has fewer dates.
    """
    old = zarr.open(str(source), mode="r")
    if n_dates > old["data"].shape[0]:
        raise ValueError(f"'{source}' has {old['data'].shape[0]} dates, fewer than {n_dates}. Ask for fewer.")
    new = zarr.open(str(target), mode="w")
    data = old["data"]
    rng, day = np.random.default_rng(0), 24 // STEP_HOURS
    point = np.arange(n_points) % data.shape[3]
    later = day * rng.integers(min(1 + LATEST, 1 + (data.shape[0] - n_dates) // day), size=n_points)
    known = data[: n_dates + later.max(), :, 0]
    shape = (n_dates, *data.shape[1:3], n_points)
    out = new.create_dataset("data", shape=shape, chunks=(1, *shape[1:]), dtype="f4", compressor=data.compressor)
    marks = [i for i, name in enumerate(old.attrs["variables"]) if name in MARKS]
    for date in range(n_dates):
        fields = known[date + later, :, point].T
        fields[marks] = 0.0
        out[date] = fields[:, None]
    new["latitudes"] = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, n_points)))
    new["longitudes"] = rng.uniform(0.0, 360.0, n_points)
    dates = old["dates"][:n_dates]
    new["dates"] = dates
    for name in old:
        if name not in new:
            new[name] = old[name][:]
    new.attrs.update(_attributes(dict(old.attrs), shape, dates))
    for name in new:
        new[name].attrs.update(dict(old[name].attrs))
    LOG.info("'%s': %d points, %d dates", target, n_points, n_dates)


def _attributes(attributes: dict[str, Any], shape: tuple[int, ...], dates: Any) -> dict[str, Any]:
    last = str(dates[-1].astype("datetime64[s]"))
    return attributes | {
        "shape": list(shape), "chunks": [1, *shape[1:]], "field_shape": [shape[-1]], "end_date": last,
        "last_date": last.replace("T", " "),
    }  # fmt: skip
