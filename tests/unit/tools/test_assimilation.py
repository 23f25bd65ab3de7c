# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Twin experiments of data assimilation at points of the packaged sample, and the tables of their page."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.sun import COMPUTED, compute
from tools.results import (
    assimilation,
    assimilation_aims,
    assimilation_cycles,
    assimilation_windows,
    twin,
    twin_bias,
    twin_snow,
    twin_windows,
)
from tools.results.__main__ import PARTS

POINTS, DAYS = np.arange(12), 4


class Sample:
    """The packaged sample in the place of a dataset."""

    def __init__(self, path, names):
        self._reader = open_reader(path)
        self.names, self.dates = tuple(names), np.array(self._reader.coverage.dates(), "M8[s]")
        self.latitudes, self.longitudes = self._reader.latitudes, self._reader.longitudes

    def read(self, first, last, points):
        dates = [d.item() for d in self.dates[first:last]]
        stored = [n for n in self.names if n not in COMPUTED]
        found = dict(zip(stored, self._reader.read(stored, dates)[..., points], strict=True))
        sun = [n for n in self.names if n in COMPUTED]
        found |= dict(zip(sun, compute(sun, dates, self.latitudes[points], self.longitudes[points]), strict=True))
        return np.stack([found[n].reshape(len(dates), -1) for n in self.names], -1).astype("f4")


@pytest.fixture(scope="module")
def world():
    """Twin of a few days in July with a small ensemble."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(twin, "StoredFields", Sample)
        patch.setattr(twin, "EXISTING", dict.fromkeys(twin.EXISTING, 1.0))
        settings = twin.Settings(members=8)
        yield twin.Twin(Path("$AILAND_SAMPLE"), "ailand", 2022, POINTS, 0, settings, first_year=2020, starts=("07-15",),
                        days=DAYS)  # fmt: skip


def error(world, run):
    return float(twin.root_zone_error(world, run)[-1].square().mean().sqrt())


def test_twin_has_another_soil_and_wrong_weather(world):
    """The background is that of another year, the weather is wrong without a large bias, and nights stay dark."""
    true = world.truth[..., world.columns(twin.WEATHER)]
    rain, sun = (twin.WEATHER.index(n) for n in ("avg_tprate", "avg_sdswrf"))
    assert (world.background[:, 0] != world.truth[0][:, world.columns(["swvl1"])[0]]).any()
    assert not torch.equal(world.weather, true) and (world.weather[..., rain] >= 0).all()
    assert not world.weather[..., sun][true[..., sun] == 0].any()
    assert world.members_weather.std(1)[..., 0].mean() == pytest.approx(1.0, abs=0.3)  # of the air [K]


def test_observations_have_their_errors_and_gaps(world):
    """Soil water once a day, air at each stamp, with the standard deviation that is stated."""
    water, air = world.observed["swvl1"], world.observed["2t"]
    assert torch.isfinite(water).any(-1).nonzero()[:, 0].tolist() == list(range(1, 4 * DAYS + 1, 4))
    assert torch.isfinite(air).any(-1).tolist() == [False] + [True] * 4 * DAYS
    errors = (air - world.truth[..., world.columns(["2t"])[0]]).flatten()
    assert errors[errors.isfinite()].std() == pytest.approx(twin.ERRORS["2t"], rel=0.2)


def test_without_observations_the_filter_is_the_open_loop(world, monkeypatch):
    """Bitwise: an analysis without an observation changes nothing."""
    free = twin.ensemble_run(world, ())
    none = {n: torch.full_like(v, torch.nan) for n, v in world.observed.items()}
    monkeypatch.setattr(world, "observed", none)
    assert torch.equal(twin.ensemble_run(world, ("swvl1", "2t")).soil, free.soil)
    single, b = twin.single_run(world), twin.static(world)
    assert torch.equal(twin.extended_run(world, ("swvl1",), b).soil, single.soil)
    assert free.spread.min() >= 0 and not single.spread.any()


def test_observations_of_the_soil_reduce_its_error(world):
    """Both filters, with many accurate observations of the first layer, come nearer to ecLand than without."""
    free, single = error(world, twin.ensemble_run(world, ())), error(world, twin.single_run(world))
    assert error(world, twin.ensemble_run(world, ("swvl1",))) < 0.97 * free
    b = twin.climatological(world, 0.5)
    made = twin.extended_run(world, ("swvl1",), b)
    assert error(world, made) < 0.97 * single
    assert (made.used > 0).any() and (made.signal[made.used > 0] > 0).all()
    assert error(world, twin.extended_run(world, ("swvl1",), b, twin.daily_growth(world, 0.5))) < 0.97 * single


def test_three_ways_to_the_jacobian_give_similar_analyses(world):
    """Within 10 % after a few days with all three observed, and tabulated against the first."""
    found = assimilation.ways(world)
    np.testing.assert_allclose(list(found.values()), found["differences"], rtol=0.1)
    lines = assimilation.ways_table(found).splitlines()
    assert len(lines) == 2 + len(found) and lines[2].startswith("| differences | ") and lines[2].endswith("| 1.000 |")


@pytest.fixture(scope="module")
def results(world):
    """Experiments of two realisations that are the same."""
    return xr.concat([assimilation.of_twin(world)] * 2, "realisation", join="exact")


def test_tables_hold_all_experiments(results, monkeypatch):
    """One row an experiment, ratios of one without observations, and intervals around the ratio."""
    monkeypatch.setattr(assimilation, "OFTEN", 1)
    rows = [line.strip("| ").split(" | ") for line in assimilation.errors_table(results).splitlines()[2:]]
    assert [row[:2] for row in rows[:3]] == [["none", "ensemble"], ["none", "single run"], ["`swvl1`", "ETKF"]]
    assert len({len(row) for row in rows}) == 1
    assert rows[0][3] == rows[0][5] == "1.00 ± 0.00 (1.00-1.00)" and "nan" not in " ".join(map(" ".join, rows))
    errors = assimilation.last_errors(results, seen=False)
    value, low, high = assimilation.ratio(errors, "ETKF `swvl1`", assimilation.OPEN)
    assert low < value < high
    half = errors.copy()
    half[{"realisation": 1}] = xr.where(half["experiment"] == assimilation.OPEN, half[1], 0.5 * half[1])
    ratios = np.array([1.0, 0.5]) * assimilation.ratio(errors[:1], "ETKF `swvl1`", assimilation.OPEN)[0]
    assert assimilation.spread_of_ratio(half, "ETKF `swvl1`", assimilation.OPEN) == pytest.approx(ratios.std(ddof=1))
    layers = assimilation.layers_table(results).splitlines()
    assert layers[0].endswith("| root zone |") and len(layers) == 2 + 1 + len(assimilation.SYSTEMS)


def test_figures_show_all_days_and_points(results, monkeypatch):
    monkeypatch.setattr(assimilation, "DAYS", DAYS)
    figure = assimilation.errors_figure(results)
    assert [len(ax.lines) for ax in figure.axes] == [4, 4]
    assert all(len(line.get_xdata()) == DAYS for line in figure.axes[0].lines)
    maps = assimilation.signal_figure(results)
    assert [len(ax.collections[0].get_offsets()) for ax in maps.axes[:2]] == [len(POINTS)] * 2


def test_window_of_a_day_is_the_extended_filter(world):
    """One iteration is the SEKF of the experiments above; a long window with rain uses the same observations."""
    names = ("swvl1", "2t")
    expected = twin.extended_run(world, names, twin.climatological(world, 0.7))
    found = twin_windows.window_run(world, names, twin_windows.WINDOWS["SEKF, 24 h"])
    torch.testing.assert_close(found.soil, expected.soil, rtol=1e-4, atol=1e-5)
    assert torch.equal(found.used, expected.used)
    settings = twin_windows.WindowSettings(DAYS, True, 2, 1.0, 1.0)
    long = twin_windows.window_run(world, names, settings)
    assert long.soil.shape == found.soil.shape and error(world, long) < error(world, twin.single_run(world))


def test_forecasts_from_the_soil_of_ecland_gain_all(world):
    """By definition all of the possible gain; without observations there is none to tell."""
    found = assimilation_cycles.forecasts_of(world, 2, 2)
    rows = [line.strip("| ").split(" | ") for line in assimilation_cycles.forecasts_table(found).splitlines()[2:]]
    assert rows[0][2:4] == ["-", "-"] and rows[-1][2] == rows[-1][5] == "1.00"
    assert len(rows) == 2 + 2 * len(assimilation.SYSTEMS) and float(rows[-1][1]) < float(rows[0][1])
    n = len(found["limited"])
    found["limited"] = [k < n // 2 for k in range(n)]
    limited, others = assimilation_cycles.regimes_table(found).splitlines()[2:]
    assert limited.startswith(f"| water limited | {n // 2} |") and others.startswith(f"| others | {n - n // 2} |")
    share = [int(row.split(" | ")[2].removesuffix(" %")) for row in (limited, others)]
    assert sum(share) == pytest.approx(100, abs=1)


def test_observations_take_a_bias_of_the_soil_away(world):
    """Faster than time alone, in both filters; the background is put back."""
    before = world.background.clone()
    found = assimilation_cycles.recovery_of(world, 2.0, (2, DAYS), 1)
    assert torch.equal(world.background, before)
    start = found[assimilation.SINGLE][0]
    for free, filter_ in ((assimilation.SINGLE, assimilation.EXTENDED), ("ensemble", assimilation.TRANSFORM)):
        assert found[filter_][0] == start > found[filter_][2] and found[filter_][2] < found[free][2]
    rows = assimilation_cycles.recovery_table({"wet": found}).splitlines()[2:]
    assert len(rows) == 5 and all(row.startswith("| wet | ") for row in rows)


def test_biased_observations_are_corrected_by_the_years_before(world):
    """Shifts by the mean, shifts and factors by the distribution; the experiments leave the twin as it was."""
    model = np.random.default_rng(0).gamma(2.0, 0.05, (2000, 2))
    model[:, 1] = np.nan  # never seen
    true = model[:30]
    made = twin_bias.by_mean(true + 0.1, model + 0.1, model)
    np.testing.assert_allclose(made[:, 0], true[:, 0])
    made = twin_bias.by_distribution(0.1 + 0.5 * true, 0.1 + 0.5 * model, model)
    np.testing.assert_allclose(made[:, 0], true[:, 0], atol=0.01)
    assert np.isnan(made[:, 1]).all()
    before = world.observed["swvl1"]
    found = twin_bias.bias_of(world, ("2021-07-10", "2021-07-15"), 1)
    assert world.observed["swvl1"] is before
    run = twin.extended_run(world, ("swvl1",), twin.climatological(world, world.settings.background))
    assert found["unbiased"][0] == error(world, run) and found["biased"] != found["unbiased"]
    rows = twin_bias.bias_table(found)
    assert rows[1][0] == "none" and rows[1][2] == "1.00" and rows[-1][0] == "biased, distribution matched"


def test_aims_are_met_or_not(results):
    """Each row has a value for each bar, and its verdict is that of the numbers."""
    first, *others = assimilation_aims.filter_aims(results)
    errors = assimilation.last_errors(results, seen=False)
    assert first.values[0] == assimilation.ratio(errors, "ETKF `swvl1`", assimilation.OPEN)[0]
    assert len(others) == 3 and len(others[-1].values) == 4
    assert assimilation_aims.upper("a", (1.0, 2.0), (0.5, 2.5)).row() == ["a", "1 / 2", "0.50 / 2.50", "1 of 2"]
    score = {"accumulation": 1.0, "melt": 1.0, "melt-out": 1.0, "false": 1.0, "missing": 1.0, "points": 1.0}
    of = {"single run": 1.0, "ETKF all three": 0.5, "soil of ecLand": 0.0}
    kept = {
        "ways": {"differences": 1.0, "adjoint": 1.01, "regression": 1.2},
        "windows": {"SEKF, 24 h": {"all": 1.0}, "4D-Var, 24 h": {"all": 0.9}, "4D-Var, 10 days, rain": {"all": 1.1}},
        "snow": {"no observations": score, "depth": {**score, "accumulation": 0.4}},
        "forecasts": {"errors": {title: [[e, e]] for title, e in of.items()}},
        "recovery": {b: {"ETKF": [1.0, 0.4], "SEKF": [1.0, left]} for b, left in (("dry", 0.5), ("wet", 0.6))},
        "bias": {"single run": [1.0, 1.0], "biased, distribution matched": [0.9, 0.9]},
        "year": {"single run": [1.0, 1.0, 0.0, 100.0, 3], "EKF, carried B all three": [0.9, 0.8, -3.0, 100.0, 3]},
    }  # fmt: skip
    met = [aim.row()[-1] for aim in assimilation_aims.kept_aims(kept)]
    assert met == ["no", "no", "1 of 2", "yes", "1 of 4", "yes", "1 of 2", "yes", "yes", "no"]
    assert next(iter(assimilation_aims.cost_aims([0.07, 0.09]))).row()[-1] == "1 of 2"
    assert PARTS[assimilation_aims.PART].needs == ("reference", "differences")


def test_water_of_the_analyses_is_counted(world):
    """A year of cycles adds the change of soil water by its analyses; without any, nothing."""
    found = assimilation_cycles.year_of(world, 1)
    single, *others = found.values()
    assert single[2] == 0.0 and all(values[2] != 0.0 for values in others)
    rows = assimilation_cycles.year_table(found).splitlines()[2:]
    assert rows[0].endswith("| - | - |") and rows[1].endswith(" % |")
    b = twin.climatological(world, 0.5)
    none = {n: torch.full_like(v, torch.nan) for n, v in world.observed.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "observed", none)
        assert not twin.extended_run(world, ("swvl1",), b).added.any()


def test_scores_of_snow():
    """Accumulation ends at the largest mass; dates of melt-out and days of cover are counted in steps of 6 h."""
    true = np.zeros((40, 1))
    true[2:8, 0], true[8:12, 0] = np.arange(10.0, 70.0, 10.0), [40.0, 30.0, 20.0, 10.0]
    found = true.copy()
    found[2:7] += 3.0
    found[7:12] += 4.0
    found[12:16] = 5.0
    scores = twin_snow.snow_scores(true, found)
    assert scores == {"accumulation": 3.0, "melt": 4.0, "melt-out": 1.0, "false": 1.0, "missing": 0.0, "points": 1.0}
    rows = assimilation_windows.snow_table({"no observations": scores, "depth": {**scores, "melt": 2.0}})
    assert "| depth | 3.00 (1.00) | 2.00 (0.50) |" in rows
    rmse = {"all": 0.04, "seen": 0.03, "mean of the days": 0.05}
    assert "| w | 0.0200 | 0.500 |" in assimilation_windows.windows_table({"none": rmse, "w": {**rmse, "all": 0.02}})
