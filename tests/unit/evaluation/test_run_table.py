# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The table of a run has the RMSE of the scores, and names the best."""

from __future__ import annotations

import evaluation_case as case
import numpy as np
import pytest

from anemoi_ailand.evaluation.run_table import run_table
from anemoi_ailand.evaluation.style import pick
from anemoi_ailand.evaluation.table import number


@pytest.fixture(scope="module")
def scores():
    return case.table("scores")


def cells(text):
    """Rows of the table as lists, the header first."""
    lines = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("protocol", ["A", "B"])
def test_numbers_are_the_rmse_of_the_scores(scores, protocol):
    """Of the last lead time of protocol A, of the whole run of protocol B."""
    header, *rows = cells(run_table(scores, protocol, "Title."))
    models = ["emulator", "older", "persistence", "climatology"]
    assert header == ["variable", "unit", "points", *models, "best"]
    assert len(rows) == 2 * len(case.VARIABLES)
    part = scores[scores["lead"].isna()] if protocol == "B" else scores[scores["lead"] == 90.0]
    for name, _, points, *numbers, best in rows:
        group = points.replace("-", "_")
        where = {"protocol": protocol, "variable": name, "cut": "points", "group": group, "metric": "rmse"}
        want = pick(part, **where).set_index("model")["value"]
        assert numbers == [number(want[model]) for model in models]
        assert best == want.idxmin()


def test_title_and_count_of_wins(scores):
    """The sums are the number of variables."""
    first, *_, held_out, trained = run_table(scores, "B", "RMSE of something.").splitlines()
    assert first == "RMSE of something."
    assert held_out.startswith("Best at held-out points: emulator ")
    assert trained.startswith("Best at trained points: ")
    assert sum(int(word.strip(",.")) for word in held_out.split() if word.strip(",.").isdigit()) == len(case.VARIABLES)


def test_without_held_out_points_the_table_is_about_all(scores):
    """Where the dataset does not say which points were trained on, or none of them is held out."""
    for rows in (scores[scores["cut"] != "points"], scores.assign(n=scores["n"].where(scores["cut"] != "points", 0))):
        assert {row[2] for row in cells(run_table(rows, "B", ""))[1:]} == {"all"}


def test_model_that_lacks_a_variable_has_a_dash(scores):
    """It is not the best, and its variable stays for the others."""
    part = scores[~((scores["model"] == "emulator") & (scores["variable"] == "sd"))]
    part = part[~((part["model"] == "emulator") & (part["variable"] == "2t"))]
    rows = [row for row in cells(run_table(part, "B", "")) if row[0] == "2t"]
    assert [row[3] for row in rows] == ["-", "-"]
    assert all(row[-1] == "older" for row in rows)


def test_empty_group_of_one_variable_is_left_out(scores):
    """Never a zero."""
    empty = (scores["variable"] == "snowc") & (scores["group"] == "held_out")
    rows = cells(run_table(scores.assign(value=scores["value"].where(~empty, np.nan)), "B", ""))
    assert [row[2] for row in rows if row[0] == "snowc"] == ["trained"]
