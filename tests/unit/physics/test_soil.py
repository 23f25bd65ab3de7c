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
    LATENT_HEAT_FUSION,
    SOIL_LAYER_THICKNESS,
    STEP_SECONDS,
    WATER_DENSITY,
)
from anemoi_ailand.physics import soil_types
from anemoi_ailand.physics.bounds import clamp, limits
from anemoi_ailand.physics.layers import join_layers, solve_tridiagonal, stack_layers
from anemoi_ailand.physics.soil import frozen_fraction, frozen_slope, soil_of, soil_table
from anemoi_ailand.physics.soil_heat import (
    heat_capacity,
    heat_conductivity,
    heat_step,
    layer_conductance,
    mean_heat_capacity,
)
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


DEPTH = torch.tensor(SOIL_LAYER_THICKNESS, dtype=torch.float64)


def column(land):
    """Temperature, conductance and capacity of the layers below the first."""
    conductance = layer_conductance(heat_conductivity(land.theta, land.temperature, land.soil))
    capacity = heat_capacity(land.temperature[..., 1:], land.vegetation.unsqueeze(-1), land.soil) * DEPTH[1:]
    return land.temperature[..., 1:], conductance, capacity


def test_heat_is_only_moved():
    """The layers gain exactly the inflow from the first; no heat passes the bottom."""
    land = case.land(200)
    before, conductance, capacity = column(land)
    top = land.temperature[..., 0]
    after = heat_step(before, top, conductance, capacity)
    gain = (capacity * (after - before)).sum(-1)
    inflow = STEP_SECONDS * conductance[..., 0] * (top - 0.5 * (before + after)[..., 0])
    assert gain.abs().min() > 1.0
    torch.testing.assert_close(gain, inflow, rtol=1e-9, atol=1e-3)  # J m-2, of a store of 1e9


def test_step_is_that_of_many_short_ones():
    """One implicit step equals 5000 explicit steps to 3 % of the largest change."""
    land = case.land(20)
    before, conductance, capacity = column(land)
    top = land.temperature[..., 0]
    fine, dt = before.clone(), STEP_SECONDS / 5000
    for _ in range(5000):
        flow = conductance * (torch.cat([top.unsqueeze(-1), fine[..., :-1]], -1) - fine)
        fine = fine + dt * (flow - torch.nn.functional.pad(flow[..., 1:], (0, 1))) / capacity
    change = heat_step(before, top, conductance, capacity) - before
    assert (change - (fine - before)).abs().max() < 0.03 * change.abs().max()


def test_warmth_from_above_fades_with_depth():
    """A warm first layer warms all layers below it, each less than the one above it."""
    land = case.land(50)
    _, conductance, capacity = column(land)
    before = torch.full((50, 3), 285.0, dtype=torch.float64)
    warmed = heat_step(before, before[..., 0] + 10.0, conductance, capacity) - before
    assert (warmed > 0).all() and (warmed.diff(dim=-1) < 0).all()


@pytest.mark.parametrize("kind", range(1, 8))
def test_conductivity_grows_with_water_and_ice(kind):
    """Conductivity increases with water, and ice conducts more than water."""
    ground = case.soil([kind] * 50)
    theta = torch.linspace(0.0, 1.0, 50, dtype=torch.float64).unsqueeze(-1) * ground.saturated
    thawed = heat_conductivity(theta, torch.full_like(theta, 290.0), ground).squeeze(-1)
    frozen = heat_conductivity(theta, torch.full_like(theta, 260.0), ground).squeeze(-1)
    wet = theta.squeeze(-1) > 0.1 * ground.saturated.squeeze(-1)  # below, Kersten's number is zero
    assert (thawed[wet].diff() > 0).all() and (frozen[wet] > thawed[wet]).all()
    assert (thawed[~wet] == thawed[0]).all() and 0.05 < thawed[0] < thawed[-1] < 2.5


def test_capacity_holds_the_heat_of_freezing():
    """Capacity rises in the range of freezing, in vegetated soil only."""
    ground = case.soil([2, 2, 2])
    temperature = torch.tensor([[FREEZING_END - 0.1], [FREEZING_END + 1.0], [FREEZING_START + 0.1]]).double()
    one = torch.ones(3, 1, dtype=torch.float64)
    frozen, freezing, thawed = heat_capacity(temperature, one, ground).squeeze(-1)
    assert frozen == thawed and freezing > 10 * thawed
    assert len(heat_capacity(temperature, 0 * one, ground).unique()) == 1


def test_heat_of_freezing_is_all_there():
    """Over the range of freezing the capacity adds exactly L rho theta_c."""
    ground = case.soil([3])
    temperature = torch.linspace(FREEZING_END, FREEZING_START, 4001, dtype=torch.float64).unsqueeze(-1)
    one = torch.ones_like(temperature)
    extra = heat_capacity(temperature, one, ground) - heat_capacity(temperature, 0 * one, ground)
    held = torch.trapezoid(extra, temperature, dim=0)
    expected = LATENT_HEAT_FUSION * WATER_DENSITY * ground.capacity.item()
    torch.testing.assert_close(held.item(), expected, rtol=1e-6, atol=0.0)


def test_conductance_by_hand():
    """Conductance is the mean conductivity over the distance of the layer centres."""
    conductance = layer_conductance(torch.tensor([1.0, 2.0, 2.0, 3.0], dtype=torch.float64))
    expected = [1.5 / (0.5 * (0.07 + 0.21)), 2.0 / (0.5 * (0.21 + 0.72)), 2.5 / (0.5 * (0.72 + 1.89))]
    torch.testing.assert_close(conductance, torch.tensor(expected, dtype=torch.float64))


def test_deep_soil_warms_as_in_ecland():
    """The change of stl4 in ecLand over 6 h follows from diffusion to 2 % of its standard deviation."""

    def read(name, field):
        with netCDF4.Dataset(folder("sample") / name) as ds:
            return torch.from_numpy(np.asarray(ds[field][:], dtype=np.float64))

    def layers(field):
        return torch.stack([read("ecland_2021.nc", f"{field}{k}") for k in range(1, 5)], dim=-1)

    ground = case.soil(read("static.nc", "clim_sotype"))
    low, high = (read("static.nc", f"clim_cv{x}") * read("static.nc", f"clim_veg_cov{x}") for x in "lh")
    temperature, theta = layers("stl"), layers("swvl")
    conductance = layer_conductance(heat_conductivity(theta, temperature, ground))[..., 2]
    flux = conductance * (temperature[..., 2] - temperature[..., 3])
    capacity = DEPTH[3] * heat_capacity(temperature, (low + high).unsqueeze(-1), ground)[..., 3]
    change = temperature[..., 3].diff(dim=0)
    error = STEP_SECONDS * (flux[1:] + flux[:-1]) / (capacity[1:] + capacity[:-1]) - change  # mean of both ends
    assert change.std() > 5e-3
    assert error.square().mean().sqrt() < 0.02 * change.std()


def test_heat_of_freezing_over_a_step_is_that_of_its_two_ends():
    """Mean capacity times change equals sensible heat plus heat of freezing."""
    land = case.land(300, temperature=torch.linspace(271.0, 275.5, 1200, dtype=torch.float64).reshape(300, 4))
    vegetation, before = land.vegetation.unsqueeze(-1), land.temperature
    after = before + torch.linspace(-3.0, 3.0, 300, dtype=torch.float64).unsqueeze(-1)
    capacity = mean_heat_capacity(before, after, vegetation, land.soil)
    frozen = frozen_fraction(after) - frozen_fraction(before)
    warm = heat_capacity(torch.full_like(before, 290.0), vegetation, land.soil)
    latent = LATENT_HEAT_FUSION * WATER_DENSITY * vegetation * land.soil.capacity * frozen
    expected = warm * (after - before) - latent
    torch.testing.assert_close(capacity * (after - before), expected, rtol=1e-3, atol=1.0)  # near ones: by the slope
    far = (after - before).abs() > 0.05
    torch.testing.assert_close((capacity * (after - before))[far], expected[far], rtol=1e-9, atol=1e-3)
    here = mean_heat_capacity(before, before, vegetation, land.soil)
    torch.testing.assert_close(here, heat_capacity(before, vegetation, land.soil))


def test_freezing_within_a_step_follows_steps_of_half_an_hour():
    """Two corrections come closer to twelve short steps than the initial capacity alone."""
    land = case.land(400, temperature=torch.full((400, 4), 273.9, dtype=torch.float64))
    top = torch.linspace(255.0, 273.0, 400, dtype=torch.float64)
    before, conductance, local = column(land)
    vegetation = land.vegetation.unsqueeze(-1)
    guess = heat_step(before, top, conductance, local)
    corrected = heat_step(
        before, top, conductance, mean_heat_capacity(before, guess, vegetation, land.soil) * DEPTH[1:]
    )
    short = before
    for _ in range(12):
        capacity = heat_capacity(short, vegetation, land.soil) * DEPTH[1:]
        short = heat_step(short, top, conductance / 12.0, capacity)
    error = (corrected - short)[:, 0].square().mean().sqrt()
    assert error < 0.6 * (guess - short)[:, 0].square().mean().sqrt() and error > 0
