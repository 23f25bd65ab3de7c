# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The summary says what the numbers say: where a forecast is good, and where it is weak."""

from __future__ import annotations

import pytest

from anemoi_ailand.evaluation.report.content import Content
from anemoi_ailand.evaluation.report.summary import GOOD, WEAK, comparison, findings, not_measured
from tests.support.results import VARIABLES, metrics


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")


def said(content, kind=None):
    """All sentences about the first forecast, or those of a kind, in one text."""
    return plain("\n".join(f.text for f in findings(content, "emulator") if kind in (None, f.kind)))


def changed(change):
    """The made-up evaluation with scores altered by a function of the row."""
    made = metrics()
    for row in made["scores"]:
        change(row)
    return Content(made)


@pytest.fixture(scope="module")
def content():
    return Content(metrics())


@pytest.mark.parametrize(
    "words",
    [
        "Worse than climatology at 90 d: swvl4 (200 %)",
        "loses to climatology for swvl4 after 46 d",
        "At 1 d it is no better than persistence for swvl1 (1.9 times the RMSE)",
        "below that of climatology for 5 of 6 variables; the worst: swvl4 (823 % of climatology's RMSE)",
        "(2.1 times); most often snow (6 of 6 variables)",
        "(1.5 times); most often boreal (6 of 6 variables)",
        "+21.5 mm year⁻¹ are left over, 2.6 % of precipitation",
        "melt-out is 6.2 days early (mean absolute error 8.2); it misses 10 of 240 seasons",
    ],
)
def test_weakness_is_said(content, words):
    """What was built into the made-up numbers is found, and called weak."""
    assert words in said(content, WEAK)


@pytest.mark.parametrize(
    "words",
    [
        "At 30 d the RMSE is below that of climatology for 6 of 6 variables",
        "Best at 30 d: 2t (15 % of climatology's RMSE), slhf (30 %",
        "1.19 times that at trained points",
    ],
)
def test_strength_is_said(content, words):
    """And what is good is called good."""
    assert words in said(content, GOOD)


def test_weak_points_come_first(content):
    """A reader who stops early has read what matters."""
    kinds = [f.kind for f in findings(content, "emulator")]
    assert kinds == sorted(kinds, key=["weak", "good", "plain"].index)
    assert kinds[0] == WEAK


def test_forecast_without_horizon_is_good():
    """No variable loses within the integrations."""

    def never(row):
        if row["metric"] == "skill_horizon_reached":
            row["value"] = 0.0

    assert "no variable loses to climatology within 90 d" in said(changed(never), GOOD)


def test_large_bias_is_weak():
    """From half the RMSE on, with sign and unit."""

    def cold(row):
        if (row["metric"], row["variable"], row["model"]) == ("bias", "stl1", "emulator"):
            row["value"] = -1.2

    text = said(changed(cold), WEAK)
    assert "Bias of at least half the RMSE (protocol A, 90 d): stl1 (-1.20 K)" in text
    assert "Bias" not in said(Content(metrics()))


def test_drift_is_weak():
    """From a quarter of the RMSE a year on."""

    def drifting(row):
        if (row["metric"], row["variable"]) == ("drift_per_year", "swvl1"):
            row["value"] = 0.02

    assert "It drifts, against its RMSE of the whole run: swvl1 by +0.0200 m³ m⁻³ a year" in said(
        changed(drifting), WEAK
    )


def test_points_never_trained_on_may_be_weak():
    """A quarter more error than at trained points is no small thing."""

    def worse(row):
        if row["group"] == "held_out" and row["metric"] == "rmse":
            row["value"] *= 2

    assert "1.19" not in (text := said(changed(worse), WEAK))
    assert "2.37 times that at trained points" in text


def test_other_places_are_compared_with_protocol_a():
    """One and a half times the error at a site is a weakness, and protocol C is no longer missing."""
    made = metrics()
    at = {"protocol": "C", "group": "a site"}
    rows = [r for r in made["scores"] if r["protocol"] == "A" and r["cut"] == "all" and r["metric"] == "rmse"]
    content = Content({**made, "scores": [*made["scores"], *({**r, **at, "value": 1.5 * r["value"]} for r in rows)]})
    assert "Elsewhere (a site) the RMSE at 30 d is 1.50 times that of protocol A" in said(content, WEAK)
    assert not_measured(content) == []


def test_missed_extremes_are_weak():
    """Fewer than half of them hit."""

    def missed(row):
        if row["metric"] == "hit_rate" and row["group"] == "driest":
            row["value"] = 0.3

    assert "of the driest 2 % of swvl1 it has 30 %" in said(changed(missed), WEAK)


def test_budget_that_cannot_be_closed_says_why(content):
    """No residual is not a residual of zero."""
    assert "Energy budget: not closed (no residual: ssr, str)." in said(content)


def test_what_was_not_measured_is_named(content):
    """Silence is not praise."""
    assert not_measured(content) == ["protocol C (other points and places)"]
    bare = Content({"scores": [r for r in metrics()["scores"] if r["protocol"] == "A" and r["cut"] == "all"]})
    assert {"the budgets", "the snow season", "observations", "extremes"} <= set(not_measured(bare))
    assert findings(bare, "emulator")


def test_comparison_counts_significant_differences(content):
    """Better, worse, not to be told apart: together all pairs."""
    rows = metrics()["differences"]
    better = sum(r["significant"] and r["difference"] < 0 for r in rows)
    worse = sum(r["significant"] and r["difference"] > 0 for r in rows)
    (found,) = comparison(content)
    assert f"better in {better} and worse in {worse}; {len(rows) - better - worse} cannot" in found.text
    assert len(rows) == 5 * len(VARIABLES)
