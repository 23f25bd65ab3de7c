# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The table to read first: RMSE of one long run by variable and model, as Markdown."""

from __future__ import annotations

import pandas as pd

from anemoi_ailand.evaluation.matching import ALL, HELD_OUT, TRAINED
from anemoi_ailand.evaluation.table import aligned, number
from anemoi_ailand.evaluation.variable_groups import ordered
from anemoi_ailand.variables import variable


def run_table(scores: pd.DataFrame, protocol: str, title: str) -> str:
    """RMSE by variable, group of points and model, the best one named, and how often each is best.

    Parameters
    ----------
    scores : pandas.DataFrame
        Tidy table of scores.
    protocol : str
        ``B``: over the whole run; ``A``: at the last lead time.
    title : str
        First line.
    """
    rows = scores[(scores["protocol"] == protocol) & (scores["metric"] == "rmse")]
    last = rows["lead"].max()
    rows = rows[rows["lead"].isna()] if protocol == "B" else rows[rows["lead"] == last]
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
            numbers = [number(values.get(model)) for model in models]
            body.append([name, variable(name).units, group.replace("_", "-"), *numbers, best])
    header = ["variable", "unit", "points", *models, "best"]
    lines = [
        f"Best at {g.replace('_', '-')} points: {', '.join(f'{m} {n}' for m, n in wins[g].items())}." for g in groups
    ]
    return "\n".join([title, "", *aligned([header, *body]), "", *lines]) + "\n"


def _of(rows: pd.DataFrame, group: str) -> pd.DataFrame:
    cut = "all" if group == ALL else "points"
    return rows[(rows["cut"] == cut) & (rows["group"] == group)]
