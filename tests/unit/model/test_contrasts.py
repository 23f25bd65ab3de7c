# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Physical contrasts as inputs of the network."""

import pytest
import torch

from anemoi_ailand.constants import ZERO_CELSIUS
from anemoi_ailand.model.contrasts import N_CONTRASTS, Air, contrasts
from tests.support import columns as case

#: Columns of the contrasts.
DIFFERENCES, NEAR_FREEZING, AVAILABLE, SATURATION = slice(0, 6), slice(6, 10), slice(10, 14), slice(14, 18)
ROOTS, DEFICIT, PRECIPITATION, SNOW = slice(18, 20), 20, 21, slice(22, 24)


def air(land, warmer=0.0, humidity=0.005, pressure=9.5e4):
    """Air of one temperature all over the step, ``warmer`` [K] than the first layer."""
    t = land.temperature[..., 0] + warmer
    return Air(t, t, t, torch.full_like(t, humidity), torch.full_like(t, pressure))


def test_columns_are_of_order_one():
    """As many as promised, finite, and none beyond 8 for any plausible column."""
    land = case.land(500)
    top = land.temperature[:, :1]
    land = land._replace(temperature=top + torch.tensor([0.0, -3.0, 5.0, 8.0]))
    columns = contrasts(land, air(land, warmer=4.0))
    assert columns.shape == (500, N_CONTRASTS)
    assert columns.abs().max() < 8 and (columns.abs().amax(0) > 0.2).all()


def test_corners_are_finite():
    """Contrasts and gradients are finite in extreme columns in float32."""
    land = case.corners(torch.float32)
    theta = land.theta.clone().requires_grad_()
    columns = contrasts(land._replace(theta=theta), air(land))
    columns.square().sum().backward()
    assert torch.isfinite(columns).all() and torch.isfinite(theta.grad).all()


def test_difference_has_the_sign_of_the_heat_that_flows_down():
    """Warmer air is positive, in units of 5 K, at the end, in the mean and at the start; zero is exact."""
    land = case.land(30, temperature=torch.full((30, 4), 284.0, dtype=torch.float64))
    assert (contrasts(land, air(land))[:, DIFFERENCES] == 0).all()
    for warmer in (-5.0, 5.0):
        columns = contrasts(land, air(land, warmer))[:, :3]
        torch.testing.assert_close(columns, torch.full_like(columns, warmer / 5.0), rtol=1e-9, atol=1e-9)


def test_near_freezing_has_the_sign_of_the_temperature():
    """Negative below 0 degC, positive above, and flat far from it."""
    kelvin = torch.tensor([[240.0], [272.0], [274.5], [300.0]], dtype=torch.float64)
    land = case.land(4, temperature=kelvin.expand(-1, 4))
    cold, cool, mild, hot = contrasts(land, air(land))[:, NEAR_FREEZING]
    assert (cold < -0.99).all() and (cool < 0).all() and (mild > 0).all() and (hot > 0.99).all()


def test_water_is_scaled_by_the_soil():
    """Available water is -1 at the wilting point and as ice, 1 at field capacity; saturation -2 to 2, in every soil."""
    for columns, kelvin, field, expected in (
        (AVAILABLE, 290.0, "wilting", -1.0),
        (AVAILABLE, 290.0, "capacity", 1.0),
        (AVAILABLE, 260.0, "capacity", -1.0),
        (SATURATION, 290.0, "residual", -2.0),
        (SATURATION, 290.0, "saturated", 2.0),
    ):
        land = case.land(14, temperature=torch.full((14, 4), kelvin, dtype=torch.float64))
        found = contrasts(land._replace(theta=getattr(land.soil, field).expand(-1, 4)), air(land))[:, columns]
        torch.testing.assert_close(found, torch.full_like(found, expected), rtol=0.0, atol=1e-9)


def test_water_for_roots_is_that_of_their_layers():
    """Roots of tundra, in the upper two layers, see little of a wet subsoil; those of woods see more."""
    land = case.land(1, roots=case.roots(1, 9, 19), temperature=torch.full((1, 4), 290.0, dtype=torch.float64))
    wilting, capacity = land.soil.wilting, land.soil.capacity
    theta = torch.cat([wilting, wilting, capacity, capacity], dim=-1)
    tundra, woods = 0.5 * (contrasts(land._replace(theta=theta), air(land))[0, ROOTS] + 1.0)
    assert tundra.item() == pytest.approx(0.0805 + 0.0001, abs=1e-4)
    assert woods.item() == pytest.approx(0.3567 + 0.1037, abs=1e-4)


def test_deficit_has_the_sign_of_drying():
    """Positive in dry air, negative in supersaturated air, and larger in warmer air of the same humidity."""
    land = case.land(10, temperature=torch.full((10, 4), ZERO_CELSIUS + 15.0, dtype=torch.float64))
    dry, warm, damp = (contrasts(land, air(land, w, q))[:, DEFICIT] for w, q in ((0, 0.003), (8, 0.003), (0, 0.02)))
    assert (damp < 0).all() and (dry > 0).all() and (warm > dry).all()


def test_deficit_by_hand():
    """At 20 degC air holds 2339 Pa of vapour at saturation; of dry air all of it is missing."""
    land = case.land(1, temperature=torch.full((1, 4), ZERO_CELSIUS + 20.0, dtype=torch.float64))
    assert 800.0 * contrasts(land, air(land, humidity=0.0))[0, DEFICIT].item() == pytest.approx(2339.0, rel=2e-3)


@pytest.mark.parametrize("falling", ["rain", "snowfall"])
def test_rain_and_snow_are_seen(falling):
    """Columns of rain and snow are zero without them and increase with them."""
    amounts = torch.tensor([0.0, 1.0, 30.0], dtype=torch.float64)
    dry = dict.fromkeys(("rain", "snowfall"), torch.zeros(3, dtype=torch.float64))
    land = case.land(3, **{**dry, "sd": amounts, falling: amounts})
    columns = contrasts(land, air(land))
    for column in (columns[:, PRECIPITATION], *columns[:, SNOW].unbind(-1)):
        assert column[0] == 0 and (column.diff() > 0).all()
