# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Tables of the report: what stands in which cell, and what stands out. No HTML."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from anemoi_ailand.evaluation.display.style import pick, unit_label
from anemoi_ailand.evaluation.fields.baselines import CLIMATOLOGY, REFERENCE
from anemoi_ailand.evaluation.report.content import WHOLE, Content, Score
from anemoi_ailand.evaluation.report.text import UNITLESS, lead_text, number, percent, score_text, spoken
from anemoi_ailand.variables import VARIABLES

LOG = logging.getLogger(__name__)

METRIC_NAMES = {
    "rmse": "RMSE", "bias": "Bias", "acc": "ACC", "correlation": "Correlation", "drift_per_year": "Drift per year",
    "hit_rate": "Hit rate",
}  # fmt: skip
CUT_NAMES = {
    "points": "Points held out of training and trained points", "season": "Season", "daytime": "Day and night",
    "biome": "Biome", "snow_regime": "Snow regime", "frozen": "Frozen and unfrozen ground", "soil_type": "Soil type",
    "vegetation_type": "Vegetation type", "latitude": "Latitude", "year": "Year of the run", "extreme": "Extremes",
}  # fmt: skip

#: Upper ends of the classes of a ratio of errors, from much better to much worse, and their names in the style sheet.
_RATIOS = (0.25, 0.5, 0.8, 1.0, 1.25, 1.75, np.inf)
_CLASSES = ("better3", "better2", "better1", "", "worse1", "worse2", "worse3")


@dataclass(frozen=True)
class Cell:
    """A cell: what is shown, what it is sorted by (NaN comes last), and the class of its look."""

    text: str
    order: float = np.nan
    look: str = ""


@dataclass(frozen=True)
class Row:
    """A row: words at its beginning, then cells; the variable and the model it is about, for filters and colours."""

    heads: tuple[str, ...]
    cells: tuple[Cell, ...]
    variable: str = ""
    model: str = ""


@dataclass(frozen=True)
class Table:
    """A table: ``heads`` name the first words of a row, ``columns`` its cells; a click opens it if ``folded``."""

    key: str
    caption: str
    heads: tuple[str, ...]
    columns: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    protocol: str = ""
    cut: str = ""
    note: str = ""
    folded: bool = False

    @property
    def empty(self) -> bool:
        """Whether no cell has a number."""
        return not any(np.isfinite(cell.order) for row in self.rows for cell in row.cells)


def ratio_look(ratio: float) -> str:
    """Class of a ratio of errors; 1 is no difference."""
    if not np.isfinite(ratio):
        return "none"
    if 0.9 <= ratio <= 1.1:
        return ""
    return _CLASSES[int(np.searchsorted(_RATIOS, ratio))]


def unit_of(name: str) -> str:
    """Unit of a variable, empty if it is not in the table of variables."""
    return unit_label(name) if name in VARIABLES else ""


def skill_table(content: Content, forecast: str) -> Table:
    """RMSE of a forecast as a part of that of climatology: variables by leads of protocol A, and protocol B."""
    places = [("A", lead) for lead in content.leads("A")] + [("B", WHOLE)] * ("B" in content.protocols)
    rows = []
    for name in content.variables:
        cells = []
        for protocol, lead in places:
            own = content.score("rmse", name, forecast, lead, protocol=protocol)
            other = content.score("rmse", name, CLIMATOLOGY, lead, protocol=protocol)
            ratio = own.value / other.value if own.known and other.known and other.value > 0 else np.nan
            text = percent(ratio) if np.isfinite(ratio) else score_text(Score(np.nan, own.n), "rmse")
            cells.append(Cell(text, ratio, ratio_look(ratio)))
        rows.append(Row((name,), tuple(cells), name, forecast))
    columns = tuple(f"{p}, {lead_text(lead)}" for p, lead in places)
    return Table(
        f"skill-{content.forecasts.index(forecast)}", f"RMSE of {forecast} as a part of that of climatology",
        ("variable",), columns, rows, note="Below 100 % the forecast is better than climatology. Blue: better, orange: "
        "worse; the stronger the colour, the larger the difference.",
    )  # fmt: skip


def lead_table(content: Content, metric: str, protocol: str = "A", cut: str = "all", group: str = "all") -> Table:
    """One score by variable and model (rows) and lead time (columns); the smallest RMSE of a column stands out."""
    leads = content.leads(protocol)
    rows = []
    for name in content.variables:
        found = {
            model: [content.score(metric, name, model, d, protocol=protocol, cut=cut, group=group) for d in leads]
            for model in content.models
        }
        if all(score.n < 0 for scores in found.values() for score in scores):
            continue
        best = _best(found, metric)
        for model, scores in found.items():
            cells = [Cell(score_text(s, metric), s.value, look) for s, look in zip(scores, best[model], strict=True)]
            rows.append(Row((name, _unit(name, metric), model), tuple(cells), name, model))
    where = "" if group == "all" else f", {spoken(group)}"
    return Table(
        f"{protocol}-{metric}-{cut}-{group}", f"{METRIC_NAMES[metric]} by lead time, protocol {protocol}{where}",
        ("variable", "unit", "model"), tuple(map(lead_text, leads)), rows, protocol,
    )  # fmt: skip


def _unit(name: str, metric: str) -> str:
    return "1" if metric in UNITLESS else unit_of(name)


def _best(found: dict[str, list[Score]], metric: str) -> dict[str, list[str]]:
    """Look of each cell: ``best`` for the smallest RMSE or the largest ACC of its column."""
    values = np.array([[score.value for score in scores] for scores in found.values()])
    looks = {model: [""] * values.shape[1] for model in found}
    if metric not in ("rmse", "acc", "correlation"):
        return looks
    values = -values if metric != "rmse" else values
    for column in np.flatnonzero(np.isfinite(values).any(axis=0)):
        looks[list(found)[int(np.nanargmin(values[:, column]))]][column] = "best"
    return looks


def run_table(content: Content) -> Table:
    """Protocol B: RMSE, bias, correlation and ACC over the first year and the whole run, and the drift per year."""
    spans: list[tuple[str, dict[str, Any]]] = [("year 1", {"cut": "year", "group": "year 1"}), ("whole run", {})]
    if "year 1" not in content.groups("B", "year"):
        spans = spans[1:]
    wanted = [(m, text, where) for m in ("rmse", "bias", "correlation", "acc") for text, where in spans]
    wanted.append(("drift_per_year", "", {}))
    rows = []
    for name in content.variables:
        found = {
            model: [content.score(m, name, model, protocol="B", **where) for m, _, where in wanted]
            for model in content.models
        }
        if all(score.n < 0 for scores in found.values() for score in scores):
            continue
        best = _best({model: scores[: len(spans)] for model, scores in found.items()}, "rmse")
        for model, scores in found.items():
            looks = best[model] + [""] * (len(wanted) - len(spans))
            cells = [Cell(score_text(s, m), s.value, k) for s, (m, _, _), k in zip(scores, wanted, looks, strict=True)]
            rows.append(Row((name, unit_of(name), model), tuple(cells), name, model))
    columns = tuple(f"{METRIC_NAMES[m]}, {text}" if text else METRIC_NAMES[m] for m, text, _ in wanted)
    return Table("B", "One run, protocol B", ("variable", "unit", "model"), columns, rows, "B")


def difference_tables(content: Content) -> list[Table]:
    """One table for each pair of forecasts and protocol: relative difference in RMSE with its interval."""
    table = content.differences
    if not len(table):
        return []
    table = pick(table, cut="all", group="all", metric="rmse")
    return [
        _differences(content, rows, str(a), str(b), str(protocol))
        for (a, b, protocol), rows in table.groupby(["a", "b", "protocol"], sort=False)
    ]


def _differences(content: Content, table: pd.DataFrame, a: str, b: str, protocol: str) -> Table:
    there = [*content.leads(protocol), WHOLE]
    leads = sorted(lead for lead in table["lead"].unique() if lead in there)
    rows = []
    for name in (n for n in content.variables if n in set(table["variable"])):
        cells = [_difference(pick(table, variable=name, lead=lead)) for lead in leads]
        rows.append(Row((name,), tuple(cells), name))
    return Table(
        f"difference-{protocol}-{a}-{b}", f"RMSE of {a} against {b}, protocol {protocol}", ("variable",),
        tuple(map(lead_text, leads)), rows, protocol,
        note=f"Difference relative to {b} with its 95 % interval (paired bootstrap over points and start dates). "
        f"▲ {a} is better, ▼ worse, both significantly; ○ no significant difference.",
    )  # fmt: skip


def _difference(row: pd.DataFrame) -> Cell:
    if not len(row) or not np.isfinite(row["difference"].iloc[0]) or not row["b_value"].iloc[0] > 0:
        return Cell("no data", look="none")
    first = row.iloc[0]
    value, low, high = (first[k] / first["b_value"] for k in ("difference", "low", "high"))
    sign = "○" if not first["significant"] else "▲" if value < 0 else "▼"
    look = "" if not first["significant"] else "better2" if value < 0 else "worse2"
    interval = f"[{percent(low, True)}, {percent(high, True)}]".replace("\N{NO-BREAK SPACE}%", "")
    return Cell(f"{sign} {percent(value, True)} {interval}", float(value), look)


def cut_tables(content: Content) -> list[Table]:
    """RMSE of each forecast by group, a table for each protocol, cut and forecast; shaded against the whole."""
    return [
        _cut(content, protocol, cut, forecast)
        for cut in content.cuts if cut not in ("all", "extreme")
        for protocol in content.protocols if content.groups(protocol, cut)
        for forecast in content.forecasts
    ]  # fmt: skip


def _cut(content: Content, protocol: str, cut: str, forecast: str) -> Table:
    lead, groups = content.middle_lead(protocol), content.groups(protocol, cut)
    rows = []
    for name in content.variables:
        whole = content.score("rmse", name, forecast, lead, protocol=protocol)
        found = [content.score("rmse", name, forecast, lead, protocol=protocol, cut=cut, group=g) for g in groups]
        ratios = [s.value / whole.value if whole.known and whole.value > 0 else np.nan for s in found]
        looks = [ratio_look(r) for r in ratios]
        cells = [Cell(score_text(s, "rmse"), s.value, k) for s, k in zip(found, looks, strict=True)]
        rows.append(Row((name, unit_of(name)), (Cell(score_text(whole, "rmse"), whole.value), *cells), name, forecast))
    return Table(
        f"cut-{protocol}-{cut}-{content.forecasts.index(forecast)}",
        f"{CUT_NAMES.get(cut, spoken(cut))}: RMSE of {forecast}, protocol {protocol}, {lead_text(lead)}",
        ("variable", "unit"), ("all", *map(spoken, groups)), rows, protocol, cut,
        folded=(protocol, forecast) != (_first_protocol(content, cut), content.forecasts[0]),
    )  # fmt: skip


def _first_protocol(content: Content, cut: str) -> str:
    return next(p for p in content.protocols if content.groups(p, cut))


def extreme_table(content: Content) -> Table:
    """Bias and hit rate in the extremes, by variable, tail and model."""
    protocol = next((p for p in content.protocols if content.groups(p, "extreme")), "A")
    lead, rows = content.middle_lead(protocol), []
    for name in content.variables:
        for group in content.groups(protocol, "extreme"):
            for model in content.models:
                found = [
                    (m, content.score(m, name, model, lead, protocol=protocol, cut="extreme", group=group))
                    for m in ("bias", "hit_rate")
                ]
                if any(score.n >= 0 for _, score in found):
                    cells = tuple(Cell(score_text(score, m), score.value) for m, score in found)
                    rows.append(Row((name, unit_of(name), spoken(group), model), cells, name, model))
    return Table(
        "extremes", f"Bias and hit rate in the extremes, protocol {protocol}, {lead_text(lead)}",
        ("variable", "unit of bias", "extreme", "model"), ("bias", "hit rate [1]"), rows, protocol,
        note="Extremes: the 2 % lowest and highest values of the reference at each point. Hit rate: share of them that "
        "the forecast also has beyond its own threshold.",
    )  # fmt: skip


def budget_table(content: Content, budget: str, group: str) -> Table:
    """Terms of a budget over the whole run: terms (rows) by model (columns)."""
    table = content.budgets
    table = pick(table, budget=budget, group=group) if len(table) else table
    models = [m for m in (REFERENCE, *content.forecasts) if len(table) and m in set(table["model"])]
    rows = []
    for (term, units), part in table.groupby(["term", "units"], sort=False) if len(table) else ():
        values = part.set_index("model")["value"].reindex(models)
        cells = tuple(Cell(number(v) if np.isfinite(v) else "no data", v) for v in values)
        rows.append(Row((spoken(str(term)), str(units)), cells))
    return Table(
        f"budget-{budget}", f"{budget.capitalize()} budget, {spoken(group)}", ("term", "unit"), tuple(models), rows
    )


def snow_table(content: Content, group: str = "all") -> Table:
    """Errors of the snow season by forecast."""
    table = content.snow_season
    table = pick(table, group=group) if len(table) else table
    rows = []
    for (metric, units), part in table.groupby(["metric", "units"], sort=False) if len(table) else ():
        found = part.set_index("model").reindex(content.forecasts)
        cells = tuple(
            Cell(number(v, str(metric).endswith("bias")) if n > 0 and np.isfinite(v) else "no data", v)
            for v, n in zip(found["value"], found["n"].fillna(0), strict=True)
        )
        rows.append(Row((spoken(str(metric)), str(units)), cells))
    return Table("snow", "Errors of the snow season", ("quantity", "unit"), tuple(content.forecasts), rows)


def observation_table(content: Content) -> Table:
    """Three-way comparison: physical model, emulator and observation, medians over stations."""
    rows = []
    for _, row in content.observations.iterrows():
        metric, name = str(row["metric"]), str(row["variable"])
        values = [float(row[k]) if row[k] is not None else np.nan for k in ("median", "low", "high", "stations")]
        texts = [number(v, metric == "bias") if np.isfinite(v) else "no data" for v in values[:3]]
        texts.append(f"{values[3]:.0f}")
        cells = tuple(Cell(t, v) for t, v in zip(texts, values, strict=True))
        rows.append(Row((name, str(row["model"]), str(row["against"]), spoken(metric)), cells, name, str(row["model"])))
    return Table(
        "observations", "Median over stations with its 95 % interval", ("variable", "model", "against", "score"),
        ("median", "low", "high", "stations"), rows,
    )  # fmt: skip
