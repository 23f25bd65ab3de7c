# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Tables show the scores of the tidy table, and what stands out in them does stand out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from anemoi_ailand.evaluation.report import tables
from anemoi_ailand.evaluation.report.content import NOT_MEASURED, WHOLE, Content, Score
from anemoi_ailand.evaluation.report.text import NOT_DEFINED, lead_text, number, percent, score_text
from tests.support.results import VARIABLES, metrics

MINUS, NBSP, TIMES = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}", "\N{MULTIPLICATION SIGN}"


@pytest.fixture(scope="module")
def content():
    return Content(metrics())


def row(table, *heads):
    return next(r for r in table.rows if set(heads) <= set(r.heads))


def test_lead_table_has_all_models_at_all_leads(content):
    """Six variables with four models each have five leads, with units."""
    table = tables.lead_table(content, "rmse")
    assert len(table.rows) == 24
    assert [c.replace("\N{NO-BREAK SPACE}", " ") for c in table.columns] == ["1 d", "7 d", "30 d", "60 d", "90 d"]
    assert row(table, "stl1", "climatology").heads == ("stl1", "K", "climatology")
    assert [cell.text for cell in row(table, "2t", "climatology").cells] == ["2.90"] * 5


def test_smallest_error_stands_out(content):
    """One model is best in each column of a variable."""
    table = tables.lead_table(content, "rmse")
    for name in VARIABLES:
        looks = [[cell.look for cell in r.cells] for r in table.rows if r.variable == name]
        assert [list(column).count("best") for column in zip(*looks, strict=True)] == [1] * 5
    assert row(table, "swvl4", "climatology").cells[-1].look == "best"


def test_skill_is_relative_to_climatology(content):
    """Skill is a percentage of the RMSE of climatology, shaded by the distance from it."""
    table = tables.skill_table(content, "emulator")
    cells = row(table, "2t").cells
    assert cells[0].order == pytest.approx(0.4 / 2.9)
    assert cells[0].text.startswith("14")
    assert cells[0].look == "better3"
    assert row(table, "swvl4").cells[4].look == "worse3"


@pytest.mark.parametrize(
    ("ratio", "look"),
    [
        (0.1, "better3"),
        (0.7, "better1"),
        (0.85, ""),
        (1.0, ""),
        (1.1, ""),
        (1.2, "worse1"),
        (2.0, "worse3"),
        (np.nan, "none"),
    ],
)
def test_look_of_a_ratio(ratio, look):
    """Nothing stands out within ten percent."""
    assert tables.ratio_look(ratio) == look


def test_run_table_has_first_year_and_whole_run(content):
    """Metrics are given for the first year and the whole run, then the drift."""
    table = tables.run_table(content)
    assert table.columns[:3] == ("RMSE, year 1", "RMSE, whole run", "Bias, year 1")
    cells = row(table, "stl1", "emulator").cells
    assert cells[0].order == pytest.approx(0.9 * cells[1].order)
    assert cells[-1].order == pytest.approx(0.2 / 3)
    assert row(table, "stl1", "persistence").cells[-1].text == NOT_DEFINED


def test_difference_has_sign_interval_and_look(content):
    """Triangles mark significant differences."""
    (table,) = tables.difference_tables(content)
    rows = {(d["variable"], d["lead"]): d for d in metrics()["differences"]}
    for r in table.rows:
        for cell, lead in zip(r.cells, content.leads("A"), strict=True):
            found = rows[r.variable, lead]
            sign = "○" if not found["significant"] else "▲" if found["difference"] < 0 else "▼"
            assert cell.text.startswith(sign)
            assert cell.order == pytest.approx(found["difference"] / found["b_value"])
            assert bool(cell.look) == found["significant"]


def test_strata_tables_shade_against_all_points(content):
    """Groups are shaded relative to all points, an empty one has no data, and the first table of each cut is open."""
    found = tables.strata_tables(content)
    snow = next(t for t in found if t.key == "cut-A-snow_regime-0")
    assert snow.columns == ("all", "snow", "snow-free")
    assert [cell.look for cell in row(snow, "stl1").cells] == ["", "worse3", "better1"]
    biome = next(t for t in found if t.key == "cut-B-biome-1")
    assert [cell.text for cell in row(biome, "stl1").cells][-1] == "no data"
    assert biome.folded
    assert not snow.folded
    assert {t.cut for t in found} == {"points", "season", "daytime", "biome", "snow_regime", "year"}


def test_other_tables_have_their_rows(content):
    """Extremes by tail and model, a budget by model, the snow season with its sign, and the three-way comparison."""
    extremes = tables.extreme_table(content)
    assert len(extremes.rows) == 2 * 2 * 4
    assert [cell.text for cell in row(extremes, "swvl1", "wettest", "emulator").cells] == ["+0.00300", "0.620"]
    budget = tables.budget_table(content, "water", "no_lake_or_urban")
    assert budget.columns == ("ecLand", "emulator", "older")
    assert [cell.text for cell in row(budget, "residual").cells] == ["0.0200", "21.5", "10.8"]
    assert tables.budget_table(content, "energy", "no_lake_or_urban").rows == []
    snow = tables.snow_table(content)
    assert len(snow.rows) == 7
    assert row(snow, "melt out bias").cells[0].text.startswith("\N{MINUS SIGN}6.")
    observed = {(r.heads[1], r.heads[2]) for r in tables.observation_table(content).rows}
    assert observed >= {("ecLand", "observation"), ("emulator", "ecLand")}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (0.01234, "0.0123"), (1.0, "1.00"), (12.34, "12.3"), (123.4, "123"), (12345.0, "12345"),
        (-0.5, f"{MINUS}0.500"), (1.234e-6, f"1.23{TIMES}10⁻⁶"), (-3.2e7, f"{MINUS}3.20{TIMES}10⁷"), (0.9999, "1.00"),
        (9.999e-5, "0.000100"), (math.nan, NOT_DEFINED),
    ],
)  # fmt: skip
def test_number_has_three_digits(value, text):
    """Numbers are rounded to three digits, also across a power of ten."""
    assert number(value) == text


@pytest.mark.parametrize(
    ("score", "metric", "text"),
    [
        (Score(math.nan, 0), "rmse", "no data"), (Score(math.nan, 5), "acc", NOT_DEFINED),
        (NOT_MEASURED, "rmse", NOT_DEFINED), (Score(0.0, 5), "rmse", "0"),
        (Score(0.98765, 5), "acc", "0.988"), (Score(1.0, 5), "bias", "+1.00"),
    ],
)  # fmt: skip
def test_empty_group_is_never_zero(score, metric, text):
    """An empty group, an undefined score and zero differ."""
    assert score_text(score, metric) == text


def test_percentages_and_leads_are_text():
    """Percentages have one digit below ten; the whole run has a name."""
    assert percent(0.154) == f"15{NBSP}%"
    assert percent(-0.0154, signed=True) == f"{MINUS}1.5{NBSP}%"
    assert (lead_text(30.0), lead_text(WHOLE)) == (f"30{NBSP}d", "whole run")
