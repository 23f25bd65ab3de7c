# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Draw the figures of a comparison: pure drawing, from fields or scores to a figure. No files, no choices.

Colours are safe for the colour-blind (Okabe and Ito, 2008, https://jfly.uni-koeln.de/color/), and a model has the same
colour and line everywhere. Figures are objects without global state; save them with :meth:`Figure.savefig`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from anemoi_ailand.evaluation.baselines import CLIMATOLOGY, EMULATOR, MODELS, PERSISTENCE, REFERENCE
from anemoi_ailand.evaluation.climatology import Period
from anemoi_ailand.evaluation.coastlines import coastlines
from anemoi_ailand.variables import variable

LOG = logging.getLogger(__name__)

#: Colour of each model (Okabe-Ito: black, vermilion, sky blue, bluish green) and its line, for print without colour.
COLOURS = {REFERENCE: "#000000", EMULATOR: "#D55E00", PERSISTENCE: "#56B4E9", CLIMATOLOGY: "#009E73"}
LINES: dict[str, Any] = {REFERENCE: "-", EMULATOR: "-", PERSISTENCE: "--", CLIMATOLOGY: "-."}

#: Colour maps of a field and of a difference (brown is less, for moisture drier; green-blue is more).
FIELD_MAP, DIFFERENCE_MAP = "viridis_r", "BrBG"

#: Background of maps and of the training period, coastlines, and grid lines.
PAPER, SHADE, COAST, GRID = "#F6F7F8", "#E3EAF1", "#9AA5AE", "#D5DADF"

#: Resolution of the written figures [dots per inch], and size of small letters [points] (others: matplotlib's, 10).
DPI = 150
SMALL = 8

#: Share of values, and of differences, that a colour scale covers; the rest has the colour of its ends.
_SCALE_QUANTILES = (0.01, 0.99)
_DIFFERENCE_QUANTILE = 0.95

#: Longest side of a map that is drawn closer than the globe, and margin around the points [degrees].
_REGIONAL, _MARGIN = 90.0, 3.0

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def unit_label(name: str) -> str:
    """Unit of a variable for an axis, e.g. ``m³ m⁻³``; a pure number has ``1``."""
    return re.sub(r"(?<=[A-Za-z])-?\d+", lambda found: found[0].translate(_SUPERSCRIPTS), variable(name).units)


def _after_number(name: str) -> str:
    """Unit behind a number in a text; a pure number has none."""
    return "" if variable(name).units == "1" else f" {unit_label(name)}"


def map_figure(reference: xr.DataArray, emulated: xr.DataArray) -> Figure:
    """Map of one variable at one date: reference | emulator | difference, in a plain projection.

    Parameters
    ----------
    reference, emulated : xarray.DataArray
        Values ``(point,)`` at the same date and points, with coordinates time, latitude, longitude; the name is the
        dataset name of the variable.
    """
    name = str(reference.name)
    label, unit = variable(name).long_name, unit_label(name)
    difference = (emulated - reference).values
    low, high = np.quantile(np.concatenate([reference.values, emulated.values]), _SCALE_QUANTILES)
    reach = max(float(np.quantile(np.abs(difference), _DIFFERENCE_QUANTILE)), float(np.finfo(np.float32).tiny))
    figure = _figure(13.0, 3.3)
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    panels = [(REFERENCE, reference.values), (EMULATOR, emulated.values)]
    for ax, (title, values) in zip(axes, panels, strict=False):
        dots = _scatter_map(ax, reference, values, FIELD_MAP, (float(low), float(high)))
        ax.set_title(title, loc="left")
    figure.colorbar(dots, ax=axes[:2], location="bottom", label=f"{name} [{unit}]", aspect=50, extend="both")
    dots = _scatter_map(axes[2], reference, difference, DIFFERENCE_MAP, (-reach, reach))
    axes[2].set_title(f"{EMULATOR} minus {REFERENCE}", loc="left")
    figure.colorbar(dots, ax=axes[2], location="bottom", label=f"difference [{unit}]", aspect=25, extend="both")
    axes[0].set_ylabel("latitude [°N]")
    rms, bias = np.sqrt(np.mean(difference**2)), difference.mean()
    figure.suptitle(
        f"{_sentence(label)}, {_date(reference)} — RMSE {rms:.2g}, bias {bias:+.2g}{_after_number(name)} "
        f"over {difference.size} points",
        x=0.01,
        ha="left",
    )
    return figure


def _scatter_map(ax: Axes, at: xr.DataArray, values: np.ndarray, colours: str, limits: tuple[float, float]) -> Any:
    lon, lat = (at["longitude"].values + 180) % 360 - 180, at["latitude"].values
    for line in coastlines():
        ax.plot(line[:, 0], line[:, 1], color=COAST, linewidth=0.6, zorder=1)
    ax.set_facecolor(PAPER)
    ax.grid(color=GRID, linewidth=0.5)
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 3, 6, 10], prune="both"))
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 3, 6, 10]))
    box = (lon.min() - _MARGIN, lon.max() + _MARGIN, lat.min() - _MARGIN, lat.max() + _MARGIN)
    regional = max(box[1] - box[0], box[3] - box[2]) < _REGIONAL
    ax.set(xlim=box[:2] if regional else (-180, 180), ylim=box[2:] if regional else (-60, 85))
    ax.set_aspect("equal")
    ax.set_xlabel("longitude [°E]")
    size = float(np.clip(2.4e4 / len(values), 0.5, 42))
    return ax.scatter(
        lon, lat, size, values, cmap=colours, vmin=limits[0], vmax=limits[1], zorder=2,
        edgecolors="#444444" if size > 10 else "none", linewidths=0.4,
    )  # fmt: skip


def sites_figure(reference: xr.Dataset, emulated: xr.Dataset, titles: Sequence[str], training: Period) -> Figure:
    """Time series at a few sites: a row per variable, a column per site; reference in all years, emulator in its run.

    Parameters
    ----------
    reference, emulated : xarray.Dataset
        Same variables ``(time, point)`` at the same points, each over its own dates; daily means are drawn.
    titles : sequence of str
        One line about each point.
    training : (first, last)
        Training period, which is shaded.
    """
    names = [str(name) for name in reference.data_vars]
    figure = _figure(13.0, 1.0 + 2.2 * len(names))
    axes = figure.subplots(len(names), len(titles), sharex=True, sharey="row", squeeze=False)
    daily = {REFERENCE: reference.resample(time="1D").mean(), EMULATOR: emulated.resample(time="1D").mean()}
    for column, title in enumerate(titles):
        axes[0, column].set_title(title, loc="left")
        for row, name in enumerate(names):
            ax = axes[row, column]
            ax.axvspan(*training, color=SHADE, linewidth=0, zorder=0)
            for model, series in daily.items():
                line = series[name].isel(point=column)
                ax.plot(line["time"], line, LINES[model], color=COLOURS[model], linewidth=1.0, zorder=2)
            _error_note(ax, reference[name].isel(point=column), emulated[name].isel(point=column), name)
            ax.grid(color=GRID, linewidth=0.5)
            ax.margins(x=0.01, y=0.12)
            ax.xaxis.set_major_formatter(ConciseDateFormatter(AutoDateLocator(), show_offset=False))
            if column == 0:
                ax.set_ylabel(f"{name} [{unit_label(name)}]")
    for ax in axes[-1]:
        ax.set_xlabel("time (UTC), daily means")
    figure.align_ylabels(axes[:, 0])
    _legend(figure, [REFERENCE, EMULATOR], shade="training period")
    return figure


def _error_note(ax: Axes, reference: xr.DataArray, emulated: xr.DataArray, name: str) -> None:
    """RMSE and bias of the 6-hourly values over the run, in a corner of the panel."""
    error = emulated - reference.sel(time=emulated["time"])
    ax.annotate(
        f"RMSE {float(np.sqrt((error**2).mean())):.2g}, bias {float(error.mean()):+.2g}{_after_number(name)}",
        (0.99, 0.97), xycoords="axes fraction", ha="right", va="top", fontsize=SMALL, zorder=3,
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip


def error_growth_figure(metrics: dict[str, Any], names: Sequence[str], group: str) -> Figure:
    """RMSE against lead time with the quartiles over points, a panel per variable, three or four to a row.

    Parameters
    ----------
    metrics : dict
        As in ``metrics.json``; nothing else is needed to draw the figure again.
    names : sequence of str
        Variables.
    group : str
        Group of points.
    """
    columns = 4 if len(names) in (4, 7, 8) else min(3, len(names))
    rows = -(-len(names) // columns)
    figure = _figure(13.0, 1.1 + 2.6 * rows)
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False)
    days = np.asarray(metrics["lead_time"]["centre_days"])
    for ax, name in zip(axes.flat, names, strict=False):
        for model in MODELS[::-1]:
            lead = metrics["variables"][name]["groups"][group][model]["by_lead"]
            ax.fill_between(days, lead["q25"], lead["q75"], color=COLOURS[model], alpha=0.18, linewidth=0)
            ax.plot(days, lead["rmse"], LINES[model], color=COLOURS[model], linewidth=1.8)
        ax.set_title(_sentence(variable(name).long_name), loc="left")
        ax.set_ylabel(f"RMSE {name} [{unit_label(name)}]")
        ax.set_ylim(bottom=0)
        ax.margins(x=0.01)
        ax.grid(color=GRID, linewidth=0.5)
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
    for ax in axes.flat[max(0, len(names) - columns) : len(names)]:
        ax.set_xlabel("lead time [days]")
        ax.tick_params(labelbottom=True)
    _legend(figure, MODELS, shade="quartiles over points", title=_growth_title(metrics, group))
    return figure


def _growth_title(metrics: dict[str, Any], group: str) -> str:
    window = metrics["lead_time"]["window_days"]
    return (
        f"Error growth in one run from {metrics['forecast']['initial'][:10]}: RMSE over {metrics['groups'][group]} "
        f"{group.replace('_', '-')} points, windows of {window:g} days"
    )


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def _legend(figure: Figure, models: Sequence[str], shade: str, title: str | None = None) -> None:
    """One legend below all panels, and a title above them."""
    lines: list[Any] = [Line2D([], [], color=COLOURS[m], linestyle=LINES[m], linewidth=2, label=m) for m in models]
    colour = SHADE if title is None else "#C8C8C8"
    lines.append(Patch(color=colour, label=shade))
    figure.legend(handles=lines, loc="outside lower center", ncols=4, frameon=False)
    if title:
        figure.suptitle(title, x=0.01, ha="left")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _date(field: xr.DataArray) -> str:
    return field["time"].dt.strftime("%Y-%m-%d %H:%M UTC").item()
