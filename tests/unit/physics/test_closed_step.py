# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Water is closed, heat below the first layer only moved, whatever the network says."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS, STEP_SECONDS
from anemoi_ailand.physics import former_step
from anemoi_ailand.physics.bounds import limits
from anemoi_ailand.physics.closed_step import (
    CONTROLS,
    FLUXES,
    N_CONTROLS,
    SNOW_STATE,
    STATE,
    Land,
    Weather,
    above_ground,
    closed_step,
    drying_power,
    snow_conductance,
    split_controls,
    water_results,
)
from anemoi_ailand.physics.snow import snow_cover
from anemoi_ailand.physics.soil_heat import heat_capacity
from anemoi_ailand.physics.soil_water import move_water
from tests.support import columns as case

LANDS = {"random": lambda dtype=torch.float64: case.land(700, dtype=dtype), "corners": case.corners}
SCALES = [0.0, 1.0, 5.0]


def said(columns, scale=0.0, **controls):
    """Outputs of the network with some controls set by name."""
    outputs = case.outputs(columns, scale)
    for name, value in controls.items():
        outputs[..., positions(name)] = value
    return outputs


def positions(name):
    """Slice of the outputs of a control."""
    return split_controls(torch.arange(N_CONTROLS))[name].reshape(-1)


@pytest.fixture(params=LANDS, name="make")
def _make(request):
    return LANDS[request.param]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-3)])
def test_water_is_closed(make, scale, dtype, tolerance):
    """Precipitation equals change of storage, evaporation and runoff to rounding."""
    land = make(dtype)
    for seed in range(5):
        after = closed_step(land, case.outputs(land, scale, seed))
        assert case.residual(land, after).abs().max() < tolerance


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.data())
def test_water_is_closed_for_anything(data):
    """No adversarial column or output of the network breaks the balance."""
    share, number = st.floats(0.0, 1.0), st.floats(-30.0, 30.0)
    ground = case.soil([data.draw(st.integers(1, 7))])

    def draw(low, high):
        return torch.tensor([data.draw(st.floats(low, high))], dtype=torch.float64)

    land = Land(
        theta=ground.saturated * torch.tensor([[data.draw(share) for _ in range(4)]], dtype=torch.float64),
        temperature=torch.tensor([[data.draw(st.floats(200.0, 330.0)) for _ in range(4)]], dtype=torch.float64),
        snowc=draw(0.0, 1.0), sd=draw(0.0, 1e3), rsn=draw(50.0, 500.0), src=draw(0.0, 5.0), rain=draw(0.0, 500.0),
        snowfall=draw(0.0, 500.0), soil=ground, cover=torch.stack([draw(0.0, 0.5), draw(0.0, 0.5)], -1),
        roots=case.roots(1), capacity_exponent=draw(0.01, 0.5), urban=draw(0.0, 1.0), tsn=draw(180.0, 273.16),
        slw=draw(0.0, 50.0), asn=draw(0.5, 0.85),
    )  # fmt: skip
    after = closed_step(land, torch.tensor([[data.draw(number) for _ in range(N_CONTROLS)]], dtype=torch.float64))
    assert case.residual(land, after).abs().max() < 1e-9
    assert case.layers(after).min() >= 0 and (case.layers(after) <= ground.saturated + 1e-12).all()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_state_and_fluxes_stay_within_their_bounds(make, scale, dtype):
    """No store is below zero, no layer above saturation, and nothing beyond the table, except by rounding."""
    land = make(dtype)
    after = closed_step(land, case.outputs(land, scale))
    assert min(after[name].min() for name in ("swvl1", "swvl2", "swvl3", "swvl4", "sd", "src")) >= 0
    assert (case.layers(after) <= land.soil.saturated + 3e-7).all()
    if dtype == torch.float64:
        for name in ("snowc", "sd", "rsn", "src", *SNOW_STATE, *FLUXES):
            (low,), (high,) = limits([name])
            assert after[name].min() >= low - 1e-20 and after[name].max() <= high, name


def test_a_long_roll_out_loses_no_water():
    """After 200 steps of random outputs, many with snow on frozen ground, the storage is the first plus all fluxes."""
    first = land = case.land(14)
    total, icy = torch.zeros(14, dtype=torch.float64), 0
    for step in range(200):
        after = closed_step(land, case.outputs(land, 1.0, seed=step))
        total += case.residual(land, after)
        icy += ((after["sd"] > 1.0) & (after["stl1"] < 272.16)).sum().item()
        land = land._replace(
            theta=case.layers(after), temperature=case.layers(after, "stl").clamp(230.0, 320.0),
            **{name: after[name] for name in ("snowc", "sd", "rsn", "src", *SNOW_STATE)},
        )  # fmt: skip
    assert total.abs().max() < 1e-8 and icy > 100
    assert (land.theta >= 0).all() and (land.theta <= first.soil.saturated + 1e-12).all()
    assert (land.theta - first.theta).abs().max() > 0.05


@pytest.mark.parametrize("scale", SCALES)
def test_heat_below_the_first_layer_is_only_moved(scale):
    """Deeper layers in equilibrium with the mean of the first keep their heat."""
    land = case.land(100)
    land = land._replace(temperature=torch.full_like(land.temperature, 285.0), snowc=torch.zeros_like(land.snowc))
    after = closed_step(land, said(land, scale, top_heating=0.0, top_mean=0.0))
    torch.testing.assert_close(case.layers(after, "stl"), land.temperature, rtol=0.0, atol=1e-10)


def test_heat_factor_changes_what_enters_not_what_is_kept():
    """The network's factor changes the heat flux from the first layer only."""
    land = case.land(60, temperature=torch.tensor([290.0, 285.0, 280.0, 275.0]).double().repeat(60, 1))
    weak, strong = (closed_step(land, said(land, heat=v)) for v in (-3.0, 3.0))
    assert (strong["stl2"] > weak["stl2"]).all()
    depth = torch.tensor(SOIL_LAYER_THICKNESS[1:], dtype=torch.float64)
    capacity = depth * heat_capacity(land.temperature[:, 1:], land.vegetation.unsqueeze(-1), land.soil)
    gain = [(capacity * (case.layers(a, "stl")[:, 1:] - land.temperature[:, 1:])).sum(-1) for a in (weak, strong)]
    assert (gain[1] > gain[0]).all() and (gain[0] > 0).all()


def test_first_layer_warms_as_predicted():
    """One unit of output heats bare ground by the table's increment scale of stl1, 5.85 K, and covered ground less."""
    land = case.land(20)
    still, after = (closed_step(land, said(land, 1.0, top_heating=h))["stl1"] for h in (0.0, 0.5))
    warmed, bare = after - still, land.sd == 0.0
    torch.testing.assert_close(after[bare] - land.temperature[bare, 0], torch.full_like(warmed[bare], 2.925))
    deep = (land.sd / land.rsn > 0.5) & (land.snowc > 0.9)
    assert (warmed[~bare] < 2.925).all() and bare.any() and (warmed > 0.0).all() and (warmed[deep] < 0.8).all()


@pytest.mark.parametrize("around", [250.0, 272.9, 280.0])
def test_first_layer_lies_between_deep_snow_and_the_second_layer(around):
    """It tends to the second layer where the snow conducts little, to the snow where it does, and not beyond."""
    n = 30
    land = case.land(n, temperature=(around + torch.tensor([0.0, 4.0, 5.0, 5.0])).double().repeat(n, 1))
    whole = torch.ones(n, dtype=torch.float64)
    land = land._replace(
        sd=400.0 * whole, rsn=200.0 * whole, snowc=whole, tsn=(around - 8.0) * whole, snowfall=0 * whole, rain=0 * whole
    )
    quiet = {"top_heating": 0.0, "top_mean": 0.0, "heat": 0.0, "sublimation": 0.0, "melt": -30.0, "snow_heating": 0.0}
    weak, usual, strong = (closed_step(land, said(land, basal=b, **quiet))["stl1"] for b in (-3.0, 0.0, 3.0))
    assert (strong < usual).all() and (usual < weak).all() and (weak < around + 4.0).all()
    assert (strong > closed_step(land, said(land, basal=3.0, **quiet))["tsn"] - 1e-9).all()


def test_dense_and_shallow_snow_conduct_better():
    """Conductance grows with density but in networks trained before, falls with depth, and has the network's factor."""
    land = case.land(200)
    deep = land._replace(sd=400.0 + land.sd, rsn=torch.full_like(land.rsn, 200.0))
    dense, deeper = (deep._replace(**{n: 2.0 * getattr(deep, n) for n in names}) for names in (("sd", "rsn"), ("sd",)))
    zero = torch.zeros_like(land.sd)
    usual, more = snow_conductance(deep, zero), snow_conductance(dense, zero)
    torch.testing.assert_close(more / usual, torch.full_like(usual, 2.0**1.15))
    torch.testing.assert_close(snow_conductance(deeper, zero) / usual, torch.full_like(usual, 2.0**-0.87))
    torch.testing.assert_close(snow_conductance(deep, zero + 1.0), usual * math.e)
    before = (snow_conductance(v, zero, by_density=False) for v in (deep, dense))
    torch.testing.assert_close(*before)


def test_deeper_layers_feel_the_mean_of_the_first_over_the_step():
    """Half the change of the first layer heats the deeper layers; a mean lower by as much cancels it."""
    around = torch.linspace(262.0, 295.0, 50, dtype=torch.float64).unsqueeze(-1)
    land = case.land(50, temperature=around + torch.tensor([2.0, 1.0, 0.0, -1.0], dtype=torch.float64))
    heat, mean = CONTROLS["top_heating"][1], CONTROLS["top_mean"][1]
    calm, heated, undone = (closed_step(land, said(land, top_heating=h, top_mean=m))
                            for h, m in ((0.0, 0.0), (1.0, 0.0), (1.0, -0.5 * heat / mean)))  # fmt: skip
    assert (heated["stl2"] > calm["stl2"] + 1e-3).all()
    for name in ("stl2", "stl3", "stl4"):
        torch.testing.assert_close(undone[name], calm[name], rtol=0.0, atol=1e-10)


def test_points_do_not_mix():
    """Results are independent of the order, number and leading dimensions of columns, to rounding in float64."""
    land = case.land(200)
    outputs, order = case.outputs(land, 3.0), torch.randperm(200)[:50].reshape(2, 25)
    full, part = closed_step(land, outputs), closed_step(case.pick(land, order), outputs[order])
    assert tuple(part) == (*STATE, *FLUXES, *SNOW_STATE)
    for name, values in part.items():
        torch.testing.assert_close(values, full[name][order], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("scale", SCALES)
def test_gradients_are_finite(make, dtype, scale):
    """State and gradients are finite in dry, saturated, bare and frozen soil."""
    land = make(dtype)
    outputs = case.outputs(land, scale).requires_grad_()
    state = {k: getattr(land, k).clone().requires_grad_() for k in ("theta", "temperature", "sd", "rsn", "src")}
    after = closed_step(land._replace(**state), outputs)
    assert all(torch.isfinite(v).all() for v in after.values())
    sum(v.square().sum() for v in after.values()).backward()
    assert all(torch.isfinite(v.grad).all() for v in (outputs, *state.values()))


def test_every_output_matters():
    """Every output of the network changes the state or a flux somewhere."""
    land = case.land(200)
    land = land._replace(lake=0.1 * land.snowc)
    outputs = case.outputs(land).requires_grad_()
    sum((v / v.detach().abs().max()).square().sum() for v in closed_step(land, outputs).values()).backward()
    largest = outputs.grad.abs().amax(0)
    idle = [name for name in CONTROLS if not (largest[positions(name)] > 1e-9).all()]
    assert idle == ["lake_snow"]  # it changes net radiation, see test_closed_land


def test_frozen_soil_in_dry_weather_keeps_its_water():
    """Frozen soil without precipitation and evaporation keeps its water for any factors."""
    calm = case.land(70)
    nothing, n = torch.zeros(70, dtype=torch.float64), (70, 4)
    calm = calm._replace(
        temperature=torch.full(n, 260.0, dtype=torch.float64), sd=nothing, src=nothing, rain=nothing, snowfall=nothing
    )
    outputs = said(calm, 5.0, top_evaporation=0.0, sublimation=0.0, top_heating=0.0, top_mean=0.0)
    after = closed_step(calm, outputs)
    torch.testing.assert_close(case.layers(after), calm.theta, rtol=0.0, atol=1e-14)
    assert max(after[name].abs().max() for name in FLUXES) < 1e-15


def test_drainage_follows_the_soil():
    """An untrained network drains a column of any soil above field capacity, faster the wetter it is."""
    share = torch.linspace(0.2, 0.95, 20, dtype=torch.float64).unsqueeze(-1)
    nothing = torch.zeros(20, dtype=torch.float64)
    for kind in range(1, 8):
        ground = case.soil([kind] * 20)
        theta = (ground.capacity + share * (ground.saturated - ground.capacity)).expand(-1, 4)
        calm = case.land(20, temperature=torch.full((20, 4), 285.0, dtype=torch.float64))._replace(
            soil=ground, theta=theta, sd=nothing, rain=nothing, snowfall=nothing, src=nothing
        )
        drainage = STEP_SECONDS * closed_step(calm, said(calm))["ssro"]
        assert (drainage > 0).all() and (drainage.diff() > 0).all(), kind


def test_excess_of_deep_layers_is_sub_surface_runoff():
    """Rain on saturated ground runs off; water that full deep layers cannot hold drains."""
    ground, nothing = case.soil([4]), torch.zeros(1, dtype=torch.float64)
    wet = case.land(1, temperature=torch.full((1, 4), 285.0, dtype=torch.float64))._replace(
        soil=ground,
        theta=ground.saturated.expand(-1, 4),
        sd=nothing,
        snowfall=nothing,
        src=nothing,
        rain=nothing + 40.0,
    )
    dry = wet._replace(theta=torch.cat([0.5 * ground.saturated, wet.theta[:, 1:]], dim=-1), rain=nothing)
    outputs = said(wet, roots=-30.0, top_evaporation=0.0)
    flooded, drained = (closed_step(land, outputs) for land in (wet, dry))
    assert flooded["sro"] > 0 and drained["sro"] == 0
    conductivity = 1e3 * ground.conductivity.squeeze(-1)  # kg m-2 s-1
    for after in (flooded, drained):
        assert (after["ssro"] > 0.05 * conductivity).all() and (after["ssro"] < 1.3 * conductivity).all()


def test_lakes_evaporate_without_drying_the_soil():
    """One unit of output evaporates 1 kg m-2 of open water, in proportion to its cover; nothing else changes."""
    land = case.land(50, lake=torch.linspace(0.0, 1.0, 50, dtype=torch.float64))
    calm, windy = (closed_step(land, said(land, lake_evaporation=v)) for v in (0.0, 1.0))
    torch.testing.assert_close(STEP_SECONDS * (windy.pop("evap") - calm.pop("evap")), land.lake)
    assert all(torch.equal(v, calm[name]) for name, v in windy.items())


def test_errors_of_the_network_do_not_make_deep_cold_snow_dense():
    """An output that is wrong by the same in every step for half a year makes deep cold snow little denser."""
    none = torch.zeros(2).double()
    land = case.land(2)._replace(sd=none + 400.0, rsn=none + 300.0, snowc=none + 1.0, tsn=none + 258.0)
    land = land._replace(snowfall=none, rain=none, slw=none, temperature=torch.full((2, 4), 265.0).double())
    wrong = said(land, settling=0.0)
    wrong[1] += said(land, settling=0.05)[1] - wrong[1]
    started = land.rsn
    for _ in range(720):
        after = above_ground(land, wrong)[0]
        land = land._replace(rsn=after["rsn"])
    assert (land.rsn > started + 20.0).all()
    assert 0.0 < land.rsn[1] - land.rsn[0] < 20.0
    former = above_ground(land, wrong, snow_physics=0)[0]["rsn"] - land.rsn
    assert former[0] == pytest.approx(0.0, abs=1e-3) and former[1] == pytest.approx(0.05 * 7.05, rel=1e-3)


def test_soil_under_closed_snow_does_not_evaporate():
    """Closed snow evaporates instead of the first layer, but for patchy snow and a tenth under trees."""
    land = case.land(40)
    land = land._replace(cover=torch.zeros_like(land.cover))
    nothing = torch.zeros_like(land.sd)
    deep = land._replace(sd=nothing + 300.0, rsn=nothing + 300.0, snowc=nothing + 1.0)
    patchy = deep._replace(snowc=nothing + 0.5)
    trees = deep._replace(cover=land.cover + torch.tensor([0.0, 0.25]).double())
    bare = deep._replace(sd=nothing, snowc=nothing, snowfall=nothing)

    def lost(columns):
        dry, drying = (closed_step(columns, said(columns, top_evaporation=v)) for v in (0.0, 0.2))
        return [(drying["evap"] - dry["evap"]) * STEP_SECONDS, *(dry[n] - drying[n] for n in ("swvl1", "sd"))]

    for columns, soil, snow in ((deep, False, 1.0), (trees, True, 0.975), (patchy, True, 0.5**8), (bare, True, 0.0)):
        evaporated, swvl1, sd = lost(columns)
        torch.testing.assert_close(evaporated, nothing + 0.2 * CONTROLS["top_evaporation"][1])
        torch.testing.assert_close(sd, snow * evaporated, rtol=0.04, atol=1e-9)  # less ice holds less water
        assert bool(swvl1.max() > 1e-5) == soil and swvl1.min() > -1e-8  # the soil under snow feels its temperature


def test_deserts_evaporate_from_the_first_layer_with_water():
    """In dry hot air an empty first layer passes some grams from those below, less under plants; in moist air none."""
    land = case.land(
        3,
        temperature=torch.full((3, 4), 310.0).double(),
        sd=torch.zeros(3).double(),
        rain=torch.zeros(3).double(),
        snowfall=torch.zeros(3).double(),
        src=torch.zeros(3).double(),
        snowc=torch.zeros(3).double(),
        cover=torch.tensor([[0.0, 0.0], [0.4, 0.4], [0.0, 0.0]]).double(),
    )
    theta = land.soil.wilting.expand(-1, 4).clone()
    theta[:, 0] = 0.0
    humidity = torch.tensor([0.003, 0.003, 0.05]).double()
    weather = Weather(torch.full((3,), 310.0).double(), humidity, torch.full((3,), 1e5).double())
    calm = said(land, top_evaporation=0.0, roots=-40.0, interception_evaporation=-40.0, top_heating=0.0)
    after = closed_step(land._replace(theta=theta, weather=weather), calm)
    bare, plants, moist = (STEP_SECONDS * after["evap"]).tolist()
    assert bare == pytest.approx(float(drying_power(torch.tensor(310.0), Weather(*(v[0] for v in weather)))), rel=1e-6)
    assert 0.02 < bare < 0.06 and plants == pytest.approx(0.2 * bare) and moist == 0.0
    assert after["swvl2"][0] < after["swvl2"][2] and after["swvl1"][0] == 0.0


def test_dry_soil_gives_roots_nothing():
    """Roots take nothing at the wilting point or from ice."""
    land = case.land(70)
    wilted = land._replace(theta=land.soil.wilting.expand(-1, 4), temperature=torch.full((70, 4), 290.0).double())
    frozen = land._replace(theta=land.soil.saturated.expand(-1, 4), temperature=torch.full((70, 4), 260.0).double())
    moist = land._replace(theta=land.soil.capacity.expand(-1, 4), temperature=wilted.temperature)
    more = [closed_step(x, said(x, roots=5.0))["evap"] - closed_step(x, said(x))["evap"]
            for x in (wilted, frozen, moist)]  # fmt: skip
    assert more[0].abs().max() < 1e-15 and more[1].abs().max() < 1e-15 and more[2].min() > 1e-5


def test_snow_cover_is_that_of_mass_and_density(make):
    """Snow cover after the step follows from mass and density by ecLand's formula."""
    land = make()
    after = closed_step(land, case.outputs(land, 2.0))
    expected = torch.from_numpy(snow_cover(after["sd"].numpy(), after["rsn"].numpy()))
    torch.testing.assert_close(after["snowc"], expected, rtol=1e-12, atol=1e-15)
    assert (after["sd"] == 0).any() and (after["snowc"] == 1).any()


def test_rain_runs_off_saturated_frozen_ground():
    """Throughfall that neither soil nor snow can take runs off on the surface."""
    land = case.land(70, rain=torch.full((70,), 40.0, dtype=torch.float64))
    none = torch.zeros(70, dtype=torch.float64)
    land = land._replace(theta=land.soil.saturated.expand(-1, 4), sd=none, snowc=none, src=none, snowfall=none,
                         temperature=torch.full((70, 4), 260.0, dtype=torch.float64))  # fmt: skip
    after = closed_step(land, said(land, interception=0.0, interception_evaporation=-20.0))
    torch.testing.assert_close(STEP_SECONDS * after["sro"], land.rain, rtol=1e-6, atol=0.0)


def test_water_is_closed_in_the_step_of_networks_trained_before():
    """Whatever such a network says; and each of its outputs matters."""
    for land in (case.land(700), case.corners()):
        for scale in SCALES:
            g = torch.Generator().manual_seed(3)
            outputs = scale * torch.randn(len(land.sd), former_step.N_CONTROLS, generator=g, dtype=torch.float64)
            outputs.requires_grad_()
            after, ground = former_step.above_ground(land, outputs)
            after |= water_results(move_water(*ground))
            assert case.residual(land, after).abs().max() < 1e-9
    land = case.land(200)
    outputs = torch.zeros(200, former_step.N_CONTROLS, dtype=torch.float64, requires_grad=True)
    after, ground = former_step.above_ground(land, outputs)
    after |= water_results(move_water(*ground))
    sum((v / v.detach().abs().max()).square().sum() for v in after.values() if v.any()).backward()
    assert (outputs.grad.abs().amax(0) > 1e-9).all()


def test_rain_that_is_gathered_runs_off():
    """A shower fills the first layer and overflows where the same rain, spread over the step, enters the ground."""
    none = torch.zeros(7).double()
    land = case.land(7, temperature=torch.full((7, 4), 290.0).double(), rain=none + 25.0)
    land = land._replace(sd=none, snowc=none, snowfall=none, theta=land.soil.capacity.expand(-1, 4), urban=none)
    steady, gathered = (closed_step(land, said(land, concentration=v))["sro"] for v in (-4.0, 4.0))
    assert (gathered >= steady).all() and (gathered > steady + 1e-5).any()
    hours = torch.full((7, 6), 1.0 / 6.0).double()
    even = closed_step(land._replace(hourly=hours), said(land))["sro"]
    assert (even <= steady).all() and even.sum() > 0.8 * steady.sum()
