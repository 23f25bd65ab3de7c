# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The closed step in the units of Anemoi: columns by the table, contrasts as inputs of the network."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from anemoi_ailand.constants import ZERO_CELSIUS
from anemoi_ailand.model.closed_land import AT_END, AT_START, CATEGORIES, ClosedLand
from anemoi_ailand.model.columns import StepColumns
from anemoi_ailand.model.contrasts import N_CONTRASTS, N_REFLECTED, N_SNOW_AND_LAKE, Air, contrasts, snow_and_lake
from anemoi_ailand.physics import budgets
from anemoi_ailand.physics.closed_step import N_CONTROLS, STATE, split_controls
from anemoi_ailand.physics.soil import frozen_fraction
from anemoi_ailand.rollout.step.checkpoint import load_step
from tests.support import columns as case
from tests.support.land import BALANCED, CLOSED, FORMER, TOLD

#: Columns of the contrasts where the albedo is known.
TOLD_COLUMNS = N_CONTRASTS + N_REFLECTED

#: Rounding of normalised fields in float32, in standard deviations.
ROUNDING = 1e-5


def built(names=CLOSED.variables):
    """The closed land of a dataset with the variables given."""
    names = sorted(names)
    used = [n for n in names if n not in CLOSED.diagnostic]
    given = [n for n in names if n not in CLOSED.forcing]
    columns = StepColumns.from_names(
        {n: i for i, n in enumerate(used)},
        {n: i for i, n in enumerate(given)},
        diagnostic=[n for n in CLOSED.diagnostic if n in names],
        forcing=[n for n in CLOSED.forcing if n in names],
        categories=CATEGORIES,
    )
    factors = ({n: CLOSED.normalisation(n)[i] for n in names} for i in (0, 1))
    return ClosedLand(columns, {n: i for i, n in enumerate(used)}, *factors)


def before(columns, **changes):
    """The land that is rebuilt from normalised fields of ``columns``, and the further state."""
    index = {n: i for i, n in enumerate(n for n in CLOSED.variables if n not in CLOSED.diagnostic)}
    x = CLOSED.normalised({**case.fields(columns), **changes}, index)
    return built().before(x, x)


def test_land_survives_normalisation():
    """Every field of the land comes back in its unit, to the rounding of float32; soils exactly."""
    columns = case.land(70)
    rebuilt, _, _ = before(columns)
    sizes = {"theta": 0.12, "temperature": 14.0, "sd": 50.0, "rsn": 70.0, "rain": 2.0, "snowfall": 0.5, "tsn": 7.0}
    assert rebuilt.slw is None and rebuilt.asn is None and rebuilt.lake is None  # not in this dataset
    for name, expected in columns._replace(slw=None, asn=None, lake=None)._asdict().items():
        if expected is None:
            continue
        if name == "soil":
            assert all(torch.equal(a, b.float()) for a, b in zip(rebuilt.soil, expected, strict=True))
            continue
        error = (getattr(rebuilt, name).double() - expected).abs().max()
        assert error < ROUNDING * sizes.get(name, 1.0) * 10, name


def test_air_survives_normalisation():
    """Temperature of the start from the start slot, the rest of the air from the end slot."""
    columns = case.land(20)
    fields = case.fields(columns)
    index = {n: i for i, n in enumerate(n for n in CLOSED.variables if n not in CLOSED.diagnostic)}
    later = {**fields, "t": fields["t"] + 7.0}
    _, air, _ = built().before(CLOSED.normalised(fields, index), CLOSED.normalised(later, index))
    for got, name, expected in ((air.t_start, "t", fields["t"]), (air.t_end, "t", fields["t"] + 7.0),
                                (air.avg_t, "avg_t", fields["avg_t"]), (air.avg_q, "avg_q", fields["avg_q"]),
                                (air.avg_sp, "avg_sp", fields["avg_sp"])):  # fmt: skip
        torch.testing.assert_close(got.double(), expected, rtol=0.0, atol=10 * ROUNDING / CLOSED.normalisation(name)[0])


def test_rain_snow_and_vegetation_by_hand():
    """1 g m-2 s-1, a quarter of it snow, is 16.2 kg of rain and 5.4 of snow; vegetation is cover times density."""
    rate = torch.full((8,), 1e-3, dtype=torch.float64)
    parts = {"cvl": 0.5, "veg_cov_lv": 0.8, "cvh": 0.4, "veg_cov_hv": 0.5}
    plants = {n: torch.full((8,), v) for n, v in parts.items()}
    land, _, _ = before(case.land(8), avg_tprate=rate, avg_tsrwe=0.25 * rate, **plants)
    torch.testing.assert_close(land.vegetation, torch.full((8,), 0.6), rtol=1e-5, atol=0.0)
    torch.testing.assert_close(land.rain, torch.full((8,), 16.2), rtol=1e-4, atol=0.0)
    torch.testing.assert_close(land.snowfall, torch.full((8,), 5.4), rtol=1e-4, atol=0.0)


def test_values_out_of_bounds_are_clipped():
    """Negative training noise counts as zero water, rain and snow; snowfall above total precipitation as zero rain."""
    low = torch.full((8,), -0.1, dtype=torch.float64)
    names = ("swvl1", "sd", "src", "snowc", "cvl", "cvh")
    land, _, _ = before(case.land(8), **dict.fromkeys(names, low), avg_tprate=1e-4 * low, avg_tsrwe=1e-4 * low)
    for values in (land.theta[:, 0], land.sd, land.src, land.snowc, land.vegetation, land.rain, land.snowfall):
        assert (values == 0).all()
    land, _, _ = before(case.land(8), avg_tprate=torch.full((8,), 1e-4), avg_tsrwe=torch.full((8,), 2e-4))
    assert (land.rain == 0).all()


def test_fluxes_that_are_not_asked_for_are_not_given():
    """A dataset without runoff gets evaporation and melt water alone; without further state there is none."""
    closed = built([n for n in CLOSED.variables if n not in ("sro", "ssro", "tsn")])
    assert closed.given == (*STATE, "evap", "smlt") and closed.n_outputs == N_CONTROLS
    x = torch.zeros(3, len(CLOSED.variables))
    land, air, fields = closed.before(x, x)
    assert set(fields) == {*STATE, *AT_START} and land.tsn is None
    assert closed.after(land, air, fields, torch.zeros(3, N_CONTROLS), torch.zeros(3, 1))[1].shape == (3, 14)


def test_missing_variables_are_named():
    """Each variable of state and forcing is needed, and the error says what to do."""
    for names, role in ((STATE, "prognostic"), (sorted({*AT_START, *AT_END}), "forcing")):
        for name in names:
            with pytest.raises(ValueError, match=rf"'{name}'.* among the {role}.*step: increments"):
                built([n for n in CLOSED.variables if n != name])


INPUTS = {"swvl1": 0, "t": 1, "avg_tprate": 2, "lai_lv": 3, "z": 4, "cos_julian_day": 5}
OUTPUTS = {"2t": 0, "swvl1": 1}
FORCING = ["t", "avg_tprate", "lai_lv", "z", "cos_julian_day"]


def columns(**changes):
    return StepColumns.from_names(
        **{"inputs": INPUTS, "outputs": OUTPUTS, "diagnostic": ["2t"], "forcing": FORCING, **changes}
    )


def test_each_variable_is_taken_at_its_ends():
    """State, statics and LAI at the start; interval means and calendar at the end; instants at both; with positions."""
    c = columns()
    assert c.start == ("swvl1", "t", "lai_lv", "z")
    assert c.end == ("t", "avg_tprate", "cos_julian_day")
    assert (c.start_index, c.end_index) == ((0, 1, 3, 4), (1, 2, 5))
    assert c.n_in == 7
    assert (c.prognostic, c.prognostic_in, c.prognostic_out) == (("swvl1",), (0,), (1,))
    assert (c.diagnostic, c.diagnostic_out) == (("2t",), (0,))
    assert c.positions(["swvl1", "2t"]) == {"swvl1": 1, "2t": 0}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"outputs": {"2t": 0, "t": 1}, "forcing": []}, "'t'"),
        ({"outputs": {"swvl1": 0, "slt": 1}, "diagnostic": []}, "'slt'"),
        ({"diagnostic": ["2t"], "forcing": [*FORCING, "skt"]}, "'skt'"),
        ({"inputs": {**INPUTS, "slt": 6}, "forcing": [*FORCING, "slt"]}, "'slt'"),
        ({"inputs": {**INPUTS, "tvl": 6}, "forcing": [*FORCING, "tvl"], "categories": ["slt"]}, "'tvl'"),
        ({"outputs": {"2t": 0, "slt": 1}, "categories": ["slt"]}, "'slt'"),
    ],
)
def test_roles_of_the_table_are_enforced(changes, names):
    """A forcing or a category that slipped into the state, or a diagnostic into the forcing, is refused by name."""
    with pytest.raises(ValueError, match=names):
        columns(**changes)


def test_leaf_area_may_be_state():
    """It has an increment scale, so that a configuration may leave it out of the forcing; air may not."""
    c = columns(outputs={"2t": 0, "lai_lv": 1, "swvl1": 2}, forcing=[n for n in FORCING if n != "lai_lv"])
    assert c.prognostic == ("lai_lv", "swvl1")
    assert c.n_in == columns().n_in


def test_category_that_something_reads_is_allowed_and_in_no_column():
    """It may be in the forcing, and the network's columns are those without it."""
    c = columns(inputs={**INPUTS, "slt": 6}, forcing=[*FORCING, "slt"], categories=["slt"])
    assert c == columns()


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


def test_a_network_that_is_told_the_albedo_sees_what_is_absorbed():
    """Albedo and absorbed radiation follow the contrasts; without any of the three inputs, there are none."""
    columns = case.land(40)
    fields = case.fields(columns)
    model = TOLD.land_model()
    index = TOLD.indices().model.input.name_to_index
    x = TOLD.normalised(fields, index)
    land, air, _ = model.closed.before(x, x)
    features = model.closed.features(land, air).double()
    assert features.shape == (40, model.closed.n_features) and model.closed.n_features == TOLD_COLUMNS + N_SNOW_AND_LAKE
    open_snow = columns.snowc * (1.0 - columns.cover[:, 1])
    albedo = (1.0 - open_snow) * fields["al"] + open_snow * fields["asn"]
    expected = torch.stack([(albedo - 0.2) / 0.15, (1.0 - albedo) * fields["avg_sdswrf"] / 150.0], dim=-1)
    torch.testing.assert_close(features[:, N_CONTRASTS:TOLD_COLUMNS], expected, rtol=0.0, atol=1e-4)
    assert (expected.std(0) > 0.1).all()
    for name in ("al", "avg_sdswrf", "asn"):
        less = replace(TOLD, forcing=[n for n in TOLD.forcing if n != name],
                       prognostic=[n for n in TOLD.prognostic if n != name])  # fmt: skip
        assert less.land_model().closed.n_features == N_CONTRASTS + N_SNOW_AND_LAKE


def test_a_checkpoint_older_than_the_albedo_reads_none():
    """Its pickled closed step has no list of names, and its features are those of before."""
    closed = load_step(FORMER).model.model.closed
    assert not {"at_start", "at_end"} & set(vars(closed))
    assert closed.at_start == AT_START and closed.n_features == N_CONTRASTS


def test_snow_and_the_smallest_lake_are_seen():
    """Insulation and depth grow with the snow, temperature and wetness are its own, and .002 of a lake is a lake."""
    sd = torch.tensor([0.0, 5.0, 30.0, 300.0], dtype=torch.float64)
    land = case.land(4, sd=sd, snowc=torch.tanh(sd), rsn=torch.full((4,), 300.0).double(), slw=0.015 * sd,
                     tsn=torch.full((4,), 260.0).double(), lake=torch.tensor([0.0, 0.002, 0.5, 0.0]).double(),
                     temperature=torch.full((4, 4), 270.0).double())  # fmt: skip
    insulation, depth, tsn, wet, lake = snow_and_lake(land).unbind(-1)
    assert insulation[0] == 0 and (insulation.diff() > 0).all() and insulation[2].item() == pytest.approx(2.0 / 3.0)
    torch.testing.assert_close(depth, torch.log1p(sd / 30.0))
    assert tsn[0] == 0 and tsn[3].item() == pytest.approx(-2.0)
    torch.testing.assert_close(wet, torch.tensor([0.0, 0.5, 0.5, 0.5]).double())
    assert lake.tolist() == [0.0, 1.0, 1.0, 0.0]
    bare = land._replace(tsn=None, slw=None, lake=None)
    assert (snow_and_lake(bare)[:, 2:] == 0).all()


def energy_of(model, columns, outputs, sensible):
    """Results of the step, and net radiation and turbulent fluxes less the heat that soil and snow gain [W m-2]."""
    closed = model.closed.double()
    fields = {n: v.double() for n, v in case.fields(columns).items()}
    land, air = closed.of_fields(fields, fields)
    result = closed.results(land, air, fields, outputs, sensible)
    soil = [v.squeeze(-1).numpy() for v in (land.soil.saturated, land.soil.capacity)]
    heat = [budgets.soil_heat(np.stack([x[f"stl{k}"].numpy() for k in range(1, 5)]), *soil, land.vegetation.numpy())
            for x in (fields, result)]  # fmt: skip
    snow = [budgets.snow_heat(*(x[n].numpy() for n in ("sd", "slw", "tsn"))) for x in (fields, result)]
    slhf, evap = result["slhf"].numpy(), result["evap"].numpy()
    supply = budgets.snow_heat_supply(slhf, evap, fields["avg_tsrwe"].numpy(), fields["avg_t"].numpy())
    flux = budgets.surface_heat_flux(result["ssr"].numpy(), result["str"].numpy(), slhf, sensible.numpy())
    return result, budgets.energy_residual(flux, heat[1] - heat[0], snow[1] - snow[0], supply)


def test_budget_of_energy_is_closed():
    """Whatever the network says: bare, under snow, snow that comes or melts away, frozen, freezing, thawing, hot."""
    model = BALANCED.land_model()
    seen, ice = torch.zeros(4), torch.zeros(3)
    for columns in (case.land(700), case.corners()):
        columns = columns._replace(urban=torch.zeros_like(columns.urban))
        g = torch.Generator().manual_seed(5)
        outputs = torch.randn(len(columns.sd), model.closed.n_outputs, generator=g, dtype=torch.float64)
        sensible = 100.0 * torch.randn(len(columns.sd), generator=g, dtype=torch.float64)
        result, residual = energy_of(model, columns, outputs, sensible)
        assert np.abs(residual).max() < 1e-6
        assert (result["str"].abs() > 1.0).double().mean() > 0.9
        before, after = columns.sd > 0.0, result["sd"] > 0.0
        seen += torch.stack([(~before & ~after), (before & after), (before & ~after), (~before & after)]).sum(-1)
        frozen = [frozen_fraction(t) for t in (columns.temperature[:, 0], result["stl1"])]
        change = frozen[1] - frozen[0]
        ice += torch.stack([change > 0.2, change < -0.2, (frozen[0] > 0.9) & (frozen[1] > 0.9)]).sum(-1)
    assert seen.min() > 10 and ice.min() > 10


def test_lake_and_town_take_up_what_the_network_says():
    """The residual is their heat by cover: 240 W m-2 of a lake and 30 of a town for one unit of the output."""
    columns = case.land(200)
    columns = columns._replace(lake=0.5 * columns.urban.flip(0))
    model = BALANCED.land_model()
    outputs = torch.zeros(200, model.closed.n_outputs, dtype=torch.float64)
    outputs[:, -1] = 0.5
    _, residual = energy_of(model, columns, outputs, torch.zeros(200, dtype=torch.float64))
    expected = 0.5 * (240.0 * case.fields(columns)["cl"] + 30.0 * columns.urban)
    assert expected.max() > 10.0
    np.testing.assert_allclose(residual, expected, atol=1e-6)


def test_white_lakes_reflect():
    """One that is covered by snow reflects .70 and open water .06, whatever snow lies on the land."""
    columns = case.land(50, lake=torch.ones(50).double(), urban=torch.zeros(50).double())
    model = BALANCED.land_model()
    outputs = torch.zeros(50, model.closed.n_outputs, dtype=torch.float64)
    for white, albedo in ((-40.0, 0.06), (40.0, 0.70)):
        outputs[:, split_controls(torch.arange(N_CONTROLS))["lake_snow"]] = white
        result, _ = energy_of(model, columns, outputs, torch.zeros(50, dtype=torch.float64))
        torch.testing.assert_close(result["ssr"], (1.0 - albedo) * case.fields(columns)["avg_sdswrf"])


def test_signs_of_the_fluxes_of_energy():
    """Absorbed radiation is downward, evaporation upward, and heat that leaves without being stored is emitted."""
    columns = case.land(100)
    model = BALANCED.land_model()
    zero = torch.zeros(100, dtype=torch.float64)
    outputs = torch.zeros(100, model.closed.n_outputs, dtype=torch.float64)
    result, _ = energy_of(model, columns, outputs, zero)
    assert (result["ssr"] > 0.0).all()
    assert (result["slhf"] * result["evap"] <= 0.0).all() and (result["slhf"] < 0.0).any()
    emitted = energy_of(model, columns, outputs, zero + 10.0)[0]["str"] - result["str"]
    torch.testing.assert_close(emitted, zero - 10.0)


def test_model_passes_sensible_heat_and_albedo_to_the_budget():
    """Normalised outputs of the model are the results of the closed step for those of the network."""
    model = BALANCED.land_model()
    columns = case.land(60)
    x = BALANCED.normalised(case.fields(columns), BALANCED.indices().model.input.name_to_index)
    with torch.no_grad():
        out = BALANCED.physical(model.advance(x, x), model.columns.outputs)
        land, air, fields = model.closed.before(x, x)
        outputs, _ = model.network(torch.cat([model.read(x, x), model.closed.features(land, air)], dim=-1))
        expected = model.closed.results(land, air, fields, outputs, out["sshf"].float())
    assert model.closed.energy == ("ssr", "slhf", "str") and model.network.n_diagnostic == 2  # 2t, sshf
    for name in model.closed.energy:
        torch.testing.assert_close(out[name], expected[name].double(), rtol=1e-3, atol=0.05)


@pytest.mark.parametrize(
    ("without", "energy"),
    [((), ("ssr", "slhf", "str")), (("str",), ("ssr",)), (("sshf",), ("ssr",)), (("slw",), ("ssr",)),
     (("evap",), ("ssr",)), (("ssr",), ()), (("al",), ()), (("asn",), ()), (("cl",), ("ssr", "slhf", "str"))],
)  # fmt: skip
def test_fluxes_of_energy_follow_where_all_is_known(without, energy):
    """Otherwise the network predicts them, as it does in older checkpoints."""
    parts = {part: [n for n in getattr(BALANCED, part) if n not in without]
             for part in ("forcing", "prognostic", "diagnostic")}  # fmt: skip
    land = replace(BALANCED, **parts)
    model = land.land_model()
    assert model.closed.energy == energy
    predicted = [n for n in model.columns.diagnostic if n not in model.closed.given]
    assert model.network.n_diagnostic == len(predicted) and not set(predicted) & set(energy)
    x = 0.3 * torch.randn(20, len(land.indices().model.input.name_to_index))
    assert torch.isfinite(model.advance(x, x)).all()


def test_gradients_of_the_budget_are_finite():
    """Of every weight, on dry, frozen, freezing, buried and flooded columns; those of the uptake of lakes included."""
    model = BALANCED.land_model().train()
    x = BALANCED.normalised(case.fields(case.corners()), BALANCED.indices().model.input.name_to_index)
    rows = [model.columns.outputs.index(n) for n in ("ssr", "slhf", "str")]
    model.advance(x, x)[..., rows].square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    assert model.network.prognostic_head.weight.grad[-1].abs().max() > 0


def test_a_checkpoint_older_than_the_budget_predicts_its_fluxes():
    """Its pickled closed step has no list of fluxes of energy, and the network predicts latent heat."""
    closed = load_step(FORMER).model.model.closed
    assert not {"energy", "sensible"} & set(vars(closed))
    assert closed.energy == () and closed.sensible is None and "slhf" not in closed.given
