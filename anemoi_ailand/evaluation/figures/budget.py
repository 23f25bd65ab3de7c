# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Budgets: the terms of a balance and what is left over, side by side for all models."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from anemoi_ailand.evaluation.display.style import (
    GRID,
    QUIET,
    SMALL,
    Figure,
    forecast_labels,
    minus,
    model_colour,
    new_figure,
    pick,
    plain,
    sentence,
    title,
    unit_text,
)

LOG = logging.getLogger(__name__)

#: Term that should be zero.
RESIDUAL = "residual"

#: Terms of each budget that are drawn, those that are there.
TERMS = {
    "water": (
        "precipitation", "evaporation", "surface_runoff", "subsurface_runoff", "implied_runoff", "storage_change",
        RESIDUAL,
    ),
    "energy": ("net_radiation", "latent_heat", "sensible_heat", "soil_heat_change", "snow_heat_uptake", RESIDUAL),
}  # fmt: skip

#: Points without lakes and towns: their budget closes in the reference.
_CLOSING = "no_lake_or_urban"


def main_group(table: pd.DataFrame) -> str:
    """Group of points that a budget is told for: those whose budget closes in the reference, else the first."""
    groups = list(dict.fromkeys(table["group"]))
    return _CLOSING if _CLOSING in groups else groups[0]


def budget_figure(
    budgets: pd.DataFrame, budget: str = "water", forecasts: Sequence[str] | None = None, note: str = ""
) -> Figure:
    """Bars of the terms of a budget for each model, and beside them the residual on its own scale.

    Parameters
    ----------
    budgets : pandas.DataFrame
        As from ``budgets.budgets``: columns model, budget, steps, group, year, term, value, units. Over all steps of
        the whole run, and over the points whose budget closes in the reference if they are told apart. NaN is no data.
    budget : str
        Which budget ("water", "energy").
    forecasts : sequence of str, optional
        Labels of the forecasts in the order given by the user; as in the table if not given.
    note : str
        What else the title says, e.g. protocol and period.

    Raises
    ------
    ValueError
        The table has no value of this budget.
    """
    rows = pick(budgets, budget=budget, steps="all", year=None)
    rows = pick(rows, group=main_group(rows)) if len(rows) else rows
    rows = rows[rows["term"].isin(TERMS[budget])]
    if not rows["value"].notna().any():
        raise ValueError(f"There is no value of the {budget} budget. Leave its figure out.")
    labels = list(forecasts or forecast_labels(rows["model"]))
    terms = [t for t in TERMS[budget] if t in set(rows["term"]) and t != RESIDUAL]
    figure = new_figure(10.0, 4.0)
    left, right = figure.subplots(1, 2, width_ratios=[max(2.0, len(terms)), 1.2])
    _bars(left, rows, terms, labels)
    _bars(right, rows, [RESIDUAL], labels)
    unit = unit_text(str(rows["units"].iloc[0]))
    left.set_ylabel(f"term of the {budget} budget [{unit}]")
    right.set_ylabel(f"what is left over [{unit}]")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    title(figure, f"{sentence(budget)} budget, mean over points" + (f", {note}" if note else ""))
    return figure


def _bars(ax: Axes, rows: pd.DataFrame, terms: Sequence[str], labels: Sequence[str]) -> None:
    models = list(dict.fromkeys(rows["model"]))
    width = 0.8 / len(models)
    for k, model in enumerate(models):
        table = pick(rows, model=model).set_index("term")["value"].reindex(terms).to_numpy(dtype=float)
        at = np.arange(len(terms)) + (k - (len(models) - 1) / 2) * width
        colour = model_colour(model, labels)
        ax.bar(
            at, np.nan_to_num(table), 0.92 * width, color=colour, edgecolor="white", linewidth=0.4, label=plain(model)
        )
        for x, value in zip(at, table, strict=True):
            text = minus(f"{value:.3g}") if np.isfinite(value) else "no data"
            ax.annotate(text, (x, np.nan_to_num(value)), (0, 3 if not value < 0 else -3), textcoords="offset points",
                        ha="center", va="top" if value < 0 else "bottom", fontsize=SMALL - 1, color=QUIET,
                        rotation=0 if np.isfinite(value) else 90)  # fmt: skip
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_xticks(range(len(terms)), [t.replace("_", "\n", 1).replace("_", " ") for t in terms])
    ax.grid(axis="y", color=GRID, linewidth=0.5)
    ax.set_axisbelow(True)
    ax.margins(y=0.15)
