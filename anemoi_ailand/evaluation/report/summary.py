# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Summary of the report: a few sentences with facts that no table of the report states."""

from __future__ import annotations

from collections.abc import Iterator

from anemoi_ailand.evaluation.display.text import enumeration
from anemoi_ailand.evaluation.fields.reference import CLIMATOLOGY, PERSISTENCE
from anemoi_ailand.evaluation.report.content import WHOLE, Content, Score
from anemoi_ailand.evaluation.report.tables import lead_text
from anemoi_ailand.evaluation.scores.skill import HORIZON


def facts(content: Content, forecast: str) -> list[str]:
    """Return the sentences about a forecast."""
    return [text for part in (_skill, _horizon, _closure) for text in part(content, forecast)]


def _ratios(content: Content, own: dict[str, Score], other: dict[str, Score]) -> list[float]:
    pairs = ((own[name], other[name]) for name in content.variables)
    return [a.value / b.value for a, b in pairs if a.known and b.known and b.value > 0]


def _rmse(content: Content, model: str, lead: float, protocol: str) -> dict[str, Score]:
    return {name: content.score("rmse", name, model, lead, protocol=protocol) for name in content.variables}


def _skill(content: Content, forecast: str) -> Iterator[str]:
    """Count the variables with an RMSE below that of each baseline."""
    places = [("A", lead) for lead in dict.fromkeys([content.middle_lead("A"), content.last_lead("A")])]
    for protocol, lead in [p for p in places if p[1] != WHOLE] + [("B", WHOLE)]:
        own, counts = _rmse(content, forecast, lead, protocol), []
        for baseline in (CLIMATOLOGY, PERSISTENCE):
            if ratios := _ratios(content, own, _rmse(content, baseline, lead, protocol)):
                counts.append(f"that of {baseline} for {sum(r < 1 for r in ratios)} of {len(ratios)} variables")
        if counts:
            yield f"Protocol {protocol}, {lead_text(lead)}: the RMSE is below {enumeration(counts)}."


def _horizon(content: Content, forecast: str) -> Iterator[str]:
    """List the variables that lose to climatology within the leads."""
    found = {name: [content.score(metric, name, forecast) for metric in HORIZON] for name in content.variables}
    known = {name: (days.value, reached.value == 1) for name, (days, reached) in found.items() if days.known}
    lost = sorted((days, name) for name, (days, reached) in known.items() if reached)
    at_once = [name for days, name in lost if days == 0]
    parts = [f"{enumeration(at_once)} at the first lead"] if at_once else []
    parts += [f"{name} after {days:.0f} d" for days, name in lost if days > 0]
    if parts:
        yield f"Skill horizon: the RMSE exceeds that of climatology for {'; '.join(parts)}."
    elif known:
        last = lead_text(content.last_lead("A"))
        yield f"Skill horizon: the RMSE of every variable is below that of climatology up to {last}."


def _closure(content: Content, forecast: str) -> Iterator[str]:
    """Name the budgets that cannot be closed."""
    for budget, state in content.closure.get(forecast, {}).items():
        if state.get("closure") == "incomplete":
            yield f"The {budget} budget is not closed: the run lacks {', '.join(map(str, state['missing']))}."


def not_measured(content: Content) -> list[str]:
    """List what this evaluation does not cover."""
    checks = {
        "protocol A (many integrations)": "A" in content.protocols,
        "protocol B (one run over years)": "B" in content.protocols,
        "protocol C (other points and places)": "C" in content.protocols,
        "points held out of training": any(content.groups(p, "points") for p in content.protocols),
        "extremes": any(content.groups(p, "extreme") for p in content.protocols),
        "the budgets": len(content.budgets) > 0,
        "the snow season": len(content.snow_season) > 0,
        "observations": len(content.observations) > 0,
    }
    return [what for what, measured in checks.items() if not measured]
