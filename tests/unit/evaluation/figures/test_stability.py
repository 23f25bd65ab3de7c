# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Panels of the stability figures by climate class."""

import numpy as np

from anemoi_ailand.evaluation.figures.stability import storage_figure, temperature_figure
from tests.support.results import CYCLE, changed, years

ECLAND, CLASSES = years(CYCLE), ["tundra", "boreal", "rainforest", "rainforest"]


def visible(figure):
    return [ax for ax in figure.axes if ax.get_visible()]


def test_a_panel_for_each_class_in_its_order():
    """Each class has a panel with its number of points."""
    axes = visible(storage_figure(years(10), ECLAND, CLASSES, []))
    assert [ax.get_title(loc="left") for ax in axes] == [
        "Rainforest (2 points)",
        "Boreal (1 points)",
        "Tundra (1 points)",
    ]
    assert axes[0].get_ylabel() == "storage [kg m⁻²]"


def test_repeated_cycle_is_level_and_at_zero():
    """The repeated pattern of the forcing gives level lines at zero."""
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
