# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Maps of points: reference, forecast and difference at one date, and RMSE at each point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.display.variables import shown_factor
from anemoi_ailand.evaluation.fields.reference import REFERENCE
from anemoi_ailand.evaluation.figures.coastlines import coastlines
from anemoi_ailand.support.sphere import wrap_longitude
from anemoi_ailand.variables import variable

#: Quantiles of values, and of absolute differences, at the ends of colour scales.
_SCALE_QUANTILES = (0.01, 0.99)
_DIFFERENCE_QUANTILE = 0.95

#: Longest side of a regional map, and margin around the points [degrees].
_REGIONAL, _MARGIN = 90.0, 3.0


def map_figure(reference: xr.DataArray, forecast: xr.DataArray, label: str) -> Figure:
    """Draw maps of one variable at one date: reference, forecast, difference.

    The values ``(point,)`` of both are at the same date and points, named by the variable, with coordinates time,
    latitude, longitude.
    """
    name = str(reference.name)
    reference, forecast = (field * shown_factor(name) for field in (reference, forecast))
    unit, difference = style.unit_label(name), (forecast - reference).values
    low, high = np.quantile(np.concatenate([reference.values, forecast.values]), _SCALE_QUANTILES)
    reach = _reach(difference)
    figure = style.new_figure(13.0, 3.3)
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    for ax, (model, values) in zip(axes, [(REFERENCE, reference.values), (label, forecast.values)], strict=False):
        dots = scatter_map(ax, reference, values, style.FIELD_MAP, (float(low), float(high)))
        ax.set_title(style.plain(model), loc="left")
    figure.colorbar(dots, ax=axes[:2], location="bottom", label=f"{name} [{unit}]", aspect=50, extend="both")
    dots = scatter_map(axes[2], reference, difference, style.DIFFERENCE_MAP, (-reach, reach))
    axes[2].set_title(style.plain(f"{label} minus {REFERENCE}"), loc="left")
    figure.colorbar(dots, ax=axes[2], location="bottom", label=f"difference [{unit}]", aspect=25, extend="both")
    axes[0].set_ylabel("latitude [°N]")
    rms, bias = np.sqrt(np.mean(difference**2)), difference.mean()
    style.title(
        figure,
        f"{style.sentence(variable(name).long_name)}, {_date(reference)} — RMSE {rms:.2g}, bias {bias:+.2g}"
        f"{style.after_number(name)} over {difference.size} points",
    )
    return figure


def rmse_map_figure(values: Mapping[str, xr.DataArray], name: str) -> Figure:
    """Draw maps of the RMSE ``(point,)`` of a variable, a panel for each forecast, with one colour scale."""
    values = {model: each * shown_factor(name) for model, each in values.items()}
    pooled = np.concatenate([each.values for each in values.values()])
    limits = tuple(map(float, np.quantile(pooled, _SCALE_QUANTILES)))
    columns = min(3, len(values))
    height, width = {1: (3.2, 7.0 / 0.6), 2: (2.7, 10.0), 3: (2.7, 13.0)}[columns]
    figure, axes = style.panels(len(values), columns, height, width, sharex=True, sharey=True)
    for ax, (model, score) in zip(axes, values.items(), strict=True):
        dots = scatter_map(ax, score, score.values, style.FIELD_MAP, limits)
        ax.set_title(style.plain(model), loc="left")
    for ax in axes[::columns]:
        ax.set_ylabel("latitude [°N]")
    label = f"RMSE of {name} [{style.unit_label(name)}]"
    figure.colorbar(dots, ax=axes, location="bottom", label=label, aspect=60, extend="both")
    style.title(figure, f"RMSE of {variable(name).long_name} at each point, protocol B")
    return figure


def scatter_map(ax: Axes, at: xr.DataArray, values: np.ndarray, colours: str, limits: tuple[float, ...]) -> Any:
    """Draw ``values`` as dots at latitude and longitude of ``at`` over coastlines; many dots are smaller."""
    lon, lat = wrap_longitude(at["longitude"].values), at["latitude"].values
    for line in coastlines():
        ax.plot(line[:, 0], line[:, 1], color=style.COAST, linewidth=0.6, zorder=1)
    ax.set_facecolor(style.PAPER)
    ax.grid(color=style.GRID, linewidth=0.5)
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
    """Half the width of a scale of differences, never zero."""
    return max(float(np.quantile(np.abs(difference), _DIFFERENCE_QUANTILE)), float(np.finfo(np.float32).tiny))


def _date(field: xr.DataArray) -> str:
    return field["time"].dt.strftime("%Y-%m-%d %H:%M UTC").item()
