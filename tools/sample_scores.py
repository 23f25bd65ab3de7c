# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Scores of a checkpoint on the packaged sample, with bootstrap intervals.

A small protocol A: 30 days from the first of each month of 2022, which is in no training period, at all 44 points.
RMSE over the four stamps of the last day, at the 11 held-out points and at the 33 others.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from anemoi.inference.config.run import RunConfiguration
from anemoi.inference.runners import create_runner

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.evaluation.scores.bootstrap import resamples, rmse_interval
from anemoi_ailand.support.packaged import find, folder
from anemoi_ailand.variables import VARIABLES

STARTS = tuple(datetime(2022, month, 1) for month in range(1, 13))
LEAD_DAYS = 30
HELD_OUT_EVERY = 5  #: a point is held out if its point_id is divisible by this
SEED = 1  #: of the bootstrap

#: Lead times of the stamps of the last day [h].
LAST_DAY = np.arange(24 * LEAD_DAYS - 24 + STEP_HOURS, 24 * LEAD_DAYS + 1, STEP_HOURS)


def roll_out(checkpoint: str | Path, start: datetime, output: Path) -> Path:
    """Run from one date as ``anemoi-inference run`` does, with the packaged configuration and sample."""
    options = [
        f"checkpoint={checkpoint}", f"date={start:%Y-%m-%dT%H}", f"lead_time={LEAD_DAYS}d", "device=cpu",
        f"output.land-netcdf.path={output}",
    ]  # fmt: skip
    create_runner(RunConfiguration.load(str(find("configs", "inference/rollout-files")), options)).execute()
    return output


def squares(forecast: Path, start: datetime) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Sum the squared errors of the last day for each variable, shape (point,), and return the held-out mask."""
    truth = open_reader(str(folder("sample")))
    dates = [start + timedelta(hours=int(hours)) for hours in LAST_DAY]
    out = {}
    with netCDF4.Dataset(forecast) as run:
        names = [n for n, row in VARIABLES.items() if row.netcdf_name in run.variables and n in truth.variables]
        at = LAST_DAY // STEP_HOURS  # the first record is the initial state
        for name, expected in zip(names, truth.read(names, dates), strict=True):
            values = np.asarray(run[VARIABLES[name].netcdf_name][at], dtype=np.float64)
            out[name] = ((values - expected) ** 2).sum(axis=0)
        same = np.allclose(run["latitude"][:], truth.latitudes, atol=1e-3)
    if not same:
        raise ValueError(f"'{forecast}' is not on the points of the sample.")
    assert truth.point_id is not None
    return out, np.asarray(truth.point_id) % HELD_OUT_EVERY == 0


def score(forecasts: list[Path]) -> dict[str, dict[str, dict[str, float]]]:
    """Return RMSE with 95 % interval by group and variable, from one forecast per start in :data:`STARTS`."""
    parts = [squares(path, start) for path, start in zip(forecasts, STARTS, strict=True)]
    held_out = parts[0][1]
    out: dict[str, dict[str, dict[str, float]]] = {}
    for group, members in {"held_out": held_out, "trained": ~held_out}.items():
        draws = resamples(len(STARTS), int(members.sum()), seed=SEED)
        counts = np.full(len(STARTS), float(len(LAST_DAY))), np.ones(int(members.sum()))
        out[group] = {
            name: dict(zip(("rmse", "low", "high"), rmse_interval(per_start[:, members], counts, draws), strict=True))
            for name in parts[0][0]
            for per_start in [np.stack([part[0][name] for part in parts])]
        }
    return out


def sample_scores(checkpoint: str | Path, work: Path) -> dict[str, Any]:
    """Roll out from all starts into the folder ``work``, and score."""
    forecasts = [roll_out(checkpoint, start, work / f"{start:%Y%m%d}.nc") for start in STARTS]
    return {"starts": [f"{start:%Y-%m-%d}" for start in STARTS], "lead_days": LEAD_DAYS, "scores": score(forecasts)}
