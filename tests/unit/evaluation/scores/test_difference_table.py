# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Table of differences between models."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.evaluation.scores import difference_table as pairs
from anemoi_ailand.evaluation.scores import sums as s
from anemoi_ailand.evaluation.scores.difference_table import COLUMNS, difference_table
from anemoi_ailand.evaluation.scores.score_table import score_table
from anemoi_ailand.evaluation.scores.sums import collect
from tests.support import worlds as world

PERIOD = ("2020", "2021")


def collected(protocol="A", **forecasts):
    return collect(forecasts, world.reference(), protocol=protocol, period=PERIOD, variables=["swvl1", "2t"])


@pytest.fixture(scope="module")
def sums():
    return collected(A=world.reforecast(), B=world.reforecast(seed=2, size=0.2), twin=world.reforecast())


@pytest.fixture(scope="module")
def table(sums):
    return difference_table(sums)


def test_all_pairs_are_compared(table):
    """Each forecast is compared once with each other forecast and baseline."""
    assert tuple(table.columns) == COLUMNS
    found = set(zip(table["a"], table["b"], strict=True))
    assert found == {
        ("A", "B"), ("A", "twin"), ("B", "twin"), ("A", "persistence"), ("A", "climatology"), ("B", "persistence"),
        ("B", "climatology"), ("twin", "persistence"), ("twin", "climatology"),
    }  # fmt: skip
    assert not table.duplicated(list(COLUMNS[:8])).any()


def test_identical_models_differ_by_exactly_zero(table):
    """Identical models have zero differences and intervals in all groups."""
    same = table[(table["a"] == "A") & (table["b"] == "twin")].dropna(subset=["a_value"])
    assert len(same) > 10
    assert (same[["difference", "low", "high"]] == 0).all(axis=None)
    assert not same["significant"].any()


def test_larger_error_is_found(table):
    """Twice the noise is significantly worse at all leads."""
    rows = table[(table["a"] == "A") & (table["b"] == "B") & (table["cut"] == "all")]
    assert set(rows["lead"]) == {1.0, 2.0, 7.0}
    assert (rows["difference"] < 0).all()
    assert rows["significant"].all()
    assert ((rows["low"] < rows["difference"]) & (rows["difference"] < rows["high"]) & (rows["high"] < 0)).all()


def test_values_are_those_of_the_table_of_scores(sums, table):
    """RMSE agree with the table of scores."""
    scores = score_table(sums)
    scores = scores[scores["metric"] == "rmse"].set_index(["model", "variable", "cut", "group", "lead"])["value"]
    for row in table.itertuples():
        for model, value in ((row.a, row.a_value), (row.b, row.b_value)):
            np.testing.assert_allclose(value, scores[model, row.variable, row.cut, row.group, row.lead], rtol=1e-9)


def test_same_seed_same_table(sums, table):
    """Equal seeds give equal intervals; differences do not depend on the seed."""
    again, other = difference_table(sums), difference_table(sums, seed=1)
    np.testing.assert_array_equal(again["low"], table["low"])
    assert not np.array_equal(other["low"].dropna(), table["low"].dropna())
    np.testing.assert_array_equal(other["difference"], table["difference"])


def test_runs_that_start_close_together_are_drawn_together(monkeypatch):
    """Starts every two days are drawn in blocks of five, starts every 20 days alone."""
    blocks = []

    def spy(*args, start_block=1, **kwargs):
        blocks.append(start_block)
        return original(*args, start_block=start_block, **kwargs)

    original = pairs.resamples
    monkeypatch.setattr(pairs, "resamples", spy)
    difference_table(collected(A=world.reforecast(first=world.starts(12, 2))))
    assert set(blocks) == {5}
    blocks.clear()
    difference_table(collected(A=world.reforecast()))
    assert set(blocks) == {1}


def test_single_run_has_one_interval_for_all_of_it():
    """A single run has one interval from windows of 30 days."""
    first, leads = np.array(["2022-01-02"], "datetime64[ns]"), np.arange(6, 24 * 200, 6)
    runs = {
        label: world.reforecast(seed=k, size=0.1 * (k + 1), first=first, leads=leads) for k, label in enumerate("AB")
    }
    got = difference_table(collected("B", **runs))
    row = got[(got["a"] == "A") & (got["b"] == "B") & (got["cut"] == "all") & (got["variable"] == "2t")]
    assert len(row) == 1
    assert row["lead"].isna().all()
    assert row["significant"].all()
    assert row["low"].item() < row["difference"].item() < row["high"].item() < 0


def test_one_point_and_one_start_have_no_interval():
    """One start and point give a difference without interval."""
    part = world.reforecast().select(slice(0, 1), None, np.array([4]))
    got = difference_table(collected(A=part))
    row = got[(got["b"] == "climatology") & (got["cut"] == "all")]
    assert row["difference"].notna().all()
    assert row[["low", "high"]].isna().all(axis=None)
    assert not row["significant"].any()


def test_many_points_are_compared_by_the_main_cuts_only(monkeypatch):
    """Pooled units compare all, held-out and trained points, with the same differences."""
    monkeypatch.setattr(s, "MAX_UNITS", 5)
    monkeypatch.setattr(pairs, "MAX_UNITS", 5)
    got = difference_table(collected(A=world.reforecast(), B=world.reforecast(seed=2, size=0.2)))
    assert set(got["cut"]) == {"all", "points"}
    monkeypatch.undo()
    full = difference_table(collected(A=world.reforecast(), B=world.reforecast(seed=2, size=0.2)))
    full = full[full["cut"].isin(["all", "points"])]
    np.testing.assert_allclose(got["difference"], full["difference"], rtol=1e-9)
