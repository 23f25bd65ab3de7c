# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page on the goals of skill: what was aimed at, the first network's numbers, those of today, met or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import anemoi_ailand as ail
from anemoi_ailand.evaluation.fields.matching import HELD_OUT, held_out_points
from anemoi_ailand.evaluation.fields.reference import REFERENCE
from anemoi_ailand.evaluation.fields.single_run import run_of as single_run
from anemoi_ailand.evaluation.processes.budget_terms import grounds
from anemoi_ailand.evaluation.processes.budgets import GROUNDS
from anemoi_ailand.evaluation.report.tables import CORE
from anemoi_ailand.rollout.step.pretrained import DEFAULT
from anemoi_ailand.variables import variable
from tools.results.derivatives import LEADS, agreements, kept_differences
from tools.results.pages import Blocks, made_by, paragraph, table
from tools.results.real_weather import NEVER_TRAINED, site_of
from tools.results.reference_set import Scores, evaluated, number, scored
from tools.results.steps import Inputs, checksum_of, key_of, once_json
from tools.results.weather_runs import errors, run_of, series_files

PART = "goals"
PAGE = "docs/results/goals.md"

#: Checksum of the network of 26 November 2026 that the goals were set against: the first ``ailand``.
FIRST = "0bd4d2738d7e"

#: Spread of the mean errors over the held-out points in one run over 2022, of the first network; the goal is half.
SPREAD = {"stl1": 0.321, "stl2": 0.265, "stl3": 0.238, "skt": 0.316, "sshf": 3.61}

#: Bias in year 5 of the first network, mean and size of 90 % of the points, and the goals [K].
YEAR_5 = {"stl1": (0.124, 0.526), "stl2": (0.0999, 0.519), "stl3": (0.102, 0.538)}
YEAR_5_GOALS = (0.05, 0.3)

#: RMSE at 90 days at held-out points of the first network, and the goal relative to it; for all others, not above it.
RMSE_90 = {
    "swvl1": 0.0172, "swvl2": 0.0089, "swvl3": 0.00611, "stl1": 0.68, "stl2": 0.47, "stl3": 0.352, "snowc": 0.038,
    "2t": 0.267, "2d": 0.348, "skt": 0.865, "sshf": 8.66, "slhf": 7.65,
}  # fmt: skip
TO_FALL, FALLEN = ("stl1", "stl2", "stl3", "skt", "sshf"), 0.8

#: Observed weather: goal at the sites never trained on, and the first network's medians at these and over all runs.
WEATHER = {
    ("stl1", "rmse"): (0.35, 0.93, 0.41), ("stl1", "bias"): (0.05, 0.27, 0.10),
    ("swvl1", "rmse"): (0.006, 0.0088, 0.0064), ("stl3", "rmse"): (0.15, 0.42, 0.15),
    ("slhf", "rmse"): (7.0, 9.8, 8.8), ("sshf", "rmse"): (7.5, 6.7, 9.3),
}  # fmt: skip

#: Size of the bias of ``stl1`` where the physiography was set by hand, of the first network, and the goal [K].
HAND_SET = {"Bondville": 0.52, "CdP": 0.65}
NAMED = {"CdP": "Col de Porte"}
HAND_SET_GOAL = 0.15

#: Residual of the energy budget in a step, median and 99 % of its size, on ground where ecLand itself closes [W m-2].
RESIDUAL = {"median": 1.0, "p99": 20.0}
WITH_GOAL = ("bare", "full_snow")

#: Goals of the derivatives: correlation, share of right signs, median size relative to ecLand's.
R, SIGN, SIZE = 0.9, 0.92, 2.0
RESPONDING = ("2t", "2d")

#: Worst values over the three disturbed layers of the first network: r, sign, size relative to ecLand's.
FIRST_DERIVATIVES = {
    ("2t", 6): (0.76, 0.85, 9.0), ("2t", 24): (0.80, 0.82, 3.3), ("2d", 6): (0.56, 0.85, 22.0),
    ("2d", 24): (0.62, 0.83, 9.5),
}  # fmt: skip


@dataclass(frozen=True)
class Goal:
    """Goal, the first network's value (None where it had none), and the values of today by network.

    The value should be at most ``bar``, or at least ``bar`` with ``least``; without a bar it is stated only.
    """

    what: str
    unit: str
    bar: float | None
    before: float | None
    now: Mapping[str, float]
    least: bool = False

    def met(self, network: str) -> bool:
        """Return whether a network meets the goal."""
        assert self.bar is not None
        return self.now[network] >= self.bar if self.least else self.now[network] <= self.bar

    def row(self, networks: list[str]) -> list[str]:
        """Return the row of the table; values that miss the goal are bold."""
        cells = []
        for network in networks:
            if network not in self.now:
                cells.append("")
                continue
            text = number(self.now[network])
            cells.append(text if self.bar is None or self.met(network) else f"**{text}**")
        bar = "" if self.bar is None else f"{'at least ' if self.least else ''}{number(self.bar)}"
        met = "" if self.bar is None else "yes" if self.met(DEFAULT) else "**no**"
        return [self.what, self.unit, bar, "" if self.before is None else number(self.before), *cells, met]


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Collect the numbers of the goals from the results of other parts and return the blocks of the page."""
    main = evaluated(inputs, DEFAULT)
    found = {name: main if name == DEFAULT else scored(inputs, name, "AB") for name in inputs.networks}
    years = {name: scored(inputs, name, "year") for name in inputs.networks}
    closing = once_json(
        inputs.folder / f"long-wave-{DEFAULT}.json",
        key_of(DEFAULT, inputs.reference, grounds=GROUNDS),
        lambda: long_wave_errors(inputs, main),
    )
    goals = [
        *spread_goals(years), *year_5_goals(found), *error_goals(found), *weather_goals(inputs),
        *hand_set_goals(inputs), *derivative_goals(inputs),
    ]  # fmt: skip
    networks = inputs.networks
    head = ["", "unit", "goal", "first", *(f"`{name}`" for name in networks), "met by `ailand`"]
    executions = {name: (checksum_of(name), s.execution) for name, s in found.items()}
    blocks = {
        "goals-origin": made_by(PART, executions),
        "goals-summary": summary(goals),
        "goals-table": table([head, *(goal.row(networks) for goal in goals)]),
        "goals-energy": energy_table(main, closing),
    }
    return {PAGE: blocks}


def summary(goals: list[Goal]) -> str:
    """Count the goals that each network meets."""
    counts = []
    for network in dict.fromkeys(name for goal in goals for name in goal.now):
        of = [goal.met(network) for goal in goals if goal.bar is not None and network in goal.now]
        counts.append(f"`{network}` meets {sum(of)} of {len(of)} goals")
    return paragraph("; ".join(counts) + ".")


def spread_goals(years: Mapping[str, Scores]) -> Iterator[Goal]:
    """Yield goals of the spread of mean errors over the held-out points, in one run over 2022."""
    for name, before in SPREAD.items():
        now = {network: s(name, "bias_spread", "B") for network, s in years.items()}
        yield Goal(f"spread of mean errors over points, `{name}`", variable(name).units, before / 2, before, now)


def year_5_goals(found: Mapping[str, Scores]) -> Iterator[Goal]:
    """Yield goals of the bias in the fifth year of one run, held-out points."""
    for name, before in YEAR_5.items():
        kinds = zip(("bias", "bias_most"), ("mean", "90 % of points"), YEAR_5_GOALS, before, strict=True)
        for metric, what, bar, value in kinds:
            now = {network: abs(s(name, f"last_year_{metric}", "B")) for network, s in found.items()}
            yield Goal(f"size of the bias in year 5, {what}, `{name}`", "K", bar, value, now)


def error_goals(found: Mapping[str, Scores]) -> Iterator[Goal]:
    """Yield goals of the RMSE at 90 days, held-out points."""
    for name in CORE:
        before = RMSE_90[name]
        now = {network: s(name, lead=90) for network, s in found.items()}
        bar = before * (FALLEN if name in TO_FALL else 1.0)
        yield Goal(f"RMSE at 90 d, `{name}`", variable(name).units, bar, before, now)


def weather_goals(inputs: Inputs) -> Iterator[Goal]:
    """Yield goals of free runs with observed weather at the sites never trained on, and the medians over all runs."""
    assert inputs.towers is not None
    rows: dict[str, pd.DataFrame] = {}
    for network in inputs.networks:
        runs = [run_of(inputs, network, path) for path in series_files(inputs.towers / "long")]
        rows[network] = pd.concat([errors(run) for run in runs], ignore_index=True)
    for place, title in enumerate(("Amplero, Fort Peck", "all 13 runs")):
        for (name, metric), (bar, *before) in WEATHER.items():
            now = {}
            for network, found in rows.items():
                part = found[found["run"].map(site_of).isin(NEVER_TRAINED)] if place == 0 else found
                now[network] = float(part.loc[part["variable"] == name, metric].abs().median())
            what = f"observed weather, {title}: {'size of the bias' if metric == 'bias' else 'RMSE'}, `{name}`"
            yield Goal(what, variable(name).units, bar if place == 0 else None, before[place], now)


def hand_set_goals(inputs: Inputs) -> Iterator[Goal]:
    """Yield goals of the sites whose physiography was set by hand, as far as their data are given."""
    if inputs.real is None:
        return
    for path in series_files(Path(inputs.real)):
        site = site_of(path.stem)
        now = {}
        for network in inputs.networks:
            of = errors(run_of(inputs, network, path)).set_index("variable")
            now[network] = abs(float(of.loc["stl1", "bias"]))
        yield Goal(
            f"physiography set by hand, {NAMED.get(site, site)}: size of the bias, `stl1`",
            "K",
            HAND_SET_GOAL,
            HAND_SET[site],
            now,
        )


def derivative_goals(inputs: Inputs) -> Iterator[Goal]:
    """Yield goals of the derivatives to soil moisture: the worst over the three layers."""
    if inputs.differences is None:
        return
    with xr.open_dataset(inputs.differences) as file:
        theirs = file.load()
    ours = {network: kept_differences(inputs, network, theirs) for network in inputs.networks}
    for name in RESPONDING:
        for lead in LEADS:
            of = {network: agreements(values, theirs, name, lead) for network, values in ours.items()}
            before = FIRST_DERIVATIVES[name, lead]
            what = f"derivatives of `{name}` at {lead} h to `swvl1-3`"
            r = {network: min(each.r for each in found) for network, found in of.items()}
            sign = {network: min(each.sign for each in found) for network, found in of.items()}
            size = {network: max(each.size / each.of_ecland for each in found) for network, found in of.items()}
            yield Goal(f"{what}: lowest correlation", "1", R, before[0], r, least=True)
            yield Goal(f"{what}: smallest share of right signs", "1", SIGN, before[1], sign, least=True)
            yield Goal(f"{what}: largest median size over ecLand's", "1", SIZE, before[2], size)


def energy_table(main: Scores, closing: Mapping[str, Mapping[str, float]]) -> str:
    """Tabulate, by ground, the residual of the energy budget and the error of the radiation that closes it."""
    terms = main.budgets
    terms = terms[(terms["budget"] == "energy") & (terms["group"] == HELD_OUT)]
    values = terms.set_index(["model", "steps", "term"])["value"].to_dict()
    rows = [["ground", "goal", "residual of ecLand", f"residual of `{main.model}`", f"error of `str`, `{main.model}`"]]
    for ground in GROUNDS:
        pairs = [[values[model, ground, f"residual_step_{share}_abs"] for share in RESIDUAL]
                 for model in (REFERENCE, main.model)]  # fmt: skip
        pairs.append([closing[ground][share] for share in RESIDUAL])
        goal = " / ".join(f"{bar:g}" for bar in RESIDUAL.values()) if ground in WITH_GOAL else ""
        rows.append([ground.replace("_", " "), goal, *(" / ".join(map(number, pair)) for pair in pairs)])
    return table(rows)


def long_wave_errors(inputs: Inputs, s: Scores) -> dict[str, dict[str, float]]:
    """Return median and 99 % of the size of the error of ``str`` by ground of ecLand, in one run over five years.

    Held-out points without lake or urban cover, where ecLand's own output closes.
    """
    reference = ail.open_fields(inputs.reference)
    held = held_out_points(reference)
    cover = [reference.constant(name) for name in ("cl", "cur")]
    assert held is not None
    dry = np.all([np.asarray(each) == 0 for each in cover if each is not None], axis=0)
    index = np.flatnonzero(held & dry)
    path = s.folder.with_name(f"{s.folder.name}-reforecasts") / f"B-{s.model}.nc"
    mine = single_run(ail.open_reforecast(path), reference)
    names = ["str", "snowc", "sd", "stl1", "stl2", "stl3", "stl4"]
    first, last = mine.times[0], mine.times[-1]
    truth = reference.load(names, first, last, index)
    masks = grounds({name: truth[name].values for name in names})
    own = mine.load(["str"], first, last, index)
    size = np.abs(own["str"].values[1:] - truth["str"].values[1:])
    return {
        ground: {"median": float(np.median(size[masks[ground]])), "p99": float(np.quantile(size[masks[ground]], 0.99))}
        for ground in GROUNDS
    }
