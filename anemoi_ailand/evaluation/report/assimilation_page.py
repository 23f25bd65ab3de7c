# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page of an assimilation: use of observations, departures, consistency, water and energy added, maps and series."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from anemoi_ailand.evaluation.display.style import save
from anemoi_ailand.evaluation.display.text import plain_number
from anemoi_ailand.evaluation.figures.departures import departure_figure, information_figure
from anemoi_ailand.evaluation.report.page import ReportFigure, Section, environment
from anemoi_ailand.evaluation.report.tables import Cell, Row, Table

LOG = logging.getLogger(__name__)

_PAGE = "assimilation.html.j2"

#: Titles of the columns of the tables by name of the table.
TITLES = {
    "use": ("Use of the observations", {"reason": "use", "number": "number"}),
    "departures": ("Departures and consistency", {
        "number": "number", "mean_departure": "mean O - B", "std_departure": "std O - B",
        "mean_residual": "mean O - A", "std_residual": "std O - A", "chi_square": "chi-square",
        "background_ratio": "B, estimated / assumed", "observation_ratio": "R, estimated / assumed",
    }),
    "added": ("Water and energy added by layer and season", {"net": "net", "absolute": "sum of absolute increments"}),
    "budget": ("Budget and information", {"value": "value"}),
}  # fmt: skip

#: Sections: key, title, text, tables and figures.
SECTIONS = (
    ("use", "Observations", "Each row of the feedback has its status; refused observations change nothing.",
     ("use",), ()),
    ("departures", "Departures",
     "Observation minus background (O - B) and minus analysis (O - A), in the unit of the variable. Chi-square is the "
     "mean square of O - B over its assumed variance; with the ratios of Desroziers et al. (2005) it is 1 where the "
     "assumed errors are right. Below 1, errors are assumed too large.",
     ("departures",), ("departures",)),
    ("budget", "Water, energy and information",
     "Mean over all points of what the analyses have added; heat is that of soil at field capacity.",
     ("budget", "added"), ("information",)),
)  # fmt: skip

#: Ratios outside of this range are marked.
_CONSISTENT = (0.5, 2.0)


def write_assimilation_report(
    folder: Path, content: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], maps: pd.DataFrame
) -> Path:
    """Write ``report/index.html`` below ``folder`` with its figures: one file without requests.

    ``content`` is that of ``assimilation.json``; ``tables`` and ``maps`` are the statistics.
    """
    figures = folder / "figures"
    figures.mkdir()
    made = []
    if len(tables["series"]):
        path = save(departure_figure(tables["series"]), figures / "departures.png")
        text = "Mean (line) and standard deviation (band) of each day, before and after the analysis."
        made.append(ReportFigure("departures", path, "Departures by day", text))
    path = save(information_figure(maps), figures / "information.png")
    text = "Net water added to soil and snow, and degrees of freedom for signal of a window, at each point."
    made.append(ReportFigure("information", path, "Maps", text))
    sections = [
        Section(key, title, text, {}, [t for n in names if (t := _table(n, tables[n])).rows],
                [f for f in made if f.section in drawn])
        for key, title, text, names, drawn in SECTIONS
    ]  # fmt: skip
    page = environment().get_template(_PAGE).render(content=content, sections=sections, colours={})
    path = folder / "report" / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    LOG.info("Report %s", path)
    return path


def _table(name: str, table: pd.DataFrame) -> Table:
    """Make a table of the page: columns without a number are headings of the rows."""
    caption, titles = TITLES[name]
    heads = [c for c in table if c not in titles or not pd.api.types.is_numeric_dtype(table[c])]
    numbers = [c for c in table if c not in heads]
    rows = [
        Row(tuple(str(row[c]) for c in heads), tuple(_cell(c, row[c]) for c in numbers))
        for row in table.to_dict("records")
    ]
    return Table(name, caption, tuple(titles.get(c, c) for c in heads), tuple(titles[c] for c in numbers), rows)


def _cell(column: str, value: float) -> Cell:
    checked = column in ("chi_square", "background_ratio", "observation_ratio")
    wrong = checked and np.isfinite(value) and not _CONSISTENT[0] <= value <= _CONSISTENT[1]
    return Cell(plain_number(float(value)), float(value), "worse2" if wrong else "")
