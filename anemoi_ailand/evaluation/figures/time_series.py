# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Time series of reference and forecasts at a few sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import xarray as xr
from matplotlib.figure import Figure

from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.display.variables import shown_factor
from anemoi_ailand.evaluation.fields.climatology import Period
from anemoi_ailand.evaluation.fields.reference import REFERENCE


def sites_figure(
    reference: xr.Dataset, forecasts: Mapping[str, xr.Dataset], titles: Sequence[str], climatology: Period
) -> Figure:
    """Draw daily means at a few sites, a row per variable and a column per site; the reference covers all years.

    Datasets have variables ``(time, point)`` at the same points, with a title for each; the period of the climatology
    is shaded.
    """
    reference, runs = _shown(reference), {label: _shown(run) for label, run in forecasts.items()}
    names = [str(name) for name in reference.data_vars]
    figure = style.new_figure(13.0, 1.0 + 2.2 * len(names))
    axes = figure.subplots(len(names), len(titles), sharex=True, sharey="row", squeeze=False)
    daily = {model: data.resample(time="1D").mean() for model, data in {REFERENCE: reference, **runs}.items()}
    for column, text in enumerate(titles):
        axes[0, column].set_title(style.plain(text), loc="left")
        for row, name in enumerate(names):
            ax = axes[row, column]
            ax.axvspan(*climatology, color=style.SHADE, linewidth=0, zorder=0)  # type: ignore[arg-type]
            for model, series in daily.items():
                line, dashes = series[name].isel(point=column), style.model_line(model, list(runs))
                ax.plot(
                    line["time"], line, ls=dashes, color=style.model_colour(model, list(runs)), linewidth=1.0, zorder=2
                )
            style.corner_note(ax, _error_note(reference[name], runs, name, column), style.SMALL)
            ax.grid(color=style.GRID, linewidth=0.5)
            ax.margins(x=0.01, y=0.12)
            style.date_axis(ax)
            if column == 0:
                ax.set_ylabel(f"{name} [{style.unit_label(name)}]")
    for ax in axes[-1]:
        ax.set_xlabel("time (UTC), daily means")
    figure.align_ylabels(list(axes[:, 0]))
    style.legend(figure, [REFERENCE, *runs], list(runs), shade="years of the climatology", shade_colour=style.SHADE)
    return figure


def _shown(fields: xr.Dataset) -> xr.Dataset:
    """Fields in display units."""
    return fields.map(lambda field: field * shown_factor(str(field.name)))


def _error_note(reference: xr.DataArray, runs: Mapping[str, xr.Dataset], name: str, point: int) -> str:
    """RMSE and bias of the 6-hourly values of each run."""
    lines = []
    for model, run in runs.items():
        scores = style.error_text(run[name].isel(point=point), reference.isel(point=point).sel(time=run["time"]))
        lines.append((scores if len(runs) == 1 else f"{style.plain(model)}: {scores}") + style.after_number(name))
    return "\n".join(lines)
