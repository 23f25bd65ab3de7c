# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Sentences of the summary agree with the scores."""

from __future__ import annotations

import pytest

from anemoi_ailand.evaluation.report.content import Content
from anemoi_ailand.evaluation.report.summary import facts, not_measured
from tests.support.results import metrics


def sentences(content):
    """All sentences about the first forecast as one text."""
    return "\n".join(facts(content, "emulator")).replace("\N{NO-BREAK SPACE}", " ")


def changed(**where):
    """The made-up evaluation with another value of the matching scores."""
    made, value = metrics(), where.pop("value")
    for row in made["scores"]:
        if all(row[k] == v for k, v in where.items()):
            row["value"] = value
    return Content(made)


@pytest.fixture(scope="module")
def content():
    return Content(metrics())


def test_facts_are_those_of_the_scores(content):
    """Counts against baselines, skill horizon and an open budget, each in one sentence."""
    assert sentences(content).splitlines() == [
        "Protocol A, 30 d: the RMSE is below that of climatology for 6 of 6 variables and that of persistence for 5 of "
        "6 variables.",
        "Protocol A, 90 d: the RMSE is below that of climatology for 5 of 6 variables and that of persistence for 5 of "
        "6 variables.",
        "Protocol B, whole run: the RMSE is below that of climatology for 5 of 6 variables and that of persistence for "
        "5 of 6 variables.",
        "Skill horizon: the RMSE exceeds that of climatology for swvl4 after 46 d.",
        "The energy budget is not closed: the run lacks ssr, str.",
    ]


def test_variables_without_horizon_share_a_phrase():
    """No variable reaches the error of climatology; those without skill at the first lead share a phrase."""
    text = sentences(changed(metric="skill_horizon_reached", value=0.0))
    assert "the RMSE of every variable is below that of climatology up to 90 d" in text
    reached = metrics()
    for row in reached["scores"]:
        if row["variable"] in ("stl1", "2t") and row["metric"].startswith("skill_horizon"):
            row["value"] = float(row["metric"].endswith("reached"))
    text = sentences(Content(reached))
    assert "that of climatology for 2t and stl1 at the first lead; swvl4 after 46 d." in text


def test_parts_without_scores_are_listed(content):
    """Every part of an evaluation that is missing is named."""
    assert not_measured(content) == ["protocol C (other points and places)"]
    bare = Content({"scores": [r for r in metrics()["scores"] if r["protocol"] == "A" and r["cut"] == "all"]})
    assert {"the budgets", "the snow season", "observations", "extremes"} <= set(not_measured(bare))
    assert facts(bare, "emulator")
