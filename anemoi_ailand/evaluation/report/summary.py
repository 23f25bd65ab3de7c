# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The summary of the report: plain sentences, made from the numbers, about what is good and what is weak."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from anemoi_ailand.evaluation.display.style import pick, unit_text
from anemoi_ailand.evaluation.fields.baselines import CLIMATOLOGY, PERSISTENCE
from anemoi_ailand.evaluation.figures.budget import main_group
from anemoi_ailand.evaluation.figures.growth import HORIZON
from anemoi_ailand.evaluation.report.content import WHOLE, Content
from anemoi_ailand.evaluation.report.tables import CUT_NAMES
from anemoi_ailand.evaluation.report.text import enumeration, lead_text, number, percent, spoken, times, with_unit

LOG = logging.getLogger(__name__)

GOOD, WEAK, PLAIN = "good", "weak", "plain"

#: A bias is worth a sentence if it is at least this part of the RMSE.
LARGE_BIAS = 0.5

#: A group is worth a sentence if its RMSE is at least this many times that of all points.
LARGE_GROUP = 1.25

#: A budget residual is worth a sentence if it is at least this part of precipitation, or this many W m-2.
LARGE_RESIDUAL, LARGE_ENERGY = 0.01, 1.0

#: An error of a date of the snow season that is weak [days].
LATE_DAYS = 5.0

#: Hit rate in the extremes below which a forecast misses them.
LOW_HIT_RATE = 0.5

#: At most so many variables or groups are named in one sentence.
_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """One sentence, whether it says something good or weak, and where in the report the numbers are."""

    kind: str
    text: str
    anchor: str


def findings(content: Content, forecast: str) -> list[Finding]:
    """What the numbers say about a forecast, the weak points first."""
    parts = (_first, _skill, _horizons, _run, _held_out, _elsewhere, _groups, _bias, _extremes, _budgets, _snow)
    found = [finding for part in parts for finding in part(content, forecast)]
    return sorted(found, key=lambda finding: (WEAK, GOOD, PLAIN).index(finding.kind))


def _ratios(content: Content, forecast: str, baseline: str, lead: float, protocol: str) -> dict[str, float]:
    """RMSE over that of a baseline by variable, the smallest first."""
    out = {}
    for name in content.variables:
        own, other = (content.score("rmse", name, m, lead, protocol=protocol) for m in (forecast, baseline))
        if own.known and other.known and other.value > 0:
            out[name] = own.value / other.value
    return dict(sorted(out.items(), key=lambda item: item[1]))


def _first(content: Content, forecast: str) -> Iterator[Finding]:
    """Variables for which holding the initial state is better at the shortest lead."""
    lead = min(content.leads("A"), default=WHOLE)
    ratios = _ratios(content, forecast, PERSISTENCE, lead, "A")
    lost = [f"{n} ({times(ratios[n])} the RMSE)" for n in reversed(ratios) if ratios[n] >= 1]
    if lost:
        more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
        text = f"At {lead_text(lead)} it is no better than persistence for {enumeration(lost[:_NAMED])}{more}."
        yield Finding(WEAK, text, "protocol-a")


def _skill(content: Content, forecast: str) -> Iterator[Finding]:
    for lead in dict.fromkeys([content.middle_lead("A"), content.last_lead("A")]):
        ratios = _ratios(content, forecast, CLIMATOLOGY, lead, "A")
        if not ratios:
            continue
        won = [n for n in ratios if ratios[n] < 1]
        still = _ratios(content, forecast, PERSISTENCE, lead, "A")
        text = f"At {lead_text(lead)} the RMSE is below that of climatology for {len(won)} of {len(ratios)} variables"
        text += (
            f", and below that of persistence for {sum(r < 1 for r in still.values())} of {len(still)}."
            if still
            else "."
        )
        yield Finding(GOOD if len(won) == len(ratios) else PLAIN, text, "protocol-a")
        if lead == content.middle_lead("A"):
            best = [f"{n} ({percent(ratios[n])} of climatology's RMSE)" for n in won[:_NAMED]]
            if best:
                yield Finding(GOOD, f"Best at {lead_text(lead)}: {enumeration(best)}.", "protocol-a")
        lost = [n for n in reversed(ratios) if ratios[n] >= 1]
        worst = [f"{n} ({percent(ratios[n])})" for n in (lost or list(reversed(ratios)))[:_NAMED]]
        words = "Worse than climatology" if lost else "Closest to climatology, as a part of its RMSE,"
        more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
        yield Finding(
            WEAK if lost else PLAIN, f"{words} at {lead_text(lead)}: {enumeration(worst)}{more}.", "protocol-a"
        )


def _horizons(content: Content, forecast: str) -> Iterator[Finding]:
    last = content.last_lead("A")
    found = {n: [content.score(m, n, forecast) for m in HORIZON] for n in content.variables}
    known = {n: (days.value, reached.value == 1) for n, (days, reached) in found.items() if days.known}
    lost = sorted((days, n) for n, (days, reached) in known.items() if reached)
    if lost:
        parts = [f"{n} after {days:.0f} d" if days > 0 else f"{n} from the first lead on" for days, n in lost]
        yield Finding(WEAK, f"Skill horizon: it loses to climatology for {enumeration(parts)}.", "protocol-a")
    elif known:
        text = f"Skill horizon: no variable loses to climatology within {lead_text(last)}."
        yield Finding(GOOD, text, "protocol-a")


def _run(content: Content, forecast: str) -> Iterator[Finding]:
    ratios = _ratios(content, forecast, CLIMATOLOGY, WHOLE, "B")
    if not ratios:
        return
    lost = [n for n in reversed(ratios) if ratios[n] >= 1]
    count = f"{len(ratios) - len(lost)} of {len(ratios)} variables"
    text = f"In one long run the RMSE is below that of climatology for {count}"
    worst = [f"{n} ({percent(ratios[n])} of climatology's RMSE)" for n in lost[:_NAMED]]
    text += f"; the worst: {enumeration(worst)}." if lost else "."
    yield Finding(WEAK if lost else GOOD, text, "protocol-b")
    drift = _drifts(content, forecast)
    if drift:
        yield Finding(
            WEAK, f"It drifts, against its RMSE of the whole run: {enumeration(drift[:_NAMED])}.", "protocol-b"
        )


def _drifts(content: Content, forecast: str) -> list[str]:
    """Variables whose drift over a year is a large part of the RMSE, the largest first."""
    found = []
    for name in content.variables:
        drift = content.score("drift_per_year", name, forecast, protocol="B")
        rmse = content.score("rmse", name, forecast, protocol="B")
        if drift.known and rmse.known and rmse.value > 0 and abs(drift.value) >= LARGE_BIAS / 2 * rmse.value:
            part = abs(drift.value) / rmse.value
            found.append((part, f"{name} by {with_unit(drift.value, name, True)} a year ({percent(part)})"))
    return [text for _, text in sorted(found, reverse=True)]


def _group_ratios(content: Content, forecast: str, protocol: str, cut: str) -> Iterator[tuple[float, str, str]]:
    """RMSE of each group over that of all, with variable and group."""
    lead = content.middle_lead(protocol)
    for name in content.variables:
        whole = content.score("rmse", name, forecast, lead, protocol=protocol)
        for group in content.groups(protocol, cut):
            part = content.score("rmse", name, forecast, lead, protocol=protocol, cut=cut, group=group)
            if part.known and whole.known and whole.value > 0:
                yield part.value / whole.value, name, group


def _held_out(content: Content, forecast: str) -> Iterator[Finding]:
    protocol = content.protocols[0]
    lead, ratios = content.middle_lead(protocol), {}
    for name in content.variables:
        new, old = (
            content.score("rmse", name, forecast, lead, protocol=protocol, cut="points", group=group)
            for group in ("held_out", "trained")
        )
        if new.known and old.known and old.value > 0:
            ratios[name] = new.value / old.value
    if not ratios:
        return
    worst = max(ratios, key=lambda n: ratios[n])
    middle = float(np.median(list(ratios.values())))
    text = (
        f"At points it was never trained on the RMSE is {number(middle)} times that at trained points in the median "
        f"over variables (protocol {protocol}, {lead_text(lead)}), at most {number(ratios[worst])} times, for {worst}."
    )
    yield Finding(WEAK if middle >= LARGE_GROUP else GOOD, text, "cuts")


def _elsewhere(content: Content, forecast: str) -> Iterator[Finding]:
    """Error at other places against that of protocol A, in the median over variables."""
    lead = content.middle_lead("C")
    for place in content.groups("C", "all"):
        ratios = {}
        for name in content.variables:
            there = content.score("rmse", name, forecast, lead, protocol="C", group=place)
            here = content.score("rmse", name, forecast, lead)
            if there.known and here.known and here.value > 0:
                ratios[name] = there.value / here.value
        if ratios:
            worst, middle = max(ratios, key=lambda n: ratios[n]), float(np.median(list(ratios.values())))
            text = f"Elsewhere ({spoken(place)}) the RMSE at {lead_text(lead)} is {number(middle)} times that of "
            text += f"protocol A in the median over variables, at most {number(ratios[worst])} times, for {worst}."
            yield Finding(WEAK if middle >= LARGE_GROUP else GOOD, text, "protocol-c")


def _groups(content: Content, forecast: str) -> Iterator[Finding]:
    protocol = content.protocols[0]
    for cut in (c for c in content.cuts if c not in ("all", "extreme", "points", "year")):
        ratios = sorted(_group_ratios(content, forecast, protocol, cut), reverse=True)
        large = [r for r in ratios if r[0] >= LARGE_GROUP]
        if large:
            counts = pd.Series([group for *_, group in large]).value_counts()
            parts = [f"{n} in {spoken(g)} ({times(r)})" for r, n, g in large[:_NAMED]]
            text = (
                f"{CUT_NAMES.get(cut, spoken(cut))}: largest RMSE against that of all points for {enumeration(parts)}"
            )
            text += (
                f"; most often {spoken(str(counts.index[0]))} ({counts.iloc[0]} of {len(content.variables)} variables)."
            )
            yield Finding(WEAK, text, "cuts")


def _bias(content: Content, forecast: str) -> Iterator[Finding]:
    for protocol in (p for p in content.protocols if p in "AB"):
        lead, found = WHOLE if protocol == "B" else content.last_lead(protocol), []
        for name in content.variables:
            bias, rmse = (content.score(m, name, forecast, lead, protocol=protocol) for m in ("bias", "rmse"))
            if bias.known and rmse.known and rmse.value > 0 and abs(bias.value) >= LARGE_BIAS * rmse.value:
                found.append((abs(bias.value) / rmse.value, f"{name} ({with_unit(bias.value, name, True)})"))
        texts = [text for _, text in sorted(found, reverse=True)]
        place = f"protocol {protocol}, {lead_text(lead)}"
        if texts:
            more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
            text = f"Bias of at least half the RMSE ({place}): {enumeration(texts[:_NAMED])}{more}."
            yield Finding(WEAK, text, f"protocol-{protocol.lower()}")


def _extremes(content: Content, forecast: str) -> Iterator[Finding]:
    protocol = next((p for p in content.protocols if content.groups(p, "extreme")), None)
    if protocol is None:
        return
    found = []
    for name in content.variables:
        for group in content.groups(protocol, "extreme"):
            rate = content.score(
                "hit_rate", name, forecast, content.middle_lead(protocol), protocol=protocol, cut="extreme", group=group
            )
            if rate.known:
                found.append((rate.value, name, group))
    if found:
        lowest, name, group = min(found)
        text = f"Extremes: of the {spoken(group)} 2 % of {name} it has {percent(lowest)}, its lowest hit rate; "
        text += f"the median over variables and tails is {percent(float(np.median([r for r, *_ in found])))}."
        yield Finding(WEAK if lowest < LOW_HIT_RATE else PLAIN, text, "extremes")


def _budgets(content: Content, forecast: str) -> Iterator[Finding]:
    for budget in ("water", "energy"):
        state = content.closure.get(forecast, {}).get(budget, {})
        table = content.budgets
        table = pick(table, budget=budget, model=forecast, group=main_group(table)) if len(table) else table
        values = table.set_index("term")["value"].to_dict() if len(table) else {}
        residual, rain = values.get("residual", np.nan), values.get("precipitation", np.nan)
        if np.isfinite(residual):
            unit = unit_text(table.set_index("term")["units"].to_dict()["residual"])
            large = abs(residual) >= (LARGE_RESIDUAL * rain if budget == "water" else LARGE_ENERGY)
            text = f"{budget.capitalize()} budget: {number(residual, True)} {unit} are left over"
            text += f", {percent(abs(residual) / rain)} of precipitation." if budget == "water" and rain > 0 else "."
            yield Finding(WEAK if large else GOOD, text, "budgets")
        elif state:
            lacking = ", ".join(map(str, state.get("missing", ())))
            text = f"{budget.capitalize()} budget: not closed ({state.get('meaning', 'no residual')}"
            yield Finding(PLAIN, text + (f": {lacking})." if lacking else ")."), "budgets")


def _snow(content: Content, forecast: str) -> Iterator[Finding]:
    table = content.snow_season
    if not len(table):
        return
    rows = pick(table, model=forecast, group="all").set_index("metric")["value"].to_dict()
    parts, worst = [], 0.0
    for event, words in (("onset", "onset"), ("melt_out", "melt-out")):
        bias, mae = rows.get(f"{event}_bias", np.nan), rows.get(f"{event}_mae", np.nan)
        if np.isfinite(bias):
            parts.append(
                f"{words} is {abs(bias):.1f} days {'late' if bias > 0 else 'early'} (mean absolute error {mae:.1f})"
            )
            worst = max(worst, mae)
    hits, misses, false = (rows.get(k, np.nan) for k in ("hits", "misses", "false_alarms"))
    if parts:
        text = f"Snow season: {enumeration(parts)}"
        if np.isfinite(hits) and hits + misses > 0:
            text += f"; it misses {misses:.0f} of {hits + misses:.0f} seasons and has {false:.0f} that were not there"
        yield Finding(WEAK if worst >= LATE_DAYS else GOOD, text + ".", "snow")


def not_measured(content: Content) -> list[str]:
    """What this evaluation says nothing about."""
    checks = {
        "protocol A (many integrations of 90 days)": "A" in content.protocols,
        "protocol B (one run over years)": "B" in content.protocols,
        "protocol C (other points and places)": "C" in content.protocols,
        "points held out of training": any(content.groups(p, "points") for p in content.protocols),
        "extremes": any(content.groups(p, "extreme") for p in content.protocols),
        "the budgets": len(content.budgets) > 0,
        "the snow season": len(content.snow_season) > 0,
        "observations": len(content.observations) > 0,
    }
    return [what for what, there in checks.items() if not there]


def comparison(content: Content) -> list[Finding]:
    """What can be said of one forecast against another: counts of significant differences."""
    table = content.differences
    if not len(table):
        return []
    table = pick(table, cut="all", group="all", metric="rmse")
    out = []
    for (a, b, protocol), rows in table.groupby(["a", "b", "protocol"], sort=False):
        better = int((rows["significant"] & (rows["difference"] < 0)).sum())
        worse = int((rows["significant"] & (rows["difference"] > 0)).sum())
        text = (
            f"{a} against {b}, protocol {protocol}: of {len(rows)} pairs of variable and lead time, {a} is "
            f"significantly better in {better} and worse in {worse}; {len(rows) - better - worse} cannot be told apart."
        )
        out.append(Finding(PLAIN, text, "against"))
    return out
