# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Stations at their points: observation, ecLand and emulator, three ways."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from anemoi_ailand.data.stations.station import Sensor, Station, make_station
from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.observations import station_scores
from anemoi_ailand.evaluation.observations.station_match import match_stations
from anemoi_ailand.evaluation.observations.station_scores import frozen, score_stations
from tests.support.worlds import fields_of, six_hourly

LATITUDE, LONGITUDE = np.array([0.0, 40.0, 60.0]), np.array([0.0, 271.7, 179.9])


def station(latitude: float, longitude: float) -> Station:
    """Return a station without data."""
    return make_station("s", "n", (latitude, longitude, 0.0), [])


def test_nearest_point_within_the_limit():
    """Points are found across the date line and in any convention; distant stations are skipped with the reason."""
    stations = [station(60.0, -179.9), station(40.1, -88.3), station(10.0, 10.0)]
    matches, skipped = match_stations(stations, LATITUDE, LONGITUDE)
    assert [m.point for m in matches] == [2, 1]
    assert [m.distance for m in matches] == pytest.approx([0.1, 0.1], rel=1e-3)
    assert len(skipped) == 1
    assert "14.1 degrees away, more than 0.5" in skipped[0].reason
    with pytest.raises(ValueError, match=r"is near any of the 1 stations.*give a larger distance"):
        match_stations(stations[1:2], LATITUDE, LONGITUDE, 0.05)
    with pytest.raises(ValueError, match="No station is given"):
        match_stations([], LATITUDE, LONGITUDE)


N = 1460
PLACES = {"latitude": np.array([0.0, 40.0, 60.0]), "longitude": np.array([0.0, -88.3, 10.0])}


@pytest.fixture
def world():
    """Return ecLand in 2021 at three points, and an emulator at two of them in another order that is 0.03 too wet."""
    times = six_hourly("2021-01-01T00", "2021-12-31T18")
    rng = np.random.default_rng(0)
    day = (np.arange(N) / 4)[:, None]
    weather = np.stack(
        [np.convolve(rng.standard_normal(N + 40), np.exp(-np.arange(41) / 8), "valid") for _ in range(3)], 1
    )
    values = {
        "swvl1": 0.3 + 0.05 * np.cos(2 * np.pi * day / 365) + 0.01 * weather,
        "stl1": 282.0 - 14.0 * np.cos(2 * np.pi * day / 365) + 0 * weather,
        "ssr": 100.0 + weather, "str": -40.0 + weather,
    }  # fmt: skip
    emulated = {n: v[:, [2, 1]] + (0.03 if n == "swvl1" else 0.0) for n, v in values.items()}
    emulated["swvl1"][:, 1] += 0.005 * rng.standard_normal(N)
    place = {n: v[[2, 1]] for n, v in PLACES.items()}
    return {
        "times": times, "values": values, "reference": fields_of(times, values, **PLACES),
        "emulator": fields_of(times, emulated, **place),
    }  # fmt: skip


def bondville(world: dict[str, Any], name: str, values: np.ndarray, place: tuple = (40.1, -88.3, 200.0)) -> Station:
    """Station near the second point."""
    sensor = Sensor(name, world["times"], values, (0.05, 0.05) if name in ("swvl", "stl") else None)
    return make_station("Bondville", "SCAN", place, [sensor])


def row(table: pd.DataFrame, **keys: str) -> pd.Series:
    """The one row with ``keys``."""
    found = table[np.logical_and.reduce([table[k] == v for k, v in keys.items()])]
    assert len(found) == 1
    return found.iloc[0]


def test_known_biases_are_given_back_three_ways(world):
    """Biases of ecLand and emulator against observation, and of emulator against ecLand, are found."""
    truth = world["values"]["swvl1"][:, 1]
    station = bondville(world, "swvl", truth - 0.05 + 0.01 * np.random.default_rng(1).standard_normal(N))
    result = score_stations([station], world["reference"], {"A": world["emulator"]})
    for model, against, expected in (
        ("ecLand", "observation", 0.05),
        ("A", "observation", 0.08),
        ("A", "ecLand", 0.03),
    ):
        bias = row(result.table, model=model, against=against, metric="bias")
        assert bias["value"] == pytest.approx(expected, abs=1.5e-3)
        assert bias["low"] < expected < bias["high"]
    ubrmse = row(result.table, model="A", against="ecLand", metric="ubrmse")["value"]
    assert ubrmse == pytest.approx(0.005, rel=0.08)
    assert row(result.table, model="A", against="observation", metric="correlation")["station"] == "Bondville"
    assert set(result.table["n"]) == {result.table["n"][0]}  # one sample for all three


def test_frozen_ground_does_not_count_for_moisture(world):
    """Soil moisture is not scored where ecLand's layer is below 273.65 K; temperature is."""
    cold = world["values"]["stl1"][1:, 1] < 273.65
    assert 0.1 < cold.mean() < 0.4
    wet = world["values"]["swvl1"][:, 1].copy()
    wet[world["values"]["stl1"][:, 1] < 273.65] = 0.0  # what a probe sees in ice
    moisture = score_stations([bondville(world, "swvl", wet)], world["reference"], {"A": world["emulator"]}).table
    assert set(moisture["n"][moisture["metric"] == "bias"]) == {int((~cold).sum())}
    assert row(moisture, model="ecLand", against="observation", metric="bias")["value"] == pytest.approx(0.0, abs=1e-6)
    warm = score_stations(
        [bondville(world, "stl", world["values"]["stl1"][:, 1])], world["reference"], {"A": world["emulator"]}
    )
    assert set(warm.table["n"][warm.table["metric"] == "bias"]) == {N - 1}


def test_frozen_by_observation_or_model():
    """Observed or modelled frost suffices; a missing temperature is ignored."""
    times = np.datetime64("2021-01-01T00", "ns") + np.arange(4) * np.timedelta64(6, "h")
    observed = xr.Dataset({"stl2": ("time", [272.0, 280.0, np.nan, 280.0])}, {"time": times})
    modelled = xr.Dataset({"stl2": ("time", [280.0, 273.6, 280.0, 273.7])}, {"time": times})
    np.testing.assert_array_equal(frozen("swvl2", observed, modelled, times), [True, True, False, False])
    np.testing.assert_array_equal(frozen("swvl1", observed, modelled, times), np.zeros(4, bool))


def test_without_emulator_ecland_alone_is_scored(world):
    """From the first record on; net radiation is a sum. Too few values give NaN with the status."""
    station = bondville(world, "rnet", np.full(N, 55.0) + world["values"]["ssr"][:, 1])
    table = score_stations([station], world["reference"]).table
    assert set(table["model"]) == {"ecLand"}
    bias = row(table, variable="rnet", metric="bias")
    weather = world["values"]["str"][:, 1] + 40.0
    assert bias["value"] == pytest.approx(-95.0 + weather.mean(), abs=1e-3)  # rnet = ssr + str
    assert bias["n"] == N
    few = np.where(np.arange(N) < 50, world["values"]["stl1"][:, 1], np.nan)
    result = score_stations([bondville(world, "stl", few)], world["reference"])
    assert set(result.table["status"]) == {"not enough data"}
    assert result.table["value"].isna().all()
    assert result.table["n"][0] == 50
    assert set(result.summary["stations"]) == {0}


def test_summary_is_the_median_over_stations(world):
    """Biases of 1 to 5 K at five stations have the median 3 K."""
    truth = world["values"]["stl1"][:, 1]
    stations = [
        make_station(f"s{k}", "n", (40.0, -88.3, 0.0), [Sensor("stl", world["times"], truth - k, (0.05, 0.05))])
        for k in range(1, 6)
    ]
    bias = row(score_stations(stations, world["reference"]).summary, metric="bias")
    assert bias["median"] == pytest.approx(3.0, abs=1e-4)
    assert (bias["stations"], bias["q25"], bias["q75"]) == pytest.approx((5, 2.0, 4.0), abs=1e-4)
    assert 1.0 <= bias["low"] < 3.0 < bias["high"] <= 5.0


def test_result_does_not_depend_on_batches_or_other_stations(world, monkeypatch):
    """Batches of variables and further stations do not change numbers and intervals."""
    sensors = [Sensor(n, world["times"], world["values"][f"{n}1"][:, 1] + 1, (0.05, 0.05)) for n in ("swvl", "stl")]
    station = make_station("a", "n", (40.0, -88.3, 0.0), sensors)
    first = score_stations([station], world["reference"]).table
    monkeypatch.setattr(station_scores, "BATCH_BYTES", 1)
    other = make_station("b", "n", (60.0, 10.0, 0.0), sensors)
    second = score_stations([other, station], world["reference"]).table
    second = second[second["station"] == "a"]
    keys = ["variable", "metric"]
    pd.testing.assert_frame_equal(
        first.sort_values(keys, ignore_index=True), second.sort_values(keys, ignore_index=True), rtol=1e-12
    )


def test_gap_in_the_observations_is_not_a_jump_in_time(world):
    """A gap in summer reduces n; the windows of anomalies stay in place."""
    keep = np.r_[0:500, 900:N]
    sensor = Sensor("stl", world["times"][keep], world["values"]["stl1"][keep, 1], (0.05, 0.05))
    station = make_station("a", "n", (40.0, -88.3, 0.0), [sensor])
    table = score_stations([station], world["reference"]).table
    assert set(table["n"]) == {len(keep)}
    assert row(table, metric="anomaly_correlation")["value"] == pytest.approx(1.0)


def test_nothing_in_common_is_an_error(world):
    later = {**world, "times": world["times"] + np.timedelta64(3650, "D")}
    for station, message in (
        (
            bondville(world, "gpp", world["values"]["stl1"][:, 1]),
            r"no variable: the stations have \['gpp'\].*Give stat",
        ),
        (bondville(later, "stl", world["values"]["stl1"][:, 1]), r"no time: Bondville: its observations \(2030-.*Give"),
    ):
        with pytest.raises(ValueError, match=message):
            score_stations([station], world["reference"])


def test_stations_are_matched_to_points_that_all_models_have(world):
    at_first = bondville(world, "stl", world["values"]["stl1"][:, 0], (0.0, 0.0, 0.0))
    near = bondville(world, "stl", world["values"]["stl1"][:, 1])
    fields: dict[str, Fields] = {"A": world["emulator"]}
    result = score_stations([near, at_first], world["reference"], fields)
    assert (len(result.matches), len(result.skipped)) == (1, 1)
    assert len(score_stations([near, at_first], world["reference"]).matches) == 2


def test_fluxes_are_compared_with_benchmarks_where_the_weather_is_known(world):
    """Two distant sites whose flux follows the sun: the regression of the other site errs less than a wrong ecLand."""
    sun = np.maximum(0.0, 300.0 * np.sin(np.arange(N) * np.pi / 2))[:, None] + 50.0 * np.random.default_rng(2).random(
        (N, 3)
    )
    mild = {"avg_t": 285.0, "avg_q": 0.005, "avg_sp": 1e5, "avg_u": 3.0, "avg_v": 0.0, "avg_tprate": 0.0,
            "avg_sdlwrf": 300.0}  # fmt: skip
    fields = {"slhf": -0.3 * sun + 30.0, "avg_sdswrf": sun, **{n: np.full((N, 3), v) for n, v in mild.items()}}
    reference = fields_of(world["times"], fields, **PLACES)
    stations = [
        make_station(f"s{k}", "n", (PLACES["latitude"][k], PLACES["longitude"][k], 0.0),
                     [Sensor("slhf", world["times"], -0.3 * sun[:, k])])
        for k in (0, 1)
    ]  # fmt: skip
    table = score_stations(stations, reference).table
    rmse = table[(table["metric"] == "rmse") & (table["station"] == "s0")].set_index("model")["value"]
    assert list(rmse.index) == ["ecLand", "1lin", "3km27", "6km729"] + [
        f"{n}, own site" for n in ("1lin", "3km27", "6km729")
    ]
    assert rmse["ecLand"] == pytest.approx(30.0, abs=1e-3)
    assert (rmse.drop("ecLand") < 1.0).all()
    assert set(table["against"]) == {"observation"}
    without = fields_of(world["times"], {"slhf": fields["slhf"]}, **PLACES)
    assert set(score_stations(stations, without).table["model"]) == {"ecLand"}
