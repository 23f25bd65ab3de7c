# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Sums of one pass over forecasts and reference."""

import numpy as np
import pytest

from anemoi_ailand.evaluation.fields import reference
from anemoi_ailand.evaluation.fields.fields import open_fields
from anemoi_ailand.evaluation.fields.matching import held_out_points
from anemoi_ailand.evaluation.fields.reforecast import open_reforecast
from anemoi_ailand.evaluation.scores import sums as s
from anemoi_ailand.evaluation.scores.available_strata import STRATA_NAMES
from anemoi_ailand.evaluation.scores.difference_table import difference_table
from anemoi_ailand.evaluation.scores.score_table import score_table
from anemoi_ailand.evaluation.scores.sums import collect, day_bins, window_bins
from tests.support import worlds as world

PERIOD = ("2020", "2021")


@pytest.fixture(scope="module")
def collected():
    return collect(
        {"A": world.reforecast(), "B": world.reforecast(seed=2)}, world.reference(), protocol="A", period=PERIOD
    )


def errors(name, fcst=None):
    """Error ``(start, lead, point)`` of the forecast A, one run after the other, and reference."""
    valid = world.starts()[:, None] + world.DAYS_1_2_7 * world.HOUR
    obs = world.values()[name][np.searchsorted(world.times(), valid)].astype(float)
    return (world.reforecast().read(name) if fcst is None else fcst) - obs, obs


def test_all_models_variables_and_cuts_are_summed(collected):
    keys = set(collected.moments)
    for name in ("swvl1", "stl1", "2t", "slhf"):
        for model in ("A", "B", "persistence", "climatology"):
            found = {cut for n, m, cut in keys if (n, m) == (name, model)}
            assert found == set(STRATA_NAMES) - {"year"} - ({"extreme"} if name == "slhf" else set())


def test_sums_by_group_equal_a_naive_loop(collected):
    error, _ = errors("stl1")
    valid = world.starts()[:, None] + world.DAYS_1_2_7 * world.HOUR
    month = valid.astype("datetime64[M]").astype(int) % 12
    season, biome = collected.moments["stl1", "A", "season"], collected.moments["stl1", "A", "biome"]
    n, ee, by_biome = np.zeros((3, 4)), np.zeros((3, 4)), np.zeros((3, 11))
    for start in range(12):
        for lead in range(12):
            group = {11: 0, 0: 0, 1: 0, 2: 1, 3: 1, 4: 1, 5: 2, 6: 2, 7: 2}.get(month[start, lead], 3)
            for point in range(10):
                n[lead // 4, group] += 1
                ee[lead // 4, group] += error[start, lead, point] ** 2
                by_biome[lead // 4, world.CONSTANTS["climate_class"][point]] += error[start, lead, point] ** 2
    np.testing.assert_array_equal(season.n, n)
    np.testing.assert_allclose(season.sums[2], ee, rtol=1e-10)
    np.testing.assert_allclose(biome.sums[2], by_biome, rtol=1e-10, atol=1e-12)


def test_partitions_add_up_to_all(collected):
    for model in ("A", "persistence", "climatology"):
        whole = collected.moments["2t", model, "all"].sums[..., 0]
        for cut in ("points", "season", "daytime", "biome", "snow_regime", "frozen", "vegetation_type", "latitude"):
            np.testing.assert_allclose(collected.moments["2t", model, cut].sums.sum(-1), whole, rtol=1e-9, atol=1e-7)


def test_squares_and_errors_are_kept_by_point_and_by_start(collected):
    """Squared errors by point and by start equal a loop; errors are kept on request only."""
    error, _ = errors("swvl1")
    want = (error**2).reshape(12, 3, 4, 10).sum(axis=2)
    np.testing.assert_allclose(collected.squares["swvl1", "A"], want.sum(axis=0), rtol=1e-10)
    np.testing.assert_allclose(collected.start_squares["swvl1", "A"], want.swapaxes(0, 1), rtol=1e-10)
    assert collected.values_per_point.tolist() == [48, 48, 48]
    run = {"A": world.reforecast()}
    kept = collect(run, world.reference(), protocol="A", period=PERIOD, variables=["swvl1"], biases=True)
    naive = error.reshape(12, 3, 4, 10).sum(axis=2).swapaxes(0, 1)
    np.testing.assert_allclose(kept.start_errors["swvl1", "A"], naive, rtol=1e-6, atol=1e-4)
    assert collected.start_errors == {}


def test_extremes_and_hits_equal_their_definition(collected):
    error, obs = errors("2t")
    fcst = obs + error
    years = world.values()["2t"][world.times() < np.datetime64("2022")]
    low, high = np.quantile(years, [0.02, 0.98], axis=0)
    n, hits = collected.moments["2t", "A", "extreme"].n, collected.hits["2t", "A"]
    for group, beyond in enumerate((lambda x: x < low, lambda x: x > high)):
        want = (beyond(obs)).reshape(12, 3, 4, 10).sum(axis=(0, 2, 3))
        np.testing.assert_array_equal(n[:, group], want)
        both = (beyond(obs) & beyond(fcst)).reshape(12, 3, 4, 10).sum(axis=(0, 2, 3))
        np.testing.assert_array_equal(hits[:, group], both)
        assert both.sum() > 0


def test_blocks_do_not_change_the_sums(collected, monkeypatch):
    monkeypatch.setattr(s, "BLOCK_VALUES", 12 * 4)
    for module in (s, reference):
        monkeypatch.setattr(module, "MEMORY_BYTES", 1)
    names = ["stl1", "2t"]
    got = collect({"A": world.reforecast()}, world.reference(), protocol="A", period=PERIOD, variables=names)
    assert set(got.moments) == {k for k in collected.moments if k[0] in names and k[1] != "B"}
    for key, moments in got.moments.items():
        np.testing.assert_array_equal(moments.n, collected.moments[key].n)
        np.testing.assert_allclose(moments.sums[1:4], collected.moments[key].sums[1:4], rtol=1e-9, atol=1e-9)
    for key, value in got.start_squares.items():
        np.testing.assert_allclose(value, collected.start_squares[key], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(got.squares[key], collected.squares[key], rtol=1e-9, atol=1e-12)
    for key, value in got.hits.items():
        np.testing.assert_array_equal(value, collected.hits[key])
    assert got.points_per_group() == collected.points_per_group()


@pytest.mark.parametrize("where", ["processes", "cluster"])
def test_processes_divide_the_points_and_agree_with_one(where, tmp_path):
    """Each opens the files by their paths and scores its points; the tables are those of one process to rounding."""
    truth = open_fields(world.write_reference(tmp_path / "reference.nc"))
    runs = {"A": open_reforecast(world.write_run(tmp_path / "A.nc"))}
    options = {"protocol": "A", "period": PERIOD, "weights": "cvl", "biases": True}
    one = collect(runs, truth, **options)
    if where == "processes":
        two = collect(runs, truth, workers=2, **options)
    else:
        distributed = pytest.importorskip("distributed")
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=tmp_path
        ) as cluster:
            two = collect(runs, truth, workers=cluster.scheduler_address, **options)
    scores, pairs = ([table(sums) for sums in (one, two)] for table in (score_table, difference_table))
    for a, b in (scores, pairs):
        numbers = a.select_dtypes("number").columns
        np.testing.assert_allclose(b[numbers], a[numbers], rtol=1e-6, atol=1e-9)
        assert a.drop(columns=numbers).equals(b.drop(columns=numbers))
    for key, value in one.start_errors.items():
        np.testing.assert_allclose(two.start_errors[key], value, rtol=1e-9, atol=1e-9)
    assert two.points_per_group() == one.points_per_group()


def test_weighted_scores_equal_a_naive_loop():
    """Points count by their weight in sums, extremes and differences, and alike in quartiles over the points."""
    weight = np.linspace(0.5, 3.0, 10)
    truth = world.reference(constants={**world.CONSTANTS, "size": weight, "one": np.full(10, 7.0)})
    runs, options = {"A": world.reforecast()}, {"protocol": "A", "period": PERIOD, "variables": ["2t"]}
    got, equal, none = (collect(runs, truth, weights=w, **options) for w in ("size", "one", None))
    error, obs = errors("2t")
    mean = np.average((error**2).reshape(12, 3, 4, 10).mean(axis=(0, 2)), axis=1, weights=weight)
    table = score_table(got).query("model == 'A' and variable == '2t'")
    rows = table.query("cut == 'all' and metric == 'rmse'")
    np.testing.assert_allclose(rows["value"] ** 2, mean, rtol=1e-9)
    pairs = difference_table(got).query("a == 'A' and b == 'climatology' and cut == 'all'")
    np.testing.assert_allclose(pairs["a_value"] ** 2, mean, rtol=1e-9)
    assert (pairs["low"] < pairs["difference"]).all()
    valid = world.starts()[:, None] + world.DAYS_1_2_7 * world.HOUR
    summer = np.isin(valid.astype("datetime64[M]").astype(int) % 12, (5, 6, 7))
    want = np.average((error[summer] ** 2).mean(axis=0), weights=weight)
    moments = got.moments["2t", "A", "season"]
    assert moments.sums[2, :, 2].sum() / moments.sums[0, :, 2].sum() == pytest.approx(want, rel=1e-9)
    low = np.quantile(world.values()["2t"][world.times() < np.datetime64("2022")], 0.02, axis=0)
    beyond = (obs < low).reshape(12, 3, 4, 10).sum(axis=(0, 2)) @ (weight / weight.mean())
    np.testing.assert_allclose(got.moments["2t", "A", "extreme"].sums[0, :, 0], beyond)
    assert (got.hits["2t", "A"] <= got.moments["2t", "A", "extreme"].sums[0] + 1e-9).all()
    for key, found in none.moments.items():
        np.testing.assert_allclose(equal.moments[key].sums, found.sums, rtol=1e-12, atol=1e-9)
    quartile = score_table(none).query("model == 'A' and metric == 'rmse_q50'")["value"]
    np.testing.assert_array_equal(table.query("metric == 'rmse_q50'")["value"], quartile)


def test_too_little_memory_is_an_error_before_reading(monkeypatch):
    """It says what is needed and available."""
    monkeypatch.setattr(s, "available_memory", lambda: 2**29)
    truth = world.reference()
    object.__setattr__(truth, "blocks", None)
    with pytest.raises(
        ValueError, match=r"scores of 10 points need about 1\.5 GiB of memory, and 0\.5 GiB are available"
    ):
        collect({"A": world.reforecast()}, truth, protocol="A", period=PERIOD)


def test_points_left_out_are_in_no_score():
    """The sums are those of the other points alone."""
    truth = world.reference(constants={**world.CONSTANTS, "lsm": np.where(np.arange(10) < 3, 0.6, 1.0)})
    options = {"protocol": "A", "period": PERIOD, "variables": ["2t"]}
    got = collect({"A": world.reforecast()}, truth, leave_out=["coast"], **options)
    part = collect({"A": world.reforecast().select(points=slice(3, None))}, world.reference(), **options)
    for key, moments in part.moments.items():
        np.testing.assert_allclose(got.moments[key].sums, moments.sums, rtol=1e-12)
    np.testing.assert_array_equal(got.alignment.points, np.arange(3, 10))


def test_baselines_are_persistence_and_climatology(collected):
    """A constant reference has no persistence error."""
    fields = {name: np.tile(v[:1464], (3, 1))[: len(world.times())] for name, v in world.values().items()}
    fields["stl1"][:] = 285.0
    got = collect({"A": world.reforecast()}, world.reference(fields), protocol="A", period=PERIOD)
    assert got.moments["stl1", "persistence", "all"].sums[2].max() == 0
    assert collected.moments["stl1", "persistence", "all"].sums[2].min() > 0
    assert got.models("stl1") == ["A", "persistence", "climatology"]


def test_single_run_keeps_the_series_of_its_error():
    """The series sums errors by group; dated strata have one bin."""
    leads = np.arange(6, 24 * 330, 6)
    first = np.array(["2022-01-02"], "datetime64[ns]")
    run = world.reforecast(first=first, leads=leads)
    got = collect({"A": run}, world.reference(), protocol="B", period=PERIOD)
    error = run.read("stl1")[0] - world.values()["stl1"][
        np.searchsorted(world.times(), first[0] + leads * world.HOUR)
    ].astype(float)
    np.testing.assert_allclose(got.series["stl1", "A", "points"][:, 0], error[:, ::5].sum(axis=1), rtol=1e-6, atol=1e-9)
    assert len(got.bins.days) == 11
    assert got.moments["stl1", "A", "season"].n.shape == (1, 4)
    assert got.moments["stl1", "A", "year"].n.tolist() == [[10 * len(leads)]]
    assert got.moments["stl1", "A", "points"].n.shape == (11, 2)


def test_many_points_are_pooled_to_units_that_are_of_one_kind(collected, monkeypatch):
    """Units of equal size hold either held-out or trained points, and keep the sum of squared errors."""
    monkeypatch.setattr(s, "MAX_UNITS", 20)
    held_out = np.arange(1000) % 5 == 0
    units = s._units(held_out, 1000)
    assert np.bincount(units).tolist() == [50] * 20
    assert not set(units[held_out]) & set(units[~held_out])
    assert s._units(None, 1000).max() == 19
    assert s._units(held_out[:10], 10).tolist() == list(range(10))
    monkeypatch.setattr(s, "MAX_UNITS", 4)
    got = collect({"A": world.reforecast()}, world.reference(), protocol="A", period=PERIOD, variables=["swvl1"])
    pooled, full = got.start_squares["swvl1", "A"], collected.start_squares["swvl1", "A"]
    assert pooled.shape[-1] < full.shape[-1]
    np.testing.assert_allclose(pooled[..., 0], full[..., held_out_points(world.reference())].sum(-1), rtol=1e-12)
    np.testing.assert_allclose(pooled.sum(-1), full.sum(-1), rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"protocol": "D"}, "Unknown protocol 'D'"), ({"protocol": "B"}, "Protocol B is one run, but .* has 12 starts")],
)
def test_incomparable_forecasts_are_an_error(change, message):
    arguments = {"protocol": "A", "period": PERIOD, **change}
    with pytest.raises(ValueError, match=message):
        collect({"A": world.reforecast()}, world.reference(), **arguments)


def test_bins_of_leads():
    """Day d ends at 24 d h; windows of 30 days are named by their mean lead, a short remainder joins the last."""
    got = day_bins(np.array([6, 12, 18, 24, 30, 48, 49, 2142, 2160]))
    assert got.labels.tolist() == [0, 0, 0, 0, 1, 1, 2, 3, 3]
    assert got.days.tolist() == [1, 2, 3, 90]
    assert got.sizes.tolist() == [4, 2, 1, 2]
    windows = window_bins(np.arange(6, 24 * 70 + 1, 6))
    assert windows.sizes.tolist() == [120, 160]
    np.testing.assert_allclose(windows.days, [15.125, 50.125])
