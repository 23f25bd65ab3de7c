# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The figure of the snow season shows all errors."""

from __future__ import annotations

import pandas as pd

from anemoi_ailand.evaluation.figures.snow_season import snow_season_figure
from tests.support.results import snow_errors

LABELS = ["emulator", "older"]


def test_shares_sum_to_the_whole():
    """Errors beyond 40 days are in the outermost bins."""
    errors = pd.DataFrame({"model": "emulator", "event": "onset", "error_days": [-400.0, 0.0, 1.0, 300.0]})
    onset, melt_out = snow_season_figure(errors, LABELS).axes
    values, edges = onset.patches[0].get_data()[:2]
    assert values.sum() == 100
    assert values[0] == values[-1] == 25
    assert edges[0] < -40
    assert melt_out.texts[0].get_text() == "no data"


def test_key_explains_mean_and_spread():
    """The legend gives mean and mean absolute error."""
    errors = snow_errors()
    text = snow_season_figure(errors, LABELS).axes[1].get_legend().get_texts()[0].get_text()
    part = errors[(errors["model"] == "emulator") & (errors["event"] == "melt_out")]["error_days"]
    assert text == f"emulator: mean \N{MINUS SIGN}{-part.mean():.1f}, mean abs. {part.abs().mean():.1f} d, n = 240"
