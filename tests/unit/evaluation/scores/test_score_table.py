# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Table of scores."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scores.continuous import rmse
from scores.continuous.correlation import pearsonr

from anemoi_ailand.evaluation.fields.fields import open_fields
from anemoi_ailand.evaluation.fields.reforecast import open_reforecast
from anemoi_ailand.evaluation.scores.metrics import METRICS
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
    """RMSE and correlation equal the library ``scores``."""
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
    """Quartiles are over points, of the RMSE of each point."""
    forecast = world.reforecast()
    obs = world.values()["2t"][np.searchsorted(world.times(), forecast.valid_times[:, :4])]
    each = np.sqrt(((forecast.read("2t")[:, :4].astype(float) - obs) ** 2).mean(axis=(0, 1)))
    for metric, q in (("rmse_q25", 0.25), ("rmse_q50", 0.5), ("rmse_q75", 0.75)):
        row = pick(table, model="A", variable="2t", cut="all", lead=1.0, metric=metric)
        assert row["value"].item() == pytest.approx(np.quantile(each, q), rel=1e-9)


def test_empty_group_is_nan_with_no_value(table):
    """All scores of an empty group are NaN with n = 0."""
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
    """A single run has windows, the whole run (lead NaN), years and drift."""
    rows = pick(long_table, model="A", variable="stl1", metric="rmse")
    assert len(pick(rows, cut="all").dropna(subset=["lead"])) == 12
    assert len(pick(rows, cut="all", lead=None)) == 1
    assert pick(rows, cut="season")["lead"].isna().all()
    assert pick(rows, cut="year")["group"].tolist() == ["year 1"]
    drift = pick(long_table, model="A", variable="stl1", metric="drift_per_year")
    value = pick(drift, cut="points", group="held_out")["value"].item()
    assert value == pytest.approx(0.2, abs=1e-4)  # float32 in the file
    assert np.isnan(pick(drift, cut="biome", group="savanna")["value"].item())
    assert "skill_horizon" not in set(long_table["metric"])


def test_whole_run_pools_its_windows(long_table):
    """The mean square of the run is the weighted mean of its windows."""
    rows = pick(long_table, model="A", variable="stl1", metric="rmse", cut="all")
    whole, windows = pick(rows, lead=None), rows.dropna(subset=["lead"])
    mean_square = (windows["value"] ** 2 * windows["n"]).sum() / windows["n"].sum()
    assert whole["value"].item() == pytest.approx(np.sqrt(mean_square), rel=1e-12)
    assert whole["n"].item() == windows["n"].sum()


def test_forecast_in_time_is_scored_from_its_file(write_forecast, reference_file):
    """A forecast with a constant error of 0.01 has this RMSE and bias."""
    got = score({"run": open_reforecast(write_forecast(bias=0.01))}, open_fields(reference_file), protocol="B")
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
