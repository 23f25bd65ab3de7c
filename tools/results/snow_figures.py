# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Figures of the page on snow and runoff: snow at two sites, and runoff of three groups of points."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.fields.reference import EMULATOR, REFERENCE
from anemoi_ailand.evaluation.processes.snow_season import SNOW_LIMITS
from tools.results.runoff_tables import BASINS, RUNOFF, amounts, members
from tools.results.snow_runs import Pair
from tools.results.weather_runs import Run

#: Panels of the figure of sites: title, and label of the axis.
PANELS = {
    "snow mass `sd`": "kg m⁻²",
    "snow depth": "m",
    "albedo of snow": "1",
    "runoff": "mm d⁻¹",
}


def daily_snow(data: xr.Dataset, truth: xr.Dataset) -> list[xr.DataArray]:
    """Return daily means of the panels of a site; the albedo only while ecLand has snow, runoff per day."""
    snow = truth["sd"] > SNOW_LIMITS["sd"]
    series = [data["sd"], data["sd"] / data["rsn"], data["asn"].where(snow), (data["sro"] + data["ssro"]) * 86400.0]
    return [each.isel(point=0).resample(time="1D").mean() for each in series]


def sites_figure(runs: Mapping[str, Run]) -> Figure:
    """Draw snow mass, depth, albedo and runoff, a column for each site by its title."""
    figure, axes = style.panels(len(PANELS) * len(runs), len(runs), 1.5)
    for column, (title, run) in enumerate(runs.items()):
        lines = {REFERENCE: daily_snow(run.ecland, run.ecland), EMULATOR: daily_snow(run.emulator, run.ecland)}
        for row, (name, unit) in enumerate(PANELS.items()):
            panel = {label: of_model[row] for label, of_model in lines.items()}
            _draw(axes[row * len(runs) + column], panel, f"{title}: {style.plain(name.replace('`', ''))}", unit)
    style.title(figure, "Snow with observed weather from one initial state, daily means")
    style.legend(figure, [REFERENCE, EMULATOR])
    return figure


def runoff_figure(pair: Pair, year: int) -> Figure:
    """Draw the mean runoff of each basin: daily in one year, monthly in the whole run."""
    figure, axes = style.panels(2 * len(BASINS), 2, 1.9)
    for row, basin in enumerate(BASINS):
        points, title = members(pair.ecland, basin), basin.title.partition(" (")[0]
        total = {
            label: amounts(data, RUNOFF["`sro` + `ssro`"], points).mean("point")
            for label, data in ((REFERENCE, pair.ecland), (EMULATOR, pair.emulator))
        }
        daily = {label: sums.resample(time="1D").sum().sel(time=str(year)) for label, sums in total.items()}
        monthly = {label: sums.resample(time="1MS").sum() for label, sums in total.items()}
        _draw(axes[2 * row], daily, f"{title}: daily, {year}", "mm d⁻¹")
        _draw(axes[2 * row + 1], monthly, f"{title}: monthly", "mm month⁻¹")
    style.title(figure, "Runoff sro + ssro, mean over held-out points, one run from the first date")
    style.legend(figure, [REFERENCE, EMULATOR])
    return figure


def _draw(ax: Axes, lines: Mapping[str, xr.DataArray], title: str, unit: str) -> None:
    """Draw the lines of both models, the reference below and wider."""
    for label, line in lines.items():
        width = 1.7 if label == REFERENCE else 0.9
        ax.plot(line["time"], line, color=style.model_colour(label), ls=style.model_line(label), lw=width)
    ax.set_title(title, loc="left", fontsize=style.SMALL + 1)
    ax.set_ylabel(f"[{unit}]", fontsize=style.SMALL)
    ax.tick_params(labelsize=style.SMALL - 1)
    ax.grid(color=style.GRID, linewidth=0.5)
    ax.margins(x=0.01, y=0.1)
    style.date_axis(ax)
