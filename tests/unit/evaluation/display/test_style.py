# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Models have fixed colours, units are printed, files are small."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.fields.reference import REFERENCE

FORECASTS = [f"run {k}" for k in range(6)]


@pytest.mark.parametrize(
    ("name", "label"), [("swvl1", "m³ m⁻³"), ("stl1", "K"), ("sd", "kg m⁻²"), ("evap", "mm d⁻¹"), ("snowc", "1")]
)
def test_unit_label_has_superscripts(name, label):
    """Display units have superscripts."""
    assert style.unit_label(name) == label


def test_colour_of_a_forecast_is_its_place_in_the_order():
    """Reference, baselines and forecasts all differ in colour or line, and a forecast keeps its colour."""
    looks = [
        (style.model_colour(m, FORECASTS), str(style.model_line(m, FORECASTS)))
        for m in [*FORECASTS, "ecLand", "persistence", "climatology"]
    ]
    assert len(set(looks)) == len(looks)
    assert style.model_colour("run 1", FORECASTS) == style.model_colour("run 1", FORECASTS[:2])
    assert style.model_colour("climatology", FORECASTS) == style.model_colour("climatology")


def test_colours_differ_for_the_colour_blind():
    """All pairs of colours differ under simulated deuteranopia (Machado et al. 2009, doi:10.1109/TVCG.2009.113)."""
    matrix = np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    )
    colours = [*style.FORECAST_COLOURS, *map(style.model_colour, (REFERENCE, "persistence", "climatology"))]
    seen = np.clip(np.array([to_rgb(c) for c in colours]) @ matrix.T, 0, 1)
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    assert apart[~np.eye(len(seen), dtype=bool)].min() > 0.1


def test_saved_figure_has_a_palette(tmp_path):
    """The PNG file has the size of the figure, at most 256 colours, and a white background."""
    figure, axes = style.panels(1, 1, 2.0)
    axes[0].plot([0, 1], [0, 1])
    image = Image.open(style.save(figure, tmp_path / "a.png"))
    assert image.format == "PNG"
    assert image.mode == "P"
    assert image.size == tuple(round(side * style.DPI) for side in figure.get_size_inches())
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
