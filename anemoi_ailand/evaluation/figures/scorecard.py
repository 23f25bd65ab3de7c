# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Scorecard of one forecast against another by variable and lead time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.display.variables import ordered

#: Area of a triangle [points²] without difference, and for :data:`FULL` and more.
_SMALLEST, _LARGEST = 40.0, 300.0

#: Relative difference with the largest triangle.
FULL = 0.3

#: Height of a row and width of a column [inches].
_ROW, _COLUMN = 0.42, 1.05


def scorecard_figure(differences: pd.DataFrame, a: str, b: str, protocol: str) -> Figure:
    """Draw the relative difference in RMSE, (a - b) / b, as triangles: up where ``a`` is better, down where worse.

    Triangles are filled where the 95 % interval of the difference excludes zero; their area grows with the difference.
    """
    rows = style.pick(differences, a=a, b=b, protocol=protocol, cut="all", group="all", metric="rmse")
    variables = ordered(rows["variable"])
    leads = sorted(rows["lead"].unique(), key=lambda lead: np.inf if np.isnan(lead) else lead)
    figure = style.new_figure(max(5.5, 1.6 + _COLUMN * len(leads)), 1.5 + _ROW * len(variables))
    ax = figure.subplots()
    for y, name in enumerate(variables):
        for x, lead in enumerate(leads):
            _cell(ax, x, y, style.pick(rows, variable=name, lead=None if np.isnan(lead) else lead))
    _axes(ax, variables, leads)
    text = f"numbers: (RMSE of {a} {style.minus('-')} RMSE of {b}) / RMSE of {b}"
    ax.set_title(style.plain(text), loc="left", fontsize=style.SMALL, color=style.QUIET)
    _key(figure, a, b)
    style.title(figure, f"RMSE of {a} against {b}, protocol {protocol}")
    return figure


def _cell(ax: Axes, x: int, y: int, row: pd.DataFrame) -> None:
    if not len(row) or not np.isfinite(row["difference"].iloc[0]) or not row["b_value"].iloc[0] > 0:
        ax.text(x, y, "no data", ha="center", va="center", fontsize=style.SMALL - 1, color=style.QUIET)
        return
    relative = float(row["difference"].iloc[0] / row["b_value"].iloc[0])
    significant = bool(row["significant"].iloc[0])
    colour = style.BETTER if relative < 0 else style.WORSE
    size = _SMALLEST + (_LARGEST - _SMALLEST) * min(abs(relative) / FULL, 1.0)
    ax.scatter(
        x - 0.2, y, size, marker="^" if relative < 0 else "v", facecolors=colour if significant else "none",
        edgecolors=colour, linewidths=1.2,
    )  # fmt: skip
    text = style.minus(f"{100 * relative:+.0f} %")
    weight = "bold" if significant else "normal"
    ax.text(x + 0.02, y, text, ha="left", va="center", fontsize=style.SMALL, weight=weight)


def _axes(ax: Axes, variables: list[str], leads: list[float]) -> None:
    ax.set(xlim=(-0.5, len(leads) - 0.5), ylim=(len(variables) - 0.5, -0.5))
    ax.set_xticks(range(len(leads)), ["whole run" if np.isnan(d) else f"{d:g}" for d in leads])
    ax.set_yticks(range(len(variables)), variables)
    ax.set_xlabel("lead time [days]")
    ax.set_ylabel("variable")
    ax.set_facecolor(style.PAPER)
    ax.set_xticks(np.arange(len(leads) + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(variables) + 1) - 0.5, minor=True)
    ax.grid(which="minor", color=style.GRID, linewidth=0.8)
    ax.tick_params(which="both", length=0)


def _key(figure: Figure, a: str, b: str) -> None:
    entries = [("^", style.BETTER, f"{a} better"), ("v", style.WORSE, f"{a} worse")]
    handles = [
        Line2D([], [], linestyle="", marker=m, markersize=9, color=c, markerfacecolor=c if full else "none",
               label=style.plain(f"{text}, {'significant' if full else 'not significant'}"))
        for m, c, text in entries for full in (True, False)
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=style.SMALL + 1)
