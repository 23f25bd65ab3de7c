# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""What has a result has a figure, and what has none has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from anemoi_ailand.evaluation.fields.fields import open_fields
from anemoi_ailand.evaluation.fields.single_run import ComparedRun, compared_run, run_of
from anemoi_ailand.evaluation.processes.budgets import budgets
from anemoi_ailand.evaluation.report import chosen_figures as module
from anemoi_ailand.evaluation.report.chosen_figures import Evaluated, thinned, write_figures
from anemoi_ailand.evaluation.report.page import SECTIONS
from anemoi_ailand.evaluation.settings import Maps
from tests.support import results as made_up
from tests.support import worlds as world

FIRST = np.array(["2022-01-02"], "datetime64[ns]")
NAMES = ("swvl1", "stl1", "2t", "slhf")
PERIOD = (np.datetime64("2020-01-01", "ns"), np.datetime64("2021-12-31T18", "ns"))


def case(seed: int = 1, names: tuple[str, ...] = NAMES, days: int = 20) -> ComparedRun:
    """A run of some days beside the reference."""
    run = world.reforecast(seed=seed, first=FIRST, leads=np.arange(6, 24 * days + 1, 6), names=names)
    return compared_run(run_of(run, world.reference()), world.reference(), PERIOD)


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


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Callable[[Evaluated], dict]:
    """Function that gives what the report would get by the stem of the file; nothing is rendered."""

    def draw(results: Evaluated) -> dict:
        monkeypatch.setattr(module, "save", lambda figure, path: None)
        return {figure.path.stem: figure for figure in write_figures(results, tmp_path / "figures")}

    return draw


def test_files_are_pictures(tmp_path):
    """At the paths that the report gets, in a folder that is made."""
    (figure,) = write_figures(found(snow_errors=made_up.snow_errors()), tmp_path / "new" / "figures")
    assert (figure.path.name, figure.section) == ("snow_season.png", "snow")
    with Image.open(figure.path) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 300


def test_nothing_has_no_figure(drawn):
    """Not an empty one."""
    assert drawn(found()) == {}


def test_scores_and_differences_have_growth_and_scorecards(drawn):
    """Of each protocol and pair; each says what it is, in words too, and has a place in the report."""
    figures = drawn(found(scores=made_up.table("scores"), differences=made_up.table("differences")))
    assert set(figures) == {
        "error_growth_a_core", "error_growth_a_surface", "error_growth_b_core", "error_growth_b_surface",
        "scorecard_a_emulator_older",
    }  # fmt: skip
    sections = {name for name, *_ in SECTIONS}
    for figure in figures.values():
        assert figure.section in sections
        assert figure.protocol in ("A", "B")


def test_protocol_c_has_no_scorecard(drawn):
    """Its places are not lead times."""
    rows = made_up.table("differences").assign(protocol="C")
    assert drawn(found(differences=rows)) == {}


def test_long_run_has_maps_sites_and_diagrams(drawn):
    """Of one forecast, whose name need not be in the names of its maps."""
    figures = drawn(found(labels=["emulator"], runs={"emulator": case()}))
    assert set(figures) == {
        "taylor", "density_emulator", "map_swvl1", "map_stl1", "map_rmse_swvl1", "map_rmse_stl1", "map_rmse_slhf",
        "sites",
    }  # fmt: skip


def test_forecast_without_a_variable_is_left_out_of_its_map(drawn):
    """The other one keeps its own; sites show what both have."""
    figures = drawn(found(runs={"emulator": case(), "older": case(2, ("stl1", "2t"))}))
    maps = {stem for stem in figures if stem.startswith("map_") and "rmse" not in stem}
    assert maps == {"map_swvl1_emulator", "map_stl1_emulator", "map_stl1_older"}
    assert {"map_rmse_swvl1", "sites", "density_older"} <= set(figures)


def test_forecasts_with_nothing_in_common_have_no_sites(drawn, caplog):
    """The log says why, and the other figures are there."""
    figures = drawn(found(runs={"emulator": case(names=("swvl1",)), "older": case(2, ("stl1",))}))
    assert "sites" not in figures
    assert {"density_emulator", "density_older", "taylor"} <= set(figures)
    assert "No figure sites.png: The forecasts ['emulator', 'older'] have no variable in common" in caplog.text


def test_budgets_that_close_have_figures(drawn, make_fields):
    """Water here: there is no net radiation for a budget of energy."""
    times = np.datetime64("2022-01-01T00", "ns") + np.arange(60) * np.timedelta64(6, "h")
    names = ("swvl1", "swvl2", "swvl3", "swvl4", "sd", "evap", "sro", "ssro", "avg_tprate")
    reference = make_fields(times, {name: np.full((60, 3), 1e-5, np.float32) for name in names})
    results = found(labels=["emulator"], budgets=budgets(reference, {"emulator": reference}))
    figures = drawn(results)
    assert figures["budget_water"].section == "budgets"


def test_thinned_values_are_pairs_at_all_hours_of_the_day(monkeypatch):
    """Every value of a short run; of a long one, an odd step, so that night is not all that is left."""
    run = case()
    reference, forecast = thinned(run, ["stl1"])["stl1"]
    np.testing.assert_array_equal(reference, pair(run, "stl1")[0])
    np.testing.assert_array_equal(forecast, pair(run, "stl1")[1])
    monkeypatch.setattr(module, "MAX_VALUES", 200)
    reference, forecast = thinned(run, ["stl1"])["stl1"]
    np.testing.assert_array_equal(reference, pair(run, "stl1")[0][::5])
    np.testing.assert_array_equal(forecast, pair(run, "stl1")[1][::5])


def test_map_of_errors_is_the_rmse_of_each_point(monkeypatch):
    """Also where it is summed in blocks."""
    run = case()
    reference, forecast = pair(run, "2t")
    error = forecast.astype(float) - reference
    want = np.sqrt((error**2).mean(axis=0))
    np.testing.assert_allclose(module._rmse(run, "2t"), want, rtol=1e-6)
    monkeypatch.setattr("anemoi_ailand.evaluation.fields.fields.BLOCK_BYTES", 4 * 10 * 5 * 7)
    np.testing.assert_allclose(module._rmse(run, "2t"), want, rtol=1e-6)


def test_maps_are_of_the_variables_and_dates_asked_for(drawn):
    """Reference, forecast and difference of any variable at any date of the run."""
    run = case()
    dates = tuple(date.astype("datetime64[s]").item() for date in run.times[[2, 5]])
    figures = drawn(found(runs={"emulator": run}, maps=Maps(variables=("2t",), dates=dates)))
    maps = sorted(stem for stem in figures if stem.startswith("map_") and "rmse" not in stem)
    assert maps == [f"map_2t_{np.datetime_as_string(date, 'h')}" for date in run.times[[2, 5]]]


def test_a_date_outside_the_run_has_no_map():
    """The error names the dates of the run."""
    run = case()
    with pytest.raises(ValueError, match="is not among the dates of the run"):
        list(module._maps(found(runs={"emulator": run}, maps=Maps(dates=(datetime(1999, 1, 1),)))))


@pytest.fixture
def snowy(write_forecast, reference_file) -> Callable[..., ComparedRun]:
    """Function that makes a run of points 0 and 5 (held out) and others, with snow at odd points only."""

    def make(change=None) -> ComparedRun:
        return compared_run(open_fields(write_forecast(change=change)), open_fields(reference_file), PERIOD)

    return make


@pytest.mark.parametrize(
    ("change", "sites"),
    [
        (None, [5, 0]),  # the snowy site first
        (lambda run: run.drop_vars("snowc"), [5, 0]),  # two different sites without a snow variable
        (lambda run: run.isel(point=slice(1, 5)), [0, 1]),  # no held-out point: from all, the second without snow
        (lambda run: run.isel(point=[3]), [0]),
    ],
)
def test_sites_are_a_snowy_and_a_snow_free_point(snowy, change, sites):
    """Held-out points are preferred if there are two of them."""
    assert module._choose_sites(snowy(change)).tolist() == sites


def test_site_title_has_coordinates_and_kind(snowy):
    """Coordinates name their hemisphere; the kind of the point follows."""
    assert module._site_title(snowy(), 0) == "40.0°S, 100.0°W, held-out point"
    assert module._site_title(snowy(), 9).endswith("trained point")
