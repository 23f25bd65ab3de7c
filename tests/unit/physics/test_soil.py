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


@pytest.mark.parametrize(
    ("temperature", "fraction"),
    [(200.0, 1.0), (FREEZING_END, 1.0), (MIDDLE, 0.5), (FREEZING_START, 0.0), (320.0, 0.0)],
)
def test_water_freezes_between_two_temperatures(temperature, fraction):
    """All water is frozen at the lower bound, none at the upper bound, half in the middle."""
    torch.testing.assert_close(frozen_fraction(kelvin(temperature)), kelvin(fraction), rtol=0.0, atol=1e-12)


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


@pytest.mark.parametrize("kind", range(1, 8))
def test_soil_of_a_type_is_that_of_the_table(kind):
    """The table holds every parameter of every type, with field capacity and wilting point."""
    capacity, wilting, _ = soil_types.soil_parameters(np.array(kind))
    expected = {
        "alpha": soil_types.ALPHA[kind],
        "exponent": soil_types.EXPONENT[kind],
        "saturated": soil_types.SATURATED[kind],
        "residual": soil_types.RESIDUAL[kind],
        "conductivity": soil_types.CONDUCTIVITY[kind],
        "mualem": soil_types.MUALEM[kind],
        "capacity": float(capacity),
        "wilting": float(wilting),
    }
    assert {k: v.item() for k, v in case.soil([kind])._asdict().items()} == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("kind", "nearest"), [(0, 1), (-3, 1), (9, 7), (2.9999, 3), (3.0001, 3)])
def test_what_is_no_soil_is_the_nearest_soil(kind, nearest):
    """Water and unknown types count as the nearest soil; rounding of a normalised type is harmless."""
    for got, expected in zip(case.soil([float(kind)]), case.soil([nearest]), strict=True):
        assert torch.equal(got, expected)


def test_constants_go_with_layers():
    """Types (batch, point) give parameters (batch, point, 1) in the precision of the table."""
    ground = soil_of(torch.full((2, 3), 4.0), soil_table(torch.float32))
    assert {(v.shape, v.dtype) for v in ground} == {((2, 3, 1), torch.float32)}
