# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Model card of a pretrained network, written from its record by tools/make_pretrained.py."""

from __future__ import annotations

from textwrap import fill
from typing import Any

from anemoi_ailand.evaluation.display.text import aligned, plain_number
from anemoi_ailand.variables import variable

WIDTH = 120

TEXT = """# Model card: {name}

An emulator of ecLand, ECMWF's land surface model: the state of the land and its fluxes, one point at a time, in steps
of 6 h. It ships with anemoi-ailand and is made by `tools/make_pretrained.py`; licence {licence}.

{demonstration}

| | |
|---|---|
| file | `{file}`, {megabytes:.2f} MB, {parameters} parameters |
| SHA-256 | `{sha256}` |
| made | {date}, commit {commit}, seed {seed}, {steps} steps, {minutes} minutes{stages} |
| with | Python {python}, {versions} |

## Training

```text
{commands}
```

| | |
|---|---|
| data | recipe `{recipe}`: ecLand, synthetic hourly weather averaged to 6 h, {n_all} points |
| trained on | {trained} at {n_trained} points{others} |
| checkpoint chosen on | {chosen} at the same points |
| in neither | 2022; {n_held_out} points, those whose `point_id` is divisible by 5, in all years |{sources}

## Variables

{state}

{diagnostic}

{inputs}

Units, time semantics and bounds are those of the table in `anemoi_ailand/variables.py`.

## Scores

Protocol A: {starts} runs from {first} to {last}, over all points of the group; day d is the four stamps up to 24 d
hours. In brackets the 95 % interval of the bootstrap over points and starts. Climatology knows the point, the network
does not.

### At points and in a year that were in neither (held out)

{held_out}

### At the points of training, in 2022

{trained_points}

### One run, {b_first} to {b_last}, held-out points

{long_run}

Only numbers of 2022 at held-out points are claims of skill at new places; those of 2022 at points of training are
claims for new years. {b_caveat}The packaged sample is 44 of these {n_all} points: its 11 held-out points are held out
here, too; at its 33 others this network was trained (2020) and chosen (2021).

## Limits

- {points}
- The same in all of the training, so that nothing is known about a run in which they differ: forcing 10 m above the
  ground, points wholly on land, no glaciers, soil of four layers of 0.07, 0.21, 0.72 and 1.89 m.
- Steps of 6 h with forcing as means over the step and instants at its ends; forcing of another kind is out of scope.
- It imitates ecLand with its errors. It knows neither irrigation, groundwater, lakes nor cities beyond ecLand's own
  output, no land use change, and no climate beyond that of the training.
- For trying things out, teaching and development. Not for warnings, operations, or decisions.
- The file is a Python pickle, as every Anemoi checkpoint. The package verifies its SHA-256 before it loads it; a copy
  from elsewhere is not verified.
"""


DEMONSTRATION = (
    "**It is a demonstration, not an operational product.** {} It is not an ECMWF product, and ECMWF has neither made "
    "nor endorsed it."
)

#: Statements by whether a part of the samples has observed weather.
WEATHER = {
    False: "It was trained on real ecLand under *synthetic* weather at synthetic points: the scores below show how "
    "well it learned ecLand there. Skill with observed weather is in `docs/results/real-weather.md`.",
    True: "It was trained on real ecLand under synthetic weather and, for a part of the samples, under weather "
    "observed at flux towers and snow sites. The scores below are those under synthetic weather; skill with observed "
    "weather, at sites of the training and others, is in `docs/results/real-weather.md`.",
}
POINTS = {
    False: "Weather and points are synthetic; real forcing has errors, extremes and correlations that no training has "
    "seen. Soil and vegetation types that are rare among the {n_trained} points are learned from a few examples.",
    True: "Observed weather is that of six sites; climates and seasons that they lack are known from synthetic weather "
    "only. Soil and vegetation types that are rare among the points are learned from a few examples.",
}

#: Further dataset that has observed weather, by the name of its recipe, and whom its use acknowledges.
TOWERS = "towers"
SOURCES = (
    "Observed weather: FLUXNET La Thuile towers as distributed by PALS 1.4 (Blodgett, El Saler, El Saler 2, Loobos, "
    "Palangkaraya), whose site teams are acknowledged, and East River of hydroframe/parflow_short_course_updated. "
    "Amplero and Fort Peck (PALS) and Bondville (noah-owp-modular) are held out as sites."
)


def card(record: dict[str, Any]) -> str:
    """Write the model card of a record as Markdown."""
    training, data, variables = record["training"], record["data"], record["variables"]
    a, b = (record["evaluation"]["protocols"].get(p, {}) for p in "AB")
    points, others = data["points"], data.get("others", [])
    observed = any(TOWERS in other["dataset"] for other in others)
    about_points = POINTS[observed].format(n_trained=points["trained"])
    return TEXT.format(
        demonstration=fill(DEMONSTRATION.format(WEATHER[observed]), WIDTH),
        points=fill(about_points, WIDTH - 2, subsequent_indent="  "),
        sources=f"\n\n{fill(SOURCES, WIDTH)}" if observed else "",
        **{k: record[k] for k in ("name", "file", "licence", "parameters", "sha256")},
        megabytes=record["size"] / 1e6, minutes=round(training["seconds"] / 60), recipe=data["recipe"],
        commands="\n".join(training["commands"]), stages=stages_of(training["commands"]),
        **{k: training[k] for k in ("date", "seed", "steps", "python")},
        commit=training["commit"] or "unknown", versions=", ".join(f"{k} {v}" for k, v in training["versions"].items()),
        n_all=sum(points.values()), n_trained=points["trained"], n_held_out=points["held_out"],
        others="".join(f"; {other(o)}" for o in others),
        trained=" to ".join(data["trained"]), chosen=" to ".join(dict.fromkeys(data["chosen"])),
        state=named("State, predicted and fed back", variables["state"]),
        diagnostic=named("Diagnostics, predicted", variables["diagnostic"]),
        inputs=named("Forcing and static fields, needed", variables["input"]),
        starts=a["starts"], first=a["first"][:10], last=a["last"][:10],
        held_out=table_a(record["scores"], "held_out"), trained_points=table_a(record["scores"], "trained"),
        b_first=b.get("first", "none")[:10], b_last=b.get("last", "none")[:10], long_run=table_b(record["long_run"]),
        b_caveat="" if b.get("first", "9999") >= "2022" else "The long run passes through the years of training. ",
    )  # fmt: skip


def stages_of(commands: list[str]) -> str:
    """Say that numbers are those of the last stage, if there is more than one."""
    return f" (the last of {len(commands)} stages)" if len(commands) > 1 else ""


def other(dataset: dict[str, Any]) -> str:
    """Return a further dataset of the training as text."""
    period = f"{dataset['start'][:10]} to {dataset['end'][:10]}"
    return f"{dataset['share']:.0%} of the samples from `{dataset['dataset']}`, {period} at {dataset['points']} points"


def named(what: str, names: list[str]) -> str:
    """Return a paragraph that lists variables."""
    return fill(f"{what}: {', '.join(f'`{n}`' for n in names)}.", WIDTH)


def table_a(rows: list[dict[str, Any]], group: str) -> str:
    """Tabulate RMSE with interval by variable and lead, and bias, ACC and climatology at the last lead."""
    rows = [row for row in rows if row["group"] == group]
    leads = sorted({row["lead"] for row in rows})
    by = {(row["variable"], row["lead"]): row for row in rows}
    last = leads[-1]
    columns = ["variable", "unit", *(f"RMSE {d} d" for d in leads)]
    lines = [[*columns, f"climatology {last} d", f"bias {last} d", f"ACC {last} d"]]
    for name in dict.fromkeys(row["variable"] for row in rows):
        cells = [f"{r['rmse']:.3g} ({r['low']:.3g} to {r['high']:.3g})" for r in (by[name, d] for d in leads)]
        end = by[name, last]
        others = [plain_number(end[key]) for key in ("climatology", "bias", "acc")]
        lines.append([f"`{name}`", variable(name).units, *cells, *others])
    return "\n".join(aligned(lines, left=(0, 1)))


def table_b(rows: list[dict[str, Any]]) -> str:
    """Tabulate the scores of the long run at held-out points."""
    lines = [["variable", "unit", "RMSE", "bias", "correlation", "ACC"]]
    for row in (row for row in rows if row["group"] == "held_out"):
        numbers = [plain_number(row.get(key)) for key in ("rmse", "bias", "correlation", "acc")]
        lines.append([f"`{row['variable']}`", variable(row["variable"]).units, *numbers])
    return "\n".join(aligned(lines, left=(0, 1))) if len(lines) > 1 else "Not run."
