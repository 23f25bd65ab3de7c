# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Every entrant is compared with one of them, and the table shows who is significantly better, and at what cost."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from anemoi_ailand.evaluation.scores.sums import collect
from benchmarks.contest.entry import Entry, fairness
from benchmarks.contest.figure import figure_of_page, front, pareto_figure
from benchmarks.contest.scores import COLUMNS, CORE, TOGETHER, contest_scores
from benchmarks.contest.seeds import seeds_table
from benchmarks.contest.table import contest_table
from tests.support import worlds as world


@pytest.fixture(scope="module")
def runs():
    """A reference, one with half its error, its twin, and one with few variables."""
    return {
        "base": world.reforecast(seed=1, size=0.2),
        "good": world.reforecast(seed=2, size=0.1),
        "twin": world.reforecast(seed=1, size=0.2),
        "few": world.reforecast(seed=3, size=0.3, names=("swvl1", "2t")),
    }


@pytest.fixture(scope="module")
def scores(runs):
    """Scores of protocol A of all, and of one long run (protocol B) of the first two."""
    first, leads = np.array(["2021-01-02"], dtype="datetime64[ns]"), np.arange(6, 24 * 400, 6)
    long = {
        "base": world.reforecast(seed=1, size=0.2, first=first, leads=leads),
        "good": world.reforecast(seed=2, size=0.1, first=first, leads=leads),
    }
    tables = []
    for protocol, of, last in (("A", runs, "2021"), ("B", long, "2020")):
        sums = collect(of, world.reference(), protocol=protocol, period=("2020", last), biases=True)
        tables.append(contest_scores(sums, "base"))
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="module")
def entries():
    """Costs of the three."""
    times = {"microseconds": 5.0, "execution": "plain"}
    return [
        Entry("base", "one + two", "a.ckpt", "0", 1_000_000, 2.0e6, 2.1e6, 2e7, 7200.0, 3600.0, "CPU", **times),
        Entry(
            "good", "three", "b.ckpt", "1", 100_000, 2.0e5, 2.2e5, 1e7, 3600.0, 3600.0, "CPU", "ours", 1.5, "compiled"
        ),
        Entry("few", "d.ckpt", "d.ckpt", "2", 10, 20.0, 25.0),
    ]


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
    assert row.loc["bias_spread", "value"] == pytest.approx(error.mean(axis=(0, 1)).std(), rel=1e-6)
    assert row.loc["rmse", "n"] == error.size
    for metric in ("rmse", "bias"):
        assert row.loc[metric, "low"] < row.loc[metric, "value"] < row.loc[metric, "high"]


def test_ratios_and_their_intervals(table):
    """Half the error is better with an interval below one; the twin of the reference has exactly one."""
    rows = pick(table, model="good", metric="rmse", group="trained")
    assert rows["better"].all()
    assert ((rows["ratio_low"] < rows["ratio"]) & (rows["ratio"] < rows["ratio_high"])).all()
    np.testing.assert_allclose(rows["ratio"], 0.5, atol=0.1)
    same = table[table["model"].isin(["twin", "base"]) & (table["metric"] == "rmse")]
    assert (same[["ratio", "ratio_low", "ratio_high"]] == 1.0).all(axis=None)
    assert not same["better"].any()


def test_mean_of_ratios_is_geometric(table):
    """Over the core variables that both have."""
    rows = pick(table, model="good", metric="rmse", group="held_out", period="day 1").set_index("variable")["ratio"]
    ratios = [rows[name] for name in rows.index if name in CORE]
    assert rows[TOGETHER] == pytest.approx(np.exp(np.mean(np.log(ratios))))


def test_entrants_are_compared_in_the_variables_that_both_have(runs, table):
    """An entrant without a variable has no score there; a reference without it leaves others without a ratio."""
    assert set(pick(table, model="few", metric="rmse")["variable"]) == {*FEW, TOGETHER}
    together = pick(table, variable=TOGETHER, group="held_out", period="day 1").set_index("model")["n"]
    assert (together["few"], together["good"]) == (2, 4)
    sums = collect(runs, world.reference(), protocol="A", period=("2020", "2021"), biases=True)
    rows = pick(contest_scores(sums, "few"), model="good", variable="stl1", metric="rmse")
    assert rows["ratio"].isna().all() and not rows["better"].any()
    assert rows[["value", "low", "high"]].notna().all(axis=None)


def test_long_run_has_years(scores):
    """The whole, and each year by the middle of the windows."""
    table = pick(scores, protocol="B", variable="2t", group="held_out")
    assert list(dict.fromkeys(table["period"])) == ["whole run", "year 1", "year 2"]
    row = pick(table, model="good", period="year 1", metric="rmse").iloc[0]
    assert row["better"] and row["ratio"] == pytest.approx(0.5, abs=0.05)
    acc = pick(table, period="whole run", metric="acc").set_index("model")["value"]
    assert acc["good"] > acc["base"] > 0.5


@pytest.fixture(scope="module")
def text(scores, entries):
    return contest_table(scores, entries, "base", title="What was run.", budget=2e7)


def row(text, heading, label):
    """Cells of a row under a heading."""
    part = text.split(f"{heading}\n", 1)[1].split("\n#", 1)[0]
    line = next(line for line in part.splitlines() if line.startswith(f"| {label} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_half_the_error_is_bold(text):
    """The reference has its error in the first row, the others ratios to it."""
    heading = "## held-out points, day 7\n"
    header = row(text, heading, "")
    assert header[1:] == ["stl1", "swvl1", "2t", "slhf", "core", "lower", "bar"]
    assert row(text, heading, "base [RMSE]")[1].endswith(" K")
    good = dict(zip(header, row(text, heading, "good"), strict=True))
    assert all(good[name].startswith("**0.") for name in ("stl1", "swvl1", "2t", "slhf", "core"))
    assert (good["lower"], good["bar"]) == ("4/4", "1/1")


def test_reference_with_fewer_samples_is_reported():
    """It is reported whether the reference had the most samples, and who had less than the budget."""
    a, b = (Entry(name, "config", "a.ckpt", "0", 10, 20.0, 25.0, point_steps=n) for name, n in (("A", 100), ("B", 150)))
    assert "**fewer than those of B**" in "".join(fairness([a, b], "A", None))
    text = "".join(fairness([a, b], "B", 150.0))
    assert "Less than that: A 67%." in text and "nobody has had more" in text


def test_front_is_of_those_that_nobody_beats_in_both():
    """By increasing cost; of two alike, the first."""
    assert front([3.0, 1.0, 2.0, 2.0, 4.0], [0.5, 1.0, 0.7, 0.7, 0.6]) == [1, 2, 0]


def test_cost_is_measured_time_if_all_were_measured(scores, entries):
    """One entrant without a measurement makes operations the cost of all."""
    for shown, label, costs in (
        (entries[:2], "microseconds of one core per point-step", {5.0, 1.5}),
        (entries, "operations per point-step [FLOP]", {2.1e6, 2.2e5, 25.0}),
    ):
        ax = pareto_figure(scores, shown, "base", "held_out").axes[0]
        assert ax.get_xlabel() == label
        assert {float(dots.get_offsets()[0, 0]) for dots in ax.collections if len(dots.get_offsets())} >= costs


def test_figure_of_the_page_of_results(tmp_path):
    """Every network of the table is drawn at its cost and error; a page without the table is refused."""
    page = Path(__file__).parents[3] / "docs/results/speed.md"
    day_30 = figure_of_page(page).axes[0]
    dots = [tuple(dots.get_offsets()[0]) for dots in day_30.collections if isinstance(dots, PathCollection)]
    assert [text.get_text() for text in day_30.texts][:3] == ["ailand-small", "ailand-small, 21 M", "ailand"]
    assert {(2.66, 0.89), (5.29, 0.75), (5.29, 1.0)} < set(dots)
    assert len(dots) == 6
    (tmp_path / "page.md").write_text("## Skill and speed\n\nNothing yet.\n")
    with pytest.raises(ValueError, match=r"no table with the columns \['microseconds', 'day 30', 'day 90'\]"):
        figure_of_page(tmp_path / "page.md")


def contest_record(folder, core, spread, labels=("all", "less")):
    """Result of a contest of two entrants with one ratio of errors, and one of spreads of mean errors."""
    where = {"group": "held_out", "model": labels[1]}
    scores = [
        {"protocol": "A", "period": "day 90", "variable": "core", "metric": "rmse", "ratio": core, **where},
        {"protocol": "B", "period": "whole run", "metric": "bias_spread", "variable": "stl1", "value": 3.0, **where},
        {"protocol": "B", "period": "whole run", "metric": "bias_spread", "variable": "sshf", "value": 3.0, **where},
        *({"protocol": "B", "period": "whole run", "metric": "bias_spread", "variable": name, "group": "held_out",
           "model": labels[0], "value": 3.0 / spread} for name in ("stl1", "sshf")),
    ]  # fmt: skip
    (folder / "result").mkdir(parents=True)
    record = {"reference": labels[0], "entrants": [{"label": label} for label in labels], "scores": scores}
    (folder / "result" / "contest.json").write_text(json.dumps(record))
    return folder


def test_seeds_are_compared(tmp_path):
    """Geometric means over the seeds, of errors and of the spread of mean errors; another contest is refused."""
    folders = [contest_record(tmp_path / "1", 0.5, 1.5), contest_record(tmp_path / "2", 2.0, 1.0)]
    rows = [[c.strip() for c in row.strip("|").split("|")] for row in seeds_table(folders).splitlines()]
    assert rows[0] == ["without", "held out, day 90", "spread of `stl1`, held out", "spread of `sshf`, held out"]
    assert rows[2] == ["less", "1.00 (0.50, 2.00)", "1.22 (1.50, 1.00)", "1.22 (1.50, 1.00)"]
    with pytest.raises(ValueError, match="folders of one contest"):
        seeds_table([folders[0], contest_record(tmp_path / "3", 1.0, 1.0, ("all", "other"))])
