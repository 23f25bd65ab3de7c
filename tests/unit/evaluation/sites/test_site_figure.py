# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Figure of the series at a site."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from anemoi_ailand.evaluation.display.style import FORECAST_COLOURS
from anemoi_ailand.evaluation.sites.places import Found, Place
from anemoi_ailand.evaluation.sites.site_figure import site_figure
from anemoi_ailand.evaluation.sites.site_series import site_series

FOUND = Found(Place("Bonn", 50.7, 7.1), 3, 50.25, 7.5, 57.4)


def figure(n=40, ecland=("stl1",), emulator=("stl1", "sd", "ssro"), forcing=("avg_tprate", "t")):
    times = np.datetime64("2022-01-01T06", "s") + np.arange(n) * np.timedelta64(6, "h")
    line = 1.0 + np.sin(np.arange(float(n)))
    fields = (dict.fromkeys(names, values) for names, values in ((emulator, line + 0.5), (ecland, line)))
    series = site_series(times, *fields, dict.fromkeys(forcing, line / 86400), FOUND)
    return site_figure(series, "Bonn $")


def shown(made):
    return [ax for ax in made.axes if ax.get_visible()]


def test_panels_show_available_variables():
    """Available variables and forcing have panels with models and errors."""
    axes = shown(figure())
    assert [ax.get_title(loc="left").rpartition(": ")[2] for ax in axes] == ["stl1", "sd", "ssro", "t", "avg_tprate"]
    assert [to_hex(line.get_color()).upper() for line in axes[0].lines] == ["#000000", FORECAST_COLOURS[0]]
    assert axes[0].texts[0].get_text() == "RMSE 0.5, bias +0.5 K"
    assert len(axes[1].lines) == 1
    assert not axes[1].texts


def test_water_is_in_millimetres_a_day():
    """Runoff and precipitation are in mm per day, with short titles."""
    axes = shown(figure())
    assert [axes[i].get_ylabel() for i in (2, 4)] == ["[mm d⁻¹]"] * 2
    assert axes[2].lines[0].get_ydata()[0] == pytest.approx(1.5 * 86400)
    drawn = axes[4].collections[0].get_paths()[0].vertices[:, 1]
    assert drawn.max() == pytest.approx(1.0 + np.sin(np.arange(40.0)).max())
    assert axes[4].get_title(loc="left") == "total precipitation rate: avg_tprate"


def test_long_runs_are_means_of_days():
    """Long runs are drawn as daily means and labelled so."""
    short, long = shown(figure(40)), shown(figure(400))
    assert [len(ax[0].lines[0].get_xdata()) for ax in (short, long)] == [40, 101]
    assert (short[-1].get_xlabel(), long[-1].get_xlabel()) == ("time (UTC)", "time (UTC), daily means")


def test_without_ecland_and_forcing():
    """Without ecLand the legend has the emulator only."""
    made = figure(ecland=(), forcing=())
    assert [t.get_text() for t in made.legends[0].get_texts()] == ["emulator"]
    assert len(shown(made)) == 3
    other = shown(figure(emulator=("2t",), ecland=()))[0]  # a model without the usual variables
    assert other.get_title(loc="left") == "2 metre temperature: 2t"
