# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Draw the error growth of a comparison: pure drawing, from scores to a figure. No files, no choices.

Its maps and time series are those of the evaluation: ``figures_maps.py``, ``figures_sites.py``.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from anemoi_ailand.evaluation.display.style import COLOURS, GRID, LINES, legend, new_figure, sentence, title, unit_label
from anemoi_ailand.evaluation.display.units import shown_factor
from anemoi_ailand.evaluation.fields.baselines import MODELS
from anemoi_ailand.variables import variable

LOG = logging.getLogger(__name__)


def error_growth_figure(metrics: dict[str, Any], names: Sequence[str], group: str) -> Figure:
    """RMSE against lead time with the quartiles over points, a panel per variable, three or four to a row.

    Parameters
    ----------
    metrics : dict
        As in ``metrics.json``; nothing else is needed to draw the figure again.
    names : sequence of str
        Variables.
    group : str
        Group of points.
    """
    columns = 4 if len(names) in (4, 7, 8) else min(3, len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(13.0, 1.1 + 2.6 * rows)
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False)
    days = np.asarray(metrics["lead_time"]["centre_days"])
    for ax, name in zip(axes.flat, names, strict=False):
        for model in MODELS[::-1]:
            by_lead = metrics["variables"][name]["groups"][group][model]["by_lead"]
            lead = {k: shown_factor(name) * np.array(by_lead[k], dtype=float) for k in ("rmse", "q25", "q75")}
            ax.fill_between(days, lead["q25"], lead["q75"], color=COLOURS[model], alpha=0.18, linewidth=0)
            ax.plot(days, lead["rmse"], LINES[model], color=COLOURS[model], linewidth=1.8)
        ax.set_title(sentence(variable(name).long_name), loc="left")
        ax.set_ylabel(f"RMSE {name} [{unit_label(name)}]")
        ax.set_ylim(bottom=0)
        ax.margins(x=0.01)
        ax.grid(color=GRID, linewidth=0.5)
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
    for ax in axes.flat[max(0, len(names) - columns) : len(names)]:
        ax.set_xlabel("lead time [days]")
        ax.tick_params(labelbottom=True)
    legend(figure, MODELS, shade="quartiles over points")
    title(figure, _growth_title(metrics, group))
    return figure


def _growth_title(metrics: dict[str, Any], group: str) -> str:
    window = metrics["lead_time"]["window_days"]
    return (
        f"Error growth in one run from {metrics['forecast']['initial'][:10]}: RMSE over {metrics['groups'][group]} "
        f"{group.replace('_', '-')} points, windows of {window:g} days"
    )
