# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The land model steps with any network, in Anemoi's interface and within physical bounds."""

import copy
import logging
import pickle
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from anemoi_ailand.model.contrasts import DEEPEST_SNOW, N_CONTRASTS, N_SNOW_AND_LAKE
from anemoi_ailand.physics.bounds import limits
from anemoi_ailand.physics.closed_step import FLUXES, N_CONTROLS, STATE, Weather, closed_step
from anemoi_ailand.variables import variable
from tests.support import columns as case
from tests.support.land import CLOSED, MEANS, OPEN, STATIC


def ends(n_points=7, seed=1):
    fields = OPEN.batch(2, n_points, 1, seed)["data"][..., OPEN.indices().data.input.full]
    return fields[:, 0], fields[:, 1]


def predicted(land, model, fields):
    """Prediction in physical units from normalised fields, without the host's processors."""
    factors = torch.tensor([land.normalisation(n) for n in model.columns.outputs])
    before = {"data": lambda v, in_place: v}
    after = {"data": lambda y, in_place=False: (y - factors[:, 1]) / factors[:, 0]}
    return model.predict_step({"data": fields}, before, after, n_step_input=2)["data"]


def row(model, name):
    return model.columns.outputs.index(name)


def position(name):
    return OPEN.indices().model.input.name_to_index[name]


def test_increments_have_the_unit_of_the_table():
    """A unit increment of the network changes the state by increment_scale, in physical units."""
    model = OPEN.land_model()
    torch.nn.init.zeros_(model.network.prognostic_head.weight)
    torch.nn.init.ones_(model.network.prognostic_head.bias)
    start, end = ends()
    out = model.advance(start, end)
    change = (out[..., row(model, "stl1")] - start[..., position("stl1")]) * OPEN.stdev["stl1"]
    expected = torch.full_like(change, variable("stl1").increment_scale)
    torch.testing.assert_close(change, expected, rtol=1e-5, atol=1e-4)


def test_each_slot_is_read_for_what_it_holds():
    """Of the end only means and instants of the forcing are read, never state or LAI; of the start no means."""
    for land, static in ((OPEN, {"z", "theta_sat"}), (CLOSED, set(STATIC) - set(CLOSED.not_normalised))):
        index = land.indices().model.input.name_to_index
        x = land.normalised(case.fields(case.land(140)), index) if land is CLOSED else ends(140)[0]
        start, end = x.clone().requires_grad_(), x.clone().requires_grad_()
        land.land_model().train().advance(start, end).square().sum().backward()
        read = [{n for n, i in index.items() if part.grad[..., i].abs().max() > 0} for part in (start, end)]
        means = set(MEANS) & set(land.forcing)
        assert read == [{*land.prognostic, *static, "t", "lai_lv"}, {"t", "cos_julian_day", *means}]


def test_bounds_hold_in_physical_units():
    """Predictions in physical units are exactly within the bounds for any output of the network."""
    model = OPEN.land_model()
    with torch.no_grad():
        model.network.prognostic_head.bias.copy_(torch.tensor([-1e4, 1e4, -1e4]))
    fields = OPEN.batch(2, 7, 1)["data"][..., OPEN.indices().data.input.full][:, :, 0]
    out = predicted(OPEN, model, fields)
    lower, upper = limits(model.columns.outputs)
    assert (out >= torch.tensor(lower, dtype=out.dtype)).all()
    assert (out <= torch.tensor(upper, dtype=out.dtype)).all()
    assert (out[..., row(model, "snowc")] == 0).any()


def test_anemoi_call_is_advance_with_a_time_axis():
    """Forward takes (batch, 2, ensemble, point, variable) and gives (batch, 1, ensemble, point, variable)."""
    model = OPEN.land_model()
    x = OPEN.batch(2)["data"][..., OPEN.indices().data.input.full]
    y = model({"data": x})["data"]
    assert y.shape == (2, 1, 1, 7, len(model.columns.outputs))
    assert torch.equal(y[:, 0], model.advance(x[:, 0], x[:, 1]))


def test_metadata_lists_the_columns_of_each_slot():
    """A checkpoint carries the columns; the statistics of the dataset stay as they were."""
    metadata, stats = {"metadata_inference": {}}, OPEN.statistics()
    OPEN.land_model(stats=stats).fill_metadata(metadata)
    assert all((stats[key] == value).all() for key, value in OPEN.statistics().items())
    assert metadata["metadata_inference"]["land"]["end"] == ["avg_tprate", "cos_julian_day", "t"]


def test_invalid_step_is_refused():
    """The error names the task, variable, section or option to correct."""
    flat, bare, imputed = OPEN.statistics(), OPEN.model_config(), OPEN.model_config()
    imputed.data.datasets.data.processors.imputer = {"_target_": "anemoi.models.preprocessing.imputer.InputImputer"}
    flat["stdev"][OPEN.variables.index("theta_sat")] = 0.0  # normalisation would be infinite
    bare.data.datasets.data.processors = {}
    for land, options, message in (
        (OPEN, {"n_step_input": 1}, "LandForecaster"),
        (OPEN, {"stats": flat}, "theta_sat"),
        (OPEN, {"config": bare}, "normalizer"),
        (OPEN, {"config": imputed}, r"has \['imputer'\]: imputers change samples of the training only.*`missing`"),
        (CLOSED, {"step": "implicit"}, r"'implicit'.*'increments', 'closed' or 'auto'"),
        (CLOSED, {"step": None}, r"\['slt', 'tvh', 'tvl'\] as forcing"),
        (CLOSED, {"step": "increments"}, r"\['slt', 'tvh', 'tvl'\] as forcing"),
    ):
        with pytest.raises(ValueError, match=message):
            land.land_model(**options)


def test_step_follows_from_the_variables(caplog):
    """``auto`` is the closed step where its variables are given, else increments, and says why; a run is the same."""
    caplog.set_level(logging.INFO)
    assert OPEN.land_model(step="auto").closed is None
    assert "Step: increments, as the closed step needs the state ['swvl2'" in caplog.text
    auto, closed = CLOSED.land_model(step="auto"), CLOSED.land_model()
    assert auto.closed is not None
    assert "Step: closed" in caplog.text
    x = CLOSED.batch(2)["data"][..., CLOSED.indices().data.input.full]
    assert torch.equal(auto({"data": x})["data"], closed({"data": x})["data"])
    without = replace(CLOSED, forcing=[n for n in CLOSED.forcing if n != "sdor"])  # types stay among the inputs
    assert without.land_model(step="auto").closed is None
    assert "and the inputs ['sdor']" in caplog.text


# -- with the closed step --------------------------------------------------------------------------------------------


def closed_input(columns, **changes):
    """Normalised input (point, variable) that holds ``columns`` and made-up air."""
    fields = {**case.fields(columns), **changes}
    return CLOSED.normalised(fields, CLOSED.indices().model.input.name_to_index)


def say(model, outputs):
    """Replace the network by one that returns ``outputs``."""
    torch.nn.init.zeros_(model.network.prognostic_head.weight)
    with torch.no_grad():
        model.network.prognostic_head.bias.copy_(outputs)


def test_closed_state_is_that_of_the_closed_step():
    """The model computes the closed step of the physical fields.

    To 1e-4 of a standard deviation; soil that freezes magnifies the rounding of its temperature, by up to ten.
    """
    model = CLOSED.land_model()
    columns = case.land(70, slw=None, asn=None, lake=None)
    answer = torch.randn(N_CONTROLS)
    say(model, answer)
    x = closed_input(columns)
    out = CLOSED.physical(model.advance(x, x).detach(), model.columns.outputs)
    fields = case.fields(columns)
    weather = Weather(*(fields[n] for n in ("avg_t", "avg_q", "avg_sp")))
    expected = closed_step(columns._replace(weather=weather), answer.double().expand(70, -1))
    for name, values in expected.items():
        error = (out[name] - values).abs() * CLOSED.normalisation(name)[0]
        assert error.max() < (1e-3 if name.startswith("stl") else 3e-4), name


def test_closed_prediction_is_closed_in_physical_units():
    """Precipitation of the input is storage, evaporation and runoff of the prediction, to 5 g m-2 of a tonne."""
    model = CLOSED.land_model()
    assert model.network.n_in == model.columns.n_in + N_CONTRASTS + N_SNOW_AND_LAKE
    columns = case.land(140)
    out = predicted(CLOSED, model, closed_input(columns).expand(1, 2, -1, -1))
    after = dict(zip(model.columns.outputs, out.reshape(140, -1).unbind(-1), strict=True))
    assert (after["swvl1"] - columns.theta[:, 0]).abs().median() > 1e-3
    assert case.residual(columns, after).abs().max() < 5e-3


def test_closed_step_keeps_the_bounds_of_the_table():
    """Predictions stay within the bounds of the table for any output of the network."""
    model = CLOSED.land_model()
    say(model, 50.0 * torch.randn(N_CONTROLS))
    x = closed_input(case.land(70))
    out = CLOSED.physical(model.advance(x, x).detach(), model.columns.outputs)
    for name in (*STATE, "tsn", *FLUXES):
        (low,), (high,) = limits([name])
        rounding = 1e-5 / CLOSED.normalisation(name)[0]
        assert out[name].min() >= low - rounding and out[name].max() <= high + rounding, name


def test_deep_snow_and_a_glacier_look_alike_to_the_network():
    """Beyond the snow mass of the training, the input of the network hardly depends on it."""
    model = CLOSED.land_model()
    columns, seen = case.land(20), []
    for mass in (100.0, DEEPEST_SNOW, 10_000.0):
        snow = {"sd": torch.full_like(columns.sd, mass), "snowc": torch.ones_like(columns.sd)}
        x = closed_input(columns._replace(slw=torch.zeros_like(columns.sd), **snow))
        land, air, _ = model.closed.before(x, x)
        seen.append(torch.cat([model.read(x, x), model.closed.features(land, air)], dim=-1))
    assert (seen[2] - seen[1]).abs().max() < 0.05
    assert (seen[1] - seen[0]).abs().max() > 1.0


def test_older_models_get_the_limits_of_columns():
    """A pickled model without them has the same afterwards as a new one."""
    model = CLOSED.land_model()
    older = copy.deepcopy(model)
    del older._buffers["_most"]
    assert torch.equal(pickle.loads(pickle.dumps(older)).most, model.most)
    assert model.most.isfinite().sum() == 1


def test_closed_gradients_are_finite():
    """Of every weight, on dry, saturated, frozen, buried and flooded columns."""
    model = CLOSED.land_model().train()
    x = closed_input(case.corners())
    model.advance(x, x).square().mean().backward()
    gradients = [p.grad for p in model.parameters()]
    assert all(torch.isfinite(g).all() for g in gradients) and all(g.abs().max() > 0 for g in gradients)


def test_soil_type_is_seen_through_its_parameters_only():
    """Types 2 and 7 are numbers of one soil, and give one result to the bit; another soil gives another."""
    model = CLOSED.land_model()
    columns = case.land(30)
    same, twin, other = (closed_input(columns, slt=torch.full((30,), float(kind))) for kind in (2, 7, 1))
    assert torch.equal(model.advance(same, same), model.advance(twin, twin))
    assert (model.advance(same, same) - model.advance(other, other)).abs().max() > 1e-3


def test_closed_step_runs_in_float64():
    """As tangents and adjoints are checked in, with results near those of float32."""
    model = CLOSED.land_model()
    x = closed_input(case.land(20))
    single, double = model.advance(x, x), model.double().advance(x.double(), x.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, rtol=1e-3, atol=1e-3)


class OwnNetwork(nn.Module):
    """A network of the user that also gets the static columns."""

    def __init__(self, n_in, n_prognostic, n_diagnostic, static):
        super().__init__()
        self.static, self.sizes = static, [n_prognostic, n_diagnostic]
        self.layer = nn.Linear(n_in, sum(self.sizes))

    def forward(self, z):
        return self.layer(z).split(self.sizes, dim=-1)


def test_own_network_steps_in_the_land_model(monkeypatch):
    """A network given by import path gets the static fields of the table and makes a step."""
    monkeypatch.setitem(sys.modules, "my_networks", SimpleNamespace(OwnNetwork=OwnNetwork))
    options = dict.fromkeys(("width", "depth", "activation"))
    model = OPEN.land_model(config=OPEN.model_config(network="my_networks.OwnNetwork", **options))
    assert model.advance(*ends()).shape[-1] == len(model.columns.outputs)
    assert [model.columns.start[i] for i in model.network.static] == ["theta_sat", "z"]
