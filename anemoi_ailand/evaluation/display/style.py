# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Common style of all figures: colours, lines, labels, sizes, and parts that several figures draw.

Colours are safe for the colour-blind (Okabe and Ito, 2008, https://jfly.uni-koeln.de/color/). Figures are objects
without global state; save them with :func:`save`.
"""

from __future__ import annotations

import logging
import re
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

from anemoi_ailand.evaluation.display.variables import shown_units
from anemoi_ailand.evaluation.fields.reference import CLIMATOLOGY, EMULATOR, PERSISTENCE, REFERENCE
from anemoi_ailand.variables import variable

LOG = logging.getLogger(__name__)

#: Colour of each forecast in the order given (Okabe-Ito: vermilion, blue, reddish purple, orange).
FORECAST_COLOURS = ("#D55E00", "#0072B2", "#CC79A7", "#E69F00")

#: Line of the first four forecasts, the next four, and so on.
_FORECAST_LINES: tuple[Any, ...] = ("-", (0, (6, 1)), (0, (6, 1, 1, 1)), (0, (2, 1)))

#: Colours of the reference and the baselines (black, sky blue, bluish green), and lines for print without colour.
_FIXED_COLOURS = {REFERENCE: "#000000", PERSISTENCE: "#56B4E9", CLIMATOLOGY: "#009E73"}
_FIXED_LINES: dict[str, Any] = {REFERENCE: "-", PERSISTENCE: "--", CLIMATOLOGY: "-."}

#: Colours of better and worse (blue and vermilion).
BETTER, WORSE = "#0072B2", "#D55E00"

#: Colour maps of a field and of a difference (brown is less, green-blue is more).
FIELD_MAP, DIFFERENCE_MAP = "viridis_r", "BrBG"

#: Background of maps, of the training period and of a band; coastlines, grid lines, secondary text.
PAPER, SHADE, BAND, COAST, GRID, QUIET = "#F6F7F8", "#E3EAF1", "#C8C8C8", "#9AA5AE", "#D5DADF", "#59636B"

#: Resolution of written figures [dots per inch], and size of small text [points] (matplotlib's default is 10).
DPI = 150
SMALL = 8

#: Width of a figure of the report [inches], which keeps text readable on a phone.
WIDTH = 10.0

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def model_colour(label: str, forecasts: Sequence[str] = (EMULATOR,)) -> str:
    """Return the colour of a model: fixed for reference and baselines, from a fixed sequence for ``forecasts``.

    ``forecasts`` are the labels of all forecasts, in the same order in every figure.
    """
    if label in _FIXED_COLOURS:
        return _FIXED_COLOURS[label]
    return FORECAST_COLOURS[list(forecasts).index(label) % len(FORECAST_COLOURS)]


def model_line(label: str, forecasts: Sequence[str] = (EMULATOR,)) -> Any:
    """Return the line style of a model; arguments as in :func:`model_colour`."""
    if label in _FIXED_LINES:
        return _FIXED_LINES[label]
    return _FORECAST_LINES[list(forecasts).index(label) // len(FORECAST_COLOURS) % len(_FORECAST_LINES)]


def forecast_labels(models: Iterable[str]) -> list[str]:
    """Return the models other than reference and baselines, in the order of their first appearance."""
    return [m for m in dict.fromkeys(models) if m not in _FIXED_COLOURS]


def pick(table: pd.DataFrame, **wanted: Any) -> pd.DataFrame:
    """Select the rows of a table whose columns have the given values; ``None`` means NaN."""
    keep = np.ones(len(table), dtype=bool)
    for column, value in wanted.items():
        keep &= (table[column].isna() if value is None else table[column] == value).to_numpy()
    return table[keep]


def unit_text(units: str) -> str:
    """Format a unit with superscripts, e.g. ``m³ m⁻³`` for ``m3 m-3``."""
    return re.sub(r"(?<=[A-Za-z])-?\d+", lambda found: superscript(found[0]), units)


def superscript(number: str) -> str:
    """Format the digits of an integer as superscripts."""
    return number.translate(_SUPERSCRIPTS)


def unit_label(name: str) -> str:
    """Format the display unit of a variable, e.g. ``m³ m⁻³``; ``1`` for a pure number."""
    return unit_text(shown_units(name))


def after_number(name: str) -> str:
    """Format the display unit after a number in a text; empty for a pure number."""
    return "" if variable(name).units == "1" else f" {unit_label(name)}"


def minus(text: str) -> str:
    """Replace hyphens by the minus sign of print."""
    return text.replace("-", "\N{MINUS SIGN}")


def plain(text: str) -> str:
    """Escape dollar signs of user-supplied text, which matplotlib would read as formulas."""
    return text.replace("$", r"\$")


def sentence(text: str) -> str:
    """Capitalise the first letter."""
    return text[:1].upper() + text[1:]


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """Return an empty figure of the common resolution on white, also on dark pages."""
    return Figure(figsize=(width, height), dpi=DPI, layout=layout, facecolor="white")


def panels(count: int, columns: int, height: float, width: float = WIDTH, **kwargs: Any) -> tuple[Figure, list[Axes]]:
    """Return a figure with ``count`` panels of ``height`` inches, at most ``columns`` to a row."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = new_figure(width * (1 if columns > 1 else 0.6), 1.0 + height * rows)
    axes = list(figure.subplots(rows, columns, squeeze=False, **kwargs).flat)
    for ax in axes:
        ax.set_axisbelow(True)
    for ax in axes[count:]:
        ax.set_visible(False)
    return figure, axes[:count]


def fixed_layout(
    figure: Figure, left: float, right: float, top: float, bottom: float, across: float, between: float
) -> None:
    """Place panels by their space around and between [inches] instead of by their texts, which takes a second."""
    figure.set_layout_engine(None)
    width, height = figure.get_size_inches()
    grid = figure.axes[0].get_gridspec()
    assert grid is not None  # made by subplots
    rows, columns = grid.get_geometry()
    panel = (
        (width - left - right - (columns - 1) * across) / columns,
        (height - top - bottom - (rows - 1) * between) / rows,
    )
    figure.subplots_adjust(
        left=left / width, right=1 - right / width, top=1 - top / height, bottom=bottom / height,
        wspace=across / panel[0], hspace=between / panel[1],
    )  # fmt: skip


def panel_title(ax: Axes, name: str) -> None:
    """Write the long name of a variable above its panel, in short lines."""
    text = textwrap.fill(sentence(variable(name).long_name), width=34)
    ax.set_title(text, loc="left", fontsize=SMALL + 1)


def title(figure: Figure, text: str) -> None:
    """Write a title above all panels, at the left."""
    figure.suptitle(plain(text), x=0.01, ha="left")


def no_data(ax: Axes) -> None:
    """Write "no data" into an empty panel."""
    ax.text(0.5, 0.5, "no data", transform=ax.transAxes, ha="center", color=QUIET)


def date_axis(ax: Axes) -> None:
    """Label the time axis concisely."""
    ax.xaxis.set_major_formatter(ConciseDateFormatter(AutoDateLocator(), show_offset=False))


def shared_dates(ax: Axes) -> None:
    """Label the time axis as :func:`date_axis` does, computed once for all panels that share it, when all is drawn."""
    locator = AutoDateLocator()
    locator.set_axis(ax.xaxis)
    dates = locator()
    ax.set_xticks(dates, ConciseDateFormatter(locator, show_offset=False).format_ticks(dates))


def error_text(forecast: xr.DataArray, reference: xr.DataArray) -> str:
    """Format RMSE and bias of a series in display units."""
    error = forecast - reference
    return minus(f"RMSE {float(np.sqrt((error**2).mean())):.2g}, bias {float(error.mean()):+.2g}")


def corner_note(ax: Axes, text: str, size: float) -> None:
    """Write a note into the upper right corner of a panel."""
    ax.annotate(
        text, (0.99, 0.97), xycoords="axes fraction", ha="right", va="top", fontsize=size, zorder=3,
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip


def legend(
    figure: Figure,
    models: Sequence[str],
    forecasts: Sequence[str] = (EMULATOR,),
    shade: str | None = None,
    shade_colour: str = BAND,
) -> None:
    """Draw one legend below all panels: a line for each model, and a patch for the shading."""
    lines: list[Any] = [
        Line2D(
            [], [], color=model_colour(m, forecasts), linestyle=model_line(m, forecasts), linewidth=2, label=plain(m)
        )
        for m in models
    ]
    lines += [Patch(color=shade_colour, label=shade)] if shade else []
    figure.legend(handles=lines, loc="outside lower center", ncols=min(5, len(lines)), frameon=False)


def save(figure: Figure, path: Path) -> Path:
    """Write the figure as PNG with at most 256 colours, which takes a third of the space, and return its path."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # once: `savefig` draws twice, for the layout and for the file
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(path, format="PNG", optimize=True)
    LOG.info("Figure %s", path.name)
    return path
