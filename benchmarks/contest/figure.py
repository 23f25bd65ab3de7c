# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Figure of error against cost: one point per entrant, and the Pareto front.

``python -m benchmarks.contest.figure PAGE FIGURE`` draws it of the table of skill and speed in a page of results.
"""

from __future__ import annotations

import re
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from anemoi_ailand.evaluation.display.style import BETTER, GRID, QUIET, SMALL, WORSE, Figure, panels, plain, save, title
from benchmarks.contest.entry import Entry
from benchmarks.contest.scores import CORE, TOGETHER

#: Heading of the table of skill and speed, and the network that its errors are relative to.
HEADING, REFERENCE = "## Skill and speed", "ailand, 21 M"

#: Columns of that table that are drawn: microseconds, and a ratio of RMSE, with its interval, for each period.
MICROSECONDS, PERIODS = "microseconds", ("day 30", "day 90")


def pareto_figure(scores: pd.DataFrame, entries: Sequence[Entry], reference: str, group: str) -> Figure:
    """Plot the geometric mean of the ratios of RMSE against the cost of a step, one panel for each lead time.

    The cost is measured microseconds, or operations if some entrant was not measured. Bars are 95 % intervals. A hollow
    point lacks some of the core variables; its mean is over fewer, so it is on no front. The reference is at one.
    """
    rows = scores[(scores["group"] == group) & (scores["variable"] == TOGETHER) & (scores["protocol"] == "A")]
    periods = list(dict.fromkeys(rows["period"]))
    figure, axes = panels(len(periods), columns=2, height=4.2)
    times = {e.label: e.microseconds for e in entries if e.microseconds is not None}
    measured = len(times) == len(entries)
    cost = times if measured else {e.label: e.flop for e in entries}
    for ax, period in zip(axes, periods, strict=True):
        _panel(ax, rows[rows["period"] == period].set_index("model"), cost, reference)
        ax.set_xlabel("microseconds of one core per point-step" if measured else "operations per point-step [FLOP]")
        if measured:  # within few decades
            for axis_formatter in (ax.xaxis.set_major_formatter, ax.xaxis.set_minor_formatter):
                axis_formatter(lambda value, _: f"{value:g}")
        ax.set_title(period, loc="left")
    title(figure, f"Error against cost, {group.replace('_', '-')} points")
    return figure


def figure_of_page(page: Path) -> Figure:
    """Plot the table of skill and speed of a Markdown page, which is below :data:`HEADING`."""
    _, found, text = page.read_text(encoding="utf-8").partition(f"{HEADING}\n")
    lines = [line for line in text.partition("\n#")[0].splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip(" *`") for cell in line.strip("|").split("|")] for line in lines] or [[], []]
    wanted = (MICROSECONDS, *PERIODS)
    if not found or not set(wanted) <= set(head):
        raise ValueError(f"{page} has no table with the columns {list(wanted)} below '{HEADING}', but {head}.")
    entries, scores = [], []
    for row in rows:
        label, cells = row[0].replace("`", ""), dict(zip(head, row, strict=True))
        cost = float(cells[MICROSECONDS])
        entries.append(Entry(label, "", "", "", 0, np.nan, np.nan, microseconds=cost))
        for period in PERIODS:
            ratio, low, high = ([float(x) for x in re.findall(r"[\d.]+", cells[period])] + [np.nan] * 2)[:3]
            about = {"group": "held_out", "variable": TOGETHER, "protocol": "A", "n": len(CORE)}
            about |= {"model": label, "period": period, "ratio": ratio, "ratio_low": low, "ratio_high": high}
            scores.append(about)
    return pareto_figure(pd.DataFrame(scores), entries, REFERENCE, "held_out")


def front(cost: Sequence[float], error: Sequence[float]) -> list[int]:
    """Return the indices of the Pareto front by increasing cost; ties go to the first."""
    best, found = np.inf, []
    for i in sorted(range(len(cost)), key=lambda i: (cost[i], error[i])):
        if error[i] < best:
            best = error[i]
            found.append(i)
    return found


def _panel(ax: Axes, rows: pd.DataFrame, cost: Mapping[str, float], reference: str) -> None:
    ax.axhline(1.0, color=QUIET, linewidth=0.8, linestyle=":")
    shown = [label for label in cost if label in rows.index]
    whole = [label for label in shown if rows.loc[label, "n"] == len(CORE)]
    complete = whole or shown
    at = front([cost[e] for e in complete], [float(rows.loc[e, "ratio"]) for e in complete])
    line = [(cost[complete[i]], float(rows.loc[complete[i], "ratio"])) for i in at]
    ax.plot(*zip(*line, strict=True), color=BETTER, linewidth=1.2, drawstyle="steps-post", zorder=1)
    cheap, dear = min(cost[e] for e in shown), max(cost[e] for e in shown)
    turn = cheap * (dear / cheap) ** 0.75 if dear > cheap else np.inf
    for label in shown:
        row = rows.loc[label]
        colour = WORSE if label == reference else BETTER
        below, above = (max(0.0, v) for v in (row["ratio"] - row["ratio_low"], row["ratio_high"] - row["ratio"]))
        if np.isfinite([below, above]).all():
            ax.errorbar(cost[label], row["ratio"], [[below], [above]], color=colour, linewidth=1, capsize=2, zorder=2)
        face = colour if label in whole else "white"
        ax.scatter(cost[label], row["ratio"], 36, facecolors=face, edgecolors=colour, zorder=3)
        left = cost[label] > turn  # the name of a dear one would leave the panel
        ax.annotate(
            plain(label), (cost[label], row["ratio"]), xytext=(-5 if left else 5, 4), textcoords="offset points",
            fontsize=SMALL, ha="right" if left else "left",
        )  # fmt: skip
    ax.set(xscale="log", yscale="log")
    ax.set_ylabel(f"RMSE over that of {plain(reference)},\nmean of the core variables")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_minor_formatter(lambda value, _: f"{value:.2g}")
    ax.tick_params(which="both", labelsize=SMALL)
    ax.margins(x=0.2, y=0.12)
    ax.grid(color=GRID, linewidth=0.6, axis="x")
    ax.grid(color=GRID, linewidth=0.6, axis="y", which="both")


if __name__ == "__main__":
    parser = ArgumentParser("python -m benchmarks.contest.figure", description=__doc__)
    parser.add_argument("page", type=Path, help="Markdown page with the table of skill and speed")
    parser.add_argument("figure", type=Path, help="file to write (PNG)")
    given = parser.parse_args()
    save(figure_of_page(given.page), given.figure)
