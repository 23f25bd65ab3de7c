# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Figures follow from the available results."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anemoi_ailand.evaluation.fields.single_run import ComparedRun, compared_run, run_of
from anemoi_ailand.evaluation.report import chosen_figures as module
from anemoi_ailand.evaluation.report.chosen_figures import Evaluated, thinned, write_figures
from anemoi_ailand.evaluation.report.page import SECTIONS
from anemoi_ailand.evaluation.settings import Maps
from tests.support import results as made_up
from tests.support import worlds as world

FIRST = np.array(["2022-01-02"], "datetime64[ns]")
NAMES = ("swvl1", "stl1", "2t", "slhf")
PERIOD = (np.datetime64("2020-01-01", "ns"), np.datetime64("2021-12-31T18", "ns"))


def case(seed: int = 1, names: tuple[str, ...] = NAMES, days: int = 20, points: Any = None) -> ComparedRun:
    """A run of some days paired with the reference."""
    run = world.reforecast(seed=seed, first=FIRST, leads=np.arange(6, 24 * days + 1, 6), names=names)
    return compared_run(run_of(run.select(points=points), world.reference()), world.reference(), PERIOD)


def pair(run: ComparedRun, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Reference and forecast of a run after the initial date."""
    period = run.times[0], run.times[-1]
    return tuple(
        fields.load([name], *period, points)[name].values
        for fields, points in ((run.reference, run.points), (run.forecast, None))
    )


def found(**changes: object) -> Evaluated:
    """Results without any table or run, but for the changes."""
    empty = Evaluated(["emulator", "older"], made_up.table("scores").iloc[:0], pd.DataFrame(), {}, None, pd.DataFrame())
    return replace(empty, **changes)


def planned(results: Evaluated) -> dict[str, dict]:
    """Section, title and caption by the stem of the file; nothing is drawn."""
    parts = (module._growth, module._scorecards, module._budgets, module._runs)
    return {stem: about for part in parts for stem, _, about in part(results)}


def test_scores_and_differences_have_growth_and_scorecards():
    """Protocols A and B have their figures, each in a section of the report; no results, no figure."""
    figures = planned(found(scores=made_up.table("scores"), differences=made_up.table("differences")))
    assert set(figures) == {
        "error_growth_a_core", "error_growth_a_surface", "error_growth_b_core", "error_growth_b_surface",
        "scorecard_a_emulator_older",
    }  # fmt: skip
    assert {figure["section"] for figure in figures.values()} <= {name for name, *_ in SECTIONS}
    assert {figure["protocol"] for figure in figures.values()} == {"A", "B"}
    assert planned(found()) == {}
    assert planned(found(differences=made_up.table("differences").assign(protocol="C"))) == {}


def test_long_run_has_maps_sites_and_diagrams():
    """The name of a single forecast is left out of the names of its maps."""
    figures = planned(found(labels=["emulator"], runs={"emulator": case()}))
    assert set(figures) == {
        "taylor", "density_emulator", "map_swvl1", "map_stl1", "map_rmse_swvl1", "map_rmse_stl1", "map_rmse_slhf",
        "sites",
    }  # fmt: skip


def test_sites_and_one_map_are_shown_with_the_scorecard():
    """Soil moisture of the top layer if there is a choice, else its temperature; the other maps are further down."""
    for names, first in ((NAMES, "map_rmse_swvl1"), (NAMES[1:], "map_rmse_stl1")):
        figures = planned(found(labels=["emulator"], runs={"emulator": case(names=names)}))
        assert [stem for stem, figure in figures.items() if figure["section"] == "skill"] == ["sites", first]
        assert {figure["section"] for stem, figure in figures.items() if stem.startswith("map_")} == {"skill", "maps"}


def test_forecast_without_a_variable_is_left_out_of_its_map():
    """Each forecast has maps of its own variables; sites show the common ones."""
    figures = planned(found(runs={"emulator": case(), "older": case(2, ("stl1", "2t"))}))
    maps = {stem for stem in figures if stem.startswith("map_") and "rmse" not in stem}
    assert maps == {"map_swvl1_emulator", "map_stl1_emulator", "map_stl1_older"}
    assert {"map_rmse_swvl1", "sites", "density_older"} <= set(figures)


def test_forecasts_with_nothing_in_common_have_no_sites(caplog, monkeypatch, tmp_path):
    """The log says why, and the other figures are drawn."""
    monkeypatch.setattr(module, "save", lambda figure, path: None)
    runs = {"emulator": case(names=("swvl1",), days=5), "older": case(2, ("stl1",), days=5)}
    figures = {figure.path.stem for figure in write_figures(found(runs=runs), tmp_path)}
    assert "sites" not in figures
    assert {"density_emulator", "density_older", "taylor"} <= figures
    assert "No figure sites.png: The forecasts ['emulator', 'older'] have no variable in common" in caplog.text


def test_thinned_values_are_pairs_at_all_hours_of_the_day(monkeypatch):
    """All values of a short run, and an odd step for a long one, so that all hours of the day are sampled."""
    run = case()
    reference, forecast = thinned(run, ["stl1"])["stl1"]
    np.testing.assert_array_equal(reference, pair(run, "stl1")[0])
    np.testing.assert_array_equal(forecast, pair(run, "stl1")[1])
    monkeypatch.setattr(module, "MAX_VALUES", 200)
    reference, forecast = thinned(run, ["stl1"])["stl1"]
    np.testing.assert_array_equal(reference, pair(run, "stl1")[0][::5])
    np.testing.assert_array_equal(forecast, pair(run, "stl1")[1][::5])


def test_map_of_errors_is_the_rmse_of_each_point(monkeypatch):
    """The RMSE does not depend on the blocks in which it is summed."""
    run = case()
    reference, forecast = pair(run, "2t")
    error = forecast.astype(float) - reference
    want = np.sqrt((error**2).mean(axis=0))
    np.testing.assert_allclose(module._rmse(run, "2t"), want, rtol=1e-6)
    monkeypatch.setattr("anemoi_ailand.evaluation.fields.fields.BLOCK_BYTES", 4 * 10 * 5 * 7)
    np.testing.assert_allclose(module._rmse(run, "2t"), want, rtol=1e-6)


def test_maps_are_of_the_variables_and_dates_asked_for():
    """Any variable at any date of the run; the error names the dates of the run."""
    run = case()
    dates = tuple(date.astype("datetime64[s]").item() for date in run.times[[2, 5]])
    figures = planned(found(runs={"emulator": run}, maps=Maps(variables=("2t",), dates=dates)))
    maps = sorted(stem for stem in figures if stem.startswith("map_") and "rmse" not in stem)
    assert maps == [f"map_2t_{np.datetime_as_string(date, 'h')}" for date in run.times[[2, 5]]]
    with pytest.raises(ValueError, match="is not among the dates of the run"):
        list(module._maps(found(runs={"emulator": run}, maps=Maps(dates=(datetime(1999, 1, 1),)))))


@pytest.mark.parametrize(
    ("names", "points", "sites"),
    [
        (("snowc", *NAMES), range(10), [5, 0]),  # the snowy site first
        (NAMES, range(10), [5, 0]),  # two different sites without a snow variable
        (("snowc", *NAMES), range(6, 10), [1, 2]),  # no held-out point: from all, the second without snow
        (("snowc", *NAMES), [3], [0]),
    ],
)
def test_sites_are_a_snowy_and_a_snow_free_point(names, points, sites):
    """Held-out points (0 and 5) are preferred if there are two of them; odd points have snow."""
    run = case(names=names, points=list(points))
    assert module._choose_sites(run).tolist() == sites
    assert module._site_title(case(), 0) == "40.0°S, 100.0°W, held-out point"
