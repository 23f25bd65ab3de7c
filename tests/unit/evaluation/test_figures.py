# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Figures show what they are given, with units on every axis and one colour for a model everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex

from anemoi_ailand.evaluation.baselines import MODELS, REFERENCE
from anemoi_ailand.evaluation.figures import (
    COLOURS,
    error_growth_figure,
    map_figure,
    sites_figure,
    unit_label,
)


@pytest.mark.parametrize(
    ("name", "label"), [("swvl1", "m³ m⁻³"), ("stl1", "K"), ("sd", "kg m⁻²"), ("evap", "kg m⁻² s⁻¹"), ("snowc", "1")]
)
def test_unit_label_has_superscripts(name, label):
    """The unit of the table, as it is printed."""
    assert unit_label(name) == label


def test_each_model_has_a_colour_of_its_own():
    """Four models, four colours."""
    assert set(COLOURS) == {REFERENCE, *MODELS}
    assert len(set(COLOURS.values())) == 4


@pytest.mark.parametrize("n_points", [1, 3, 5000])
def test_map_shows_reference_emulator_and_difference(n_points):
    """Three panels with the values of the points; the scale of the difference is symmetric."""
    rng = np.random.default_rng(0)
    place = {
        "latitude": ("point", rng.uniform(-60, 80, n_points)),
        "longitude": ("point", rng.uniform(0, 360, n_points)),
    }
    values = xr.DataArray(
        rng.random(n_points), dims="point", name="swvl1", coords={**place, "time": np.datetime64("2022-07-01", "ns")}
    )
    figure = map_figure(values, values + 0.1)
    dots = [ax.collections[0] for ax in figure.axes[:3]]
    np.testing.assert_allclose(dots[0].get_array(), values)
    np.testing.assert_allclose(dots[2].get_array(), 0.1)
    assert dots[0].get_clim() == dots[1].get_clim()
    assert dots[2].get_clim()[0] == -dots[2].get_clim()[1]
    assert dots[0].get_offsets()[:, 0].max() <= 180
    assert [ax.get_title("left") for ax in figure.axes[:3]] == ["ecLand", "emulator", "emulator minus ecLand"]
    assert [ax.get_xlabel() for ax in figure.axes[3:]] == ["swvl1 [m³ m⁻³]", "difference [m³ m⁻³]"]
    assert "2022-07-01 00:00 UTC" in figure.get_suptitle()


def test_map_of_a_region_is_drawn_closer():
    """Points of one continent do not get lost on the globe."""
    coords = {
        "latitude": ("point", [45.0, 55.0]),
        "longitude": ("point", [5.0, 20.0]),
        "time": np.datetime64("2022-07-01"),
    }
    field = xr.DataArray([0.1, 0.2], dims="point", name="swvl1", coords=coords)
    assert map_figure(field, field).axes[0].get_xlim() == (2.0, 23.0)


def test_sites_have_a_panel_for_each_variable_and_place(truth):
    """Reference over all its years, emulator in its run only, daily means, training period shaded."""
    reference = truth[["swvl1", "stl1"]].isel(point=[0, 3])
    run = reference.sel(time=slice("2022-01-01", "2022-01-31")) + 1.0
    training = (np.datetime64("2020-01-01", "ns"), np.datetime64("2021-12-31", "ns"))
    figure = sites_figure(reference, run, ["snowy", "snow-free"], training)
    assert len(figure.axes) == 4
    lines = figure.axes[2].get_lines()
    assert [len(line.get_xdata()) for line in lines] == [1096, 31]
    assert [to_hex(line.get_color()).upper() for line in lines] == [COLOURS["ecLand"], COLOURS["emulator"]]
    assert lines[0].get_ydata()[0] == pytest.approx(float(reference["stl1"][:4, 0].mean()))
    assert [ax.get_ylabel() for ax in figure.axes] == ["swvl1 [m³ m⁻³]", "", "stl1 [K]", ""]
    assert figure.axes[0].texts[0].get_text() == "RMSE 1, bias +1 m³ m⁻³"


@pytest.mark.parametrize(
    "names", [["swvl1"], ["swvl1", "stl1", "snowc", "sd"], ["swvl1", "swvl2", "stl1", "stl2", "sd"]]
)
def test_error_growth_has_a_panel_for_each_variable(names):
    """Three models with their quartiles against lead time, from the metrics alone; the window is in the title."""
    lead = {"rmse": [1.0, 2.0], "q25": [0.5, 1.0], "q50": [0.9, 1.5], "q75": [1.5, 3.0]}
    scores = {"groups": {"held_out": {model: {"by_lead": lead} for model in MODELS}}}
    metrics = {
        "forecast": {"initial": "2022-01-01T00:00"},
        "groups": {"held_out": 7},
        "lead_time": {"window_days": 5.0, "centre_days": [2.6, 7.6]},
        "variables": dict.fromkeys(names, scores),
    }
    figure = error_growth_figure(metrics, names, "held_out")
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_ylabel().split()[1] for ax in shown] == names
    assert {to_hex(line.get_color()).upper() for line in shown[0].get_lines()} == {COLOURS[model] for model in MODELS}
    assert len(shown[0].collections) == 3
    assert shown[-1].get_xlabel() == "lead time [days]"
    assert "7 held-out points, windows of 5 days" in figure.get_suptitle()
