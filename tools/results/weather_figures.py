# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Figures of free runs with observed weather: series at two sites, and errors by run."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.fields.reference import EMULATOR, REFERENCE
from anemoi_ailand.variables import variable
from tools.results.weather_runs import Run

#: Variables drawn at the first site; at the second it is snow.
SOIL, SNOW = ("swvl1", "stl1", "slhf"), "sd"

#: Variables of the figure of errors.
SHOWN = ("swvl1", "swvl3", "stl1", "stl3", "skt", "2t", "sshf", "slhf")


def series_figure(soil: Run, snow: Run) -> Figure:
    """Draw daily means of emulator and ecLand, soil and a flux at one site, snow at another."""
    shown = [(soil, name) for name in SOIL] + [(snow, SNOW)]
    figure, axes = style.panels(len(shown), 1, 1.5, width=style.WIDTH / 0.6)
    for ax, (run, name) in zip(axes, shown, strict=True):
        called = variable(name).netcdf_name
        mine, truth = (data[called].isel(point=0) for data in (run.emulator, run.ecland))
        for label, line, width in ((REFERENCE, truth, 1.7), (EMULATOR, mine, 0.9)):
            daily = line.resample(time="1D").mean()
            ax.plot(daily["time"], daily, color=style.model_colour(label), ls=style.model_line(label), linewidth=width)
        style.corner_note(ax, style.error_text(mine, truth) + style.after_number(name), style.SMALL)
        ax.set_title(f"{run.name.replace('_', ' ')}: {name}", loc="left", fontsize=style.SMALL + 1)
        ax.set_ylabel(f"[{style.unit_label(name)}]", fontsize=style.SMALL)
        ax.grid(color=style.GRID, linewidth=0.5)
        ax.margins(x=0.01, y=0.12)
        style.date_axis(ax)
    style.title(figure, "Free runs with observed weather from one initial state, daily means")
    style.legend(figure, [REFERENCE, EMULATOR])
    return figure


def error_figure(found: pd.DataFrame, titles: Mapping[str, str], unseen: Collection[str]) -> Figure:
    """Draw RMSE and bias of each run, a panel for each variable; sites in ``unseen`` are in bold."""
    runs = list(titles)
    figure, axes = style.panels(len(SHOWN), 4, 2.7, sharey=True)
    for ax, name in zip(axes, SHOWN, strict=True):
        _errors(ax, found[found["variable"] == name].set_index("run").loc[runs], name)
    for ax in axes[::4]:
        ax.set_yticks(np.arange(len(runs)), [titles[run] for run in runs], fontsize=style.SMALL - 1)
        for label, run in zip(ax.get_yticklabels(), runs, strict=True):
            label.set_fontweight("bold" if run.partition("_")[0] in unseen else "normal")
    axes[0].invert_yaxis()
    style.title(figure, "Errors of free runs with observed weather; bold: weather that no network is trained on")
    marks = [
        Line2D([], [], color=style.FORECAST_COLOURS[k], marker=mark, linestyle="none", label=label)
        for k, (mark, label) in enumerate((("o", "RMSE"), ("D", "bias")))
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _errors(ax: Axes, rows: pd.DataFrame, name: str) -> None:
    place = np.arange(len(rows))
    ax.hlines(place, 0, rows["rmse"], color=style.GRID, linewidth=2, zorder=1)
    ax.plot(rows["rmse"], place, "o", color=style.FORECAST_COLOURS[0], markersize=4.5, zorder=3)
    ax.plot(rows["bias"], place, "D", color=style.FORECAST_COLOURS[1], markersize=3.5, zorder=2)
    ax.axvline(0, color=style.QUIET, linewidth=0.8)
    ax.set_title(f"{name} [{style.unit_label(name)}]", loc="left", fontsize=style.SMALL + 1)
    ax.tick_params(labelsize=style.SMALL - 1)
    ax.grid(axis="x", color=style.GRID, linewidth=0.5)
