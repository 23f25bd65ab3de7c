# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Measures of the page on snow, runoff and storage, with made-up series of known errors."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from anemoi_ailand.constants import STEP_SECONDS
from anemoi_ailand.evaluation.scores.strata import BIOMES
from tools.results import runoff_tables, snow_aims, snow_and_runoff, snow_tables
from tools.results.__main__ import PARTS
from tools.results.pages import block_names
from tools.results.snow_figures import runoff_figure, sites_figure
from tools.results.snow_runs import HELD_OUT_RUN, Pair
from tools.results.steps import ROOT
from tools.results.weather_runs import Run

STEPS = 4 * 365 * 3


@pytest.fixture
def pair():
    """Three years at 40 points: ten each of the classes of the basins, snow in winter; the emulator is exact."""
    rng = np.random.default_rng(0)
    time = np.datetime64("2019-01-01T06", "ns") + np.arange(STEPS) * np.timedelta64(6, "h")
    data = {name: (("time", "point"), rng.uniform(0.1, 0.3, (STEPS, 40))) for name in HELD_OUT_RUN}
    day = np.arange(STEPS) // 4 % 365
    data["sd"] = (("time", "point"), np.where((day < 100) | (day > 330), 50.0, 0.0)[:, None] + np.zeros(40))
    classes = np.repeat([BIOMES.index(name) for name in ("boreal", "maritime", "subtropical", "savanna")], 10)
    ecland = xr.Dataset(data, {
        "time": time, "point_id": ("point", np.arange(40) * 5), "climate_class": ("point", classes),
        "latitude": ("point", np.full(40, 50.0)),
    })  # fmt: skip
    return Pair(ecland.copy(deep=True), ecland, "plain")


def test_part_and_page_agree():
    """The page has the blocks of the part, which needs all data it reads."""
    names = block_names((ROOT / snow_and_runoff.PAGE).read_text(encoding="utf-8"))
    assert names == ["snow-origin", "snow-summary", "snow-sites", "snow-held-out", "snow-seasons", "snow-classes",
                     "snow-worst", "runoff-basins", "storage-growth", "storage-drift", "snow-aims"]  # fmt: skip
    assert PARTS[snow_aims.PART].needs == ("reference", "towers", "real")
    assert PARTS[snow_and_runoff.PART].needs == ("reference", "towers", "real")


@pytest.mark.parametrize(
    ("kept", "melt", "peaks", "name"),
    [
        ((5, 3), 0.0, (9.0, 9.0), "keeps snow all year in 2 years in which ecLand melts it"),
        ((0, 1), 0.0, (9.0, 9.0), "melts the snow in 1 years in which ecLand keeps it"),
        ((0, 0), -7.0, (150.0, 200.0), "accumulates 25 % less, melts 7 days early"),
        ((5, 5), np.nan, (110.0, 100.0), "accumulates 10 % more"),
        ((0, 0), 4.0, (104.0, 100.0), "errors within the winter, dates and peaks agree"),
    ],
)
def test_faults_have_names(kept, melt, peaks, name):
    assert snow_tables.fault(kept, melt, peaks) == name


def test_years_without_bare_ground(pair):
    """Only calendar years with snow on every day count."""
    sd = pair.ecland["sd"].copy()
    sd[: 4 * 365, 3] = 20.0
    assert snow_tables.years_kept(sd)[[0, 3]].tolist() == [0, 1]


def test_seasons_of_a_site():
    """Errors and dates of one winter: the emulator has 10 kg m-2 more and melts five days late."""
    time = np.datetime64("2005-10-01T06", "ns") + np.arange(4 * 250) * np.timedelta64(6, "h")
    day = np.arange(4 * 250) // 4
    dims = ("time", "point")

    def series(last, mass):
        snow = ((day >= 50) & (day < last))[:, None]
        same = {"rsn": 200.0, "asn": 0.8, "sro": 1.0 / STEP_SECONDS, "ssro": 0.0, "evap": 2.0 / STEP_SECONDS}
        data = {name: (dims, np.full((1000, 1), value)) for name, value in same.items()}
        return xr.Dataset({**data, "sd": (dims, mass * snow), "snowc": (dims, 1.0 * snow)}, {"time": time})

    found = snow_tables.site_seasons(Run("CdP_0506", series(155, 110.0), series(150, 100.0)))
    row = found.iloc[0]
    assert (len(found), row["year"]) == (1, 2005)
    assert (row["melt_e"] - row["melt_l"]).days == 5
    assert (row["peak_e"], row["peak_l"]) == (110.0, 100.0)
    assert row["depth_rmse"] == pytest.approx(0.05)
    steps = [np.sum((day >= 50) & (day < 150)), np.sum((day >= 150) & (day < 155))]
    assert row["sd_bias"] == pytest.approx((10 * steps[0] + 110 * steps[1]) / 1000)
    assert row["sublimation_e"] == row["sublimation_l"] == pytest.approx(2.0 * steps[0])
    assert row["runoff_e"] == pytest.approx(1000.0)
    line = snow_tables.sites_table(found, {"CdP_0506": "A"}, {"CdP_0506": "no"}).splitlines()[-1]
    assert line.startswith("| A | no | 2005/06 |")
    assert "smlt" not in line


def test_only_whole_snow_years_count_for_melt_out():
    errors = pd.DataFrame({"event": ["melt_out", "melt_out", "onset"], "snow_year": [2021, 2022, 2021]})
    assert snow_tables.whole_melt(errors, np.datetime64("2022-12-31T18"))["snow_year"].tolist() == [2021]


def test_errors_with_and_without_snow_are_apart(pair):
    snow = pair.ecland["sd"] > 1
    pair.emulator["stl1"] = pair.ecland["stl1"] + xr.where(snow, 2.0, 0.5)
    assert snow_tables.snow_ratio(pair, "stl1") == pytest.approx((2.0, 0.5))


def test_largest_points_are_left_out(pair):
    """The RMSE without the two points with the largest error is that of the others, and the worst are listed first."""
    pair.emulator["sd"][:] = pair.ecland["sd"] + 1.0
    pair.emulator["sd"][:, 7] += 30.0
    pair.emulator["sd"][:, 9] += 40.0
    for name in snow_tables.SOIL:
        pair.emulator[name] = pair.ecland[name] + 0.5
    melts = pd.DataFrame({"point": [0, 1], "error_days": [1.0, -3.0]})
    text = snow_tables.summary_table({"2022": pair}, {"2022": melts})
    assert "| RMSE of `sd` without the 2 points with the largest | 1.00 |" in text
    assert "| melt-out, median size of the error [days] | 2.0 |" in text
    worst = snow_tables.worst_table(pair, melts).splitlines()
    assert [line.split("|")[1].strip() for line in worst[2:4]] == ["45", "35"]
    assert "| boreal | 10 |" in snow_tables.classes_table({"2022": pair}, {"2022": melts})
    assert "savanna" in snow_tables.classes_table({"2022": pair}, {"2022": melts})


def test_scores_of_runoff(pair):
    """An exact emulator is perfect; 10 % more in one term is a bias of it, at a correlation of one."""
    points = runoff_tables.members(pair.ecland, runoff_tables.BASINS[1])
    assert len(points) == 20
    exact = runoff_tables.runoff_measures(pair, points, ("sro", "ssro"))
    assert [exact[name] for name in runoff_tables.SCORES] == pytest.approx([1.0] * 6)
    pair.emulator["sro"] = pair.ecland["sro"] * 1.1
    more = runoff_tables.runoff_measures(pair, points, ("sro",))
    assert more["bias"] == pytest.approx(10.0)
    assert more["correlation_area"] == pytest.approx(1.0)
    assert more["efficiency_days"] < 1.0
    mean = float(pair.ecland["sro"].isel(point=points).mean())
    assert more["annual"] == pytest.approx(mean * 86400 * 365.25)
    assert len(runoff_tables.runoff_table({"2022": pair}).splitlines()) == 2 + 9


def test_efficiency():
    truth = np.array([1.0, 2.0, 3.0])
    assert runoff_tables.efficiency(truth, truth) == 1.0
    assert runoff_tables.efficiency(np.full(3, 2.0), truth) == 0.0
    assert np.isnan(runoff_tables.efficiency(truth, np.ones(3)))


def test_steps_of_runoff_belong_to_the_day_in_which_they_begin(pair):
    total = runoff_tables.amounts(pair.ecland, ("sro",), np.array([0])).resample(time="1D").sum()
    first = float(pair.ecland["sro"].isel(point=0).values[:4].sum() * STEP_SECONDS)
    assert (str(total["time"].values[0])[:10], float(total[0, 0])) == ("2019-01-01", pytest.approx(first))


def test_small_basin_is_an_error(pair):
    with pytest.raises(ValueError, match=r"has 10 held-out points|has 0 held-out points"):
        runoff_tables.members(pair.ecland, runoff_tables.Basin("desert", ("desert",)))


def test_growth_and_drift(pair):
    """An error that doubles each year grows by two; a layer that gains water drifts by its mass."""
    years = pair.ecland["time"].dt.year
    for name in ("stl1", "stl2", "stl3", "swvl1", "swvl2"):
        pair.emulator[name] = pair.ecland[name] + 0.1
    pair.emulator["swvl3"] = pair.ecland["swvl3"] + 0.01 * 2.0 ** (years - 2019)
    assert runoff_tables.yearly_rmse(pair, "swvl3") == pytest.approx({1: 0.01, 2: 0.02, 3: 0.04}, rel=0.01)
    line = next(r for r in runoff_tables.growth_table(pair).splitlines() if r.startswith("| `swvl3`"))
    assert line.endswith("| 2.00 |")
    pair.emulator["swvl3"] = pair.ecland["swvl3"] + 0.01 * (years - 2019)
    of = runoff_tables.storage_measures(pair, snow=True)
    assert of["mean"] == pytest.approx(0.01 * 0.72 * 1000, rel=0.01)
    assert of["most"] == pytest.approx(of["median"], rel=0.01)
    assert "drifts by 7.2 mm a year" in runoff_tables.storage_sentence(pair)


def test_figures_have_a_panel_for_each_series(pair):
    extra = {"rsn": pair.ecland["sd"] * 0 + 200.0, "asn": pair.ecland["sd"] * 0 + 0.8}
    site = pair.ecland.assign(extra)
    figure = sites_figure({"A": Run("A", site, site), "B": Run("B", site, site)})
    assert len(figure.axes) == 8
    assert len(runoff_figure(pair, 2020).axes) == 6


def test_aims_are_measured(pair):
    """An exact emulator has no error; errors of one point count with it only; a late melt-out counts in days."""
    assert snow_aims.snow_errors(pair) == (0.0, 0.0)
    assert snow_aims.point_correlation(pair, "ssro") == pytest.approx(1.0)
    pair.emulator["sd"][:, 3] += 8.0
    without, whole = snow_aims.snow_errors(pair)
    assert without == 0.0 and whole == pytest.approx(8.0 / np.sqrt(40))
    pair.emulator["sro"] *= 1.1
    assert snow_aims.annual_bias(pair, "sro") == pytest.approx(10.0)
    assert snow_aims.month_correlation(pair, "sro") == pytest.approx(1.0)
    sd = pair.ecland["sd"][:, :1]
    late = sd.shift(time=12, fill_value=50.0)  # three days
    assert snow_aims.melt_errors(late, sd).tolist() == [3.0, 3.0, 3.0]
    assert snow_aims.sizes(np.array([-3.0, 0.0, 1.0])) == pytest.approx((1.0, 2.6))
    assert np.isnan(snow_aims.sizes(np.array([]))).all()


def test_table_of_aims_tells_what_is_met():
    """Bars of a row are counted apart; the network before has the ratio one to itself."""
    before = snow_aims.BEFORE
    assert snow_aims.worst_ratio(before) == 1.0
    worse = before.errors | {("stl1", 30): 1.5 * before.errors["stl1", 30]}
    now = replace(before, sd=(2.0, 30.0), spread=(0.9, 1.3, 0.2), century=(0, 0), errors=worse)
    rows = [line.strip("| ").split(" | ") for line in snow_aims.aims_table(before, now).splitlines()[2:]]
    verdicts = {row[0].split(":")[0]: row[-1] for row in rows}
    assert verdicts["`sd` over five years without the two worst points / with them [kg m-2]"] == "1 of 2"
    assert [row[-1] for row in rows if "century" in row[0] or "spread" in row[0]] == ["yes", "1 of 3"]
    assert rows[-2][2:] == ["1.00", "1.50", "no"] and len(rows) == len(snow_aims.AIMS)
