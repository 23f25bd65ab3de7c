# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Parts of the page on data assimilation: forecasts, biased soil, biased observations, a year of cycles."""

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
from tools.results.twin_bias import bias_of, bias_table
from tools.results.twin_experiments import (
    ALL,
    CARRIED,
    EXTENDED,
    PAGE,
    SINGLE,
    SYSTEMS,
    TRANSFORM,
    YEAR,
    held_out_twin,
    twin_result,
)
from tools.results.twin_experiments import OFTEN as SEEN_OFTEN

PART = "assimilation-cycles"

#: Day after which the forecasts begin, and their length.
FORECAST_FROM, FORECAST_DAYS = 20, 10

#: Columns whose forecasts depend on soil water most: wetness of the root zone below this (0 at the wilting point, 1 at
#: field capacity), and short-wave radiation of the forecast above this [W m-2].
LIMITED_WETNESS, LIMITED_SUN = 2 / 3, 150.0

#: Experiment whose gain is divided by regime, and that from the soil of ecLand.
BEST, TRUE = f"{TRANSFORM} {ALL}", "soil of ecLand"

#: Recovery with the bias in the root zone only.
ABOVE = f"{EXTENDED}, fourth layer of ecLand"

#: Bias of the soil at the start, in standard deviations of neighbouring days of other years, by title.
BIASES = {"dry": -2.0, "wet": 2.0}

#: Days whose errors are tabulated, and observations of soil water by the first from which a column counts as seen.
RECOVERY_DAYS, OFTEN = (15, 30), 8

#: Observations before those of the experiment, by which biased ones are corrected: first date, and end.
BEFORE = ("2018-01-01", f"{YEAR}-01-01")

#: Length of the year of cycles, and days at its end that are compared with as many after the first month.
YEAR_DAYS, QUARTER, MONTH = 360, 90, 30

#: Observations of soil water in a year from which a column counts as seen.
OFTEN_A_YEAR = 120


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Make the experiments and return their blocks of the page."""
    assert inputs.reference is not None
    reference, found = inputs.reference, {}
    tables = {"forecasts": (forecasts, {"forecasts": forecasts_table, "regimes": regimes_table}),
              "recovery": (recovery, {"recovery": recovery_table}),
              "bias": (bias, {"bias": lambda content: table(bias_table(content))}),
              "year": (year_of_cycles, {"year": year_table})}  # fmt: skip
    for name, (make, shown) in tables.items():
        content = twin_result(inputs.folder, name, reference, make)
        found |= {f"assimilation-{block}": tabulate(content) for block, tabulate in shown.items()}
    origin = f"By `make results ONLY={PART}`, with `{DEFAULT}` (SHA-256 `{checksum_of(DEFAULT)[:12]}`)."
    found["assimilation-year"] += f"\n\n{paragraph(origin)}"
    return {PAGE: found}


def forecasts(dataset: Path) -> dict[str, Any]:
    """Return what forecasts from the soil of each experiment and from that of ecLand err by.

    ``errors`` has those of `2t` and `2d` (row, name) and ``soil`` those of the root zone (row,), by experiment;
    ``limited`` (row,) is whether evaporation depends on soil water. Only columns whose soil is seen at all before the
    forecast are kept.
    """
    return forecasts_of(held_out_twin(dataset), FORECAST_FROM, FORECAST_DAYS)


def forecasts_of(twin: Twin, first: int, days: int) -> dict[str, Any]:
    """Make the forecasts of a twin; see :func:`forecasts`."""
    b = climatological(twin, twin.settings.background)
    soils = {SINGLE: single_run(twin).soil[first - 1]}
    for title, names in SYSTEMS.items():
        soils[f"{EXTENDED} {title}"] = extended_run(twin, names, b).soil[first - 1]
        soils[f"{TRANSFORM} {title}"] = ensemble_run(twin, names).soil[first - 1]
    soils[TRUE] = twin.true_soil[first - 1]
    seen = _observations(twin, first) > 0
    return {
        "errors": {title: forecast_errors(twin, s, first - 1, days)[seen].tolist() for title, s in soils.items()},
        "soil": {title: root_zone(s - soils[TRUE])[seen].tolist() for title, s in soils.items()},
        "limited": _limited(twin, first, days)[seen].tolist(),
    }


def _limited(twin: Twin, first: int, days: int) -> Tensor:
    """Return whether evaporation in a forecast depends on soil water, (row,)."""
    time = first * STEPS_A_DAY
    dry, wet = (twin.truth[time][:, twin.columns((n,))[0]] for n in ("theta_pwp", "theta_cap"))
    sun = twin.truth[time + 1 : time + days * STEPS_A_DAY + 1, :, twin.columns(("avg_sdswrf",))[0]].mean(0)
    wetness = (root_zone(twin.true_soil[first - 1]) - dry) / (wet - dry)
    return (wetness < LIMITED_WETNESS) & (sun > LIMITED_SUN)


def forecasts_table(found: Mapping[str, Any]) -> str:
    """Tabulate the RMSE of forecasts, the part of the possible gain, and the share of columns that gain."""
    errors = {title: np.array(values) for title, values in found["errors"].items()}
    free, best = errors[SINGLE], errors[TRUE]
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


def regimes_table(found: Mapping[str, Any]) -> str:
    """Tabulate the possible gain and the part of it that the best experiment has, by regime, with the root zone."""
    limited, rows = np.array(found["limited"]), [["columns", "number"]]
    rows[0] += [f"`{n}` {what}" for n in ("2t", "2d") for what in ("possible gain", "gain")]
    rows[0] += [f"root zone, {title} [m3 m-3]" for title in (SINGLE, BEST)]
    squares = {title: np.array(values) ** 2 for title, values in found["errors"].items()}
    whole = (squares[SINGLE] - squares[TRUE]).sum(0)
    for title, here in (("water limited", limited), ("others", ~limited)):
        free, best, true = (np.sqrt(squares[t][here].mean(0)) for t in (SINGLE, BEST, TRUE))
        share = (squares[SINGLE] - squares[TRUE])[here].sum(0) / whole
        cells = [text for k in range(2) for text in
                 (f"{100.0 * share[k]:.0f} %", f"{(free[k] - best[k]) / (free[k] - true[k]):.2f}")]  # fmt: skip
        soil = [np.sqrt((np.array(found["soil"][t])[here] ** 2).mean()) for t in (SINGLE, BEST)]
        rows.append([title, f"{here.sum()}", *cells, *(f"{e:.4f}" for e in soil)])
    return table(rows)


def recovery(dataset: Path) -> dict[str, dict[str, list[float]]]:
    """Return the root-zone RMSE at the start and after :data:`RECOVERY_DAYS`, by bias and experiment."""
    twin = held_out_twin(dataset)
    return {title: recovery_of(twin, bias, RECOVERY_DAYS, OFTEN) for title, bias in BIASES.items()}


def recovery_of(twin: Twin, bias: float, days: tuple[int, ...], often: int) -> dict[str, list[float]]:
    """Make the runs of a twin from ecLand's soil water plus ``bias`` standard deviations; see :func:`recovery`."""
    columns = torch.tensor([twin.layout.prognostic.index(n) for n in SOIL])
    true = twin.truth[0][:, twin.columns(SOIL)]
    before, soil = twin.background, twin.limited(true + bias * twin.anomalies.std(-1))
    b = climatological(twin, twin.settings.background)
    try:
        twin.background = before.index_copy(1, columns, torch.cat([soil[:, :-1], true[:, -1:]], 1))
        above = extended_run(twin, ("swvl1",), b)
        twin.background = before.index_copy(1, columns, soil)
        runs = {SINGLE: single_run(twin), EXTENDED: extended_run(twin, ("swvl1",), b), ABOVE: above,
                "ensemble": ensemble_run(twin, ()), TRANSFORM: ensemble_run(twin, ("swvl1",))}  # fmt: skip
    finally:
        twin.background = before
    seen = _observations(twin, days[0]) >= often
    start = root_zone(soil - true)
    return {title: [_rms(start[seen]), *(_rms(root_zone_error(twin, run)[d - 1][seen]) for d in days)]
            for title, run in runs.items()}  # fmt: skip


def bias(dataset: Path) -> dict[str, list[float]]:
    """Return the root-zone RMSE with biased observations, corrected by the years before; see :func:`bias_of`."""
    return bias_of(held_out_twin(dataset), BEFORE, SEEN_OFTEN)


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
