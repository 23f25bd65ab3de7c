# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Comparison of the scores of a user's training with the published ones and their bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from anemoi_ailand.evaluation.fields.reference import CLIMATOLOGY, PERSISTENCE

#: Position of a score relative to the interval of the published one.
KINDS = ("within", "below", "above")

_WHERE = ["variable", "group", "lead"]


def read_scores(evaluation: Path) -> pd.DataFrame:
    """Read the RMSE of protocol A at held-out and trained points from the folder of an evaluation of one model.

    The columns are ``variable, group, lead, value``.

    Raises
    ------
    FileNotFoundError, ValueError
        The folder is not an evaluation, or has several models.
    """
    path = evaluation / "metrics.csv"
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no '{path}'. Give the folder that `anemoi-ailand evaluate` wrote, with the packaged "
            "configuration evaluation/reference."
        )
    table = pd.read_csv(path)
    models = sorted(set(table["model"]) - {PERSISTENCE, CLIMATOLOGY})
    if len(models) != 1:
        raise ValueError(f"'{path}' has the models {models}. Evaluate only the model to be compared.")
    wanted = (table["protocol"] == "A") & (table["cut"] == "points") & (table["metric"] == "rmse")
    return table[wanted & (table["model"] == models[0])][[*_WHERE, "value"]]


def compare_scores(shipped: Sequence[Mapping[str, Any]], scores: pd.DataFrame) -> pd.DataFrame:
    """Compare each published score with that of :func:`read_scores`.

    ``shipped`` has ``variable, group, lead, rmse, low, high``; the last two bound the 95 % interval. The result has the
    columns ``variable, group, lead, shipped, low, high, yours, found``, the last one of :data:`KINDS`.

    Raises
    ------
    ValueError
        A published score is missing.
    """
    table = pd.DataFrame(shipped)[[*_WHERE, "rmse", "low", "high"]].rename(columns={"rmse": "shipped"})
    table = table.merge(scores.rename(columns={"value": "yours"}), on=_WHERE, how="left")
    missing = table[table["yours"].isna()]
    if len(missing):
        first = missing.iloc[0]
        raise ValueError(
            f"The evaluation lacks {len(missing)} of {len(table)} scores, the first is {first['variable']} at "
            f"{first['group']} points after {first['lead']} d. Evaluate with the packaged configuration "
            "evaluation/reference."
        )
    below, above = table["yours"] < table["low"], table["yours"] > table["high"]
    table["found"] = "within"
    table.loc[below, "found"], table.loc[above, "found"] = "below", "above"
    return table
