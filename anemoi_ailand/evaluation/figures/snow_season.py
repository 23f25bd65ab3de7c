# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Errors of the dates of onset and melt-out of snow seasons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anemoi_ailand.evaluation.display import style

#: Events of the snow season and their titles.
EVENTS = {"onset": "Onset of the snow season", "melt_out": "Melt-out"}

#: Errors in the outermost bins, which include larger ones, and width of a bin [days].
REACH, BIN = 40.0, 5.0


def snow_season_figure(errors: pd.DataFrame, forecasts: Sequence[str]) -> Figure:
    """Draw the distribution of errors of onset and melt-out, a panel each; positive is later than the reference.

    ``errors`` is the table of :func:`~anemoi_ailand.evaluation.processes.snow_season.date_errors`.
    """
    figure, axes = style.panels(2, 2, 3.2, sharey=True)
    for ax, (event, text) in zip(axes, EVENTS.items(), strict=True):
        table = errors[(errors["event"] == event) & errors["error_days"].notna()]
        _panel(ax, table, forecasts)
        ax.set_title(text, loc="left")
        ax.set_xlabel("error [days], positive is later")
    axes[0].set_ylabel("share of seasons [%]")
    style.title(figure, "Dates of the snow season, protocol B")
    return figure


def _panel(ax: Axes, table: pd.DataFrame, labels: Sequence[str]) -> None:
    edges = np.arange(-REACH - BIN / 2, REACH + BIN, BIN)
    for model in dict.fromkeys(table["model"]):
        error = table.loc[table["model"] == model, "error_days"].to_numpy(dtype=float)
        counts, _ = np.histogram(np.clip(error, -REACH, REACH), edges)
        text = (
            f"{style.plain(model)}: mean {error.mean():+.1f}, mean abs. {np.abs(error).mean():.1f} d, n = {error.size}"
        )
        ax.stairs(
            100 * counts / error.size, edges, color=style.model_colour(model, labels), label=style.minus(text),
            linestyle=style.model_line(model, labels), linewidth=1.8,
        )  # fmt: skip
    ax.axvline(0, color=style.QUIET, linewidth=0.8)
    ticks = np.arange(-REACH, REACH + 1, 20)
    ends = {-REACH: style.minus(f"≤ -{REACH:g}"), REACH: f"≥ {REACH:g}"}
    ax.set_xticks(ticks, [ends.get(float(t), style.minus(f"{t:g}")) for t in ticks])
    ax.grid(color=style.GRID, linewidth=0.5)
    ax.margins(y=0.3)
    ax.set_ylim(bottom=0)
    if len(table):
        ax.legend(loc="upper left", frameon=False, fontsize=style.SMALL)
    else:
        style.no_data(ax)
