# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Budgets: terms and residual of all models side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.processes.budgets import main_group

RESIDUAL = "residual"

#: Drawn terms of each budget, as far as available.
TERMS = {
    "water": (
        "precipitation", "evaporation", "surface_runoff", "subsurface_runoff", "implied_runoff", "storage_change",
        RESIDUAL,
    ),
    "energy": ("net_radiation", "latent_heat", "sensible_heat", "soil_heat_change", "snow_heat_uptake", RESIDUAL),
}  # fmt: skip


def budget_figure(budgets: pd.DataFrame, budget: str, forecasts: Sequence[str]) -> Figure:
    """Draw the terms of a budget ("water" or "energy") as bars for each model, and the residual on its own scale.

    All steps of the whole run are drawn, over the points of
    :func:`~anemoi_ailand.evaluation.processes.budgets.main_group`. ``forecasts`` are all labels in the order of
    colours.
    """
    rows = style.pick(budgets, budget=budget, steps="all", year=None)
    rows = style.pick(rows, group=main_group(rows)) if len(rows) else rows
    rows = rows[rows["term"].isin(TERMS[budget])]
    if not rows["value"].notna().any():
        raise ValueError(f"No value of the {budget} budget. Leave its figure out.")
    terms = [t for t in TERMS[budget] if t in set(rows["term"]) and t != RESIDUAL]
    figure = style.new_figure(10.0, 4.0)
    left, right = figure.subplots(1, 2, width_ratios=[max(2.0, len(terms)), 1.2])
    _bars(left, rows, terms, forecasts)
    _bars(right, rows, [RESIDUAL], forecasts)
    unit = style.unit_text(str(rows["units"].iloc[0]))
    left.set_ylabel(f"term of the {budget} budget [{unit}]")
    right.set_ylabel(f"residual [{unit}]")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    style.title(figure, f"{style.sentence(budget)} budget, mean over points, protocol B")
    return figure


def _bars(ax: Axes, rows: pd.DataFrame, terms: Sequence[str], labels: Sequence[str]) -> None:
    models = list(dict.fromkeys(rows["model"]))
    width = 0.8 / len(models)
    upward = bool((rows[rows["term"].isin(terms)]["value"] > 0).any())
    for k, model in enumerate(models):
        table = style.pick(rows, model=model).set_index("term")["value"].reindex(terms).to_numpy(dtype=float)
        at = np.arange(len(terms)) + (k - (len(models) - 1) / 2) * width
        colour = style.model_colour(model, labels)
        ax.bar(
            at,
            np.nan_to_num(table),
            0.92 * width,
            color=colour,
            edgecolor="white",
            linewidth=0.4,
            label=style.plain(model),
        )
        for x, value in zip(at, table, strict=True):
            text = style.minus(f"{value:.3g}") if np.isfinite(value) else "no data"
            below = value < 0 or (np.isnan(value) and not upward)
            ax.annotate(text, (x, np.nan_to_num(value)), (0, -3 if below else 3), textcoords="offset points",
                        ha="center", va="top" if below else "bottom", fontsize=style.SMALL - 1, color=style.QUIET,
                        rotation=0 if np.isfinite(value) else 90)  # fmt: skip
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_xticks(range(len(terms)), [t.replace("_", "\n", 1).replace("_", " ") for t in terms])
    ax.grid(axis="y", color=style.GRID, linewidth=0.5)
    ax.set_axisbelow(True)
    ax.margins(y=0.15)
