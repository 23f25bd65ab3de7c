# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Scatter densities count finite pairs."""

from __future__ import annotations

import numpy as np

from anemoi_ailand.evaluation.figures.density import density_figure


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


def test_panels_share_one_scale_of_colours():
    """All panels share one colour scale."""
    figure = density_figure({"swvl1": pair(500), "stl1": pair(5000, 1)}, "mine")
    assert len({(ax.collections[0].norm.vmin, ax.collections[0].norm.vmax) for ax in figure.axes[:2]}) == 1


def test_variable_without_pairs_is_marked():
    """A panel without pairs says "no data"; a constant variable is drawn."""
    figure = density_figure({"swvl1": (np.full(3, np.nan), np.ones(3)), "sd": (np.zeros(5), np.zeros(5))}, "mine")
    assert figure.axes[0].texts[0].get_text() == "no data"
    assert figure.axes[1].collections[0].get_array().sum() == 5
