# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Tables of the report, of a run and of a stability test have the numbers of the scores."""

import json
import math
from copy import deepcopy

import numpy as np
import pytest

from anemoi_ailand.evaluation.display.style import pick
from anemoi_ailand.evaluation.display.text import json_text
from anemoi_ailand.evaluation.display.text import plain_number as short
from anemoi_ailand.evaluation.processes.stability import judge
from anemoi_ailand.evaluation.report import tables
from anemoi_ailand.evaluation.report.content import NOT_MEASURED, Content, Score
from anemoi_ailand.evaluation.report.rmse_table import rmse_table
from anemoi_ailand.evaluation.report.stability_table import stability_record, stability_table
from anemoi_ailand.evaluation.report.tables import NOT_DEFINED, score_text
from tests.support import results as case
from tests.support.results import CYCLE, STEPS, VARIABLES, changed, metrics, years


def test_empty_group_is_never_zero():
    texts = {
        (Score(math.nan, 0), "rmse"): "no data", (Score(math.nan, 5), "acc"): NOT_DEFINED,
        (NOT_MEASURED, "rmse"): NOT_DEFINED, (Score(0.0, 5), "rmse"): "0",
        (Score(0.98765, 5), "acc"): "0.988", (Score(1.0, 5), "bias"): "+1.00",
        (Score(1.234e-6, 5), "rmse"): "1.23\N{MULTIPLICATION SIGN}10⁻⁶",
    }  # fmt: skip
    assert {key: score_text(*key) for key in texts} == texts


@pytest.fixture(scope="module")
def content():
    return Content(metrics())


def row(table, *heads):
    return next(r for r in table.rows if set(heads) <= set(r.heads))


def test_smallest_error_stands_out(content):
    table = tables.lead_table(content, "rmse")
    for name in VARIABLES:
        looks = [[cell.look for cell in r.cells] for r in table.rows if r.variable == name]
        assert [list(column).count("best") for column in zip(*looks, strict=True)] == [1] * 5
    assert row(table, "swvl4", "climatology").cells[-1].look == "best"


def test_skill_and_run_tables(content):
    """Skill is relative to the RMSE of baselines; a run has its first year, the whole, and then the drift."""
    skill, _ = tables.skill_tables(content)
    own, first, *_ = row(skill, "2t").cells
    assert (own.text, own.order) == ("0.428\N{NO-BREAK SPACE}K", pytest.approx(0.4 * 30**0.02))
    assert first.order == pytest.approx(0.4 / 2.9)
    assert first.text.startswith("14")
    assert first.look == "better3"
    assert row(skill, "swvl4").cells[5].look == "worse3"
    assert row(skill, "2t").cells[7].order == pytest.approx(0.4 / (12.0 / 90**0.5))
    assert skill.spans == (("", 2), ("relative to climatology", 6), ("relative to persistence", 6))
    assert len(skill.columns) == len(row(skill, "2t").cells) == 13
    run = tables.run_table(content)
    assert run.columns[:3] == ("RMSE, year 1", "RMSE, whole run", "Bias, year 1")
    cells = row(run, "stl1", "emulator").cells
    assert cells[0].order == pytest.approx(0.9 * cells[1].order)
    assert cells[-1].order == pytest.approx(0.2 / 3)
    assert row(run, "stl1", "persistence").cells[-1].text == NOT_DEFINED


def test_systematic_errors_are_those_of_held_out_points(content):
    """Mean, spread and size of the biases of points, then those of the last year; missing ones are a dash."""
    table = tables.bias_table(content)
    assert table.columns[:3] == ("Bias", "Spread of the biases of points", "Size of 90 % of them")
    bias = VARIABLES["stl1"][4]
    cells = row(table, "stl1", "emulator").cells
    assert [cell.order for cell in cells[:4]] == pytest.approx([bias, 2 * bias, 3 * bias, -1.5 * bias])
    assert cells[3].text.startswith("\N{MINUS SIGN}" if bias > 0 else "+")
    assert cells[4].text == NOT_DEFINED
    assert "held out" in table.caption
    short = metrics()
    short["scores"] = [r for r in short["scores"] if not r["metric"].startswith("last_year")]
    assert len(tables.bias_table(Content(short)).columns) == 3


def test_scorecard_has_twelve_variables_and_the_others_are_folded(content):
    """Core variables come first, others take the place of absent ones; nothing is lost and nothing shown twice."""
    made, extra = metrics(), ("swvl2", "swvl3", "stl2", "stl3", "2d", "skt", "sshf", "sd", "evap")
    made["scores"] += [{**r, "variable": name} for r in metrics()["scores"] if r["variable"] == "2t" for name in extra]
    card, further, *_ = tables.skill_tables(Content(made))
    assert {r.variable for r in card.rows} == set(tables.CORE)
    assert {r.variable for r in further.rows} == {"swvl4", "sd", "evap"}
    assert (card.folded, further.folded) == (False, True)
    assert [r.variable for t in tables.skill_tables(content)[:1] for r in t.rows] == list(VARIABLES)


def test_scorecard_needs_only_the_protocols_and_baselines_it_has():
    """One long run without persistence: its RMSE and one ratio; without protocols A and B there are no rows."""
    rows = [r for r in metrics()["scores"] if r["model"] != "persistence" and r["protocol"] == "B"]
    card = tables.skill_tables(Content({"scores": rows}))[0]
    assert card.columns == ("RMSE, whole run", "run")
    assert card.spans == (("", 2), ("relative to climatology", 1))
    assert row(card, "stl1").cells[0].text.endswith("\N{NO-BREAK SPACE}K")
    other = Content({"scores": [{**r, "protocol": "C"} for r in rows]})
    assert [table.rows for table in tables.skill_tables(other)] == [[], []]


def test_difference_has_sign_interval_and_look(content):
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
    """Groups are shaded relative to all points, an empty one has no data, the first table of each strata is open."""
    found = tables.strata_tables(content)
    snow = next(t for t in found if t.key == "strata-A-snow_regime-0")
    assert snow.columns == ("all", "snow", "snow-free")
    assert [cell.look for cell in row(snow, "stl1").cells] == ["", "worse3", "better1"]
    biome = next(t for t in found if t.key == "strata-B-biome-1")
    assert [cell.text for cell in row(biome, "stl1").cells][-1] == "no data"
    assert biome.folded
    assert not snow.folded
    assert {t.strata for t in found} == {"points", "season", "daytime", "biome", "snow_regime", "year"}


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


def test_residual_of_energy_by_ground():
    """Median and 99 % of each model side by side, for each ground and group with steps; none without radiation."""
    found = deepcopy(metrics())
    assert tables.residual_table(Content(found)).rows == []
    for model, ground, group, n in (("ecLand", "bare", "held_out", 9), ("emulator", "bare", "held_out", 9),
                                    ("ecLand", "full_snow", "trained", 0)):  # fmt: skip
        head = {"model": model, "budget": "energy", "steps": ground, "group": group, "year": None, "n": n}
        for term, value in (("residual_step_median_abs", 0.08), ("residual_step_p99_abs", 17.0)):
            value = value if model == "ecLand" else 2.0 * value
            found["budgets"]["terms"].append({**head, "term": term, "value": value if n else None, "units": "W m-2"})
    table = tables.residual_table(Content(found))
    assert table.columns == ("ecLand, median", "ecLand, 99 %", "emulator, median", "emulator, 99 %")
    assert [(r.heads, [c.text for c in r.cells]) for r in table.rows] == [
        (("bare", "held out"), ["0.0800", "17.0", "0.160", "34.0"])
    ]
    assert len(Content(found).budgets) == len(Content(metrics()).budgets)


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
    header, *rows = cells(rmse_table(scores, protocol, "Title."))
    models = ["emulator", "older", "persistence", "climatology"]
    assert header == ["variable", "unit", "points", *models, "best"]
    assert len(rows) == 2 * len(case.VARIABLES)
    part = scores[scores["lead"].isna()] if protocol == "B" else scores[scores["lead"] == 90.0]
    for name, _, points, *numbers, best in rows:
        group = points.replace("-", "_")
        where = {"protocol": protocol, "variable": name, "cut": "points", "group": group, "metric": "rmse"}
        want = pick(part, **where).set_index("model")["value"]
        assert numbers == [short(want[model]) for model in models]
        assert best == want.idxmin()


def test_points_and_models_that_are_missing(scores):
    """Without held-out points the table is about all; a model that lacks a variable has a dash and is not best."""
    for rows in (scores[scores["cut"] != "points"], scores.assign(n=scores["n"].where(scores["cut"] != "points", 0))):
        assert {row[2] for row in cells(rmse_table(rows, "B", ""))[1:]} == {"all"}
    part = scores[(scores["model"] != "emulator") | (scores["variable"] != "2t")]
    rows = [row for row in cells(rmse_table(part, "B", "")) if row[0] == "2t"]
    assert [(row[3], row[-1]) for row in rows] == [("-", "older")] * 2


@pytest.mark.parametrize(("protocol", "name"), [("A", "evap"), ("B", "gpp")])
def test_fluxes_are_shown_per_day_with_their_correlation(scores, protocol, name):
    """RMSE is in mm or g per day, and a second table has the correlation of values over 6 h."""
    rows = scores.replace({"variable": {"slhf": name}})
    text = rmse_table(rows, protocol, "")
    unit, factor = ("g m-2 d-1", 8.64e7) if name in ("gpp", "nee") else ("mm d-1", 86400)
    first = next(row for row in cells(text) if row[0] == name)
    part = rows[rows["lead"].isna()] if protocol == "B" else rows[rows["lead"] == 90.0]
    where = {"protocol": protocol, "variable": name, "cut": "points", "group": "held_out", "model": "emulator"}
    assert first[1:4] == [unit, "held-out", short(factor * pick(part, metric="rmse", **where)["value"].item())]
    own = next(row for row in cells(text, 1) if row[0] == name)
    assert own[1:4] == ["1", "held-out", short(round(pick(part, metric="correlation", **where)["value"].item(), 3))]
    assert own[-1] == "emulator"


ECLAND = years(CYCLE)


@pytest.fixture(scope="module")
def verdict():
    """A drift, a variable at a bound, and a value that is not finite."""
    run = changed(years(10), "stl1_mean", 1, 285.0 + np.arange(10))
    run = changed(run, "swvl4_at_upper", 0, STEPS)
    return judge(changed(run, "not_finite", 2, 1), ECLAND)


def test_table_names_answers_and_points(verdict):
    """The table has criteria with their answer, classes, and each finding with its point."""
    text = stability_table(verdict, "10 years.")
    assert text.startswith("10 years.\n\n3 of 6 criteria passed.\n")
    answers = {row.split("|")[1].strip(): row.split("|")[-2].strip() for row in text.splitlines() if row[:2] == "| "}
    assert {k: answers[k] for k in ("finite", "bounds", "storage", "temperature", "snow")} == {
        "finite": "NO", "bounds": "NO", "storage": "yes", "temperature": "NO", "snow": "yes",
    }  # fmt: skip
    assert "- point 6 (boreal, 50.00, 20.00): 10 K per decade; limit 0.02" in text
    assert "- point 5 (tundra, held out, 70.00, 10.00): 1; swvl4 at its upper bound in 2 of 2 years" in text
    assert "ecLand's snow melts everywhere" in text


def test_record_is_json(verdict):
    """The record has plain numbers, null for undefined values, and places of the findings."""
    record = json.loads(json_text(stability_record(verdict)))
    assert record["passed"] is False
    assert [c["passed"] for c in record["criteria"]] == [False, False, True, True, False, True]
    assert record["criteria"][-1]["worst"] is None
    assert {f["point_id"] for f in record["findings"]} == {5.0, 6.0, 7.0}
