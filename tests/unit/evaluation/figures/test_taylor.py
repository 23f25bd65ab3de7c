# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Taylor diagrams obey the law of cosines and put a model where its numbers say."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from anemoi_ailand.evaluation.figures.taylor import taylor_figure, taylor_statistics

GROUPS = {"Soil": ["swvl1", "stl1"], "Snow": ["sd"]}


def statistics(**change):
    rows = {"model": ["emulator", "climatology"], "variable": ["swvl1", "swvl1"], "std_ratio": [0.9, 1.2]}
    return pd.DataFrame({**rows, "correlation": [0.8, 0.5], **change})


def test_statistics_match_a_naive_loop():
    """Ratio of standard deviations and correlation equal sums over the values."""
    rng = np.random.default_rng(1)
    o, f = rng.normal(3.0, 2.0, 50), rng.normal(1.0, 1.0, 50)
    mean_o, mean_f = sum(o) / 50, sum(f) / 50
    var_o, var_f = sum((x - mean_o) ** 2 for x in o) / 50, sum((x - mean_f) ** 2 for x in f) / 50
    cov = sum((x - mean_o) * (y - mean_f) for x, y in zip(o, f, strict=True)) / 50
    found = taylor_statistics(f, o)
    assert found["std_ratio"] == pytest.approx(math.sqrt(var_f / var_o))
    assert found["correlation"] == pytest.approx(cov / math.sqrt(var_o * var_f))


def test_constant_series_has_no_statistics():
    """A constant series has neither ratio nor correlation."""
    assert np.isnan(taylor_statistics(np.arange(3.0), np.ones(3))["std_ratio"])
    assert np.isnan(taylor_statistics(np.ones(3), np.arange(3.0))["correlation"])


def test_angle_is_correlation_and_radius_is_spread():
    """The reference lies at angle 0, radius 1."""
    ax = taylor_figure(statistics(), GROUPS, ["emulator", "climatology"]).axes[0]
    points = {
        (round(line.get_xdata()[0], 6), round(line.get_ydata()[0], 6))
        for line in ax.get_lines()
        if len(line.get_xdata()) == 1
    }
    assert points == {(0.0, 1.0), (round(math.acos(0.8), 6), 0.9), (round(math.acos(0.5), 6), 1.2)}


def test_negative_correlations_open_the_half_circle():
    """Negative correlations need the half circle."""
    axes = [
        taylor_figure(statistics(correlation=[r, 0.5]), GROUPS, ["emulator", "climatology"]).axes[0]
        for r in (0.8, -0.3)
    ]
    assert [round(ax.get_thetamax()) for ax in axes] == [90, 180]


def test_groups_without_values_have_no_panel():
    """Only groups with values have a panel; without any value the figure is an error."""
    assert len(taylor_figure(statistics(), GROUPS, ["emulator", "climatology"]).axes) == 1
    with pytest.raises(ValueError, match="Leave the diagram out"):
        taylor_figure(statistics(correlation=[np.nan, np.nan]), GROUPS, ["emulator", "climatology"])
