# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Time series show reference and forecasts over their own dates, with the training period shaded."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from anemoi_ailand.evaluation.display.style import FORECAST_COLOURS
from anemoi_ailand.evaluation.figures.time_series import sites_figure

TRAINING = (np.datetime64("2020-01-01", "ns"), np.datetime64("2021-12-31", "ns"))


def test_sites_have_a_panel_for_each_variable_and_place(truth):
    """The reference has all its years, the emulator its run, as daily means with the error in the corner."""
    reference = truth[["swvl1", "stl1"]].isel(point=[0, 3])
    run = reference.sel(time=slice("2022-01-01", "2022-01-31")) + 1.0
    figure = sites_figure(reference, {"emulator": run}, ["snowy", "snow-free"], TRAINING)
    assert len(figure.axes) == 4
    lines = figure.axes[2].get_lines()
    assert [len(line.get_xdata()) for line in lines] == [1096, 31]
    assert [to_hex(line.get_color()).upper() for line in lines] == ["#000000", FORECAST_COLOURS[0]]
    assert lines[0].get_ydata()[0] == pytest.approx(float(reference["stl1"][:4, 0].mean()))
    assert [ax.get_ylabel() for ax in figure.axes] == ["swvl1 [m³ m⁻³]", "", "stl1 [K]", ""]
    assert figure.axes[0].texts[0].get_text() == "RMSE 1, bias +1 m³ m⁻³"


def test_several_forecasts_have_their_own_lines(truth):
    """Forecasts have lines in the given order, with errors in display units."""
    reference = truth[["stl1"]].rename({"stl1": "sro"}).isel(point=[0]) / 86400
    run = reference.sel(time=slice("2022-01-01", "2022-01-31"))
    figure = sites_figure(reference, {"new": run + 1.0 / 86400, "old": run - 2.0 / 86400}, ["a place"], TRAINING)
    lines = figure.axes[0].get_lines()
    assert [to_hex(line.get_color()).upper() for line in lines] == ["#000000", *FORECAST_COLOURS[:2]]
    assert figure.axes[0].texts[0].get_text() == "new: RMSE 1, bias +1 mm d⁻¹\nold: RMSE 2, bias \N{MINUS SIGN}2 mm d⁻¹"
