# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Maps show the values of points on common colour scales."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.evaluation.figures.coastlines import coastlines
from anemoi_ailand.evaluation.figures.maps import map_figure, rmse_map_figure
from tests.support.results import points


@pytest.mark.parametrize("n_points", [1, 3, 5000])
def test_map_shows_reference_emulator_and_difference(n_points):
    """Reference and forecast share a scale; that of the difference is symmetric; values have display units."""
    rng = np.random.default_rng(0)
    place = {
        "latitude": ("point", rng.uniform(-60, 80, n_points)),
        "longitude": ("point", rng.uniform(0, 360, n_points)),
    }
    values = xr.DataArray(
        rng.random(n_points), dims="point", name="gpp", coords={**place, "time": np.datetime64("2022-07-01", "ns")}
    )
    figure = map_figure(values, values + 0.1, "cost $1")
    dots = [ax.collections[0] for ax in figure.axes[:3]]
    np.testing.assert_allclose(dots[0].get_array(), 8.64e7 * values)
    np.testing.assert_allclose(dots[2].get_array(), 8.64e6, rtol=1e-6)
    assert dots[0].get_clim() == dots[1].get_clim()
    assert dots[2].get_clim()[0] == -dots[2].get_clim()[1]
    assert dots[0].get_offsets()[:, 0].max() <= 180
    assert [ax.get_title("left") for ax in figure.axes[:3]] == ["ecLand", r"cost \$1", r"cost \$1 minus ecLand"]
    assert [ax.get_xlabel() for ax in figure.axes[3:]] == ["gpp [g m⁻² d⁻¹]", "difference [g m⁻² d⁻¹]"]
    assert "2022-07-01 00:00 UTC" in figure.get_suptitle()


def test_coastlines_are_on_the_map():
    """Lines span the globe, run from shore to shore in small steps, and pass the Cape of Good Hope and Ceylon."""
    lines = coastlines()
    vertices = np.concatenate(lines)
    np.testing.assert_allclose(np.ptp(vertices, axis=0), (360, 169), atol=1)
    assert max(np.abs(np.diff(line, axis=0)).max() for line in lines) < 15
    for place in ((18.4, -34.1), (80.0, 9.5)):
        assert np.hypot(*(vertices - place).T).min() < 1.0


def test_map_of_a_region_is_drawn_closer():
    """A map of a small region is limited to its points."""
    coords = {
        "latitude": ("point", [45.0, 55.0]),
        "longitude": ("point", [5.0, 20.0]),
        "time": np.datetime64("2022-07-01"),
    }
    field = xr.DataArray([0.1, 0.2], dims="point", name="swvl1", coords=coords)
    assert map_figure(field, field, "emulator").axes[0].get_xlim() == (2.0, 23.0)


def test_rmse_map_has_a_panel_for_each_forecast():
    """All panels share one colour scale."""
    first = points() - 0.2
    figure = rmse_map_figure({"new": first, "old": points(seed=1)}, "swvl1")
    dots = [ax.collections[0] for ax in figure.axes[:2]]
    assert [ax.get_title("left") for ax in figure.axes[:2]] == ["new", "old"]
    assert dots[0].get_clim() == dots[1].get_clim()
    assert figure.axes[-1].get_xlabel() == "RMSE of swvl1 [m³ m⁻³]"
