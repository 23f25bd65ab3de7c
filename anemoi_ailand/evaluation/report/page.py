# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Self-contained HTML page with tables, figures and a summary of an evaluation."""

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
from anemoi_ailand.evaluation.display.variables import shown_units, variable_groups
from anemoi_ailand.evaluation.fields.reference import REFERENCE
from anemoi_ailand.evaluation.processes.budgets import main_group
from anemoi_ailand.evaluation.report import tables
from anemoi_ailand.evaluation.report.content import Content
from anemoi_ailand.evaluation.report.summary import not_measured, strengths, weaknesses
from anemoi_ailand.variables import VARIABLES, Variable

LOG = logging.getLogger(__name__)

#: Description of each protocol.
PROTOCOLS = {
    "A": "many integrations from the reference's state, one every few days of the test year; the scores of day d pool "
    "its four 6-hourly values over all starts and points",
    "B": "one free run from a single initial state through all test years",
    "C": "protocol A in other places: points held out of training, single sites, another density of points",
}

#: Sections with sentences, tables and figures, in the order of the page: key, title, description.
SECTIONS = (
    ("skill", "How good it is", ""),
    ("weak", "Where it is weak", "Largest errors relative to climatology, and parts not evaluated."),
    ("protocol-a", "Protocol A: error by lead time", "Many integrations, each from the state of the reference."),
    ("protocol-b", "Protocol B: one run over years", "Scores and drift of one free run."),
    ("protocol-c", "Protocol C: other places", "Points and sites other than those of protocols A and B."),
    ("against", "Differences between models", "Differences in RMSE with paired bootstrap intervals."),
    ("strata", "Errors by group", "RMSE by group, shaded relative to all points: orange is larger, blue smaller."),
    ("extremes", "Extremes", "The driest, wettest, hottest and coldest 2 %."),
    ("budgets", "Budgets", "Water and energy budgets of reference and forecasts."),
    ("snow", "Snow season", "Dates of onset and melt-out. Positive bias: later than the reference."),
    (
        "observations",
        "Against observations",
        "Three-way comparison of physical model, emulator and observation; fluxes of regressions on the weather (1lin, "
        "3km27, 6km729) that were fitted at the other sites, or at the own site.",
    ),
    ("maps", "Maps", "Fields and errors of protocol B."),
)

_TEMPLATES = "templates"
_PAGE = "report.html.j2"

#: CSS pixels per pixel of a figure, which makes text in it as large as on the page.
_SHRINK = 0.7


@dataclass(frozen=True)
class ReportFigure:
    """PNG figure, embedded in a section of :data:`SECTIONS`; filters without a value always show it."""

    section: str
    path: Path
    title: str
    caption: str
    variable: str = ""
    protocol: str = ""

    @property
    def source(self) -> str:
        """Image as a data URL."""
        return "data:image/png;base64," + base64.b64encode(self.path.read_bytes()).decode("ascii")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height on the page [CSS pixels]."""
        width, height = struct.unpack(">II", self.path.read_bytes()[16:24])
        return round(_SHRINK * width), round(_SHRINK * height)


@dataclass(frozen=True)
class Section:
    """Part of the page with its sentences on each forecast, tables and figures."""

    key: str
    title: str
    text: str
    sentences: dict[str, list[str]]
    tables: list[tables.Table]
    figures: list[ReportFigure]

    @property
    def empty(self) -> bool:
        """True if the section has neither sentences nor tables nor figures."""
        return not any(self.sentences.values()) and not self.tables and not self.figures


def write_report(folder: Path, metrics: Mapping[str, Any], figures: Sequence[ReportFigure] = ()) -> Path:
    """Write ``report/index.html`` below ``folder``: one file without requests, readable without scripts.

    ``metrics`` is the content of ``metrics.json``; figures keep their order within sections.
    """
    page = render(Content(metrics), figures)
    path = folder / "report" / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    LOG.info("Report %s, %.1f MB with %d figures", path, len(page) / 1e6, len(figures))
    return path


def environment() -> Environment:
    """Return the environment of the templates; user-supplied text is escaped."""
    found = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["unit"] = unit_text
    return found


def render(content: Content, figures: Sequence[ReportFigure] = ()) -> str:
    """Return the page as HTML; user-supplied text is escaped."""
    return (
        environment()
        .get_template(_PAGE)
        .render(
            content=content,
            reference=REFERENCE,
            header=content.header,
            metrics=content.metrics,
            protocols=[(p, PROTOCOLS.get(p, "")) for p in content.protocols],
            variables={g: _rows(names) for g, names in variable_groups(content.variables).items()},
            not_measured=not_measured(content),
            sections=sections(content, figures),
            colours={m: model_colour(m, content.forecasts) for m in (REFERENCE, *content.models)},
            strata={
                strata: tables.STRATA_TITLES.get(strata, strata)
                for strata in content.strata
                if strata not in ("all", "extreme")
            },
        )
    )


def _rows(names: Sequence[str]) -> list[Variable]:
    """Entries of the table of variables in display units."""
    return [replace(VARIABLES[n], units=shown_units(n)) for n in names if n in VARIABLES]


def _template(name: str) -> str:
    return files("anemoi_ailand.evaluation.report").joinpath(_TEMPLATES, name).read_text(encoding="utf-8")


def sections(content: Content, figures: Sequence[ReportFigure]) -> list[Section]:
    """Return the sections with sentences, tables and figures in the order of the page."""
    sentences = {"skill": strengths, "weak": weaknesses}
    by_section = {
        "skill": tables.skill_tables(content),
        "protocol-a": [tables.lead_table(content, metric) for metric in ("rmse", "bias", "correlation", "acc")],
        "protocol-b": [tables.run_table(content), tables.bias_table(content)],
        "protocol-c": _protocol_c(content),
        "against": tables.difference_tables(content),
        "strata": tables.strata_tables(content),
        "extremes": [tables.extreme_table(content)],
        "budgets": _budgets(content),
        "snow": [tables.snow_table(content)],
        "observations": [tables.observation_table(content)],
    }
    return [
        Section(
            key, title, text,
            {label: sentences[key](content, label) for label in content.forecasts} if key in sentences else {},
            [t for t in by_section.get(key, []) if t.rows], [f for f in figures if f.section == key],
        )
        for key, title, text in SECTIONS
    ]  # fmt: skip


def _protocol_c(content: Content) -> list[tables.Table]:
    groups = content.groups("C", "all") if "C" in content.protocols else []
    return [tables.lead_table(content, m, "C", group=g) for g in groups for m in ("rmse", "bias", "acc")]


def _budgets(content: Content) -> list[tables.Table]:
    if not len(content.budgets):
        return []
    group = main_group(content.budgets)
    return [
        *(tables.budget_table(content, budget, group) for budget in ("water", "energy")),
        tables.residual_table(content),
    ]
