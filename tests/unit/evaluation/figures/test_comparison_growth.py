# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The error growth of a comparison shows what it is given, with units on every axis."""

from __future__ import annotations

import pytest
from matplotlib.colors import to_hex

from anemoi_ailand.evaluation.display.style import COLOURS
from anemoi_ailand.evaluation.fields.baselines import MODELS
from anemoi_ailand.evaluation.figures.comparison_growth import error_growth_figure


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
