# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Parts of the page on data assimilation: forecasts from the analysis, recovery from biased soil, a year of cycles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.constants import STEP_SECONDS
from anemoi_ailand.rollout.step.pretrained import DEFAULT
from tools.results.pages import Blocks, paragraph, table
from tools.results.steps import Inputs, checksum_of
from tools.results.twin import (
    SOIL,
    STEPS_A_DAY,
    Twin,
    climatological,
    daily_growth,
    ensemble_run,
    extended_run,
    forecast_errors,
    root_zone,
    root_zone_error,
    single_run,
)
from tools.results.twin_experiments import (
    CARRIED,
    EXTENDED,
    PAGE,
    SINGLE,
    SYSTEMS,
    TRANSFORM,
    held_out_twin,
    twin_result,
)

PART = "assimilation-cycles"

#: Day after which the forecasts begin, and their length.
FORECAST_FROM, FORECAST_DAYS = 20, 10

#: Bias of the soil at the start, in standard deviations of neighbouring days of other years, by title.
BIASES = {"dry": -2.0, "wet": 2.0}

#: Days whose errors are tabulated, and observations of soil water by the first from which a column counts as seen.
RECOVERY_DAYS, OFTEN = (15, 30), 8

#: Length of the year of cycles, and days at its end that are compared with as many after the first month.
YEAR_DAYS, QUARTER, MONTH = 360, 90, 30

#: Observations of soil water in a year from which a column counts as seen.
OFTEN_A_YEAR = 120


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Make the experiments and return their blocks of the page."""
    assert inputs.reference is not None
    reference, found = inputs.reference, {}
    tables = {"forecasts": (forecasts, forecasts_table), "recovery": (recovery, recovery_table),
              "year": (year_of_cycles, year_table)}  # fmt: skip
    for name, (make, tabulate) in tables.items():
        found[f"assimilation-{name}"] = tabulate(twin_result(inputs.folder, name, reference, make))
    origin = f"By `make results ONLY={PART}`, with `{DEFAULT}` (SHA-256 `{checksum_of(DEFAULT)[:12]}`)."
    found["assimilation-year"] += f"\n\n{paragraph(origin)}"
    return {PAGE: found}


def forecasts(dataset: Path) -> dict[str, list[list[float]]]:
    """Return the errors of `2t` and `2d` (row, name) in forecasts from the soil of each experiment, and from ecLand's.

    Only columns whose soil is seen at all before the forecast are kept.
    """
    return forecasts_of(held_out_twin(dataset), FORECAST_FROM, FORECAST_DAYS)


def forecasts_of(twin: Twin, first: int, days: int) -> dict[str, list[list[float]]]:
    """Make the forecasts of a twin; see :func:`forecasts`."""
    b = climatological(twin, twin.settings.background)
    soils = {SINGLE: single_run(twin).soil[first - 1]}
    for title, names in SYSTEMS.items():
        soils[f"{EXTENDED} {title}"] = extended_run(twin, names, b).soil[first - 1]
        soils[f"{TRANSFORM} {title}"] = ensemble_run(twin, names).soil[first - 1]
    soils["soil of ecLand"] = twin.true_soil[first - 1]
    seen = _observations(twin, first) > 0
    return {title: forecast_errors(twin, soil, first - 1, days)[seen].tolist() for title, soil in soils.items()}


def forecasts_table(found: Mapping[str, Any]) -> str:
    """Tabulate the RMSE of forecasts, the part of the possible gain, and the share of columns that gain."""
    errors = {title: np.array(values) for title, values in found.items()}
    free, best = errors[SINGLE], list(errors.values())[-1]
    rows = [["soil water of", *(f"`{n}` {what}" for n in ("2t", "2d") for what in ("RMSE [K]", "gain", "better"))]]
    rms = {title: np.sqrt((e**2).mean(0)) for title, e in errors.items()}
    possible = rms[SINGLE] - np.sqrt((best**2).mean(0))
    for title, e in errors.items():
        cells = []
        for k in range(2):
            gain = f"{(rms[SINGLE][k] - rms[title][k]) / possible[k]:.2f}"
            better = f"{100.0 * (e[:, k] < free[:, k]).mean():.0f} %"
            cells += [f"{rms[title][k]:.3f}", *(("-", "-") if title == SINGLE else (gain, better))]
        rows.append([title, *cells])
    return table(rows)


def recovery(dataset: Path) -> dict[str, dict[str, list[float]]]:
    """Return the root-zone RMSE at the start and after :data:`RECOVERY_DAYS`, by bias and experiment."""
    twin = held_out_twin(dataset)
    return {title: recovery_of(twin, bias, RECOVERY_DAYS, OFTEN) for title, bias in BIASES.items()}


def recovery_of(twin: Twin, bias: float, days: tuple[int, ...], often: int) -> dict[str, list[float]]:
    """Make the runs of a twin from ecLand's soil water plus ``bias`` standard deviations; see :func:`recovery`."""
    columns = [twin.layout.prognostic.index(n) for n in SOIL]
    true = twin.truth[0][:, twin.columns(SOIL)]
    before, soil = twin.background, twin.limited(true + bias * twin.anomalies.std(-1))
    twin.background = before.index_copy(1, torch.tensor(columns), soil)
    try:
        b = climatological(twin, twin.settings.background)
        runs = {SINGLE: single_run(twin), EXTENDED: extended_run(twin, ("swvl1",), b),
                "ensemble": ensemble_run(twin, ()), TRANSFORM: ensemble_run(twin, ("swvl1",))}  # fmt: skip
    finally:
        twin.background = before
    seen = _observations(twin, days[0]) >= often
    start = root_zone(soil - true)
    return {title: [_rms(start[seen]), *(_rms(root_zone_error(twin, run)[d - 1][seen]) for d in days)]
            for title, run in runs.items()}  # fmt: skip


def recovery_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Tabulate the RMSE of the root zone with time, and its ratio to that of the start."""
    rows = [["start", "experiment", "RMSE, start", *(f"day {d}" for d in RECOVERY_DAYS)]]
    for bias, runs in found.items():
        for title, (start, *later) in runs.items():
            rows.append([bias, title, f"{start:.4f}", *(f"{e:.4f} ({e / start:.2f})" for e in later)])
    return table(rows)


def year_of_cycles(dataset: Path) -> dict[str, list[float]]:
    """Return for each experiment the RMSE of seen columns early and late in a year, the water added, and rain."""
    return year_of(held_out_twin(dataset, starts=("01-02",), days=YEAR_DAYS), OFTEN_A_YEAR)


def year_of(twin: Twin, often: int) -> dict[str, list[float]]:
    """Make the cycles of a twin; see :func:`year_of_cycles`."""
    b, seen = climatological(twin, twin.settings.background), _observations(twin, twin.days) >= often
    first, growth = climatological(twin, twin.settings.first), daily_growth(twin, twin.settings.growth)
    runs = {SINGLE: single_run(twin)}
    for title, names in SYSTEMS.items():
        runs[f"{EXTENDED} {title}"] = extended_run(twin, names, b)
        runs[f"{CARRIED} {title}"] = extended_run(twin, names, first, growth)
    rain = STEP_SECONDS * twin.truth[1:, :, twin.columns(("avg_tprate",))[0]].sum(0)[seen]
    quarter, month = min(QUARTER, twin.days // 2), min(MONTH, twin.days // 4)
    found = {}
    for title, run in runs.items():
        error = root_zone_error(twin, run)[:, seen]
        early, late = error[month : month + quarter], error[-quarter:]
        found[title] = [_rms(early), _rms(late), float(run.added[seen].mean()), float(rain.mean()), int(seen.sum())]
    return found


def year_table(found: Mapping[str, Any]) -> str:
    """Tabulate the errors early and late in the year, their ratio to the run without analyses, and the water added."""
    heads = ["RMSE, days 31 to 120", "ratio", "RMSE, last 90 days", "ratio", "water added [mm]", "of precipitation"]
    rows, free = [["observed", *heads]], next(iter(found.values()))
    for title, (early, late, added, rain, _) in found.items():
        water = ["-", "-"] if title == SINGLE else [f"{added:+.1f}", f"{100.0 * added / rain:+.2f} %"]
        cells = [f"{early:.4f}", f"{early / free[0]:.2f}", f"{late:.4f}", f"{late / free[1]:.2f}"]
        rows.append([title, *cells, *water])
    return table(rows)


def _observations(twin: Twin, days: int) -> Tensor:
    """Count the observations of soil water of the first days, (row,)."""
    return twin.observed["swvl1"][: days * STEPS_A_DAY + 1].isfinite().sum(0)


def _rms(error: Tensor) -> float:
    return float(error.square().mean().sqrt())
