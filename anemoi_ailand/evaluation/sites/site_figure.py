# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Series of a site: soil, snow, fluxes of emulator and ecLand, and the forcing that drove them."""

from __future__ import annotations

import logging
import re

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from anemoi_ailand.evaluation.display.style import (
    GRID,
    QUIET,
    SMALL,
    Figure,
    after_number,
    legend,
    minus,
    model_colour,
    model_line,
    panels,
    title,
    unit_label,
    unit_text,
)
from anemoi_ailand.evaluation.display.units import shown_factor, shown_units
from anemoi_ailand.evaluation.fields.baselines import EMULATOR, REFERENCE
from anemoi_ailand.evaluation.sites.site_series import names_of, of_ecland, of_emulator
from anemoi_ailand.variables import variable

LOG = logging.getLogger(__name__)

#: Variables that are drawn, row by row of three columns; those that are not there are left out.
SHOWN = (
    "swvl1", "stl1", "sd",
    "swvl2", "stl2", "slhf",
    "swvl3", "stl3", "sshf",
    "swvl4", "stl4", "ssro",
)  # fmt: skip

#: Forcing that is drawn below.
FORCING = ("t", "avg_tprate", "avg_sdswrf")

#: Runs that are longer are drawn as means of days [days].
DAILY_FROM = 60

#: Rain is shown like evaporation, which has the same unit.
_WATER = "evap"

#: Height of a panel [inches].
_HEIGHT = 1.25

#: What of a long name is left out of a title: the sign of a flux, which the axis shows, and what is in brackets.
_DETAIL = re.compile(r", positive.*| \(.*\)")


def site_figure(series: xr.Dataset, heading: str) -> Figure:
    """A panel for each variable, three to a row, emulator against ecLand, with RMSE and bias; the forcing below.

    Parameters
    ----------
    series : xarray.Dataset
        As :func:`~anemoi_ailand.evaluation.sites.site_series.site_series` makes them.
    heading : str
        Line above all panels.
    """
    mine, forcing = names_of(series, EMULATOR), names_of(series, "forcing")
    shown = [n for n in SHOWN if n in mine] or mine[: len(SHOWN)]
    driven = [n for n in FORCING if n in forcing]
    figure, axes = panels(len(shown) + len(driven), 3, _HEIGHT, sharex=True)
    span = series["time"].values[-1] - series["time"].values[0]
    daily = bool(span > np.timedelta64(DAILY_FROM, "D"))
    for ax, name in zip(axes, shown, strict=False):
        _compared(ax, series, name, daily)
    for ax, name in zip(axes[len(shown) :], driven, strict=True):
        _forced(ax, series, name, daily)
    for ax in axes[-3:]:
        ax.tick_params(labelbottom=True)
        ax.set_xlabel("time (UTC)" + (", means of days" if daily else ""), fontsize=SMALL)
    title(figure, heading)
    compared = any(of_ecland(series, n) is not None for n in shown)
    legend(figure, [REFERENCE, EMULATOR] if compared else [EMULATOR], shade="forcing" if driven else None,
           shade_colour=QUIET)  # fmt: skip
    return figure


def _compared(ax: Axes, series: xr.Dataset, name: str, daily: bool) -> None:
    mine, truth = of_emulator(series, name), of_ecland(series, name)
    for label, line, width in ((REFERENCE, truth, 1.7), (EMULATOR, mine, 0.9)):
        if line is not None:
            line = _drawn(line, daily)
            ax.plot(line["time"], line, color=model_colour(label), ls=model_line(label), linewidth=width)
    if truth is not None:
        error = mine - truth
        bias = minus(f"{float(error.mean()):+.2g}")
        note = f"RMSE {float(np.sqrt((error**2).mean())):.2g}, bias {bias}{after_number(name)}"
        ax.annotate(
            note, (0.99, 0.97), xycoords="axes fraction", ha="right", va="top", fontsize=SMALL - 1.5,
            bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1.0},
        )  # fmt: skip
    _dress(ax, name, unit_label(name))


def _forced(ax: Axes, series: xr.Dataset, name: str, daily: bool) -> None:
    water = variable(name).units == variable(_WATER).units
    line = _drawn(of_emulator(series, name) * (shown_factor(_WATER) if water else 1.0), daily)
    if water:
        ax.fill_between(line["time"].values, line.values, color=QUIET, step="pre", linewidth=0)
    else:
        ax.plot(line["time"], line, color=QUIET, linewidth=0.8)
    _dress(ax, name, unit_text(shown_units(_WATER)) if water else unit_label(name))


def _drawn(line: xr.DataArray, daily: bool) -> xr.DataArray:
    return line.resample(time="1D").mean() if daily else line


def _dress(ax: Axes, name: str, unit: str) -> None:
    meaning = _DETAIL.sub("", variable(name).long_name)
    ax.set_title(f"{meaning}: {name}", loc="left", fontsize=SMALL)
    ax.set_ylabel(f"[{unit}]", fontsize=SMALL)
    ax.grid(color=GRID, linewidth=0.5)
    ax.margins(x=0.01, y=0.22)
    ax.tick_params(labelsize=SMALL - 1)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(AutoDateLocator(), show_offset=False))
