# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Table of a contest in Markdown: entrants and cost, errors relative to the reference, and bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from anemoi_ailand.evaluation.display.style import after_number
from anemoi_ailand.evaluation.display.text import aligned, plain_number
from anemoi_ailand.evaluation.fields.matching import ALL, HELD_OUT, TRAINED
from benchmarks.contest.entry import Entry, fairness
from benchmarks.contest.scores import CORE, TOGETHER

#: Variables whose bias is shown.
SOIL_TEMPERATURES = ("stl1", "stl2", "stl3")

#: Variables whose RMSE is to be at most :data:`WANTED_RATIO` of the reference's.
WANTED = (*SOIL_TEMPERATURES, "snowc")
WANTED_RATIO = 0.7

_POINTS = {HELD_OUT: "held-out points", TRAINED: "trained points", ALL: "all points"}


def contest_table(
    scores: pd.DataFrame, entries: Sequence[Entry], reference: str, *, title: str, budget: float | None = None
) -> str:
    """Write the results of a contest, of the protocols A and B, on one page; ``title`` describes the run."""
    parts = [title, _entrants(entries), "\n".join(fairness(entries, reference, budget))]
    parts.append(
        f"Ratios are RMSE over that of {reference}, whose own RMSE is in the first row; **bold** where the 95 % "
        "interval (paired bootstrap over start dates and points) is below one. `core` is the geometric mean of the "
        f"{len(CORE)} ratios; `lower` counts bold ones, `bar` those of {', '.join(WANTED)} at most {WANTED_RATIO:g}."
    )
    many = scores[scores["protocol"] == "A"]
    for group in _point_groups(many):
        for period in dict.fromkeys(many["period"]):
            parts += [f"## {_POINTS[group]}, {period}", _ratios(many, group, period, reference)]
    parts += [*_biases(many), *_snow(many, reference), *_long_run(scores[scores["protocol"] == "B"])]
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown(rows: list[list[str]]) -> str:
    """Format a Markdown table; first row: header, first column: words."""
    return "\n".join(aligned(rows, left=(0,)))


def _entrants(entries: Sequence[Entry]) -> str:
    head = ["entrant", "parameters", "FLOP/point-step", "microseconds", "execution", "point-steps", "hours",
            "CPU hours", "device", "from", "note"]  # fmt: skip
    rows = [
        [
            e.label, f"{e.parameters:,}", f"{e.flop:.3g}", plain_number(e.microseconds), e.execution,
            "-" if e.point_steps is None else f"{e.point_steps:.3g}", plain_number(e.wall_hours),
            plain_number(e.cpu_hours), e.device, e.origin, e.note or "-",
        ]
        for e in entries
    ]  # fmt: skip
    return markdown([head, *rows])


def _point_groups(scores: pd.DataFrame) -> list[str]:
    present = set(scores["group"])
    return [group for group in (HELD_OUT, TRAINED, ALL) if group in present]


def _ratios(scores: pd.DataFrame, group: str, period: str, reference: str) -> str:
    part = scores[(scores["group"] == group) & (scores["period"] == period) & (scores["metric"] == "rmse")]
    cells = {(row.model, row.variable): row for row in part.itertuples()}
    names = [name for name in CORE if (reference, name) in cells]
    own = [plain_number(cells[reference, name].value) + after_number(name) for name in names]
    rows = [["", *names, TOGETHER, "lower", "bar"], [f"{reference} [RMSE]", *own, "1", "-", "-"]]
    for model in dict.fromkeys(part["model"]):
        if model == reference:
            continue
        ratios = [_cell(cells.get((model, name))) for name in (*names, TOGETHER)]
        available = {name: cells[model, name] for name in names if (model, name) in cells}
        lower = sum(row.better for row in available.values())
        bar = [name for name in WANTED if name in available]
        reached = sum(available[name].ratio <= WANTED_RATIO for name in bar)
        rows.append([model, *ratios, f"{lower}/{len(available)}", f"{reached}/{len(bar)}"])
    return markdown(rows)


def _cell(row: Any) -> str:
    """Format a ratio, bold if significantly below one, a dash if model or reference lacks the variable."""
    if row is None or pd.isna(row.ratio):
        return "-"
    return f"**{row.ratio:.2f}**" if row.better else f"{row.ratio:.2f}"


def _biases(scores: pd.DataFrame) -> Iterator[str]:
    """Show the bias of soil temperature at the last lead time, held-out points first."""
    group, period = _point_groups(scores)[0], list(dict.fromkeys(scores["period"]))[-1]
    part = scores[(scores["group"] == group) & (scores["period"] == period) & (scores["metric"] == "bias")]
    names = [name for name in SOIL_TEMPERATURES if name in set(part["variable"])]
    if names:
        yield f"## Bias in K with its 95 % interval, {_POINTS[group]}, {period}"
        yield _by_model(part, names, "{:+.3f} ({:+.3f} to {:+.3f})")


def _snow(scores: pd.DataFrame, reference: str) -> Iterator[str]:
    """Show the ratio of the RMSE of soil temperature with snow to that without."""
    period = list(dict.fromkeys(scores["period"]))[-1]
    part = scores[(scores["period"] == period) & (scores["metric"] == "rmse")]
    by_group = {g: part[part["group"] == g].set_index(["model", "variable"])["value"] for g in ("snow", "snow-free")}
    if any(values.empty for values in by_group.values()):
        return
    ratio = (by_group["snow"] / by_group["snow-free"]).rename("value").reset_index()
    names = [name for name in SOIL_TEMPERATURES if name in set(ratio["variable"])]
    if names:
        yield f"## RMSE in the snow zone over that in the snow-free zone, all points, {period} (bar: at most 1.5)"
        yield _by_model(ratio, names, "{:.2f}")


def _long_run(scores: pd.DataFrame) -> Iterator[str]:
    """Show the bias after years, its spread, correlation of anomalies, and growth of the error."""
    if scores.empty:
        return
    group = _point_groups(scores)[0]
    part = scores[scores["group"] == group]
    years = [p for p in dict.fromkeys(part["period"]) if p.startswith("year")]
    last, early = years[-1], years[min(1, len(years) - 1)]
    soil = [n for n in (*SOIL_TEMPERATURES, "swvl1", "swvl2", "swvl3") if n in set(part["variable"])]
    wanted = [
        (f"Bias in {last} (bar for stl1-3: 0.05 K)", last, "bias", "{:+.2g}"),
        (
            f"Size of bias in {last} below which 90 % of the points stay (bar for stl1-3: 0.3 K)",
            last,
            "bias_most",
            "{:.2g}",
        ),
        ("Anomaly correlation over the whole run (bar for swvl3: 0.95)", "whole run", "acc", "{:.3f}"),
    ]
    yield f"# One run, {_POINTS[group]}"
    for heading, period, metric, form in wanted:
        rows = part[(part["period"] == period) & (part["metric"] == metric)]
        yield f"## {heading}"
        yield _by_model(rows, soil, form)
    if last != early:
        growth = part[part["metric"] == "rmse"].set_index(["model", "variable"])
        ratio = growth[growth["period"] == last]["value"] / growth[growth["period"] == early]["value"]
        yield f"## RMSE of {last} over that of {early} (bar: at most 1.1)"
        yield _by_model(ratio.rename("value").reset_index(), soil, "{:.2f}")


def _by_model(rows: pd.DataFrame, names: Sequence[str], form: str) -> str:
    """Format a row for each model, a column for each variable; ``form`` takes a value and its interval."""
    cells = {(row.model, row.variable): form.format(row.value, getattr(row, "low", None), getattr(row, "high", None))
             for row in rows.itertuples() if row.value == row.value}  # fmt: skip
    body = [[model, *(cells.get((model, name), "-") for name in names)] for model in dict.fromkeys(rows["model"])]
    return markdown([["", *names], *(row for row in body if set(row[1:]) != {"-"})])
