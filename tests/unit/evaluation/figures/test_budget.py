# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Bars of a budget have the height of its terms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from anemoi_ailand.evaluation.figures.budget import budget_figure
from anemoi_ailand.evaluation.processes.budgets import main_group
from tests.support.results import metrics

LABELS = ["emulator", "older"]


@pytest.fixture
def budgets():
    return pd.DataFrame(metrics()["budgets"]["terms"])


def test_bars_are_the_terms_of_the_whole_run(budgets):
    """Each model has one bar for each term of the whole run."""
    left, right = budget_figure(budgets, "water", LABELS).axes
    assert len(left.patches) == 15
    assert [bar.get_height() for bar in left.patches[:5]] == [812.0, 468.0, 101.0, 250.0, -7.0]
    assert [bar.get_height() for bar in right.patches] == [0.02, 21.5, 10.75]
    assert left.get_ylabel() == "term of the water budget [mm year⁻¹]"


def test_missing_term_is_not_zero(budgets):
    """A missing term says "no data"."""
    budgets = budgets[(budgets["model"] != "older") | (budgets["term"] != "residual")]
    right = budget_figure(budgets, "water", LABELS).axes[1]
    assert right.texts[-1].get_text() == "no data"


def test_budget_without_values_is_an_error(budgets):
    """A budget without values is refused."""
    with pytest.raises(ValueError, match=r"No value of the energy budget"):
        budget_figure(budgets, "energy", LABELS)
    with pytest.raises(ValueError, match=r"No value of the water budget"):
        budget_figure(budgets.assign(value=np.nan), "water", LABELS)


def test_points_that_close_come_first(budgets):
    """The bars are those of points without lakes and towns."""
    lakes = budgets.assign(group="lake_or_urban", value=0.0)
    assert main_group(pd.concat([lakes, budgets])) == "no_lake_or_urban"
    assert main_group(lakes) == "lake_or_urban"
    assert budget_figure(pd.concat([lakes, budgets]), "water", LABELS).axes[0].patches[0].get_height() == 812.0
