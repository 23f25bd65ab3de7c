# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Time series of reference and forecasts at a few sites over the years."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from anemoi_ailand.evaluation.display.style import (
    GRID,
    SHADE,
    SMALL,
    Figure,
    after_number,
    legend,
    minus,
    model_colour,
    model_line,
    new_figure,
    plain,
    unit_label,
)
from anemoi_ailand.evaluation.display.units import shown_factor
from anemoi_ailand.evaluation.fields.baselines import EMULATOR, REFERENCE
from anemoi_ailand.evaluation.fields.climatology import Period

LOG = logging.getLogger(__name__)


def sites_figure(
    reference: xr.Dataset,
    emulated: xr.Dataset | Mapping[str, xr.Dataset],
    titles: Sequence[str],
    training: Period,
) -> Figure:
    """Time series at a few sites: a row per variable, a column per site; reference in all years, emulator in its run.

    Parameters
    ----------
    reference : xarray.Dataset
        Variables ``(time, point)``; daily means are drawn.
    emulated : xarray.Dataset or mapping of str to xarray.Dataset
        The same variables at the same points over the dates of the run; several forecasts by their labels.
    titles : sequence of str
        One line about each point.
    training : (first, last)
        Training period, which is shaded.
    """
    runs = {EMULATOR: emulated} if isinstance(emulated, xr.Dataset) else dict(emulated)
    reference, runs = _shown(reference), {label: _shown(run) for label, run in runs.items()}
    names = [str(name) for name in reference.data_vars]
    figure = new_figure(13.0, 1.0 + 2.2 * len(names))
    axes = figure.subplots(len(names), len(titles), sharex=True, sharey="row", squeeze=False)
    daily = {model: data.resample(time="1D").mean() for model, data in {REFERENCE: reference, **runs}.items()}
    for column, text in enumerate(titles):
        axes[0, column].set_title(plain(text), loc="left")
        for row, name in enumerate(names):
            ax = axes[row, column]
            ax.axvspan(*training, color=SHADE, linewidth=0, zorder=0)  # type: ignore[arg-type]
            for model, series in daily.items():
                line, style = series[name].isel(point=column), model_line(model, list(runs))
                ax.plot(line["time"], line, ls=style, color=model_colour(model, list(runs)), linewidth=1.0, zorder=2)
            _error_note(ax, reference[name], runs, name, column)
            ax.grid(color=GRID, linewidth=0.5)
            ax.margins(x=0.01, y=0.12)
            ax.xaxis.set_major_formatter(ConciseDateFormatter(AutoDateLocator(), show_offset=False))
            if column == 0:
                ax.set_ylabel(f"{name} [{unit_label(name)}]")
    for ax in axes[-1]:
        ax.set_xlabel("time (UTC), daily means")
    figure.align_ylabels(list(axes[:, 0]))
    legend(figure, [REFERENCE, *runs], list(runs), shade="training period", shade_colour=SHADE)
    return figure


def _shown(fields: xr.Dataset) -> xr.Dataset:
    """Fields in the units in which they are shown."""
    return fields.map(lambda field: field * shown_factor(str(field.name)))


def _error_note(ax: Axes, reference: xr.DataArray, runs: Mapping[str, xr.Dataset], name: str, point: int) -> None:
    """RMSE and bias of the 6-hourly values over the run, in a corner of the panel."""
    lines = []
    for model, run in runs.items():
        error = (run[name] - reference.sel(time=run["time"])).isel(point=point)
        bias = minus(f"{float(error.mean()):+.2g}")
        scores = f"RMSE {float(np.sqrt((error**2).mean())):.2g}, bias {bias}{after_number(name)}"
        lines.append(scores if len(runs) == 1 else f"{plain(model)}: {scores}")
    ax.annotate(
        "\n".join(lines), (0.99, 0.97), xycoords="axes fraction", ha="right", va="top", fontsize=SMALL, zorder=3,
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip
