# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The Anemoi dress of the network."""

import land_case as case
import numpy as np
import pytest
import torch

from anemoi_ailand.physics.bounds import limits
from anemoi_ailand.variables import variable


def ends(n_points=7, seed=1):
    fields = case.batch(2, n_points, 1, seed)["data"][..., case.indices().data.input.full]
    return fields[:, 0], fields[:, 1]


def row(model, name):
    return model.columns.outputs.index(name)


def position(name):
    return case.indices().model.input.name_to_index[name]


def test_increments_have_the_unit_of_the_table():
    """A unit increment of the network changes the state by increment_scale, in physical units."""
    model = case.land_model()
    torch.nn.init.zeros_(model.network.prognostic_head.weight)
    torch.nn.init.ones_(model.network.prognostic_head.bias)
    start, end = ends()
    out = model.advance(start, end)
    change = (out[..., row(model, "stl1")] - start[..., position("stl1")]) * case.STDEV["stl1"]
    expected = torch.full_like(change, variable("stl1").increment_scale)
    torch.testing.assert_close(change, expected, rtol=1e-5, atol=1e-4)


def test_forcing_of_the_step_and_nothing_else_is_read_at_the_end():
    """Of the end slot the output depends on interval means and instants, never on the state or on LAI."""
    model = case.land_model()
    start, end = ends()
    end.requires_grad_()
    model.train().advance(start, end).square().sum().backward()
    moved = {n for n in ["t", "avg_tprate", "cos_julian_day", "lai_lv", *case.PROGNOSTIC, "z"]
             if end.grad[..., position(n)].abs().max() > 0}  # fmt: skip
    assert moved == {"t", "avg_tprate", "cos_julian_day"}


def test_start_slot_gives_state_statics_instants_not_means():
    """Of the start slot the mean over the step before is not read."""
    model = case.land_model()
    start, end = ends()
    start.requires_grad_()
    model.train().advance(start, end).square().sum().backward()
    moved = {n for n in [*case.FORCING, *case.PROGNOSTIC] if start.grad[..., position(n)].abs().max() > 0}
    assert moved == {"t", "lai_lv", "z", "theta_sat", *case.PROGNOSTIC}


def test_order_and_number_of_points_do_not_matter():
    """Permuted points give permuted results; a part of the points gives a part of the results, to the bit."""
    model = case.land_model()
    start, end = ends(n_points=40)
    full = model.advance(start, end)
    order = torch.randperm(40)
    torch.testing.assert_close(model.advance(start[..., order, :], end[..., order, :]), full[..., order, :])
    torch.testing.assert_close(model.advance(start[..., :5, :], end[..., :5, :]), full[..., :5, :])


def test_bounds_hold_in_physical_units():
    """Whatever the network says, predictions are within the table's bounds; exactly, after denormalisation."""
    model = case.land_model()
    with torch.no_grad():
        model.network.prognostic_head.bias.copy_(torch.tensor([-1e4, 1e4, -1e4]))

    def denormalise(x, in_place=False):
        mul = torch.tensor([1 / case.STDEV.get(n, 0.3) for n in model.columns.outputs])
        add = torch.tensor([-case.MEAN.get(n, 0.1) / case.STDEV.get(n, 0.3) for n in model.columns.outputs])
        return (x - add) / mul

    fields = case.batch(2, 7, 1)["data"][..., case.indices().data.input.full][:, :, 0]
    out = model.predict_step({"data": fields}, {"data": lambda x, in_place: x}, {"data": denormalise}, n_step_input=2)[
        "data"
    ]
    lower, upper = limits(model.columns.outputs)
    assert (out >= torch.tensor(lower, dtype=out.dtype)).all()
    assert (out <= torch.tensor(upper, dtype=out.dtype)).all()
    assert (out[..., row(model, "snowc")] == 0).any()


def test_anemoi_call_is_advance_with_a_time_axis():
    """Forward takes (batch, 2, ensemble, point, variable) and gives (batch, 1, ensemble, point, variable)."""
    model = case.land_model()
    x = case.batch(2)["data"][..., case.indices().data.input.full]
    y = model({"data": x})["data"]
    assert y.shape == (2, 1, 1, 7, len(model.columns.outputs))
    assert torch.equal(y[:, 0], model.advance(x[:, 0], x[:, 1]))


def test_metadata_says_what_is_taken_when():
    """A checkpoint carries the columns."""
    metadata = {"metadata_inference": {}}
    case.land_model().fill_metadata(metadata)
    assert metadata["metadata_inference"]["land"]["end"] == ["avg_tprate", "cos_julian_day", "t"]


def test_other_time_axis_is_refused():
    """A stock task would give one or two past states; the error names the right task."""
    with pytest.raises(ValueError, match="LandForecaster"):
        case.land_model(n_step_input=1)


def test_variable_without_variance_is_refused():
    """Its normalisation would be infinite; the error names it."""
    stats = case.statistics()
    stats["stdev"][case.VARIABLES.index("theta_sat")] = 0.0
    with pytest.raises(ValueError, match="theta_sat"):
        case.land_model(stats=stats)


def test_missing_normalizer_is_refused():
    """Without a normaliser there are no units."""
    config = case.model_config()
    config.data.datasets.data.processors = {}
    with pytest.raises(ValueError, match="normalizer"):
        case.land_model(config=config)


def test_statistics_are_not_changed():
    """Building a model leaves the statistics of the dataset as they are."""
    stats = case.statistics()
    before = {k: v.copy() for k, v in stats.items()}
    case.land_model(stats=stats)
    for key, value in before.items():
        np.testing.assert_array_equal(stats[key], value)
