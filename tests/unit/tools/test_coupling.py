# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Stand-in atmosphere of the page on the coupling: forced is coupled, budget, signs, depth of the layer."""

import numpy as np
import pytest
import torch
import xarray as xr

import anemoi_ailand as ail
from tools.results import coupling_runs as runs
from tools.results.air_departures import DEEP, SHALLOW, Air, Layer, _limited, advance, fluxes, layers
from tools.results.coupling import strength, strength_table


@pytest.fixture(scope="module")
def stepper():
    return ail.load("ailand", execution="plain", plausibility="off", threads=1)


@pytest.fixture(scope="module")
def data():
    return ail.open_data("$AILAND_SAMPLE").to_xarray(("2021-07-01T00", "2021-07-02T12")).isel(point=slice(0, None, 4))


@pytest.fixture(scope="module")
def alone(stepper, data):
    return list(runs.uncoupled(stepper, data, ("none", "dry")))


@pytest.fixture(scope="module")
def reference(data, alone):
    return torch.stack([fluxes(land)[: data.sizes["point"]] for land in alone])


def coupled(stepper, data, reference, *experiments):
    return list(runs.coupled(stepper, data, reference, [runs.Experiment(*e) for e in experiments]))


def test_without_a_change_coupled_is_forced_to_the_last_bit(stepper, data, alone, reference):
    """Without a perturbation there are no departures, and with tau 0 none remain: the land is the forced one."""
    n = data.sizes["point"]
    steps = coupled(stepper, data, reference, ("none", 1.0), ("dry", 0.0))
    for done, land in zip(steps, alone, strict=True):
        assert not done.air.departure.any()
        assert done.land.columns.equal(land.columns)
        assert done.land.diagnostics.equal(land.diagnostics)
    assert not alone[-1].columns[:n].equal(alone[-1].columns[n:])


def test_dried_soil_warms_and_dries_the_air_within_a_closed_budget(stepper, data, reference):
    """Drier soil heats the air and moistens it less; each change is the sum of the terms of its budget."""
    steps = coupled(stepper, data, reference, ("dry", 1.0))
    before = torch.zeros_like(steps[0].air.departure)
    for done in steps:
        terms = done.surface + done.nudged + done.entrained + done.limited + done.unsolved
        torch.testing.assert_close(terms, done.air.departure - before, rtol=1e-9, atol=1e-12)
        before = done.air.departure
    warmer, moister = before.unbind(-1)
    assert warmer.median() > 0.05
    assert moister.median() < 0.0
    assert torch.stack([s.unsolved[:, 0].abs() for s in steps]).quantile(0.95) < 0.05


def test_a_longer_time_of_return_leaves_larger_departures(stepper, data, reference):
    """The mean size of the departures grows with tau."""
    steps = coupled(stepper, data, reference, ("dry", 0.25), ("dry", 1.0), ("dry", 3.0))
    sizes = steps[-1].air.departure[:, 0].abs().unflatten(0, (3, -1)).mean(1)
    assert sizes[0] < sizes[1] < sizes[2]


def test_depth_of_the_mixed_layer():
    """It grows by encroachment while the ground heats the air, and is shallow without growth at night."""
    heat = torch.tensor([[200.0], [100.0], [-30.0], [1e6]], dtype=torch.float64)
    first, second, night, most = layers(heat)
    top = np.sqrt(SHALLOW**2 + 2.0 * 1.4 * 200.0 * 21600.0 / (1.2 * 1004.0 * 5.0e-3))
    assert float(first.growth) == pytest.approx(top - SHALLOW)
    assert float(first.depth) == pytest.approx((top + SHALLOW) / 2.0)
    assert 0.0 < float(second.growth) < float(first.growth)
    assert (float(night.depth), float(night.growth)) == (SHALLOW, 0.0)
    assert float(most.growth) == DEEP - SHALLOW


def test_humidity_stays_below_saturation_and_positive():
    """Departures of humidity are cut at saturation and at dry air; those of saturated weather are zero at most."""
    forcing = {"avg_t": torch.tensor([290.0, 290.0, 290.0]), "avg_sp": torch.full((3,), 1e5),
               "avg_q": torch.tensor([0.010, 0.004, 0.013])}  # fmt: skip
    given = torch.tensor([[0.0, 0.01], [0.0, -0.01], [0.0, 0.001]], dtype=torch.float64)
    wet, dry, saturated = _limited(given, forcing)[:, 1].tolist()
    assert 0.0 < wet < 0.01
    assert dry == pytest.approx(-0.004 + 1e-5, rel=1e-5)
    assert saturated == 0.0


def test_entrained_air_dilutes_humidity_only(stepper, data, reference):
    """A growing layer mixes in air above, with the humidity that was left there."""
    n = data.sizes["point"]
    land = stepper.initial(data.isel(time=slice(0, 1)))
    forcing = next(runs.forcings(stepper, data))
    moist = Air(torch.tensor([[0.0, 1e-3]]).double().repeat(n, 1), torch.zeros(n).double())
    tau = torch.full((n,), 86400.0).double()
    deep = torch.full((n,), 1000.0).double()
    still, growing = (
        advance(stepper, land, moist, forcing, reference[0], Layer(deep, growth), tau)
        for growth in (torch.zeros(n).double(), torch.full((n,), 800.0).double())
    )
    change = growing.air.departure[:, 1] - still.air.departure[:, 1]
    assert (change < 1e-5).all()  # zero to the tolerance of the step where saturation limits both
    assert change.median() < -1e-4
    assert not still.entrained.any()
    assert not growing.entrained[:, 0].any()


def test_responses_of_the_energy_balance(stepper, data):
    """Warmer air cools the ground's heat flux, moister air warms the ground, and sun heats everything."""
    land = stepper.initial(data.isel(time=slice(0, 1)))
    for forcing in list(runs.forcings(stepper, data))[:2]:
        land = stepper.step(land, forcing)
    air, humidity, sun = runs.expected(land, forcing).unbind(1)
    assert (air[:, 0] < 0.0).all() and (air[:, 2] > 0.0).all() and (air[:, 2] < 1.0).all()
    assert (humidity[:, 1] <= 0.0).all() and (humidity[:, 0] >= 0.0).all()
    assert (sun >= 0.0).all()


def test_strength_of_the_coupling():
    """The index is the change of evaporation with one standard deviation of soil moisture; snow is left out."""
    soil = np.random.default_rng(0).normal(0.25, 0.02, (90, 3))
    fields = {"swvl1": soil, "slhf": -600.0 * soil, "sd": np.array([0.0, 0.0, 5.0]) + 0.0 * soil}
    fields["slhf"][:, 1] = 40.0 * soil[:, 1]
    found = xr.Dataset(
        {n: (("day", "experiment", "point"), v[:, None]) for n, v in fields.items()},
        coords={"experiment": ["none"], "climate": ("point", ["steppe", "rainforest", "boreal"])},
    )
    spread = soil.std(0)
    np.testing.assert_allclose(strength(found), [600.0 * spread[0], -40.0 * spread[1], np.nan])
    lines = strength_table({"summer": found}).splitlines()
    assert lines[2:4] == ["| boreal | - |", f"| rainforest | {-40.0 * spread[1]:+.1f} (1) |"]


def test_changes_of_the_initial_state(stepper, data):
    """Dry soil is never wetter than before, wet soil never drier, and snow is gone."""
    land = stepper.initial(data.isel(time=slice(0, 1)))
    for k in range(1, 5):
        assert (runs.changed(land, "dry")[f"swvl{k}"] <= land[f"swvl{k}"]).all()
        assert (runs.changed(land, "wet")[f"swvl{k}"] >= land[f"swvl{k}"]).all()
    assert not runs.changed(land, "no snow")["sd"].any()
    assert runs.changed(land, "none") is land
