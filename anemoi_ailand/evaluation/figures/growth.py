# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Error growth: RMSE against lead time with quartiles over points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.display.variables import shown_scores
from anemoi_ailand.evaluation.fields.reference import CLIMATOLOGY, PERSISTENCE
from anemoi_ailand.evaluation.scores.skill import HORIZON

#: Tick labels of the lead time [days].
_TICKS = (1, 2, 3, 5, 7, 10, 15, 30, 60, 90, 180, 365)

#: Upper limit of the axis relative to the highest line that sets the scale.
_HEADROOM = 1.12


def growth_figure(scores: pd.DataFrame, names: Sequence[str], forecasts: Sequence[str], protocol: str) -> Figure:
    """Draw RMSE against lead time over all points, a panel per variable, with a band of the quartiles over points.

    Forecasts and climatology set the scale of a panel; persistence may exceed it. A dotted line marks the skill
    horizon. ``forecasts`` are all labels in the order of colours.
    """
    rows = shown_scores(style.pick(scores, protocol=protocol, cut="all", group="all"))
    rows = rows[rows["lead"].notna() | (rows["metric"].isin(HORIZON))]
    columns = 2 if len(names) in (2, 4) else 3
    figure, axes = style.panels(len(names), columns, 2.6, sharex=True)
    for ax, name in zip(axes, names, strict=True):
        _panel(ax, style.pick(rows, variable=name), name, list(forecasts))
    for ax in axes[-min(columns, len(axes)) :]:
        ax.set_xlabel("lead time [days]")
        ax.tick_params(labelbottom=True)
    style.legend(figure, [*forecasts, PERSISTENCE, CLIMATOLOGY], forecasts, shade="quartiles over points (forecasts)")
    dotted = " (dotted: skill horizon)" if rows["metric"].isin(HORIZON).any() else ""
    style.title(figure, f"Error growth with lead time, protocol {protocol}{dotted}")
    return figure


def _panel(ax: Axes, rows: pd.DataFrame, name: str, forecasts: list[str]) -> None:
    tops = []
    for model in (PERSISTENCE, CLIMATOLOGY, *forecasts):
        table = style.pick(rows[rows["lead"].notna()], model=model).pivot_table("value", "lead", "metric", dropna=False)
        if "rmse" not in table or not table["rmse"].notna().any():
            continue
        colour, line = style.model_colour(model, forecasts), style.model_line(model, forecasts)
        ax.plot(table.index, table["rmse"], ls=line, color=colour, linewidth=1.8, zorder=3, label=model)
        if model != PERSISTENCE:
            tops.append(np.nanmax(table["rmse"]))
        if model in forecasts and {"rmse_q25", "rmse_q75"} <= set(table):
            band = (table["rmse_q25"], table["rmse_q75"])
            ax.fill_between(table.index, *band, color=colour, alpha=0.15 if len(forecasts) < 2 else 0.10, linewidth=0)
            for edge in band:
                ax.plot(table.index, edge, color=colour, alpha=0.6, linewidth=0.7, zorder=2)
            tops.append(np.nanmax(table["rmse_q75"]))
        if model in forecasts:
            _horizon(ax, style.pick(rows, model=model), colour)
    _axes(ax, name, max(tops, default=0.0))


def _horizon(ax: Axes, rows: pd.DataFrame, colour: str) -> None:
    """Draw a dotted line at the skill horizon if it lies within the leads."""
    days, reached = (style.pick(rows, metric=metric)["value"].to_numpy(dtype=float) for metric in HORIZON)
    if len(days) and len(reached) and reached[0] == 1 and days[0] > 0:
        ax.axvline(days[0], color=colour, linestyle=":", linewidth=1.2, zorder=2)


def _axes(ax: Axes, name: str, top: float) -> None:
    style.panel_title(ax, name)
    ax.set_ylabel(f"RMSE {name} [{style.unit_label(name)}]", fontsize=style.SMALL + 1)
    ax.set_xscale("log")
    ax.margins(x=0.02)
    if top > 0:
        ax.set_ylim(0, top * _HEADROOM)
    low, high = ax.get_xlim()
    if high > 1.1 * low:
        ticks = [t for t in _TICKS if low <= t <= high]
        ax.xaxis.set_major_locator(FixedLocator(ticks if len(ticks) < 9 else [1, 3, 7, 15, 30, 90]))
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.tick_params(labelsize=style.SMALL)
    ax.yaxis.get_offset_text().set_fontsize(style.SMALL)
    ax.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4), useMathText=True)
    ax.grid(color=style.GRID, linewidth=0.5)
    if not ax.lines:
        style.no_data(ax)
