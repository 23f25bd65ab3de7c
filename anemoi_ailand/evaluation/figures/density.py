# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Scatter density of forecast against reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.display.variables import shown_factor
from anemoi_ailand.evaluation.fields.reference import REFERENCE

#: Hexagons across a panel.
_ACROSS = 45

#: Quantiles of the values at the ends of the axes; values beyond are drawn at the ends.
_QUANTILES = (0.0005, 0.9995)


def density_figure(pairs: Mapping[str, tuple[np.ndarray, np.ndarray]], label: str) -> Figure:
    """Draw the density of forecast against reference in hexagons, a panel per variable, on a logarithmic scale.

    ``pairs`` holds reference and forecast of the same shape by variable; NaN is left out.
    """
    columns = 2 if len(pairs) in (2, 4) else 3
    figure, axes = style.panels(len(pairs), columns, 3.4 if columns == 3 else 4.6)
    drawn = [
        _panel(ax, np.ravel(reference), np.ravel(forecast), name, style.plain(label))
        for ax, (name, (reference, forecast)) in zip(axes, pairs.items(), strict=True)
    ]
    hexagons = [each for each in drawn if each is not None]
    if hexagons:
        norm = LogNorm(1, max(2.0, *(float(each.get_array().max()) for each in hexagons)))
        for each in hexagons:
            each.set_norm(norm)
        share = 0.1 / -(-len(pairs) // columns)  # of the height, which grows with the rows
        figure.colorbar(
            hexagons[0], ax=axes, location="bottom", label="values in a hexagon [1]", fraction=share, aspect=50
        )
    style.title(figure, f"{label} against {REFERENCE}, protocol B")
    return figure


def _panel(ax: Axes, reference: np.ndarray, forecast: np.ndarray, name: str, label: str) -> Any:
    reference, forecast = (shown_factor(name) * values for values in (reference, forecast))
    finite = np.isfinite(reference) & np.isfinite(forecast)
    style.panel_title(ax, name)
    unit = style.unit_label(name)
    ax.set_xlabel(f"{name}, {REFERENCE} [{unit}]", fontsize=style.SMALL + 1)
    ax.set_ylabel(f"{name}, {label} [{unit}]", fontsize=style.SMALL + 1)
    ax.tick_params(labelsize=style.SMALL)
    if not finite.any():
        style.no_data(ax)
        return None
    x, y = reference[finite].astype(np.float64), forecast[finite].astype(np.float64)
    low, high = np.quantile(np.concatenate([x, y]), _QUANTILES)
    high = high if high > low else low + 1.0
    x, y = np.clip(x, low, high), np.clip(y, low, high)
    hexagons = ax.hexbin(x, y, gridsize=_ACROSS, extent=(low, high, low, high), mincnt=1, cmap="viridis_r",
                         norm=LogNorm(vmin=1), linewidths=0.1)  # fmt: skip
    ax.axline((low, low), (high, high), color="black", linewidth=0.8, linestyle="--")
    ax.set(xlim=(low, high), ylim=(low, high))
    ax.set_box_aspect(1)
    ax.grid(color=style.GRID, linewidth=0.5)
    ax.annotate(f"n = {x.size}", (0.03, 0.96), xycoords="axes fraction", va="top", fontsize=style.SMALL)
    return hexagons
