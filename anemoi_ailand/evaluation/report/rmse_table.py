# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Markdown table of RMSE by variable and model, printed at the end of an evaluation."""

from __future__ import annotations

import itertools

import pandas as pd

from anemoi_ailand.evaluation.display.text import aligned, plain_number
from anemoi_ailand.evaluation.display.variables import FLUXES, ordered, shown_scores, shown_units, variable_groups
from anemoi_ailand.evaluation.fields.matching import ALL, HELD_OUT, TRAINED


def rmse_table(scores: pd.DataFrame, protocol: str, title: str) -> str:
    """Format the RMSE by variable, group of points and model, with the best model, and correlations of fluxes below.

    Protocol ``B``: over the whole run; ``A``: at the last lead time. ``title`` is the first line.
    """
    chosen = scores[scores["protocol"] == protocol]
    last = chosen["lead"].max()
    chosen = shown_scores(chosen[chosen["lead"].isna() if protocol == "B" else chosen["lead"] == last])
    rows = chosen[chosen["metric"] == "rmse"]
    groups = [g for g in (HELD_OUT, TRAINED) if _of(rows, g)["n"].sum()] or [ALL]
    models = list(dict.fromkeys(rows["model"]))
    body, wins = [], {group: dict.fromkeys(models, 0) for group in groups}
    for name in ordered(rows["variable"]):
        for group in groups:
            values = _of(rows, group).query("variable == @name").set_index("model")["value"].dropna()
            if values.empty:
                continue
            best = str(values.idxmin())
            wins[group][best] += 1
            numbers = [plain_number(values.get(model)) for model in models]
            body.append([name, shown_units(name), group.replace("_", "-"), *numbers, best])
    header = ["variable", "unit", "points", *models, "best"]
    lines = [
        f"Best at {g.replace('_', '-')} points: {', '.join(f'{m} {n}' for m, n in wins[g].items())}." for g in groups
    ]
    text = [title, "", *aligned([header, *body]), "", *lines]
    return "\n".join([*text, *_correlations(chosen, groups, models)]) + "\n"


def _correlations(rows: pd.DataFrame, groups: list[str], models: list[str]) -> list[str]:
    """Lines of a second table with the correlation of fluxes; empty without fluxes."""
    rows = rows[rows["metric"] == "correlation"]
    fluxes = [n for group, members in variable_groups(rows["variable"]).items() if group in FLUXES for n in members]
    body = []
    for name, group in itertools.product(fluxes, groups):
        values = _of(rows, group).query("variable == @name").set_index("model")["value"].dropna()
        if len(values):
            numbers = [plain_number(round(values[m], 3)) if m in values else "-" for m in models]
            body.append([name, "1", group.replace("_", "-"), *numbers, str(values.idxmax())])
    if not body:
        return []
    header = ["variable", "unit", "points", *models, "best"]
    return ["", "Correlation of fluxes over 6 h.", "", *aligned([header, *body])]


def _of(rows: pd.DataFrame, group: str) -> pd.DataFrame:
    strata = "all" if group == ALL else "points"
    return rows[(rows["cut"] == strata) & (rows["group"] == group)]
