# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Tables of scores and differences, and the comparison of scores with published ones."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scores.continuous import rmse
from scores.continuous.correlation import pearsonr

from anemoi_ailand.evaluation.fields.reforecast import open_reforecast
from anemoi_ailand.evaluation.scores import difference_table as pairs
from anemoi_ailand.evaluation.scores import sums as s
from anemoi_ailand.evaluation.scores.difference_table import COLUMNS, difference_table
from anemoi_ailand.evaluation.scores.metrics import METRICS
from anemoi_ailand.evaluation.scores.reproduction import compare_scores, read_scores
from anemoi_ailand.evaluation.scores.score_table import score, score_table
from anemoi_ailand.evaluation.scores.sums import collect
from tests.support import worlds as world

PERIOD = ("2020", "2021")


@pytest.fixture(scope="module")
def table():
    return score_table(collect({"A": world.reforecast()}, world.reference(), protocol="A", period=PERIOD))


@pytest.fixture(scope="module")
def long_table():
    """One run of a year, which is the truth but for a warm drift of 0.2 K a year in stl1."""
    leads = np.arange(6, 24 * 365 + 1, 6)
    first = np.array(["2022-01-01"], "datetime64[ns]")
    run = world.run(seed=None, first=first, leads=leads[leads < 24 * 365 - 6])
    run["stl1"] = run["stl1"].astype(float) + 0.2 * run["lead"] / 24 / 365.25
    return score_table(collect({"A": world.reforecast_of(run)}, world.reference(), protocol="B", period=PERIOD))


def pick(table, **where):
    """Values where columns have the values given, in order of the table."""
    for column, value in where.items():
        table = table[table[column].isna()] if value is None else table[table[column] == value]
    return table


@pytest.mark.parametrize("name", ["stl1", "slhf"])
def test_scores_equal_the_library_on_the_whole(table, name):
    forecast = world.reforecast()
    part = np.flatnonzero(world.CONSTANTS["point_id"] % 5 != 0)
    valid = forecast.valid_times[:, 8:]
    obs = world.values()[name][np.searchsorted(world.times(), valid)][..., part].astype(float)
    fcst = forecast.read(name)[:, 8:, part].astype(float)
    f, o = (xr.DataArray(x, dims=("start", "lead", "point")) for x in (fcst, obs))
    where = {"model": "A", "variable": name, "cut": "points", "group": "trained", "lead": 7.0}
    for metric, want in (("rmse", rmse(f, o)), ("correlation", pearsonr(f, o))):
        row = pick(table, metric=metric, **where)
        assert row["value"].item() == pytest.approx(float(want), rel=1e-9)
        assert row["n"].item() == 12 * 4 * 8


def test_quartiles_are_over_points(table):
    forecast = world.reforecast()
    obs = world.values()["2t"][np.searchsorted(world.times(), forecast.valid_times[:, :4])]
    each = np.sqrt(((forecast.read("2t")[:, :4].astype(float) - obs) ** 2).mean(axis=(0, 1)))
    for metric, q in (("rmse_q25", 0.25), ("rmse_q50", 0.5), ("rmse_q75", 0.75)):
        row = pick(table, model="A", variable="2t", cut="all", lead=1.0, metric=metric)
        assert row["value"].item() == pytest.approx(np.quantile(each, q), rel=1e-9)


def test_empty_group_is_nan_with_no_value(table):
    empty = pick(table, cut="biome", group="savanna")
    assert len(empty) > 0
    assert empty["value"].isna().all()
    assert (empty["n"] == 0).all()
    full = pick(table, cut="biome", group="boreal", metric="rmse")
    assert full["value"].notna().all()
    assert (full["n"] == 12 * 4 * 3).all()


def test_main_cuts_have_all_scores_the_others_a_few(table):
    """All and held-out points have all metrics and leads, other groups the main ones."""
    main = set(pick(table, cut="all", model="A")["metric"])
    assert main == {*METRICS, "rmse_q25", "rmse_q50", "rmse_q75", "skill_horizon", "skill_horizon_reached"}
    assert set(pick(table, cut="season")["metric"]) == {"rmse", "bias", "ubrmse", "correlation", "acc"}
    assert set(pick(table, cut="extreme")["metric"]) == {"rmse", "bias", "hit_rate"}
    assert set(pick(table, cut="all", metric="rmse")["lead"]) == {1.0, 2.0, 7.0}
    assert set(pick(table, cut="season", metric="rmse")["lead"]) == {1.0, 7.0}


def test_skill_horizon_is_distinguished_from_the_last_lead(table):
    """A horizon beyond the last lead is marked as not reached."""
    where = {"variable": "slhf", "cut": "all", "lead": None}
    assert pick(table, model="A", metric="skill_horizon", **where)["value"].item() == 7.0
    assert pick(table, model="A", metric="skill_horizon_reached", **where)["value"].item() == 0.0
    assert pick(table, model="persistence", metric="skill_horizon", **where)["value"].item() == 0.0
    assert pick(table, model="persistence", metric="skill_horizon_reached", **where)["value"].item() == 1.0
    assert len(pick(table, model="climatology", metric="skill_horizon")) == 0


def test_single_run_has_windows_the_whole_run_years_and_drift(long_table):
    """The whole run has lead NaN, and its mean square is the weighted mean of its windows."""
    rows = pick(long_table, model="A", variable="stl1", metric="rmse")
    assert pick(rows, cut="season")["lead"].isna().all()
    assert pick(rows, cut="year")["group"].tolist() == ["year 1"]
    drift = pick(long_table, model="A", variable="stl1", metric="drift_per_year")
    value = pick(drift, cut="points", group="held_out")["value"].item()
    assert value == pytest.approx(0.2, abs=1e-4)  # float32 in the file
    assert np.isnan(pick(drift, cut="biome", group="savanna")["value"].item())
    assert "skill_horizon" not in set(long_table["metric"])
    whole, windows = pick(rows, cut="all", lead=None), pick(rows, cut="all").dropna(subset=["lead"])
    assert len(windows) == 12
    mean_square = (windows["value"] ** 2 * windows["n"]).sum() / windows["n"].sum()
    assert whole["value"].item() == pytest.approx(np.sqrt(mean_square), rel=1e-12)
    assert whole["n"].item() == windows["n"].sum()


def test_biases_of_points_have_their_spread_and_size():
    """One warm and one cold point of ten: mean, standard deviation and 90 % quantile of the mean errors of points."""
    leads = np.arange(6, 24 * 330, 6)
    run = world.run(seed=None, first=np.array(["2022-01-02"], "datetime64[ns]"), leads=leads)
    shift = np.array([1.0, -2.0, 0, 0, 0, 0, 0, 0, 0, 0.5])
    run["stl1"] = run["stl1"].astype(float) + xr.DataArray(shift, dims="point")
    made = score_table(collect({"A": world.reforecast_of(run)}, world.reference(), protocol="B", period=PERIOD))
    where = {"model": "A", "variable": "stl1", "cut": "all"}
    assert pick(made, metric="bias_spread", **where)["value"].item() == pytest.approx(shift.std(), abs=1e-4)
    most = pick(made, metric="bias_most", **where)["value"].item()
    assert most == pytest.approx(np.quantile(np.abs(shift), 0.9), abs=1e-4)
    of_one = pick(made, model="A", variable="stl1", cut="points", group="held_out", metric="bias_spread")
    assert of_one["value"].item() == pytest.approx(shift[::5].std(), abs=1e-4)
    assert not {metric for metric in made["metric"] if metric.startswith("last_year")}


def test_last_year_of_a_long_run_is_scored_on_its_own():
    """A warm drift of 0.2 K a year: the bias of the last of two years is that of its middle."""
    leads = np.arange(6, 24 * 725, 6)
    run = world.run(seed=None, first=np.array(["2021-01-02"], "datetime64[ns]"), leads=leads)
    run["stl1"] = run["stl1"].astype(float) + 0.2 * run["lead"] / 24 / 365.25
    sums = collect({"A": world.reforecast_of(run)}, world.reference(), protocol="B", period=PERIOD, overlap=True)
    of = pick(score_table(sums), model="A", variable="stl1", cut="all").set_index("metric")["value"]
    middle = 0.2 * (725 / 365.25 - 0.5)
    assert of["last_year_bias"] == pytest.approx(middle, abs=0.01)  # windows of 30 days
    assert of["last_year_bias_most"] == pytest.approx(of["last_year_bias"], abs=1e-4)
    assert of["last_year_bias_spread"] == pytest.approx(0.0, abs=1e-4)


def test_forecast_in_time_is_scored_from_its_file(tmp_path):
    """A forecast with a constant error of 0.01 has this RMSE and bias."""
    got = score({"run": open_reforecast(world.write_forecast(tmp_path / "run.nc"))}, world.reference(), protocol="B")
    rows = got[(got["model"] == "run") & (got["variable"] == "swvl1") & got["lead"].isna() & (got["cut"] == "all")]
    value = rows.set_index("metric")["value"]
    assert value["bias"] == pytest.approx(0.01, rel=1e-4)
    assert value["rmse"] == pytest.approx(0.01, rel=1e-4)
    assert value["ubrmse"] < 1e-6


def test_other_points_are_scored_by_day_or_by_window():
    """Protocol C is scored as A, or with a single start as B."""
    arguments = {"period": ("2020", "2021"), "variables": ["swvl1"], "strata": ["points"]}
    forecasts = {"A": world.reforecast(), "B": world.reforecast(seed=2)}
    many = score(forecasts, world.reference(), protocol="C", **arguments)
    assert set(many["lead"].dropna()) == {1.0, 2.0, 7.0}
    one = {label: forecast.select(slice(0, 1)) for label, forecast in forecasts.items()}
    single = score(one, world.reference(), protocol="C", **arguments)
    assert single["lead"].isna().any()
    assert set(single["protocol"]) == {"C"}


def collected(protocol="A", **forecasts):
    return collect(forecasts, world.reference(), protocol=protocol, period=PERIOD, variables=["swvl1", "2t"])


@pytest.fixture(scope="module")
def sums():
    return collected(A=world.reforecast(), B=world.reforecast(seed=2, size=0.2), twin=world.reforecast())


@pytest.fixture(scope="module")
def differences(sums):
    return difference_table(sums)


def test_all_pairs_are_compared(differences):
    """Each forecast is compared once with each other forecast and baseline."""
    assert tuple(differences.columns) == COLUMNS
    found = set(zip(differences["a"], differences["b"], strict=True))
    assert found == {
        ("A", "B"), ("A", "twin"), ("B", "twin"), ("A", "persistence"), ("A", "climatology"), ("B", "persistence"),
        ("B", "climatology"), ("twin", "persistence"), ("twin", "climatology"),
    }  # fmt: skip
    assert not differences.duplicated(list(COLUMNS[:8])).any()


def test_difference_and_interval(differences):
    """Identical models differ by exactly zero in all groups; twice the noise is significantly worse at all leads."""
    same = differences[(differences["a"] == "A") & (differences["b"] == "twin")].dropna(subset=["a_value"])
    assert len(same) > 10
    assert (same[["difference", "low", "high"]] == 0).all(axis=None)
    assert not same["significant"].any()
    rows = differences[(differences["a"] == "A") & (differences["b"] == "B") & (differences["cut"] == "all")]
    assert set(rows["lead"]) == {1.0, 2.0, 7.0}
    assert ((rows["low"] < rows["difference"]) & (rows["difference"] < rows["high"]) & (rows["high"] < 0)).all()
    assert rows["significant"].all()


def test_values_are_those_of_the_table_of_scores(sums, differences):
    scores = score_table(sums)
    scores = scores[scores["metric"] == "rmse"].set_index(["model", "variable", "cut", "group", "lead"])["value"]
    for row in differences.itertuples():
        for model, value in ((row.a, row.a_value), (row.b, row.b_value)):
            np.testing.assert_allclose(value, scores[model, row.variable, row.cut, row.group, row.lead], rtol=1e-9)


def test_same_seed_same_table(sums, differences):
    again, other = difference_table(sums), difference_table(sums, seed=1)
    np.testing.assert_array_equal(again["low"], differences["low"])
    assert not np.array_equal(other["low"].dropna(), differences["low"].dropna())
    np.testing.assert_array_equal(other["difference"], differences["difference"])


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
    """It comes from windows of 30 days; one start and one point have a difference without interval."""
    first, leads = np.array(["2022-01-02"], "datetime64[ns]"), np.arange(6, 24 * 200, 6)
    a, b = (world.reforecast(seed=k, size=0.1 * (k + 1), first=first, leads=leads) for k in range(2))
    got = difference_table(collected("B", A=a, B=b))
    (row,) = got[(got["b"] == "B") & (got["cut"] == "all") & (got["variable"] == "2t")].itertuples()
    assert np.isnan(row.lead)
    assert row.significant
    assert row.low < row.difference < row.high < 0
    got = difference_table(collected(A=world.reforecast().select(slice(0, 1), None, np.array([4]))))
    rows = got[(got["b"] == "climatology") & (got["cut"] == "all")]
    assert rows["difference"].notna().all()
    assert rows[["low", "high"]].isna().all(axis=None)
    assert not rows["significant"].any()


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


SHIPPED = [
    {"variable": "stl1", "group": "held_out", "lead": lead, "rmse": 1.0, "low": 0.8, "high": 1.3, "bias": 0.0}
    for lead in (30, 90)
]


def rows_of(values, **columns):
    rows = [{"variable": "stl1", "group": "held_out", "lead": lead, "value": v} for lead, v in values.items()]
    return pd.DataFrame(rows).assign(**columns)


def test_published_scores_are_compared_by_their_interval():
    """Scores at the bounds are within the interval; a missing score is refused."""
    for value, found in ((0.79, "below"), (0.8, "within"), (1.3, "within"), (1.31, "above")):
        rows = compare_scores(SHIPPED, rows_of({30: value, 90: 1.0}))
        assert rows["found"].tolist() == [found, "within"]
        assert rows["yours"].tolist() == [value, 1.0]
    with pytest.raises(ValueError, match="lacks 1 of 2 scores, the first is stl1 at held_out points after 90 d"):
        compare_scores(SHIPPED, rows_of({30: 1.0}))


def test_scores_of_the_model_are_read(tmp_path):
    """RMSE of protocol A at held-out and trained points only; a folder has an evaluation of one model."""
    with pytest.raises(FileNotFoundError, match=r"There is no '.*metrics.csv'. Give the folder"):
        read_scores(tmp_path)
    good = {"protocol": "A", "model": "mine", "cut": "points", "metric": "rmse"}
    others = [{"protocol": "B"}, {"model": "climatology"}, {"cut": "season"}, {"metric": "bias"}]
    parts = [rows_of({30: 1.0}, **good), *(rows_of({30: 9.0}, **(good | other)) for other in others)]
    pd.concat(parts).to_csv(tmp_path / "metrics.csv", index=False)
    assert read_scores(tmp_path)["value"].tolist() == [1.0]
    both = pd.concat([rows_of({30: 1.0}, **(good | {"model": model})) for model in ("a", "b", "persistence")])
    both.to_csv(tmp_path / "metrics.csv", index=False)
    with pytest.raises(ValueError, match=r"has the models \['a', 'b'\]"):
        read_scores(tmp_path)
