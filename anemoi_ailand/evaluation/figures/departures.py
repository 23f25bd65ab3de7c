# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Figures of an assimilation: departures with time, and maps of water added and of information."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.figures.maps import scatter_map


def departure_figure(series: pd.DataFrame) -> Figure:
    """Draw mean and standard deviation of the departures of each day, a panel for each variable.

    ``series`` has the columns ``variable, day, number`` and ``mean_`` and ``std_`` of ``departure`` and ``residual``.
    """
    names = list(series["variable"].unique())
    figure, axes = style.panels(len(names), 2, 2.6)
    kinds = (("departure", "O - B", style.FORECAST_COLOURS[0]), ("residual", "O - A", style.FORECAST_COLOURS[1]))
    for ax, name in zip(axes, names, strict=True):
        rows = series[series["variable"] == name]
        days = pd.to_datetime(rows["day"]).to_numpy()
        for kind, label, colour in kinds:
            mean, std = rows[f"mean_{kind}"].to_numpy(float), rows[f"std_{kind}"].fillna(0.0).to_numpy(float)
            ax.plot(days, mean, color=colour, marker=".", label=label)  # marks: there may be a single day
            ax.fill_between(days, mean - std, mean + std, color=colour, alpha=0.15, linewidth=0)
        ax.axhline(0.0, color=style.QUIET, linewidth=0.6)
        ax.set_title(f"{name}, {int(rows['number'].sum())} observations", loc="left", fontsize=style.SMALL + 1)
        ax.grid(color=style.GRID, linewidth=0.5)
        ax.legend(frameon=False, fontsize=style.SMALL)
        style.date_axis(ax)
    style.title(figure, "Departures by day")
    return figure


def information_figure(maps: pd.DataFrame) -> Figure:
    """Draw maps of the net water added [kg m-2] and of the degrees of freedom for signal of a window.

    ``maps`` has the columns ``latitude, longitude, water, signal``, a row for each point.
    """
    places = {n: ("point", maps[n].to_numpy()) for n in ("latitude", "longitude")}
    at = xr.DataArray(maps["water"].to_numpy(), dims="point", coords=places)
    figure, axes = style.panels(2, 2, 2.7, sharex=True, sharey=True)
    water, signal = maps["water"].to_numpy(), maps["signal"].to_numpy()
    reach = max(float(np.quantile(np.abs(water), 0.98)), 1e-6)
    top = max(float(np.quantile(signal, 0.98)), 1e-6)
    cases = (
        ("net water added [kg m⁻²]", water, style.DIFFERENCE_MAP, (-reach, reach)),
        ("degrees of freedom for signal", signal, style.FIELD_MAP, (0.0, top)),
    )
    for ax, (label, values, colours, limits) in zip(axes, cases, strict=True):
        dots = scatter_map(ax, at, values, colours, limits)
        ax.set_title(label, loc="left", fontsize=style.SMALL + 1)
        figure.colorbar(dots, ax=ax, location="bottom", aspect=30, extend="both")
    axes[0].set_ylabel("latitude [°N]")
    return figure
