# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Tables of the report: text, order and emphasis of the cells, without HTML."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from anemoi_ailand.evaluation.display.style import minus, pick, superscript, unit_label
from anemoi_ailand.evaluation.fields.matching import HELD_OUT
from anemoi_ailand.evaluation.fields.reference import CLIMATOLOGY, PERSISTENCE, REFERENCE
from anemoi_ailand.evaluation.report.content import WHOLE, Content, Score
from anemoi_ailand.evaluation.scores.metrics import TITLES, UNITLESS
from anemoi_ailand.evaluation.scores.score_table import BIASES, LAST_YEAR
from anemoi_ailand.variables import VARIABLES

#: Titles of the tables by group.
STRATA_TITLES = {
    "points": "Points held out of training and trained points", "season": "Season", "daytime": "Day and night",
    "biome": "Biome", "snow_regime": "Snow regime", "frozen": "Frozen and unfrozen ground", "soil_type": "Soil type",
    "vegetation_type": "Vegetation type", "latitude": "Latitude", "year": "Year of the run", "extreme": "Extremes",
}  # fmt: skip

#: Variables of the scorecard, those of the headline results; others take the place of absent ones.
CORE = ("swvl1", "swvl2", "swvl3", "stl1", "stl2", "stl3", "snowc", "2t", "2d", "skt", "sshf", "slhf")

#: Upper limits of the classes of a ratio of errors, from much better to much worse, and their style sheet classes.
_RATIOS = (0.25, 0.5, 0.8, 1.0, 1.25, 1.75, np.inf)
_CLASSES = ("better3", "better2", "better1", "", "worse1", "worse2", "worse3")

#: Metrics written with their sign.
SIGNED = frozenset({"bias", LAST_YEAR + "bias", "drift_per_year"})

#: Text of an empty group, and of an undefined score.
NO_DATA, NOT_DEFINED = "no data", "–"  # noqa: RUF001

_DIGITS = 3


@dataclass(frozen=True)
class Cell:
    """Table cell with its text, sort key (NaN last) and style sheet class."""

    text: str
    order: float = np.nan
    look: str = ""


@dataclass(frozen=True)
class Row:
    """Table row with headings, cells, and the variable and model used by filters and colours."""

    heads: tuple[str, ...]
    cells: tuple[Cell, ...]
    variable: str = ""
    model: str = ""


@dataclass(frozen=True)
class Table:
    """Table: ``heads`` and ``columns`` title the row headings and the cells; ``folded`` tables open on a click.

    ``spans`` are titles above several columns, each with their number.
    """

    key: str
    caption: str
    heads: tuple[str, ...]
    columns: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    protocol: str = ""
    strata: str = ""
    note: str = ""
    folded: bool = False
    spans: tuple[tuple[str, int], ...] = ()


def report_number(value: float, signed: bool = False) -> str:
    """Format three significant digits, with a power of ten for very small or large numbers."""
    if not math.isfinite(value):
        return NOT_DEFINED
    if value == 0:
        return "0"
    sign = "+" if signed and value > 0 else ""
    size = math.floor(math.log10(abs(float(f"{value:.2e}"))))
    if not -4 <= size < 5:
        return minus(f"{sign}{value / 10.0**size:.2f}") + "×10" + superscript(str(size))  # noqa: RUF001
    return minus(f"{sign}{value:.{max(0, _DIGITS - 1 - size)}f}")


def score_text(score: Score, metric: str) -> str:
    """Format a score for a cell of a table: "no data" for an empty group, a dash if it is undefined."""
    if score.n == 0:
        return NO_DATA
    if not score.known:
        return NOT_DEFINED
    if metric in UNITLESS:
        return minus(f"{score.value:.3f}")
    return report_number(score.value, signed=metric in SIGNED)


def percent(value: float, signed: bool = False) -> str:
    """Format a fraction in percent, without decimals from ten."""
    if not math.isfinite(value):
        return NOT_DEFINED
    digits = 0 if abs(value) >= 0.0995 else 1
    return minus(f"{100 * value:{'+' if signed else ''}.{digits}f}") + "\N{NO-BREAK SPACE}%"


def lead_text(lead: float) -> str:
    """Format a lead time [d]."""
    return "whole run" if lead == WHOLE else f"{lead:g}\N{NO-BREAK SPACE}d"


def words(name: str) -> str:
    """Format the name of a group or term as words."""
    return name.replace("_", " ")


def ratio_look(ratio: float) -> str:
    """Return the style sheet class of a ratio of errors; 1 means no difference."""
    if not np.isfinite(ratio):
        return "none"
    if 0.9 <= ratio <= 1.1:
        return ""
    return _CLASSES[int(np.searchsorted(_RATIOS, ratio))]


def unit_of(name: str) -> str:
    """Return the display unit of a variable, empty if it is not in the table of variables."""
    return unit_label(name) if name in VARIABLES else ""


def skill_tables(content: Content) -> list[Table]:
    """Build the scorecard of each forecast and, folded, the same table of its further variables."""
    core = [n for n in CORE if n in content.variables]
    core = [*core, *(n for n in content.variables if n not in core)][: len(CORE)]
    others = [n for n in content.variables if n not in core]
    return [
        skill_table(content, forecast, names, folded=names is others)
        for forecast in content.forecasts for names in (core, others) if names
    ]  # fmt: skip


def skill_table(content: Content, forecast: str, names: Sequence[str], folded: bool = False) -> Table:
    """Build the table of RMSE, also relative to each baseline: ``names`` by leads of protocol A, and protocol B."""
    places = [("A", lead) for lead in content.leads("A")] + [("B", WHOLE)] * ("B" in content.protocols)
    baselines = [m for m in (CLIMATOLOGY, PERSISTENCE) if m in content.models]
    shown = ("A", content.middle_lead("A")) if content.leads("A") else ("B", WHOLE)
    rows = []
    for name in (n for n in content.variables if n in names and places):
        own = {place: content.score("rmse", name, forecast, place[1], protocol=place[0]) for place in places}
        unit = unit_of(name) if own[shown].known else ""
        text = f"{score_text(own[shown], 'rmse')} {'' if unit == '1' else unit}".strip()
        cells = [Cell(text.replace(" ", "\N{NO-BREAK SPACE}"), own[shown].value)]
        cells += [_relative(content, name, own[place], model, *place) for model in baselines for place in places]
        rows.append(Row((name,), tuple(cells), name, forecast))
    titles = ["run" if lead == WHOLE else lead_text(lead) for _, lead in places]
    columns = (f"RMSE, {lead_text(shown[1])}", *titles * len(baselines))
    both = len({protocol for protocol, _ in places}) > 1
    runs = " Lead times: many integrations (protocol A); run: one long run (B)." if both else ""
    what = f"{len(rows)} further variables: " if folded else ""
    return Table(
        f"skill-{content.forecasts.index(forecast)}{'-further' * folded}",
        f"{what}RMSE of {forecast}, and relative to the baselines", ("variable",), columns, rows,
        note=f"Below 100 % (blue) the forecast is better than the baseline, above (orange) worse.{runs}",
        folded=folded, spans=(("", 2), *[(f"relative to {model}", len(places)) for model in baselines]),
    )  # fmt: skip


def _relative(content: Content, name: str, own: Score, baseline: str, protocol: str, lead: float) -> Cell:
    other = content.score("rmse", name, baseline, lead, protocol=protocol)
    ratio = own.value / other.value if own.known and other.known and other.value > 0 else np.nan
    text = percent(ratio) if np.isfinite(ratio) else score_text(Score(np.nan, own.n), "rmse")
    return Cell(text, ratio, ratio_look(ratio))


def lead_table(content: Content, metric: str, protocol: str = "A", group: str = "all") -> Table:
    """Build the table of one metric by variable and model (rows) and lead time (columns); the best are emphasised."""
    leads = content.leads(protocol)
    wanted = [(metric, {"lead": lead, "protocol": protocol, "group": group}) for lead in leads]
    rows = _model_rows(content, wanted, lambda name: "1" if metric in UNITLESS else unit_of(name))
    where = "" if group == "all" else f", {words(group)}"
    return Table(
        f"{protocol}-{metric}-{group}", f"{TITLES[metric]} by lead time, protocol {protocol}{where}",
        ("variable", "unit", "model"), tuple(map(lead_text, leads)), rows, protocol,
    )  # fmt: skip


def run_table(content: Content) -> Table:
    """Build the table of protocol B: metrics over the first year and the whole run, and the drift per year."""
    spans: dict[str, dict[str, Any]] = {"year 1": {"strata": "year", "group": "year 1"}, "whole run": {}}
    if "year 1" not in content.groups("B", "year"):
        del spans["year 1"]
    shown = [(m, text, where) for m in ("rmse", "bias", "correlation", "acc") for text, where in spans.items()]
    shown.append(("drift_per_year", "", {}))
    rows = _model_rows(content, [(metric, {"protocol": "B", **where}) for metric, _, where in shown], unit_of)
    columns = tuple(f"{TITLES[metric]}, {text}" if text else TITLES[metric] for metric, text, _ in shown)
    return Table("B", "One run, protocol B", ("variable", "unit", "model"), columns, rows, "B")


def bias_table(content: Content) -> Table:
    """Build the table of mean errors by point in protocol B: mean, spread, and size at most points, also at the end."""
    strata, group = ("points", HELD_OUT) if HELD_OUT in content.groups("B", "points") else ("all", "all")
    where: dict[str, Any] = {"protocol": "B", "strata": strata, "group": group}
    long = any(
        content.score(LAST_YEAR + BIASES[0], name, model, **where).known
        for name in content.variables for model in content.forecasts
    )  # fmt: skip
    metrics = [*BIASES, *(LAST_YEAR + metric for metric in BIASES if long)]
    rows = []
    for name in content.variables:
        for model in content.forecasts:
            found = [content.score(metric, name, model, **where) for metric in metrics]
            if any(score.n >= 0 for score in found):
                cells = tuple(Cell(score_text(s, m), s.value) for s, m in zip(found, metrics, strict=True))
                rows.append(Row((name, unit_of(name), model), cells, name, model))
    return Table(
        "B-bias", f"Systematic errors, protocol B, {words(group)} points", ("variable", "unit", "model"),
        tuple(TITLES[metric] for metric in metrics), rows, "B",
        note="The mean error of each point over the run: its mean, its standard deviation over the points, and the "
        "size that 90 % of the points do not exceed.",
    )  # fmt: skip


def _model_rows(
    content: Content, wanted: Sequence[tuple[str, dict[str, Any]]], unit: Callable[[str], str]
) -> list[Row]:
    """Rows by variable and model with one column for each metric and place; variables without scores are left out."""
    rows = []
    for name in content.variables:
        found = {model: [content.score(m, name, model, **where) for m, where in wanted] for model in content.models}
        if all(score.n < 0 for scores in found.values() for score in scores):
            continue
        best = [_best([scores[k] for scores in found.values()], metric) for k, (metric, _) in enumerate(wanted)]
        for place, (model, scores) in enumerate(found.items()):
            cells = [
                Cell(score_text(score, metric), score.value, "best" if place == winner else "")
                for score, (metric, _), winner in zip(scores, wanted, best, strict=True)
            ]
            rows.append(Row((name, unit(name), model), tuple(cells), name, model))
    return rows


def _best(scores: list[Score], metric: str) -> int | None:
    """Index of the smallest RMSE or the largest correlation, ``None`` for other metrics and without values."""
    values = np.array([score.value for score in scores])
    if metric not in ("rmse", "acc", "correlation") or not np.isfinite(values).any():
        return None
    return int(np.nanargmin(values if metric == "rmse" else -values))


def difference_tables(content: Content) -> list[Table]:
    """Build a table of relative differences in RMSE with intervals for each pair of models and protocol."""
    table = content.differences
    if not len(table):
        return []
    table = pick(table, cut="all", group="all", metric="rmse")
    return [
        _differences(content, rows, str(a), str(b), str(protocol))
        for (a, b, protocol), rows in table.groupby(["a", "b", "protocol"], sort=False)
    ]


def _differences(content: Content, table: pd.DataFrame, a: str, b: str, protocol: str) -> Table:
    shown = [*content.leads(protocol), WHOLE]
    leads = sorted(lead for lead in table["lead"].unique() if lead in shown)
    rows = []
    for name in (n for n in content.variables if n in set(table["variable"])):
        cells = [_difference(pick(table, variable=name, lead=lead)) for lead in leads]
        rows.append(Row((name,), tuple(cells), name))
    return Table(
        f"difference-{protocol}-{a}-{b}", f"RMSE of {a} against {b}, protocol {protocol}", ("variable",),
        tuple(map(lead_text, leads)), rows, protocol,
        note=f"Difference relative to {b} with 95 % interval (paired bootstrap over points and start dates). "
        f"▲ {a} significantly better, ▼ worse; ○ no significant difference.",
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


def strata_tables(content: Content) -> list[Table]:
    """Build a table of the RMSE by group for each protocol, strata and forecast, shaded relative to all values."""
    return [
        _strata(content, protocol, strata, forecast)
        for strata in content.strata if strata not in ("all", "extreme")
        for protocol in content.protocols if content.groups(protocol, strata)
        for forecast in content.forecasts
    ]  # fmt: skip


def _strata(content: Content, protocol: str, strata: str, forecast: str) -> Table:
    lead, groups = content.middle_lead(protocol), content.groups(protocol, strata)
    rows = []
    for name in content.variables:
        whole = content.score("rmse", name, forecast, lead, protocol=protocol)
        found = [content.score("rmse", name, forecast, lead, protocol=protocol, strata=strata, group=g) for g in groups]
        ratios = [s.value / whole.value if whole.known and whole.value > 0 else np.nan for s in found]
        looks = [ratio_look(r) for r in ratios]
        cells = [Cell(score_text(s, "rmse"), s.value, k) for s, k in zip(found, looks, strict=True)]
        rows.append(Row((name, unit_of(name)), (Cell(score_text(whole, "rmse"), whole.value), *cells), name, forecast))
    return Table(
        f"strata-{protocol}-{strata}-{content.forecasts.index(forecast)}",
        f"{STRATA_TITLES.get(strata, words(strata))}: RMSE of {forecast}, protocol {protocol}, {lead_text(lead)}",
        ("variable", "unit"), ("all", *map(words, groups)), rows, protocol, strata,
        folded=(protocol, forecast) != (_first_protocol(content, strata), content.forecasts[0]),
    )  # fmt: skip


def _first_protocol(content: Content, strata: str) -> str:
    return next(p for p in content.protocols if content.groups(p, strata))


def extreme_table(content: Content) -> Table:
    """Build the table of bias and hit rate of extremes by variable, tail and model."""
    protocol = next((p for p in content.protocols if content.groups(p, "extreme")), "A")
    lead, rows = content.middle_lead(protocol), []
    for name in content.variables:
        for group in content.groups(protocol, "extreme"):
            for model in content.models:
                found = [
                    (m, content.score(m, name, model, lead, protocol=protocol, strata="extreme", group=group))
                    for m in ("bias", "hit_rate")
                ]
                if any(score.n >= 0 for _, score in found):
                    cells = tuple(Cell(score_text(score, m), score.value) for m, score in found)
                    rows.append(Row((name, unit_of(name), words(group), model), cells, name, model))
    return Table(
        "extremes", f"Bias and hit rate in the extremes, protocol {protocol}, {lead_text(lead)}",
        ("variable", "unit of bias", "extreme", "model"), ("bias", "hit rate [1]"), rows, protocol,
        note="Extremes: the 2 % lowest and highest values of the reference at each point. Hit rate: share of them at "
        "which the forecast is beyond the same threshold.",
    )  # fmt: skip


def budget_table(content: Content, budget: str, group: str) -> Table:
    """Build the table of a budget over the whole run: terms (rows) by model (columns)."""
    table = content.budgets
    table = pick(table, budget=budget, group=group) if len(table) else table
    models = [m for m in (REFERENCE, *content.forecasts) if len(table) and m in set(table["model"])]
    rows = []
    for (term, units), part in table.groupby(["term", "units"], sort=False) if len(table) else ():
        values = part.set_index("model")["value"].reindex(models)
        cells = tuple(Cell(report_number(v) if np.isfinite(v) else "no data", v) for v in values)
        rows.append(Row((words(str(term)), str(units)), cells))
    return Table(
        f"budget-{budget}", f"{budget.capitalize()} budget, {words(group)}", ("term", "unit"), tuple(models), rows
    )


def residual_table(content: Content) -> Table:
    """Build the table of the residual of energy in single steps: ground and points (rows) by model (columns)."""
    table = content.energy_residuals
    models = [m for m in (REFERENCE, *content.forecasts) if len(table) and m in set(table["model"])]
    rows = []
    for (steps, group), part in table.groupby(["steps", "group"], sort=False) if len(table) else ():
        if not (part["n"] > 0).any():
            continue
        cells = []
        for model, term in itertools.product(models, ("residual_step_median_abs", "residual_step_p99_abs")):
            value = pick(part, model=model, term=term)["value"]
            number = float(value.iloc[0]) if len(value) else np.nan
            cells.append(Cell(report_number(number) if np.isfinite(number) else NO_DATA, number))
        rows.append(Row((words(str(steps)), words(str(group))), tuple(cells)))
    return Table(
        "energy-residual", "Residual of the energy budget in a step of 6 h, size in W m-2", ("ground", "points"),
        tuple(f"{model}, {what}" for model in models for what in ("median", "99 %")), rows,
        note="Freezing: without snow, with a soil layer between 272.16 and 274.16 K at an end of the step or between. "
        "A network whose long-wave radiation closes the budget has rounding left, and its own error is that of `str`.",
    )  # fmt: skip


def snow_table(content: Content) -> Table:
    """Build the table of errors of the snow season over all points, by forecast."""
    table = content.snow_season
    table = pick(table, group="all") if len(table) else table
    rows = []
    for (metric, units), part in table.groupby(["metric", "units"], sort=False) if len(table) else ():
        found = part.set_index("model").reindex(content.forecasts)
        cells = tuple(
            Cell(report_number(v, str(metric).endswith("bias")) if n > 0 and np.isfinite(v) else "no data", v)
            for v, n in zip(found["value"], found["n"].fillna(0), strict=True)
        )
        rows.append(Row((words(str(metric)), str(units)), cells))
    return Table("snow", "Errors of the snow season", ("quantity", "unit"), tuple(content.forecasts), rows)


def observation_table(content: Content) -> Table:
    """Build the table of the three-way comparison of ecLand, emulator and observation, medians over stations."""
    rows = []
    for _, row in content.observations.iterrows():
        metric, name = str(row["metric"]), str(row["variable"])
        values = [float(row[k]) if row[k] is not None else np.nan for k in ("median", "low", "high", "stations")]
        texts = [report_number(v, metric == "bias") if np.isfinite(v) else "no data" for v in values[:3]]
        texts.append(f"{values[3]:.0f}")
        cells = tuple(Cell(t, v) for t, v in zip(texts, values, strict=True))
        rows.append(Row((name, str(row["model"]), str(row["against"]), words(metric)), cells, name, str(row["model"])))
    return Table(
        "observations", "Median over stations with its 95 % interval", ("variable", "model", "against", "score"),
        ("median", "low", "high", "stations"), rows,
    )  # fmt: skip
