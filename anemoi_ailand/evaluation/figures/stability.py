# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Water storage and soil temperature of a century by climate class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.processes.stability import layers_of, storage
from anemoi_ailand.evaluation.scores.strata import BIOMES

#: Quantiles over points at the edges of the band.
_WITHIN = (0.1, 0.9)

#: Most lines of single drifting points in a panel.
_OWN_LINES = 5

#: Height of a panel [inches].
_HEIGHT = 2.0


def storage_figure(run: xr.Dataset, ecland: xr.Dataset, classes: Sequence[str], drifting: Sequence[int]) -> Figure:
    """Draw the water storage of each cycle of the forcing minus ecLand's, a panel for each class.

    A level line has no drift; its height is the distance of the equilibrium from ecLand's years. Only means over cycles
    are compared, because the first year of a cycle follows another year than in ecLand. ``classes`` is the climate
    class of each point; points in ``drifting`` have a line of their own.
    """
    values = _against(storage(run)[1:], storage(ecland)[1:])
    figure = _panels({"water": (values, style.FORECAST_COLOURS[0])}, classes, drifting, "storage [kg m-2]")
    style.title(figure, "Water storage of the emulator minus ecLand's, means over each cycle of the repeated forcing")
    return figure


def temperature_figure(run: xr.Dataset, ecland: xr.Dataset, classes: Sequence[str], drifting: Sequence[int]) -> Figure:
    """Draw first and deepest soil temperature of each cycle minus ecLand's, as :func:`storage_figure`."""
    layers = layers_of(run, "stl")
    shown = {}
    for k, colour in zip(
        dict.fromkeys((1, layers[-1])), (style.FORECAST_COLOURS[3], style.FORECAST_COLOURS[1]), strict=False
    ):
        name = f"stl{k}_mean"
        shown[f"stl{k}"] = (_against(run[name].values, ecland[name].values), colour)
    figure = _panels(shown, classes, drifting, "temperature [K]")
    style.title(
        figure, "Soil temperature of the emulator minus ecLand's, means over each cycle of the repeated forcing"
    )
    return figure


def _against(values: np.ndarray, ecland: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Last year of each whole cycle, and the means (cycle, point) of ``values`` minus that of ecLand."""
    cycle = len(ecland)
    number = len(values) // cycle
    means = values[: number * cycle].reshape(number, cycle, -1).mean(axis=1)
    return cycle * np.arange(1, number + 1), means - ecland.mean(axis=0)


def _panels(
    shown: dict[str, tuple[tuple[np.ndarray, np.ndarray], str]],
    classes: Sequence[str],
    drifting: Sequence[int],
    label: str,
) -> Figure:
    names = np.asarray(classes, dtype=object)
    present = [c for c in (*BIOMES, *sorted(set(names) - set(BIOMES))) if (names == c).any()]
    figure, axes = style.panels(len(present), 3, _HEIGHT, sharex=True)
    columns = min(3, len(present))
    for ax, name in zip(axes, present, strict=True):
        here = np.flatnonzero(names == name)
        for (years, values), colour in shown.values():
            _draw(ax, years, values[:, here], colour)
            for point in [p for p in drifting if p in here][:_OWN_LINES]:
                ax.plot(years, values[:, point], color=colour, linewidth=0.7, alpha=0.8)
        ax.set_title(f"{style.sentence(name)} ({len(here)} points)", loc="left", fontsize=style.SMALL + 1)
        ax.axhline(0, color=style.QUIET, linewidth=0.8)
        ax.grid(color=style.GRID, linewidth=0.5)
        ax.margins(x=0.01)
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        ax.tick_params(labelsize=style.SMALL)
    for ax in axes[::columns]:
        ax.set_ylabel(style.unit_text(label), fontsize=style.SMALL + 1)
    for ax in axes[-columns:]:
        ax.set_xlabel("year of the run", fontsize=style.SMALL + 1)
        ax.tick_params(labelbottom=True)
    _legend(figure, {k: colour for k, (_, colour) in shown.items()}, bool(len(drifting)))
    return figure


def _draw(ax: Axes, years: np.ndarray, values: np.ndarray, colour: str) -> None:
    """Draw the median over points and the band between quantiles."""
    low, high = np.nanquantile(values, _WITHIN, axis=1) if np.isfinite(values).any() else (years * np.nan,) * 2
    ax.fill_between(years, low, high, color=colour, alpha=0.25, linewidth=0)
    ax.plot(years, np.nanmedian(values, axis=1) if np.isfinite(values).any() else low, color=colour, linewidth=1.6)


def _legend(figure: Figure, colours: dict[str, str], drifting: bool) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=c, linewidth=2, label=f"{n}, median over points") for n, c in colours.items()
    ]
    handles.append(Patch(color=style.BAND, label="10 % to 90 % of the points"))
    if drifting:
        handles.append(Line2D([], [], color=style.WORSE, linewidth=0.7, label="points that drift"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
