# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""One readable table from the metrics: RMSE of each variable and model, and which model is best."""

from __future__ import annotations

from typing import Any

from anemoi_ailand.evaluation.fields.matching import ALL, HELD_OUT, TRAINED

_POINTS = {ALL: "all points", HELD_OUT: "held-out points", TRAINED: "trained points"}

#: Columns of words, not numbers: variable, unit, points, best.
_LEFT = (0, 1, 2, -1)


def best_model(by_model: dict[str, dict[str, Any]]) -> str:
    """Name of the model with the smallest RMSE."""
    return min(by_model, key=lambda model: by_model[model]["rmse"])


def table_groups(metrics: dict[str, Any]) -> list[str]:
    """Groups for a table: held-out and trained points where they are known, else all points."""
    known = [name for name in (HELD_OUT, TRAINED) if name in metrics["groups"]]
    return known or [ALL]


def markdown_table(metrics: dict[str, Any]) -> str:
    """RMSE by variable, group and model as a Markdown table with aligned columns.

    Parameters
    ----------
    metrics : dict
        As in ``metrics.json``.
    """
    models = metrics["models"]
    groups = [g for g in table_groups(metrics) if metrics["groups"][g]]
    rows = [["variable", "unit", "points", *models, "best"]]
    for name, entry in metrics["variables"].items():
        for group in groups:
            numbers = [number(entry["groups"][group][model]["rmse"]) for model in models]
            rows.append([name, entry["units"], group.replace("_", "-"), *numbers, entry["best"][group]])
    return "\n".join([_title(metrics), "", *aligned(rows), "", _footer(metrics, groups)]) + "\n"


def _title(metrics: dict[str, Any]) -> str:
    forecast = metrics["forecast"]
    return (
        f"RMSE against the reference, run from {forecast['initial']}, "
        f"{forecast['first']} to {forecast['last']}, {metrics['groups'][ALL]} points."
    )


def _footer(metrics: dict[str, Any], groups: list[str]) -> str:
    lines = []
    for group in groups:
        best = [entry["best"][group] for entry in metrics["variables"].values()]
        wins = ", ".join(f"{model} {best.count(model)}" for model in metrics["models"])
        lines.append(f"Best at {_POINTS[group]} ({metrics['groups'][group]}): {wins} of {len(best)} variables.")
    lines += [f"No {_POINTS[g]} in this forecast." for g in table_groups(metrics) if not metrics["groups"][g]]
    return "\n".join(lines)


def aligned(rows: list[list[str]]) -> list[str]:
    """Lines of a Markdown table, the first row its header; the first three columns and the last are words."""
    left = [column % len(rows[0]) for column in _LEFT]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(_cell(text, widths[i], i in left) for i, text in enumerate(row)) + " |" for row in rows]
    rule = "|" + "|".join("-" * (w + 1) + ("-" if i in left else ":") for i, w in enumerate(widths)) + "|"
    return [lines[0], rule, *lines[1:]]


def _cell(text: str, width: int, left: bool) -> str:
    return text.ljust(width) if left else text.rjust(width)


def number(value: float | None) -> str:
    """Three significant digits, without an exponent where that is readable; a dash for no value."""
    if value is None or value != value:
        return "-"
    return f"{value:.3g}" if value == 0 or not 1e-4 <= abs(value) < 1e4 else f"{float(f'{value:.3g}'):.10g}"
