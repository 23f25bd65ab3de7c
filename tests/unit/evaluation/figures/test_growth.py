# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Error growth shows the table of scores and the skill horizon."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from anemoi_ailand.evaluation.display.style import model_colour, pick
from anemoi_ailand.evaluation.figures.growth import growth_figure
from tests.support.results import LEADS, VARIABLES, table

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


def test_persistence_does_not_set_the_scale(scores):
    """The scale is that of climatology and forecasts."""
    ax = growth_figure(scores, ["2t"], LABELS, "A").axes[0]
    assert ax.get_ylim()[1] == pytest.approx(VARIABLES["2t"][2] * 1.12)


def test_variable_without_values_is_marked(scores):
    """The panel of a variable without values says "no data"."""
    figure = growth_figure(scores, ["swvl1", "sd"], LABELS, "A")
    assert [text.get_text() for text in figure.axes[1].texts] == ["no data"]
