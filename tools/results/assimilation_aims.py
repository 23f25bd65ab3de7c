# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Table of aims for data assimilation: bar, measured value, met or not.

All numbers but the costs come from results that other parts keep: run this part after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from anemoi_ailand.rollout.step.pretrained import DEFAULT
from tools.results import assimilation, assimilation_cycles, assimilation_windows
from tools.results.derivatives import LEADS, agreements, kept_differences
from tools.results.pages import Blocks, paragraph, table
from tools.results.snow_aims import verdict
from tools.results.steps import Inputs, checksum_of
from tools.results.twin import SOIL, Settings
from tools.results.twin_experiments import (
    ALL,
    CARRIED,
    EXTENDED,
    OPEN,
    PAGE,
    SINGLE,
    SYSTEMS,
    TRANSFORM,
    held_out_twin,
    twin_result,
)

PART = "assimilation-aims"

#: Observing system of soil water alone.
WATER = next(iter(SYSTEMS))

#: Measured apart, with the network of this checksum, on one core of an AMD EPYC, float32, processor time: the Jacobian
#: of 4 outputs by 4 controls over 6 h for 171,039 points on two cores by finite differences of the plain step, and by
#: adjoint [s]; a day's analysis (docs/guide/assimilation.md) [s]; the adjoint of 18 h relative to the differentiable
#: forward run, with all inner values, and with recomputation.
COST_SHA, JACOBIAN, DAY, ADJOINT = "d44efcb3c738", (16.0, 28.8), 35.0, (2.4, 5.4)


@dataclass(frozen=True)
class Aim:
    """Row of the table; each value should be within its bounds (low, high)."""

    title: str
    bar: str
    values: tuple[float, ...]
    bounds: tuple[tuple[float, float], ...]
    form: str = ".2f"

    def row(self) -> list[str]:
        """Return the cells, with the verdict on all values."""
        text = " / ".join(format(v, self.form) for v in self.values)
        return [self.title, self.bar, text, verdict(self.met())]

    def met(self) -> list[bool]:
        """Return whether each value is within its bounds."""
        return [low <= v <= high for v, (low, high) in zip(self.values, self.bounds, strict=True)]


def upper(title: str, bars: Iterable[float], values: Iterable[float], form: str = ".2f") -> Aim:
    """Return an aim with values that should not exceed their bars."""
    bars = tuple(bars)
    return Aim(title, " / ".join(f"{b:g}" for b in bars), tuple(values), tuple((-np.inf, b) for b in bars), form)


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Collect the numbers from kept results and return the block of the page."""
    assert inputs.reference is not None
    assert inputs.differences is not None
    made: dict[str, Any] = {
        "ways": lambda path: assimilation.ways(held_out_twin(path, every=assimilation.EVERY)),
        "windows": assimilation_windows.windows, "snow": assimilation_windows.snow,
        "forecasts": assimilation_cycles.forecasts, "recovery": assimilation_cycles.recovery,
        "bias": assimilation_cycles.bias, "year": assimilation_cycles.year_of_cycles,
    }  # fmt: skip
    kept = {name: twin_result(inputs.folder, name, inputs.reference, make) for name, make in made.items()}
    with xr.open_dataset(inputs.differences) as file:
        theirs = file.load()
    ours = kept_differences(inputs, DEFAULT, theirs)
    sizes = [agreements(ours, theirs, "2t", lead)[-1].size for lead in LEADS]
    aims = [*filter_aims(assimilation.experiments(inputs)), *kept_aims(kept), *cost_aims(sizes)]
    rows = [["aim", "bar", "measured", "met"], *(aim.row() for aim in aims)]
    return {PAGE: {PART: f"{table(rows)}\n\n{origin(aims)}"}}


def origin(aims: list[Aim]) -> str:
    """Return the paragraph on what is met, network and command."""
    all_met = sum(all(aim.met()) for aim in aims)
    return paragraph(
        f"{all_met} of {len(aims)} rows are met in full, with `{DEFAULT}` (SHA-256 `{checksum_of(DEFAULT)[:12]}`; "
        f"`make results ONLY={PART}`, from the results of the other parts). Costs are those of `{COST_SHA}` on one "
        "core of an AMD EPYC, halved for two."
    )


def filter_aims(data: xr.Dataset) -> list[Aim]:
    """Return the aims of the experiments over 30 days."""
    whole, seen = (assimilation.last_errors(data, seen=s) for s in (False, True))
    filters = (TRANSFORM, EXTENDED)
    found = [
        upper(f"root zone after 30 days, {WATER}: ETKF / SEKF, of the open loop; {title}", (0.7, 0.75),
              [assimilation.ratio(errors, f"{f} {WATER}", OPEN)[0] for f in filters])
        for title, errors in (("all columns", whole), ("columns seen", seen))
    ]  # fmt: skip
    both = [assimilation.ratio(whole, f"{f} {ALL}", f"{f} {WATER}")[0] for f in filters]
    found.append(upper("`2t` and `2d` added: ETKF / SEKF, of the error with `swvl1` alone", (1.0, 1.0), both, ".3f"))
    of = f"{TRANSFORM} {ALL}"
    members = Settings().members
    error, spread = (assimilation.rms(data[n].sel(experiment=of)) for n in ("layer_error", "spread"))
    ratios = (spread / error * np.sqrt((members + 1) / members)).sel(layer=[*SOIL]).values
    bounds = ((0.7, 1.3),) * len(SOIL)
    found.append(Aim("spread over error, ETKF, `swvl1` to `swvl4`", "0.7 to 1.3", tuple(map(float, ratios)), bounds))
    return found


def kept_aims(kept: Mapping[str, Any]) -> list[Aim]:
    """Return the aims of the other experiments from their kept results."""
    ways, windows, snow, year = (kept[n] for n in ("ways", "windows", "snow", "year"))
    day, long = (windows[t]["all"] / windows["SEKF, 24 h"]["all"] for t in ("4D-Var, 24 h", "4D-Var, 10 days, rain"))
    free, depth = snow.values()
    snowy = [depth[n] / free[n] for n in ("accumulation", "melt-out", "false", "missing")]
    recovery = {f: [runs[f][1] / runs[f][0] for runs in kept["recovery"].values()] for f in (TRANSFORM, EXTENDED)}
    carried = year[f"{CARRIED} {ALL}"]
    bias = kept["bias"]
    matched = bias["biased, distribution matched"][0] / bias[SINGLE][0]
    return [
        Aim("4D-Var over 24 h, of the SEKF", "0.95 to 1.05", (day,), ((0.95, 1.05),), ".3f"),
        upper("4D-Var over 10 days with rain factors, of the SEKF", (1.0,), (long,), ".3f"),
        Aim("SEKF by adjoint / regression, of finite differences", "0.95 to 1.05",
            tuple(ways[w] / ways["differences"] for w in ("adjoint", "regression")), ((0.95, 1.05),) * 2, ".3f"),
        forecast_aim(kept["forecasts"]),
        upper("snow by depth: accumulation / melt-out date / false / missing cover, of none", (0.5,) * 4, snowy),
        *(upper(f"bias left after 15 days, dry / wet, {f}", (0.5, 0.5), left) for f, left in recovery.items()),
        upper("biased `swvl1`, distribution matched: SEKF, of no observations", (1.0,), (matched,)),
        upper("a year, B carried: last error, of no observations", (1.0,), (carried[1] / year[SINGLE][1],)),
        upper("a year, B carried: water added, % of precipitation", (2.0,), (100.0 * abs(carried[2]) / carried[3],)),
    ]  # fmt: skip


def forecast_aim(found: Mapping[str, Any]) -> Aim:
    """Return the aim of the gain in forecasts of 10 days, as part of what the soil of ecLand brings."""
    free, best, true = (
        np.sqrt((np.array(found["errors"][t]) ** 2).mean(0))
        for t in (SINGLE, assimilation_cycles.BEST, assimilation_cycles.TRUE)
    )
    gain = tuple(((free - best) / (free - true)).tolist())
    return Aim("forecasts, gain in `2t` / `2d`, ETKF with all three", "at least 0.5", gain, ((0.5, np.inf),) * 2)


def cost_aims(sizes: list[float]) -> list[Aim]:
    """Return the aims of cost, and of the derivative that ecLand hardly has."""
    leads = " / ".join(f"{lead} h" for lead in LEADS)
    return [
        upper(f"size of d(`2t`)/d(`swvl3`) after {leads} [K per m3 m-3]", (0.08,) * len(sizes), sizes, ".3f"),
        upper("4 x 4 Jacobian, 171,039 points: differences / adjoint [s]", (20.0, 20.0), JACOBIAN, ".0f"),
        upper("adjoint, of a differentiable run: plain / recomputed", (4.0, 6.0), ADJOINT, ".1f"),
        upper("a day's SEKF at 171,039 points [s]", (120.0,), (DAY,), ".0f"),
    ]
