# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Taylor diagrams: standard deviation, correlation and centred RMSE of forecasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.projections.polar import PolarAxes

from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.fields.reference import REFERENCE

_MARKERS = "osD^vP*X<>"
_CORRELATIONS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 1.0)
_COARSE = (0.0, 0.4, 0.8, 0.95, 1.0)
_LARGEST_RATIO = 2.5


def taylor_statistics(forecast: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    r"""Compute ratio of standard deviations :math:`\hat\sigma` and correlation :math:`R`, pooled over all dimensions.

    The law of cosines of the diagram gives the centred RMSE in units of the standard deviation of the reference:

    .. math:: E'^2 = 1 + \hat\sigma^2 - 2\hat\sigma R, \qquad \hat\sigma = \sigma_f / \sigma_o.

    NaN if either does not vary. Source: Taylor (2001), doi:10.1029/2000JD900719.
    """
    f, o = (np.asarray(x, dtype=np.float64).ravel() for x in (forecast, reference))
    f, o = f - f.mean(), o - o.mean()
    sigma_f, sigma_o = np.sqrt(np.mean(f**2)), np.sqrt(np.mean(o**2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "std_ratio": float(sigma_f / sigma_o) if sigma_o > 0 else np.nan,
            "correlation": float(np.mean(f * o) / (sigma_f * sigma_o)),
        }


def taylor_figure(statistics: pd.DataFrame, groups: Mapping[str, Sequence[str]], forecasts: Sequence[str]) -> Figure:
    """Draw Taylor diagrams, a panel for each group of variables: colours are models, markers variables.

    ``statistics`` has the columns model, variable, std_ratio, correlation; ratios above 2.5 are drawn at the edge.
    """
    table = statistics.dropna(subset=["std_ratio", "correlation"])
    if not len(table):
        raise ValueError("No variable has a ratio of standard deviations and a correlation. Omit the Taylor diagram.")
    shown = {g: [n for n in names if n in set(table["variable"])] for g, names in groups.items()}
    shown = {g: names for g, names in shown.items() if names}
    figure = _figure_of(table, shown, forecasts)
    style.title(figure, "Taylor diagram, protocol B")
    return figure


def _figure_of(table: pd.DataFrame, shown: Mapping[str, Sequence[str]], labels: Sequence[str]) -> Figure:
    """Panels with legends, placed explicitly because constrained layout does not support partial polar axes."""
    radius = float(np.clip(1.15 * table["std_ratio"].max(), 1.5, _LARGEST_RATIO))
    half = bool((table["correlation"] < 0).any())
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    width, height = max(5.0, 3.4 * columns), 1.2 + (3.1 if half else 4.1) * rows
    figure = style.new_figure(width, height, layout=None)
    figure.subplots_adjust(
        left=0.4 / width, right=1 - 0.5 / width, top=1 - 1.1 / height, bottom=1.1 / height, wspace=0.3, hspace=0.45
    )
    for k, (group, names) in enumerate(shown.items()):
        ax = figure.add_subplot(rows, columns, k + 1, projection="polar")
        assert isinstance(ax, PolarAxes)
        _grid(ax, radius, half)
        _points(ax, table[table["variable"].isin(names)], names, labels, radius)
        ax.set_title(group, loc="left", fontsize=10, pad=14)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=4, frameon=False, fontsize=style.SMALL,
                  columnspacing=0.8, handletextpad=0.1)  # fmt: skip
    handles = [
        Line2D([], [], ls="", marker="o", color=style.model_colour(m, labels), label=style.plain(m)) for m in labels
    ]
    handles.append(
        Line2D([], [], ls="", marker="o", mfc="none", mec="black", mew=1.5, label=f"{REFERENCE} (reference)")
    )
    figure.legend(handles=handles, loc="lower center", ncols=min(5, len(handles)) if columns > 1 else 2, frameon=False)
    return figure


def _grid(ax: PolarAxes, radius: float, half: bool) -> None:
    """Draw the grid: the angle is the arc cosine of the correlation, arcs around 1 are the centred RMSE."""
    ticks = [-c for c in _COARSE[:0:-1]] + list(_COARSE) if half else list(_CORRELATIONS)
    ax.set_thetalim(0, np.pi if half else np.pi / 2)
    ax.set_thetagrids(np.degrees(np.arccos(ticks)), [style.minus(f"{t:g}") for t in ticks], fontsize=style.SMALL)
    ax.set_rlim(0, radius)
    steps = np.arange(0.5, radius + 1e-9, 0.5)
    ax.set_rgrids(steps, [f"{s:g}" for s in steps], fontsize=style.SMALL, angle=0)
    ax.tick_params(axis="y", labelsize=style.SMALL, pad=1)
    ax.grid(color=style.GRID, linewidth=0.6)
    ax.text(
        np.pi / 4,
        1.16 * radius,
        "correlation",
        rotation=-45,
        ha="center",
        va="center",
        fontsize=style.SMALL,
        color=style.QUIET,
    )
    ax.set_xlabel("standard deviation / that of ecLand [1]", fontsize=style.SMALL, color=style.QUIET, labelpad=12)
    angle = np.linspace(0, 2 * np.pi, 361)
    for error in (0.25, 0.5, 1.0):
        x, y = 1 + error * np.cos(angle), error * np.sin(angle)
        inside = (y >= 0) & (np.hypot(x, y) <= radius) & ((x >= 0) | half)
        ax.plot(
            np.arctan2(y, x), np.where(inside, np.hypot(x, y), np.nan), color=style.QUIET, linewidth=0.7, linestyle=":"
        )
        ax.annotate(
            f"{error:g}",
            (np.arctan2(error, 1), np.hypot(1, error)),
            fontsize=style.SMALL - 1,
            color=style.QUIET,
            ha="center",
        )
    arc = np.linspace(0, np.pi if half else np.pi / 2, 181)
    ax.plot(arc, np.ones_like(arc), color=style.QUIET, linewidth=0.9)
    ax.plot(0, 1, "o", mfc="none", mec="black", mew=1.5, ms=8, clip_on=False, zorder=4)


def _points(ax: PolarAxes, table: pd.DataFrame, names: Sequence[str], labels: Sequence[str], radius: float) -> None:
    for name, marker in zip(names, _MARKERS, strict=False):
        for _, row in table[table["variable"] == name].iterrows():
            ratio = min(row["std_ratio"], radius)
            colour = style.model_colour(row["model"], labels)
            ax.plot(np.arccos(np.clip(row["correlation"], -1, 1)), ratio, marker, color=colour, ms=6.5, mec="white",
                    mew=0.5, clip_on=False, zorder=5)  # fmt: skip
        ax.plot([], [], marker, color=style.QUIET, ls="", ms=6, label=name)
