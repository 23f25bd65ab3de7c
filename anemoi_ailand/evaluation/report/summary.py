# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Sentences of the report: skill against the baselines, weaknesses, and parts that were not evaluated."""

from __future__ import annotations

from collections.abc import Iterator

from anemoi_ailand.evaluation.display.text import enumeration
from anemoi_ailand.evaluation.fields.reference import CLIMATOLOGY, PERSISTENCE
from anemoi_ailand.evaluation.report.content import WHOLE, Content, Score
from anemoi_ailand.evaluation.report.tables import lead_text, percent, words
from anemoi_ailand.evaluation.scores.skill import HORIZON

#: A group is weak if its RMSE relative to climatology is larger than that over all points by this factor [1].
WEAK = 1.5

#: Groups in which climatology's RMSE is below this share of that over all points are passed over [1]: the variable
#: hardly changes there (snow in the tropics), and the ratio of two small errors says little.
_NEGLIGIBLE = 0.1

#: Most variables or groups in a sentence.
_MOST = 5


def strengths(content: Content, forecast: str) -> list[str]:
    """Return the sentences on the skill of a forecast."""
    return list(_skill(content, forecast))


def weaknesses(content: Content, forecast: str) -> list[str]:
    """Return the sentences on the weaknesses of a forecast; one that says so if they are not known."""
    found = [text for part in (_worst, _horizon, _weak_groups, _closure) for text in part(content, forecast)]
    return found or ["Not known: there are no scores of climatology to compare with."]


def _ratios(own: dict[str, Score], other: dict[str, Score]) -> dict[str, float]:
    pairs = ((name, own[name], other[name]) for name in own)
    return {name: a.value / b.value for name, a, b in pairs if a.known and b.known and b.value > 0}


def _rmse(content: Content, model: str, lead: float, protocol: str, **group: str) -> dict[str, Score]:
    return {name: content.score("rmse", name, model, lead, protocol=protocol, **group) for name in content.variables}


def _skill(content: Content, forecast: str) -> Iterator[str]:
    """Count the variables with an RMSE below that of each baseline."""
    places = [("A", lead) for lead in dict.fromkeys([content.middle_lead("A"), content.last_lead("A")])]
    for protocol, lead in [p for p in places if p[1] != WHOLE] + [("B", WHOLE)]:
        own, counts = _rmse(content, forecast, lead, protocol), []
        for baseline in (CLIMATOLOGY, PERSISTENCE):
            if ratios := _ratios(own, _rmse(content, baseline, lead, protocol)):
                better = sum(r < 1 for r in ratios.values())
                counts.append(f"that of {baseline} for {better} of {len(ratios)}")
        if counts:
            yield f"Protocol {protocol}, {lead_text(lead)}: the RMSE is below {enumeration(counts)} variables."


def _worst(content: Content, forecast: str) -> Iterator[str]:
    """Name the variables with the largest RMSE relative to climatology."""
    for protocol, lead in (("A", content.last_lead("A")), ("B", WHOLE)):
        own, other = (_rmse(content, model, lead, protocol) for model in (forecast, CLIMATOLOGY))
        ratios = dict(sorted(_ratios(own, other).items(), key=lambda item: -item[1]))
        worse = [f"{name} ({percent(ratio)})" for name, ratio in ratios.items() if ratio > 1]
        where = f"Protocol {protocol}, {lead_text(lead)}"
        if worse:
            yield (
                f"{where}: the RMSE exceeds that of climatology for {len(worse)} of {len(ratios)} variables: "
                f"{enumeration(_first(worse, 'variable'))}."
            )
        elif ratios:
            largest = [f"{name} ({percent(ratio)})" for name, ratio in list(ratios.items())[:3]]
            yield f"{where}: the RMSE is closest to that of climatology, but below it, for {enumeration(largest)}."


def _first(texts: list[str], what: str) -> list[str]:
    """First entries, and the number of the others."""
    more = len(texts) - _MOST
    return texts if more <= 0 else [*texts[:_MOST], f"{more} more {what}{'s' * (more > 1)}"]


def _weak_groups(content: Content, forecast: str) -> Iterator[str]:
    """Name the groups in which the RMSE relative to climatology is larger than over all points."""
    for protocol in content.protocols:
        lead, found, known = content.middle_lead(protocol), [], False
        own, other = (_rmse(content, model, lead, protocol) for model in (forecast, CLIMATOLOGY))
        whole = _ratios(own, other)
        for strata in (s for s in content.strata if s not in ("all", "extreme")):
            for group in content.groups(protocol, strata):
                there = {"strata": strata, "group": group}
                base = _rmse(content, CLIMATOLOGY, lead, protocol, **there)
                ratios = _ratios(_rmse(content, forecast, lead, protocol, **there), base)
                known = known or bool(ratios)
                weak = [
                    (ratio, name) for name, ratio in ratios.items()
                    if name in whole and ratio > WEAK * whole[name]
                    and base[name].value > _NEGLIGIBLE * other[name].value
                ]  # fmt: skip
                if weak:
                    ratio, name = max(weak)
                    against = f"{name} {percent(ratio)} against {percent(whole[name])}"
                    found.append((ratio, f"{words(group)} ({words(strata)}), {against}"))
        where = f"Protocol {protocol}, {lead_text(lead)}"
        if found:
            groups = "; ".join(_first([text for _, text in sorted(found, reverse=True)], "group"))
            yield f"{where}: RMSE relative to climatology above {WEAK:g} times that over all points: {groups}."
        elif known:
            yield f"{where}: in no group is the RMSE relative to climatology above {WEAK:g} times that over all points."


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
        "groups of points": bool(set(content.strata) - {"all", "extreme"}),
        "extremes": any(content.groups(p, "extreme") for p in content.protocols),
        "the budgets": len(content.budgets) > 0,
        "the snow season": len(content.snow_season) > 0,
        "observations": len(content.observations) > 0,
    }
    return [what for what, measured in checks.items() if not measured]
