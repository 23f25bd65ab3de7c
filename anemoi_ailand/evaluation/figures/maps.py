# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Maps of points: a field of reference and forecast with their difference, and a score of each point."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from anemoi_ailand.evaluation.display.style import (
    COAST,
    DIFFERENCE_MAP,
    FIELD_MAP,
    GRID,
    PAPER,
    Figure,
    after_number,
    new_figure,
    plain,
    sentence,
    title,
    unit_label,
)
from anemoi_ailand.evaluation.display.units import WITHOUT_UNIT, shown_factor
from anemoi_ailand.evaluation.fields.baselines import EMULATOR, REFERENCE
from anemoi_ailand.evaluation.figures.coastlines import coastlines
from anemoi_ailand.support.sphere import wrap_longitude
from anemoi_ailand.variables import variable

LOG = logging.getLogger(__name__)

#: Share of values, and of differences, that a colour scale covers; the rest has the colour of its ends.
_SCALE_QUANTILES = (0.01, 0.99)
_DIFFERENCE_QUANTILE = 0.95

#: Longest side of a map that is drawn closer than the globe, and margin around the points [degrees].
_REGIONAL, _MARGIN = 90.0, 3.0

#: Scores that have a sign, for which zero is the middle of the colour scale.
_SIGNED = {"bias", "difference", "drift_per_year"}
_SCORE_NAMES = {"rmse": "RMSE", "ubrmse": "unbiased RMSE", "acc": "ACC", "kge": "KGE", "r2": "R²"}


def map_figure(reference: xr.DataArray, emulated: xr.DataArray, label: str = EMULATOR) -> Figure:
    """Map of one variable at one date: reference | emulator | difference, in a plain projection.

    Parameters
    ----------
    reference, emulated : xarray.DataArray
        Values ``(point,)`` at the same date and points, with coordinates time, latitude, longitude; the name is the
        dataset name of the variable.
    label : str
        Name of the forecast.
    """
    name = str(reference.name)
    reference, emulated = (field * shown_factor(name) for field in (reference, emulated))
    unit, difference = unit_label(name), (emulated - reference).values
    low, high = np.quantile(np.concatenate([reference.values, emulated.values]), _SCALE_QUANTILES)
    reach = _reach(difference)
    figure = new_figure(13.0, 3.3)
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    for ax, (model, values) in zip(axes, [(REFERENCE, reference.values), (label, emulated.values)], strict=False):
        dots = scatter_map(ax, reference, values, FIELD_MAP, (float(low), float(high)))
        ax.set_title(plain(model), loc="left")
    figure.colorbar(dots, ax=axes[:2], location="bottom", label=f"{name} [{unit}]", aspect=50, extend="both")
    dots = scatter_map(axes[2], reference, difference, DIFFERENCE_MAP, (-reach, reach))
    axes[2].set_title(plain(f"{label} minus {REFERENCE}"), loc="left")
    figure.colorbar(dots, ax=axes[2], location="bottom", label=f"difference [{unit}]", aspect=25, extend="both")
    axes[0].set_ylabel("latitude [°N]")
    rms, bias = np.sqrt(np.mean(difference**2)), difference.mean()
    title(
        figure,
        f"{sentence(variable(name).long_name)}, {_date(reference)} — RMSE {rms:.2g}, bias {bias:+.2g}"
        f"{after_number(name)} over {difference.size} points",
    )
    return figure


def score_map_figure(values: Mapping[str, xr.DataArray], name: str, metric: str, note: str = "") -> Figure:
    """Map of a score of each point, a panel for each model, all with one colour scale.

    Parameters
    ----------
    values : mapping of str to xarray.DataArray
        Score ``(point,)`` by model, with coordinates latitude, longitude. NaN (no data) is left out.
    name : str
        Variable.
    metric : str
        Name of the score, as in ``metrics.csv``.
    note : str
        What else the title says, e.g. the protocol.

    Raises
    ------
    ValueError
        There is no value at all.
    """
    if metric not in WITHOUT_UNIT:
        values = {model: each * shown_factor(name) for model, each in values.items()}
    pooled = np.concatenate([each.values for each in values.values()])
    pooled = pooled[np.isfinite(pooled)]
    if not pooled.size:
        raise ValueError(f"There is no finite {metric} of '{name}' at any point. Leave its map out.")
    reach = _reach(pooled)
    signed = metric in _SIGNED
    limits = (-reach, reach) if signed else tuple(map(float, np.quantile(pooled, _SCALE_QUANTILES)))
    columns = min(3, len(values))
    rows = -(-len(values) // columns)
    figure = new_figure(
        13.0 if columns == 3 else 10.0 if columns == 2 else 7.0, 1.2 + (2.7 if columns > 1 else 3.6) * rows
    )
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for ax, (model, score) in zip(axes.flat, values.items(), strict=False):
        dots = scatter_map(ax, score, score.values, DIFFERENCE_MAP if signed else FIELD_MAP, limits)
        ax.set_title(plain(model), loc="left")
    for ax in axes.flat[len(values) :]:
        ax.set_visible(False)
    for ax in axes[:, 0]:
        ax.set_ylabel("latitude [°N]")
    text = _SCORE_NAMES.get(metric, metric.replace("_", " "))
    unit = "1" if metric in WITHOUT_UNIT else unit_label(name)
    figure.colorbar(dots, ax=axes, location="bottom", label=f"{text} of {name} [{unit}]", aspect=60, extend="both")
    title(figure, f"{sentence(text)} of {variable(name).long_name} at each point" + (f", {note}" if note else ""))
    return figure


def scatter_map(ax: Axes, at: xr.DataArray, values: np.ndarray, colours: str, limits: tuple[float, ...]) -> Any:
    """Draw ``values`` as dots at latitude and longitude of ``at``, over coastlines; dots shrink as they get many."""
    lon, lat = wrap_longitude(at["longitude"].values), at["latitude"].values
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


def _reach(difference: np.ndarray) -> float:
    """Half the width of a scale of differences; never zero."""
    return max(float(np.quantile(np.abs(difference), _DIFFERENCE_QUANTILE)), float(np.finfo(np.float32).tiny))


def _date(field: xr.DataArray) -> str:
    return field["time"].dt.strftime("%Y-%m-%d %H:%M UTC").item()
