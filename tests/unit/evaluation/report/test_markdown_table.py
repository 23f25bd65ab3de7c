# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The table of a run has the RMSE of the scores, and names the best."""

from __future__ import annotations

import pytest

from anemoi_ailand.evaluation.display.markdown import number
from anemoi_ailand.evaluation.display.style import pick
from anemoi_ailand.evaluation.report.markdown_table import markdown_table
from tests.support import results as case


@pytest.fixture(scope="module")
def scores():
    return case.table("scores")


def cells(text, part=0):
    """Rows of the table as lists, the header first; ``part`` 1 is the table of correlations."""
    text = text.split("Correlation of fluxes over 6 h.")[part]
    lines = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("protocol", ["A", "B"])
def test_numbers_are_the_rmse_of_the_scores(scores, protocol):
    """Values are the RMSE at the last lead time of protocol A, or of the whole run of protocol B."""
    header, *rows = cells(markdown_table(scores, protocol, "Title."))
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


def test_without_held_out_points_the_table_is_about_all(scores):
    """The dataset does not mark trained points, or none of them is held out."""
    for rows in (scores[scores["cut"] != "points"], scores.assign(n=scores["n"].where(scores["cut"] != "points", 0))):
        assert {row[2] for row in cells(markdown_table(rows, "B", ""))[1:]} == {"all"}


def test_model_that_lacks_a_variable_has_a_dash(scores):
    """A missing variable is a dash, and the best of the other models is named."""
    part = scores[~((scores["model"] == "emulator") & (scores["variable"] == "sd"))]
    part = part[~((part["model"] == "emulator") & (part["variable"] == "2t"))]
    rows = [row for row in cells(markdown_table(part, "B", "")) if row[0] == "2t"]
    assert [row[3] for row in rows] == ["-", "-"]
    assert all(row[-1] == "older" for row in rows)


@pytest.mark.parametrize(("protocol", "name"), [("A", "evap"), ("B", "gpp")])
def test_fluxes_are_shown_per_day_with_their_correlation(scores, protocol, name):
    """RMSE is in mm or g per day, and a second table has the correlation of values over 6 h."""
    rows = scores.replace({"variable": {"slhf": name}})
    text = markdown_table(rows, protocol, "")
    unit, factor = ("g m-2 d-1", 8.64e7) if name in ("gpp", "nee") else ("mm d-1", 86400)
    first = next(row for row in cells(text) if row[0] == name)
    part = rows[rows["lead"].isna()] if protocol == "B" else rows[rows["lead"] == 90.0]
    where = {"protocol": protocol, "variable": name, "cut": "points", "group": "held_out", "model": "emulator"}
    assert first[1:4] == [unit, "held-out", number(factor * pick(part, metric="rmse", **where)["value"].item())]
    own = next(row for row in cells(text, 1) if row[0] == name)
    assert own[1:4] == ["1", "held-out", number(round(pick(part, metric="correlation", **where)["value"].item(), 3))]
    assert own[-1] == "emulator"
