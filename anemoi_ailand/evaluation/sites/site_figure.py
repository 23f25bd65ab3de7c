# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Figure of the series at a site: soil, snow, fluxes of emulator and ecLand, and the forcing."""

from __future__ import annotations

import re

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.fields.reference import EMULATOR, REFERENCE
from anemoi_ailand.evaluation.sites.site_series import names_of, of_ecland, of_emulator
from anemoi_ailand.variables import variable

#: Drawn variables, row by row of three columns, as far as available.
SHOWN = (
    "swvl1", "stl1", "sd",
    "swvl2", "stl2", "slhf",
    "swvl3", "stl3", "sshf",
    "swvl4", "stl4", "ssro",
)  # fmt: skip

#: Drawn forcing; that of water as an area.
_PRECIPITATION = "avg_tprate"
FORCING = ("t", _PRECIPITATION, "avg_sdswrf")

#: Length above which runs are drawn as daily means [days].
DAILY_FROM = 60

#: Height of a panel [inches].
_HEIGHT = 1.25

#: Space around and between panels [inches], for labels of two lines.
_MARGINS = {"left": 0.75, "right": 0.2, "top": 0.5, "bottom": 0.8, "across": 0.8, "between": 0.33}

#: Parts of a long name that titles omit: text in brackets, and the sign convention of a flux, which goes to the unit.
_DETAIL = re.compile(r", (?P<sign>positive.*)| \(.*\)")


def site_figure(series: xr.Dataset, heading: str) -> Figure:
    """Draw emulator and ecLand with RMSE and bias, a panel for each variable, and the forcing below."""
    mine, forcing = names_of(series, EMULATOR), names_of(series, "forcing")
    shown = [n for n in SHOWN if n in mine] or mine[: len(SHOWN)]
    driven = [n for n in FORCING if n in forcing]
    figure, axes = style.panels(len(shown) + len(driven), 3, _HEIGHT, sharex=True)
    style.fixed_layout(figure, **_MARGINS)
    span = series["time"].values[-1] - series["time"].values[0]
    daily = bool(span > np.timedelta64(DAILY_FROM, "D"))
    for ax, name in zip(axes, shown, strict=False):
        _compared(ax, series, name, daily)
    for ax, name in zip(axes[len(shown) :], driven, strict=True):
        _forced(ax, series, name, daily)
    style.shared_dates(axes[0])
    for ax in axes[-3:]:
        ax.tick_params(labelbottom=True)
        ax.set_xlabel("time (UTC)" + (", daily means" if daily else ""), fontsize=style.SMALL)
    style.title(figure, heading)
    compared = any(of_ecland(series, n) is not None for n in shown)
    style.legend(figure, [REFERENCE, EMULATOR] if compared else [EMULATOR], shade="forcing" if driven else None,
           shade_colour=style.QUIET)  # fmt: skip
    return figure


def _compared(ax: Axes, series: xr.Dataset, name: str, daily: bool) -> None:
    mine, reference = of_emulator(series, name), of_ecland(series, name)
    for label, line, width in ((REFERENCE, reference, 1.7), (EMULATOR, mine, 0.9)):
        if line is not None:
            line = _drawn(line, daily)
            ax.plot(line["time"], line, color=style.model_colour(label), ls=style.model_line(label), linewidth=width)
    if reference is not None:
        style.corner_note(ax, style.error_text(mine, reference) + style.after_number(name), style.SMALL - 1.5)
    _dress(ax, name, style.unit_label(name))


def _forced(ax: Axes, series: xr.Dataset, name: str, daily: bool) -> None:
    line = _drawn(of_emulator(series, name), daily)
    if name == _PRECIPITATION:
        ax.fill_between(line["time"].values, line.values, color=style.QUIET, step="pre", linewidth=0)
    else:
        ax.plot(line["time"], line, color=style.QUIET, linewidth=0.8)
    _dress(ax, name, style.unit_label(name))


def _drawn(line: xr.DataArray, daily: bool) -> xr.DataArray:
    """Return the series, or its means over days, which xarray takes a hundred times as long to group."""
    if not daily:
        return line
    days, begin = np.unique(line["time"].values.astype("datetime64[D]"), return_index=True)
    valid = line.notnull().values
    with np.errstate(invalid="ignore"):
        means = np.add.reduceat(line.fillna(0.0).values.astype(np.float64), begin) / np.add.reduceat(
            valid, begin, dtype=int
        )
    return xr.DataArray(means, dims="time", coords={"time": days.astype("datetime64[ns]")})


def _dress(ax: Axes, name: str, unit: str) -> None:
    meaning = _DETAIL.sub("", variable(name).long_name)
    detail = _DETAIL.search(variable(name).long_name)
    sign = f"\n{detail['sign']}" if detail and detail["sign"] else ""
    ax.set_title(f"{meaning}: {name}", loc="left", fontsize=style.SMALL)
    ax.set_ylabel(f"[{unit}]{sign}", fontsize=style.SMALL)
    ax.grid(color=style.GRID, linewidth=0.5)
    ax.margins(x=0.01, y=0.22)
    ax.tick_params(labelsize=style.SMALL - 1)
