# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Scores are found by what they are about; what is not there is not zero."""

from __future__ import annotations

import json

import numpy as np
import pytest

from anemoi_ailand.evaluation.report.content import LEADS as SHOWN_LEADS
from anemoi_ailand.evaluation.report.content import NOT_MEASURED, WHOLE, Content
from tests.support.results import LEADS, VARIABLES, metrics


@pytest.fixture(scope="module")
def content():
    return Content(metrics())


def test_empty_group_and_absent_score_differ(content):
    """An empty group has n = 0; a score that was not computed is ``NOT_MEASURED``."""
    assert content.score("rmse", "2t", "emulator", 30.0, cut="biome", group="glacier").n == 0
    assert content.score("rmse", "2t", "emulator", 31.0) is NOT_MEASURED


def test_json_gives_the_same_content(content):
    """Null in metrics.json is read as NaN."""
    text = json.dumps(metrics(), default=float).replace("NaN", "null")
    read = Content(json.loads(text))
    for name in VARIABLES:
        for lead in (*LEADS, WHOLE):
            first, second = (c.score("acc", name, "climatology", lead) for c in (content, read))
            np.testing.assert_equal(first.value, second.value)
    assert read.budgets.shape == content.budgets.shape
    assert read.snow_season.shape == content.snow_season.shape


def test_models_keep_the_order_of_the_user(content):
    """Forecasts come in the given order before the baselines; variables are in the order of their groups."""
    assert content.models == ["emulator", "older", "persistence", "climatology"]
    assert Content({**metrics(), "inputs": {"forecasts": {"older": {}, "emulator": {}}}}).forecasts == [
        "older",
        "emulator",
    ]
    assert content.variables == list(VARIABLES)


def test_leads_of_tables_are_those_of_the_protocol():
    """Tables have all leads if they are few, else 1, 7, 30, 60, 90 days."""
    some = {**metrics(), "scores": [r for r in metrics()["scores"] if r["lead"] != 60.0]}
    assert Content(some).leads("A") == [1.0, 7.0, 30.0, 90.0]
    assert Content(some).middle_lead("A") == SHOWN_LEADS[2]
    assert Content(some).leads("B") == [15.0, 345.0]
    assert Content(some).middle_lead("B") == WHOLE
