# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Figures of a coupled run, in the style of the evaluation: what crossed over time, and increments of the feedback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anemoi_ailand.evaluation.display import style

#: Colours of what the atmosphere gave, what the land received, and what it made of it.
_GIVEN, _RECEIVED = style.FORECAST_COLOURS[1], style.FORECAST_COLOURS[0]
_MADE = style.FORECAST_COLOURS[:4]

_HEIGHT = 2.2


def crossed_figure(
    dates: Sequence[datetime],
    crossed: Mapping[str, Sequence[tuple[float, float]]],
    made: Mapping[str, Sequence[float]],
    units: Mapping[str, str],
) -> Figure:
    """Draw what crossed in each step of the land, given and received, and what the land made of it.

    ``crossed`` and ``made`` hold one value a step by variable, in ``units``; the land's are in one panel a unit.
    """
    times = np.asarray(dates, dtype="datetime64[s]")
    groups = {unit: [n for n in made if units[n] == unit] for unit in dict.fromkeys(units[n] for n in made)}
    figure, axes = style.panels(len(crossed) + len(groups), 2, _HEIGHT, sharex=True)
    for ax, (name, pairs) in zip(axes, crossed.items(), strict=False):
        given, received = zip(*pairs, strict=True)
        ax.plot(times, given, color=_GIVEN, linewidth=2.5, label="given")
        ax.plot(times, received, color=_RECEIVED, linewidth=1.0, linestyle="--", label="received")
        style.panel_title(ax, name)
        _finish(ax, units[name])
    for ax, (unit, names) in zip(axes[len(crossed) :], groups.items(), strict=True):
        for colour, name in zip(_MADE, names, strict=False):
            ax.plot(times, made[name], color=colour, linewidth=1.2, label=name)
        ax.set_title("The land made of it", loc="left", fontsize=style.SMALL + 1)
        _finish(ax, unit)
    return figure


def increment_figure(
    dates: Sequence[datetime], increments: Mapping[str, Sequence[tuple[float, float]]], units: Mapping[str, str]
) -> Figure:
    """Draw mean and root mean square of the increments of each field, with a dot at the first step.

    ``increments`` hold (mean, root mean square) of each step of the land by field, in ``units``.
    """
    times = np.asarray(dates, dtype="datetime64[s]")
    figure, axes = style.panels(len(increments), 2, _HEIGHT, sharex=True)
    for ax, (field, pairs) in zip(axes, increments.items(), strict=True):
        for values, colour, label in zip(
            zip(*pairs, strict=True), (_GIVEN, _RECEIVED), ("mean", "root mean square"), strict=True
        ):
            ax.plot(times, values, color=colour, linewidth=1.2, label=label)
            ax.plot(times[:1], values[:1], "o", color=colour, markersize=5)
        ax.axhline(0.0, color="black", linewidth=0.8)
        ax.set_title(style.plain(field), loc="left", fontsize=style.SMALL + 1)
        _finish(ax, units[field])
    return figure


def _finish(ax: Axes, units: str) -> None:
    ax.set_ylabel(style.unit_text(units))
    ax.grid(axis="y", color=style.GRID, linewidth=0.5)
    ax.legend(frameon=False, fontsize=style.SMALL, ncols=2)
    ax.tick_params(labelbottom=True)
    style.date_axis(ax)
