# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Constants of the soil of each point, and how much of its water is frozen."""

import numpy as np
import pytest
import torch

from anemoi_ailand.constants import FREEZING_END, FREEZING_START
from anemoi_ailand.physics import soil_types
from anemoi_ailand.physics.soil import frozen_fraction, frozen_slope, soil_of, soil_table
from tests.support import columns as case

MIDDLE = 0.5 * (FREEZING_START + FREEZING_END)


def kelvin(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_water_freezes_between_two_temperatures():
    """All water is frozen at the lower bound, none at the upper bound, half in the middle."""
    fraction = frozen_fraction(kelvin(200.0, FREEZING_END, MIDDLE, FREEZING_START, 320.0))
    torch.testing.assert_close(fraction, kelvin(1.0, 1.0, 0.5, 0.0, 0.0), rtol=0.0, atol=1e-12)


def test_frozen_fraction_falls_with_temperature():
    """The frozen fraction decreases monotonically within the range."""
    temperature = torch.linspace(FREEZING_END - 1, FREEZING_START + 1, 401, dtype=torch.float64)
    change = frozen_fraction(temperature).diff()
    inside = (temperature[:-1] >= FREEZING_END) & (temperature[1:] <= FREEZING_START)
    assert (change <= 0).all() and (change[inside] < 0).all()
    assert inside.any() and (~inside).any()


def test_slope_is_minus_the_derivative():
    """The slope equals automatic differentiation within the range of freezing and outside."""
    temperature = torch.linspace(FREEZING_END - 2, FREEZING_START + 2, 42, dtype=torch.float64).requires_grad_()
    (derivative,) = torch.autograd.grad(frozen_fraction(temperature).sum(), temperature)
    torch.testing.assert_close(frozen_slope(temperature.detach()), -derivative, rtol=1e-12, atol=1e-12)
    assert derivative.abs().max() > 0.5


def test_soil_of_a_type_is_that_of_the_table():
    """Types (batch, point) give every parameter (batch, point, 1) of the table, with capacity and wilting point."""
    names = ("alpha", "exponent", "saturated", "residual", "conductivity", "mualem")
    for kind in range(1, 8):
        capacity, wilting, _ = soil_types.soil_parameters(np.array(kind))
        expected = {name: getattr(soil_types, name.upper())[kind] for name in names}
        expected |= {"capacity": float(capacity), "wilting": float(wilting)}
        ground = soil_of(torch.full((2, 3), kind), soil_table(torch.float64))._asdict()
        assert {v.shape for v in ground.values()} == {(2, 3, 1)}
        assert {k: v[0, 0].item() for k, v in ground.items()} == pytest.approx(expected, rel=1e-14)


def test_unknown_soil_type_becomes_the_nearest():
    """Water and unknown types count as the nearest soil; rounding of a normalised type is harmless."""
    for kind, nearest in ((0, 1), (-3, 1), (9, 7), (2.9999, 3), (3.0001, 3)):
        for got, expected in zip(case.soil([float(kind)]), case.soil([nearest]), strict=True):
            assert torch.equal(got, expected), kind
