# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Every entrant is compared with one of them, with intervals from the same draws."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.evaluation.scores.sums import collect
from benchmarks.contest.scores import COLUMNS, CORE, TOGETHER, contest_scores
from tests.support import worlds as world

FEW = ("swvl1", "2t")


@pytest.fixture
def table(scores):
    return scores[scores["protocol"] == "A"]


def pick(table, **which):
    for column, value in which.items():
        table = table[table[column] == value]
    return table


def test_columns_groups_and_periods(table):
    """Held-out and trained points, snow or not; one period for each day."""
    assert tuple(table.columns) == COLUMNS
    assert set(table["group"]) == {"held_out", "trained", "snow", "snow-free"}
    assert set(table["period"]) == {"day 1", "day 2", "day 7"}
    assert set(table["model"]) == {"base", "good", "twin", "few", "persistence", "climatology"}


def test_scores_are_those_of_a_naive_computation(runs, table):
    """RMSE and bias of one variable, at held-out points, on day 2."""
    run, truth = runs["good"], world.values(("2t",))["2t"]
    index = np.searchsorted(world.times(), run.valid_times)
    day, points = (run.leads > 24) & (run.leads <= 48), np.arange(10) % 5 == 0
    error = (run.read("2t") - truth[index])[:, day][..., points].astype(np.float64)
    row = pick(table, model="good", variable="2t", group="held_out", period="day 2").set_index("metric")
    assert row.loc["rmse", "value"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-6)
    assert row.loc["bias", "value"] == pytest.approx(error.mean(), rel=1e-6)
    assert row.loc["bias_most", "value"] == pytest.approx(np.quantile(abs(error.mean(axis=(0, 1))), 0.9), rel=1e-6)
    assert row.loc["rmse", "n"] == error.size
    for metric in ("rmse", "bias"):
        assert row.loc[metric, "low"] < row.loc[metric, "value"] < row.loc[metric, "high"]


def test_half_the_error_is_surely_better(table):
    """The interval of the ratio holds the ratio and is below one."""
    rows = pick(table, model="good", metric="rmse", group="trained")
    assert rows["better"].all()
    assert ((rows["ratio_low"] < rows["ratio"]) & (rows["ratio"] < rows["ratio_high"])).all()
    np.testing.assert_allclose(rows["ratio"], 0.5, atol=0.1)


def test_twin_of_the_reference_is_exactly_one(table):
    """In the ratio and in its interval; no better than itself."""
    for model in ("twin", "base"):
        rows = pick(table, model=model, metric="rmse")
        assert (rows[["ratio", "ratio_low", "ratio_high"]] == 1.0).all(axis=None)
        assert not rows["better"].any()


def test_entrants_are_compared_in_the_variables_that_both_have(runs, table):
    """An entrant without a variable has no score there; a reference without it leaves others without a ratio."""
    assert set(pick(table, model="few", metric="rmse")["variable"]) == {*FEW, TOGETHER}
    together = pick(table, variable=TOGETHER, group="held_out", period="day 1").set_index("model")["n"]
    assert (together["few"], together["good"]) == (2, 4)
    sums = collect(runs, world.reference(), protocol="A", period=("2020", "2021"), biases=True)
    rows = pick(contest_scores(sums, "few"), model="good", variable="stl1", metric="rmse")
    assert rows["ratio"].isna().all() and not rows["better"].any()
    assert rows[["value", "low", "high"]].notna().all(axis=None)


def test_mean_of_ratios_is_geometric(table):
    """Over the core variables that both have."""
    rows = pick(table, model="good", metric="rmse", group="held_out", period="day 1").set_index("variable")["ratio"]
    ratios = [rows[name] for name in rows.index if name in CORE]
    assert rows[TOGETHER] == pytest.approx(np.exp(np.mean(np.log(ratios))))


def test_long_run_has_years(scores):
    """The whole, and each year by the middle of the windows."""
    table = pick(scores, protocol="B", variable="2t", group="held_out")
    assert list(dict.fromkeys(table["period"])) == ["whole run", "year 1", "year 2"]
    row = pick(table, model="good", period="year 1", metric="rmse").iloc[0]
    assert row["better"] and row["ratio"] == pytest.approx(0.5, abs=0.05)
    acc = pick(table, period="whole run", metric="acc").set_index("model")["value"]
    assert acc["good"] > acc["base"] > 0.5
