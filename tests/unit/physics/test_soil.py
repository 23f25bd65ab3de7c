# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The soil: types and their constants, frozen water, heat that is only moved; bounds and layers of arrays."""

import netCDF4
import numpy as np
import pytest
import torch

from anemoi_ailand.constants import (
    FREEZING_END,
    FREEZING_START,
)
from anemoi_ailand.physics import soil_types
from anemoi_ailand.physics.bounds import clamp, limits
from anemoi_ailand.physics.layers import join_layers, solve_tridiagonal, stack_layers
from anemoi_ailand.physics.soil import frozen_fraction, frozen_slope, soil_of, soil_table
from anemoi_ailand.physics.soil_types import soil_parameters, whole_types
from anemoi_ailand.physics.vegetation import vegetation_parameters
from anemoi_ailand.support.packaged import folder
from anemoi_ailand.variables import VARIABLES
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


@pytest.fixture
def static() -> dict[str, np.ndarray]:
    with netCDF4.Dataset(folder("sample") / "static.nc") as ds:
        return {n: np.asarray(v[:]) for n, v in ds.variables.items()}


def test_soil_is_that_of_ecland(static):
    """Van Genuchten's curve at 0.1 and 15 bar gives the values in ecLand's o_fix."""
    for values, name in zip(
        soil_parameters(static["clim_sotype"]), ("clim_theta_cap", "clim_theta_pwp", "theta_sat"), strict=True
    ):
        np.testing.assert_allclose(values, static[name], rtol=1e-6)


def test_soil_holds_less_the_drier():
    """Every soil has wilting point < field capacity < saturation."""
    cap, pwp, sat = soil_parameters(np.arange(1, 8))
    assert (pwp > 0).all() and (pwp < cap).all() and (cap < sat).all()


def test_every_type_has_every_parameter():
    """The tables have eight types, and no soil has the parameters of water."""
    for name in ("ALPHA", "EXPONENT", "SATURATED", "RESIDUAL", "CONDUCTIVITY", "MUALEM"):
        values = getattr(soil_types, name)
        assert len(values) == 8
        assert all(v not in (0.0, 1.0) for v in values[1:]), name


def test_types_are_whole_numbers():
    """Numbers of a file become indices of a table; an interpolated type is an error, never rounded."""
    index = whole_types(np.array([0.0, 3.0, 7.0], np.float32), 7, "soil")
    assert index.tolist() == [0, 3, 7] and index.dtype.kind == "i"
    for function in (vegetation_parameters, soil_parameters):
        for kind in (2.5, -1, 21, np.nan):
            with pytest.raises(ValueError, match="types are not whole numbers"):
                function(np.array([1.0, kind]))


def test_stacked_and_joined_layers_are_those_given():
    """Layers keep their order in the last dimension, and each is contiguous."""
    layers = [torch.randn(3, 5) for _ in range(4)]
    stacked, joined = stack_layers(layers), join_layers([stack_layers(layers[:3]), stack_layers(layers[3:])])
    for found in (stacked, joined):
        assert torch.equal(found, torch.stack(layers, dim=-1))
    for found in (stacked, 2.0 * joined):
        assert all(layer.is_contiguous() for layer in found.unbind(-1))


def system(n, shape=(5,), seed=0):
    """Off-diagonals, dominant diagonal and right-hand side of random systems."""
    g = torch.Generator().manual_seed(seed)
    lower, upper = (-torch.rand(*shape, n - 1, generator=g, dtype=torch.float64) for _ in range(2))
    diagonal = 2.1 + torch.rand(*shape, n, generator=g, dtype=torch.float64)
    return lower, diagonal, upper, torch.randn(*shape, n, generator=g, dtype=torch.float64)


def solved(*parts):
    """Solution (..., row) of the tridiagonal system with diagonals and right-hand side (..., row)."""
    return stack_layers(solve_tridiagonal(*(p.unbind(-1) for p in parts)))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 9])
def test_equals_the_dense_solution(n):
    """The solution equals that of torch.linalg.solve to rounding."""
    lower, diagonal, upper, rhs = system(n)
    matrix = torch.diag_embed(diagonal) + torch.diag_embed(lower, -1) + torch.diag_embed(upper, 1)
    torch.testing.assert_close(
        solved(lower, diagonal, upper, rhs), torch.linalg.solve(matrix, rhs), rtol=1e-12, atol=1e-13
    )


def test_points_are_independent_systems():
    """Batch dimensions are kept, and the solution is bitwise independent of other points."""
    parts = system(4, shape=(2, 3, 5))
    full = solved(*parts)
    assert full.shape == (2, 3, 5, 4)
    assert torch.equal(solved(*(p[1, :, 2:4] for p in parts)), full[1, :, 2:4])


@pytest.mark.parametrize("n", [2, 4])
def test_gradient_is_that_of_differences(n):
    """Gradients of all three diagonals and the right-hand side equal finite differences."""
    parts = [p.requires_grad_() for p in system(n, shape=(2,))]
    assert torch.autograd.gradcheck(solved, parts)


def test_stiff_system_keeps_its_digits():
    """In float32 an exchange of 1000 brings two layers to their mean."""
    strong = torch.tensor([[1e3]])
    solution = solved(-strong, 1.0 + strong.expand(1, 2), -strong, torch.tensor([[1.0, 3.0]]))
    torch.testing.assert_close(solution, torch.full((1, 2), 2.0), rtol=1e-3, atol=0.0)


def test_limits_are_those_of_the_table():
    """Bounds equal those of the table; open ones are infinite."""
    lower, upper = limits(list(VARIABLES))
    for low, high, row in zip(lower, upper, VARIABLES.values(), strict=True):
        assert low == (-np.inf if row.bounds[0] is None else row.bounds[0])
        assert high == (np.inf if row.bounds[1] is None else row.bounds[1])


@pytest.mark.parametrize("straight_through", [False, True])
def test_clamp_limits_values_and_gradient(straight_through):
    """Outside the bounds the value is the bound; the gradient is zero, or one in training."""
    x = torch.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    y = clamp(x, torch.zeros(3), torch.ones(3), straight_through=straight_through)
    assert y.tolist() == [0.0, 0.5, 1.0]
    y.sum().backward()
    assert x.grad.tolist() == ([1.0, 1.0, 1.0] if straight_through else [0.0, 1.0, 0.0])
