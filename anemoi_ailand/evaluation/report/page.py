# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The report that people read: one self-contained page from the metrics and the figures of an evaluation."""

from __future__ import annotations

import base64
import logging
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from anemoi_ailand.evaluation.display.style import model_colour, unit_text
from anemoi_ailand.evaluation.display.units import shown_units
from anemoi_ailand.evaluation.display.variable_groups import variable_groups
from anemoi_ailand.evaluation.fields.baselines import REFERENCE
from anemoi_ailand.evaluation.figures.budget import main_group
from anemoi_ailand.evaluation.report import tables
from anemoi_ailand.evaluation.report.content import Content
from anemoi_ailand.evaluation.report.summary import comparison, findings, not_measured
from anemoi_ailand.variables import VARIABLES, Variable

LOG = logging.getLogger(__name__)

#: What each protocol does.
PROTOCOLS = {
    "A": "many integrations of up to 90 days from the reference's state, one every few days of the test year; the "
    "scores of day d pool its four 6-hourly values over all starts and points",
    "B": "one run from a single initial state through all test years; it never sees the reference again",
    "C": "the same in other places: points held out of training, single sites, another density of points",
}

#: Sections with tables and figures: key, title, what they show.
SECTIONS = (
    ("protocol-a", "Protocol A: error by lead time", "Many integrations, each from the state of the reference."),
    ("protocol-b", "Protocol B: one run over years", "Scores of one free run, and whether it drifts."),
    ("protocol-c", "Protocol C: other places", "Points and sites apart from those of protocols A and B."),
    ("against", "Forecast against forecast", "Differences with paired bootstrap intervals."),
    ("cuts", "Where it is good and where it is weak", "RMSE by group, shaded against that of all points: orange is "
     "larger, blue is smaller. A group without values says so."),
    ("extremes", "Extremes", "The driest, wettest, hottest and coldest 2 %."),
    ("budgets", "Budgets", "What the reference and the forecasts do with water and energy."),
    ("snow", "Snow season", "Dates of onset and melt-out. Bias: positive is later than the reference."),
    ("observations", "Against observations", "Physical model, emulator and observation compared three ways."),
    ("maps", "Maps and time series", "The same numbers in space and in time."),
)  # fmt: skip

_TEMPLATES = "templates"
_PAGE = "report.html.j2"

#: CSS pixels of a pixel of a figure: sharp on most screens, and letters as large as those of the text.
_SHRINK = 0.7


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the report.

    Parameters
    ----------
    section : str
        Key of the section it belongs to, see :data:`SECTIONS`.
    path : Path
        The picture (PNG); it is put into the page.
    title, caption : str
        What it shows, and how to read it.
    alt : str
        The same for a reader who cannot see it.
    variable, protocol : str
        What it is about, for the filters; empty if it is about all.
    """

    section: str
    path: Path
    title: str
    caption: str
    alt: str
    variable: str = ""
    protocol: str = ""

    @property
    def source(self) -> str:
        """The picture as a data URL."""
        return "data:image/png;base64," + base64.b64encode(self.path.read_bytes()).decode("ascii")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height on the page [CSS pixels], from the header of the PNG file."""
        width, height = struct.unpack(">II", self.path.read_bytes()[16:24])
        return round(_SHRINK * width), round(_SHRINK * height)


@dataclass(frozen=True)
class Section:
    """A part of the page: its tables and figures, and what it says if there are none."""

    key: str
    title: str
    text: str
    tables: list[tables.Table]
    figures: list[ReportFigure]

    @property
    def empty(self) -> bool:
        """Whether it has nothing to show."""
        return not self.tables and not self.figures


def write_report(folder: Path, metrics: Mapping[str, Any], figures: Sequence[ReportFigure] = ()) -> Path:
    """Write ``report/index.html`` below ``folder``: one file without any request, readable without a script.

    Parameters
    ----------
    folder : Path
        Folder of the evaluation.
    metrics : mapping
        As in ``metrics.json``.
    figures : sequence of ReportFigure
        Figures in the order in which they are shown within their section.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ValueError
        There are no scores, or a figure names a section that does not exist.
    """
    known = [key for key, *_ in SECTIONS]
    if wrong := sorted({f.section for f in figures} - set(known)):
        raise ValueError(f"There is no section {wrong} in the report; there are {known}. Give one of them.")
    page = render(Content(metrics), figures)
    path = folder / "report" / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    LOG.info("Report %s, %.1f MB with %d figures", path, len(page) / 1e6, len(figures))
    return path


def render(content: Content, figures: Sequence[ReportFigure] = ()) -> str:
    """Return the page as HTML; all text of users is escaped."""
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["unit"] = unit_text
    return environment.get_template(_PAGE).render(
        content=content,
        reference=REFERENCE,
        header=content.header,
        metrics=content.metrics,
        protocols=[(p, PROTOCOLS.get(p, "")) for p in content.protocols],
        variables={g: _rows(names) for g, names in _groups(content).items()},
        summary=[(label, findings(content, label)) for label in content.forecasts],
        skill=[tables.skill_table(content, label) for label in content.forecasts],
        comparison=comparison(content),
        not_measured=not_measured(content),
        sections=sections(content, figures),
        colours={m: model_colour(m, content.forecasts) for m in (REFERENCE, *content.models)},
        cuts={cut: tables.CUT_NAMES.get(cut, cut) for cut in content.cuts if cut not in ("all", "extreme")},
    )


def _rows(names: Sequence[str]) -> list[Variable]:
    """Rows of the table of variables, with the units in which the report shows them."""
    return [replace(VARIABLES[n], units=shown_units(n)) for n in names if n in VARIABLES]


def _groups(content: Content) -> dict[str, list[str]]:
    return variable_groups(content.variables)


def _template(name: str) -> str:
    """Text of a packaged template."""
    return files("anemoi_ailand.evaluation.report").joinpath(_TEMPLATES, name).read_text(encoding="utf-8")


def sections(content: Content, figures: Sequence[ReportFigure]) -> list[Section]:
    """Tables and figures by section, in the order of the page."""
    by_section = {
        "protocol-a": [tables.lead_table(content, metric) for metric in ("rmse", "bias", "correlation", "acc")],
        "protocol-b": [tables.run_table(content)],
        "protocol-c": _protocol_c(content),
        "against": tables.difference_tables(content),
        "cuts": tables.cut_tables(content),
        "extremes": [tables.extreme_table(content)],
        "budgets": _budgets(content),
        "snow": [tables.snow_table(content)],
        "observations": [tables.observation_table(content)],
    }
    return [
        Section(
            key, title, text, [t for t in by_section.get(key, []) if t.rows], [f for f in figures if f.section == key]
        )
        for key, title, text in SECTIONS
    ]


def _protocol_c(content: Content) -> list[tables.Table]:
    groups = content.groups("C", "all") if "C" in content.protocols else []
    return [tables.lead_table(content, m, "C", group=g) for g in groups for m in ("rmse", "bias", "acc")]


def _budgets(content: Content) -> list[tables.Table]:
    if not len(content.budgets):
        return []
    return [tables.budget_table(content, budget, main_group(content.budgets)) for budget in ("water", "energy")]
