# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Figures show the numbers that they are given; a value that is missing is never drawn as zero."""

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from anemoi_ailand.evaluation.display.style import BETTER, FORECAST_COLOURS, WORSE, model_colour, pick
from anemoi_ailand.evaluation.figures.budget import budget_figure
from anemoi_ailand.evaluation.figures.coastlines import coastlines
from anemoi_ailand.evaluation.figures.density import density_figure
from anemoi_ailand.evaluation.figures.growth import growth_figure
from anemoi_ailand.evaluation.figures.maps import map_figure, rmse_map_figure
from anemoi_ailand.evaluation.figures.scorecard import scorecard_figure
from anemoi_ailand.evaluation.figures.snow_season import snow_season_figure
from anemoi_ailand.evaluation.figures.stability import storage_figure, temperature_figure
from anemoi_ailand.evaluation.figures.taylor import taylor_figure, taylor_statistics
from anemoi_ailand.evaluation.figures.time_series import sites_figure
from anemoi_ailand.evaluation.processes.budgets import main_group
from tests.support import worlds as world
from tests.support.results import CYCLE, LEADS, VARIABLES, changed, metrics, points, table, years

LABELS = ["emulator", "older"]


@pytest.fixture(scope="module")
def scores():
    return table("scores")


def test_line_is_the_rmse_of_the_table(scores):
    """Each model has its line of RMSE over leads, in its colour and in display units."""
    scores = scores.replace({"variable": {"slhf": "sro"}})
    figure = growth_figure(scores, ["swvl1", "sro"], LABELS, "A")
    assert [ax.get_ylabel() for ax in figure.axes] == ["RMSE swvl1 [m³ m⁻³]", "RMSE sro [mm d⁻¹]"]
    for ax, name, factor in zip(figure.axes, ("swvl1", "sro"), (1, 86400), strict=True):
        lines = {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}
        assert set(lines) == {*LABELS, "persistence", "climatology"}
        for model, line in lines.items():
            rows = pick(scores, protocol="A", variable=name, model=model, cut="all", group="all", metric="rmse")
            np.testing.assert_allclose(line.get_xdata(), LEADS)
            np.testing.assert_allclose(line.get_ydata(), factor * rows.sort_values("lead")["value"])
            assert to_hex(line.get_color()).upper() == model_colour(model, LABELS)


def test_dotted_line_is_the_skill_horizon(scores):
    """A horizon is drawn only if it lies within the leads."""
    figure = growth_figure(scores, ["swvl1", "swvl4"], LABELS, "A")
    dotted = [[line.get_xdata()[0] for line in ax.get_lines() if line.get_linestyle() == ":"] for ax in figure.axes]
    assert dotted == [[], [46.0, 46.0]]


@pytest.fixture
def budgets():
    return pd.DataFrame(metrics()["budgets"]["terms"])


def test_bars_are_the_terms_of_the_whole_run(budgets):
    left, right = budget_figure(budgets, "water", LABELS).axes
    assert len(left.patches) == 15
    assert [bar.get_height() for bar in left.patches[:5]] == [812.0, 468.0, 101.0, 250.0, -7.0]
    assert [bar.get_height() for bar in right.patches] == [0.02, 21.5, 10.75]
    assert left.get_ylabel() == "term of the water budget [mm year⁻¹]"


def test_points_that_close_come_first(budgets):
    """The budget shown is that of points without lakes and towns, if there are any."""
    lakes = budgets.assign(group="lake_or_urban", value=0.0)
    assert main_group(pd.concat([lakes, budgets])) == "no_lake_or_urban"
    assert main_group(lakes) == "lake_or_urban"


def test_budget_without_values_is_an_error(budgets):
    with pytest.raises(ValueError, match=r"No value of the energy budget"):
        budget_figure(budgets, "energy", LABELS)
    with pytest.raises(ValueError, match=r"No value of the water budget"):
        budget_figure(budgets.assign(value=np.nan), "water", LABELS)


def pair(n=2000, seed=0):
    rng = np.random.default_rng(seed)
    reference = rng.random(n)
    return reference, reference + 0.02 * rng.standard_normal(n)


def test_hexagons_count_all_finite_pairs():
    """Every finite pair is counted once; both axes have the same range in the display unit."""
    reference, forecast = (values / 86400 for values in pair())
    forecast[:100] = np.nan
    ax = density_figure({"evap": (reference, forecast)}, "mine").axes[0]
    assert ax.collections[0].get_array().sum() == 1900
    assert ax.texts[0].get_text() == "n = 1900"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("evap, ecLand [mm d⁻¹]", "evap, mine [mm d⁻¹]")
    assert 0.9 < ax.get_xlim()[1] < 1.2
    assert ax.get_xlim() == ax.get_ylim()


@pytest.mark.parametrize("n_points", [1, 3, 5000])
def test_map_shows_reference_emulator_and_difference(n_points):
    """Reference and forecast share a scale; that of the difference is symmetric; values have display units."""
    values = points(n_points, "gpp")
    figure = map_figure(values, values + 0.1, "cost $1")
    dots = [ax.collections[0] for ax in figure.axes[:3]]
    np.testing.assert_allclose(dots[0].get_array(), 8.64e7 * values)
    np.testing.assert_allclose(dots[2].get_array(), 8.64e6, rtol=1e-6)
    assert dots[0].get_clim() == dots[1].get_clim()
    assert dots[2].get_clim()[0] == -dots[2].get_clim()[1]
    assert [ax.get_title("left") for ax in figure.axes[:3]] == ["ecLand", r"cost \$1", r"cost \$1 minus ecLand"]
    assert [ax.get_xlabel() for ax in figure.axes[3:]] == ["gpp [g m⁻² d⁻¹]", "difference [g m⁻² d⁻¹]"]
    assert "2022-07-01 00:00 UTC" in figure.get_suptitle()


def test_longitudes_from_0_to_360_are_drawn():
    field = points().assign_coords(longitude=points().longitude % 360)
    dots = map_figure(field, field, "emulator").axes[0].collections[0]
    assert np.abs(dots.get_offsets()[:, 0]).max() <= 180


def test_rmse_maps_share_one_scale():
    figure = rmse_map_figure({"new": points() - 0.2, "old": points(seed=1)}, "swvl1")
    assert [ax.get_title("left") for ax in figure.axes[:2]] == ["new", "old"]
    assert figure.axes[0].collections[0].get_clim() == figure.axes[1].collections[0].get_clim()
    assert figure.axes[-1].get_xlabel() == "RMSE of swvl1 [m³ m⁻³]"


def test_coastlines_are_on_the_map():
    """Lines span the globe, run from shore to shore in small steps, and pass the Cape of Good Hope and Ceylon."""
    lines = coastlines()
    vertices = np.concatenate(lines)
    np.testing.assert_allclose(np.ptp(vertices, axis=0), (360, 169), atol=1)
    assert max(np.abs(np.diff(line, axis=0)).max() for line in lines) < 15
    for place in ((18.4, -34.1), (80.0, 9.5)):
        assert np.hypot(*(vertices - place).T).min() < 1.0


@pytest.fixture
def differences():
    return table("differences")


def test_each_cell_has_sign_and_significance(differences):
    ax = scorecard_figure(differences, "emulator", "older", "A").axes[0]
    assert len(ax.collections) == len(differences) == len(VARIABLES) * len(LEADS)
    for marker, (_, row) in zip(ax.collections, differences.iterrows(), strict=True):
        assert to_hex(marker.get_edgecolor()[0]).upper() == (BETTER if row["difference"] < 0 else WORSE)
        assert (len(marker.get_facecolor()) > 0) == row["significant"]
    first = differences.iloc[0]
    number = f"{100 * first['difference'] / first['b_value']:+.0f} %".replace("-", "\N{MINUS SIGN}")
    assert ax.texts[0].get_text() == number


def test_shares_sum_to_the_whole():
    """Errors beyond 40 days are in the outermost bins."""
    errors = pd.DataFrame({"model": "emulator", "event": "onset", "error_days": [-400.0, 0.0, 1.0, 300.0]})
    onset, melt_out = snow_season_figure(errors, LABELS).axes
    values, edges = onset.patches[0].get_data()[:2]
    assert values.sum() == 100
    assert values[0] == values[-1] == 25
    assert edges[0] < -40
    assert melt_out.texts[0].get_text() == "no data"


ECLAND, CLASSES = years(CYCLE), ["tundra", "boreal", "rainforest", "rainforest"]


def visible(figure):
    return [ax for ax in figure.axes if ax.get_visible()]


def test_repeated_cycle_is_level_and_at_zero():
    for figure in (storage_figure(years(10), ECLAND, CLASSES, []), temperature_figure(years(10), ECLAND, CLASSES, [])):
        for ax in visible(figure):
            lines = [line for line in ax.lines if len(line.get_xdata()) == 5]
            assert lines
            assert all(np.abs(line.get_ydata()).max() < 1e-9 for line in lines)
            assert lines[0].get_xdata().tolist() == [2, 4, 6, 8, 10]


def test_drifting_points_have_separate_lines():
    """Drifting points have lines in the panel of their class and an entry in the legend."""
    run = changed(years(10), "stl4_mean", 1, 282.0 + np.arange(10.0))
    figure = temperature_figure(run, ECLAND, CLASSES, [1])
    count = [sum(len(line.get_xdata()) == 5 for line in ax.lines) for ax in visible(figure)]
    assert count == [2, 4, 2]
    assert [t.get_text() for t in figure.legends[0].get_texts()][-1] == "points that drift"
    diverged = changed(years(10), "stl1_mean", 0, np.nan)
    assert len(visible(temperature_figure(diverged, ECLAND, CLASSES, []))) == 3


GROUPS = {"Soil": ["swvl1", "stl1"], "Snow": ["sd"]}


def taylor(**change):
    rows = {"model": ["emulator", "climatology"], "variable": ["swvl1", "swvl1"], "std_ratio": [0.9, 1.2]}
    table = pd.DataFrame({**rows, "correlation": [0.8, 0.5], **change})
    return taylor_figure(table, GROUPS, ["emulator", "climatology"])


def test_constant_series_has_no_statistics():
    assert np.isnan(taylor_statistics(np.arange(3.0), np.ones(3))["std_ratio"])
    assert np.isnan(taylor_statistics(np.ones(3), np.arange(3.0))["correlation"])


def test_angle_is_correlation_and_radius_is_spread():
    """The reference lies at angle 0, radius 1; groups without values have no panel, all without is refused."""
    (ax,) = taylor().axes
    marks = [line for line in ax.get_lines() if len(line.get_xdata()) == 1]
    points = {(round(line.get_xdata()[0], 6), round(line.get_ydata()[0], 6)) for line in marks}
    assert points == {(0.0, 1.0), (round(math.acos(0.8), 6), 0.9), (round(math.acos(0.5), 6), 1.2)}
    with pytest.raises(ValueError, match="Omit the Taylor diagram"):
        taylor(correlation=[np.nan, np.nan])


def test_statistics_match_a_naive_loop():
    rng = np.random.default_rng(1)
    o, f = rng.normal(3.0, 2.0, 50), rng.normal(1.0, 1.0, 50)
    mean_o, mean_f = sum(o) / 50, sum(f) / 50
    var_o, var_f = sum((x - mean_o) ** 2 for x in o) / 50, sum((x - mean_f) ** 2 for x in f) / 50
    cov = sum((x - mean_o) * (y - mean_f) for x, y in zip(o, f, strict=True)) / 50
    found = taylor_statistics(f, o)
    assert found["std_ratio"] == pytest.approx(math.sqrt(var_f / var_o))
    assert found["correlation"] == pytest.approx(cov / math.sqrt(var_o * var_f))


TRAINING = (np.datetime64("2020-01-01", "ns"), np.datetime64("2021-12-31", "ns"))


def test_sites_have_a_panel_for_each_variable_and_place():
    """The reference has all its years, the emulator its run, as daily means with the error in the corner."""
    reference = world.reference().load(["swvl1", "stl1"], points=np.array([0, 3]))
    run = reference.sel(time=slice("2022-01-01", "2022-01-31")) + 1.0
    figure = sites_figure(reference, {"emulator": run}, ["snowy", "snow-free"], TRAINING)
    assert len(figure.axes) == 4
    lines = figure.axes[2].get_lines()
    assert [len(line.get_xdata()) for line in lines] == [1096, 31]
    assert [to_hex(line.get_color()).upper() for line in lines] == ["#000000", FORECAST_COLOURS[0]]
    assert lines[0].get_ydata()[0] == pytest.approx(float(reference["stl1"][:4, 0].mean()))
    assert [ax.get_ylabel() for ax in figure.axes] == ["swvl1 [m³ m⁻³]", "", "stl1 [K]", ""]
    assert figure.axes[0].texts[0].get_text() == "RMSE 1, bias +1 m³ m⁻³"


def test_missing_values_are_marked(scores, budgets, differences):
    """A term, pair, variable or cell without a value says "no data" where its mark would be."""
    older_residual = (budgets["model"] == "older") & (budgets["term"] == "residual")
    differences.loc[0, ["a_value", "b_value", "difference", "low", "high"]] = np.nan
    none = (np.full(3, np.nan), np.ones(3))
    panels = {
        "growth": growth_figure(scores, ["swvl1", "sd"], LABELS, "A").axes[1],
        "budget": budget_figure(budgets[~older_residual], "water", LABELS).axes[1],
        "density": density_figure({"swvl1": none, "sd": (np.zeros(5), np.zeros(5))}, "mine").axes[0],
        "scorecard": scorecard_figure(differences, *LABELS, "A").axes[0],
    }
    marked = {name: [text.get_text() for text in ax.texts].count("no data") for name, ax in panels.items()}
    assert marked == dict.fromkeys(panels, 1)
    assert len(panels["scorecard"].collections) == len(differences) - 1
