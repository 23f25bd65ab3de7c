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
            ax = axes[row * len(runs) + column]
            for label, width in ((REFERENCE, 1.7), (EMULATOR, 0.9)):
                line = lines[label][row]
                ax.plot(line["time"], line, color=style.model_colour(label), ls=style.model_line(label), lw=width)
            ax.set_title(f"{title}: {style.plain(name.replace('`', ''))}", loc="left", fontsize=style.SMALL + 1)
            _finish(ax, unit)
    style.title(figure, "Snow with observed weather from one initial state, daily means")
    style.legend(figure, [REFERENCE, EMULATOR])
    return figure


def runoff_figure(pair: Pair, year: int) -> Figure:
    """Draw the mean runoff of each basin: daily in one year, monthly in the whole run."""
    figure, axes = style.panels(2 * len(BASINS), 2, 1.9)
    for row, basin in enumerate(BASINS):
        points = members(pair.ecland, basin)
        for label, data, width in ((REFERENCE, pair.ecland, 1.7), (EMULATOR, pair.emulator, 0.9)):
            total = amounts(data, RUNOFF["`sro` + `ssro`"], points).mean("point")
            daily = total.resample(time="1D").sum().sel(time=str(year))
            monthly = total.resample(time="1MS").sum()
            for ax, line in zip(axes[2 * row : 2 * row + 2], (daily, monthly), strict=True):
                ax.plot(line["time"], line, color=style.model_colour(label), ls=style.model_line(label), lw=width)
        for ax, what, unit in zip(axes[2 * row : 2 * row + 2], (f"daily, {year}", "monthly"),
                                  ("mm d⁻¹", "mm month⁻¹"), strict=True):  # fmt: skip
            ax.set_title(f"{basin.title.partition(' (')[0]}: {what}", loc="left", fontsize=style.SMALL + 1)
            _finish(ax, unit)
    style.title(figure, "Runoff sro + ssro, mean over held-out points, one run from the first date")
    style.legend(figure, [REFERENCE, EMULATOR])
    return figure


def _finish(ax: Axes, unit: str) -> None:
    ax.set_ylabel(f"[{unit}]", fontsize=style.SMALL)
    ax.tick_params(labelsize=style.SMALL - 1)
    ax.grid(color=style.GRID, linewidth=0.5)
    ax.margins(x=0.01, y=0.1)
    style.date_axis(ax)
