# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Heat of the soil: it is only moved, the heat of freezing is all there, and warmer above is warmer below."""

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
from anemoi_ailand.physics.soil import frozen_fraction
from anemoi_ailand.physics.soil_heat import (
    diffuse,
    heat_capacity,
    heat_conductivity,
    heat_content,
    heat_step,
    layer_conductance,
    mean_heat_capacity,
    temperature_of,
)
from anemoi_ailand.support.packaged import folder
from tests.support import columns as case

MIDDLE = 0.5 * (FREEZING_START + FREEZING_END)
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


def near_freezing(n):
    """Random columns within a few K of freezing, the mean of their first layer over a step, and their conductances."""
    rng = torch.Generator().manual_seed(0)
    around = MIDDLE + 2.0 * torch.randn(n, 1, generator=rng, dtype=torch.float64)
    land = case.land(n, temperature=around + 1.5 * torch.randn(n, 4, generator=rng, dtype=torch.float64))
    top = land.temperature[..., 0] + 3.0 * torch.randn(n, generator=rng, dtype=torch.float64)
    return land, top, column(land)[1]


def heated(land, top, conductance):
    """Temperature of the layers below the first after a step."""
    return diffuse(land.temperature[..., 1:], top, conductance, land.vegetation.unsqueeze(-1), land.soil)


@pytest.mark.parametrize(("precision", "within", "slopes"), [(torch.float64, 1e-9, 1e-4), (torch.float32, 2e-4, 1e-3)])
def test_temperature_of_a_content(precision, within, slopes):
    """The temperature of a content is that whose content it is; its derivative is one over the heat capacity."""
    land = case.land(3000)
    ground = type(land.soil)(*(v.to(precision) for v in land.soil))
    vegetation = land.vegetation.unsqueeze(-1).to(precision)
    temperature = torch.linspace(FREEZING_END - 3, FREEZING_START + 3, 3000, dtype=precision).unsqueeze(-1)
    content = heat_content(temperature, vegetation, ground).requires_grad_()
    found = temperature_of(content, vegetation, ground)
    assert (found - temperature).abs().max() < within
    (slope,) = torch.autograd.grad(found.sum(), content)
    torch.testing.assert_close(slope, 1.0 / heat_capacity(temperature, vegetation, ground), rtol=slopes, atol=0.0)


def test_freezing_soil_follows_short_steps():
    """Columns near freezing are after a step where a thousand short ones take them, to .04 K, and warm from above."""
    land, top, conductance = near_freezing(1000)
    after, vegetation, short = heated(land, top, conductance), land.vegetation.unsqueeze(-1), land.temperature[..., 1:]
    before, many = short, 1000
    for _ in range(many):
        short = heat_step(short, top, conductance / many, heat_capacity(short, vegetation, land.soil) * DEPTH[1:])
    error = (after - short).square().mean(0).sqrt()
    assert error[0] < 0.04 and (error < 0.06 * (short - before).square().mean(0).sqrt()).all()


def test_freezing_soil_stores_what_flows_in():
    """The heat stored near freezing is that which flowed in, to 5 W m-2, in columns that take up hundreds."""
    land, top, conductance = near_freezing(4000)
    before, after, vegetation = land.temperature[..., 1:], heated(land, top, conductance), land.vegetation.unsqueeze(-1)
    content = [heat_content(t, vegetation, land.soil) for t in (before, after)]
    stored = (DEPTH[1:] * (content[1] - content[0])).sum(-1) / STEP_SECONDS
    inflow = conductance[..., 0] * (top - 0.5 * (before + after)[..., 0])
    assert stored.abs().max() > 100.0
    assert (stored - inflow).abs().max() < 5.0 and (stored - inflow).square().mean().sqrt() < 0.3


@pytest.mark.parametrize("warmer", [0.001, 0.1, 1.0])
def test_warmer_above_is_warmer_below_while_water_freezes(warmer):
    """A warmer first layer leaves no layer colder, to a ten-thousandth of the warming."""
    land, top, conductance = near_freezing(4000)
    change = heated(land, top + warmer, conductance) - heated(land, top, conductance)
    assert change.min() > -1e-4 * warmer and change[:, 0].max() > 0.1 * warmer


def test_soil_in_balance_keeps_its_temperature():
    """Without a gradient nothing changes in a thousand steps, nor does ice melt."""
    land, _, conductance = near_freezing(500)
    even = land.temperature[..., :1].expand(-1, 3)
    after = even
    for _ in range(1000):
        after = diffuse(after, even[:, 0], conductance, land.vegetation.unsqueeze(-1), land.soil)
    torch.testing.assert_close(after, even, rtol=0.0, atol=1e-8)
