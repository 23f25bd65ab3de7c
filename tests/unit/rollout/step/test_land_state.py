# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A state is handed over, changed, shown and saved whole."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from anemoi_ailand.rollout.step.land_state import LandState
from tests.support import stepper as case

N = 5
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def stepper():
    return case.stepper()


@pytest.fixture
def state(stepper):
    return stepper.step(case.start(stepper, N), case.forcings(N)[0])


def test_names_are_the_available_variables(stepper, state):
    """Diagnostics exist only after a step; an unknown name lists the available ones."""
    first = case.start(stepper, N)
    assert first.names == stepper.prognostic
    assert set(state.names) == set(stepper.outputs)
    assert set(state.numpy()) == set(state.torch()) == set(stepper.outputs)
    with pytest.raises(KeyError, match=r"'2t' is a diagnostic, and the state of .* has none. Make a step first"):
        first["t2m"]
    with pytest.raises(KeyError, match=r"no variable 'swlv1' in the state of .* Did you mean 'swvl1'"):
        state["swlv1"]
    assert torch.equal(state["t2m"], state["2t"])
    before = state["stl1"].clone()
    state.numpy()["stl1"][:] = 0.0  # a copy
    assert torch.equal(state["stl1"], before)


def test_xarray_has_units_and_places(state):
    """The dataset has names of files (t2m for 2t), units, coordinates and time."""
    found = state.xarray()
    np.testing.assert_array_equal(found["t2m"].values, state["2t"].numpy())
    assert found["sd"].attrs["units"] == "kg m-2"
    assert found["stl1"].attrs["standard_name"] == "soil_temperature"
    np.testing.assert_array_equal(found["latitude"].values, state.latitudes)
    assert found["time"].values == np.datetime64(state.date)


def test_changed_replaces_and_keeps_the_rest(state):
    """An analysis replaces its variables, with gradients, and drops the diagnostics; others are refused."""
    wetter = state.changed({"swvl1": state["swvl1"] + 0.01})
    assert torch.equal(wetter["swvl1"], state["swvl1"] + 0.01)
    assert torch.equal(wetter["stl1"], state["stl1"])
    for given in (wetter["swvl1"].numpy(), wetter.xarray()["swvl1"]):
        assert torch.equal(state.changed({"swvl1": given})["swvl1"], wetter["swvl1"])
    assert wetter.diagnostics is None
    assert state.diagnostics is not None
    values = state["swvl1"].clone().requires_grad_()
    state.changed({"swvl1": values}).columns.sum().backward()
    assert torch.equal(values.grad, torch.ones(N))
    for fields in ({"2t": torch.zeros(N)}, {"swvl1": torch.zeros(N + 1)}, {"cvl": torch.zeros(N)}):
        with pytest.raises(ValueError, match=r"cannot be changed: the state has .*swvl1"):
            state.changed(fields)


def test_state_prints_itself(stepper, state):
    """Date, points and variables with units; before the first step there are no diagnostics."""
    for text in (repr(state), state._repr_html_()):
        assert f"{state.date:%Y-%m-%d %H:%M}" in text and "swvl1 [m3 m-3]" in text and "2t (t2m) [K]" in text
    assert "none before the first step" in repr(case.start(stepper, N))


@pytest.mark.parametrize("diagnosed", [True, False])
def test_saved_and_loaded_is_equal_to_the_last_bit(stepper, state, tmp_path, diagnosed):
    """A state is restored bitwise, including subnormal numbers."""
    if not diagnosed:
        state = case.start(stepper, N)
    odd = state.columns.clone()
    odd[0, :3] = torch.tensor([1e-42, -0.0, 3.4e38])
    state = replace(state, columns=odd)
    loaded = LandState.load(state.save(tmp_path / "s", "abc"), "abc", CPU)
    assert loaded.columns.view(torch.int32).equal(state.columns.view(torch.int32))
    assert (loaded.date, loaded.inputs, loaded.prognostic) == (state.date, state.inputs, state.prognostic)
    np.testing.assert_array_equal(loaded.latitudes, state.latitudes)
    np.testing.assert_array_equal(loaded.longitudes, state.longitudes)
    assert (loaded.diagnostics is None) == (not diagnosed)
    assert loaded.names == state.names
    wide = state.to(torch.float64)
    assert wide.columns.dtype is torch.float64
    assert torch.equal(wide.to(torch.float32).columns, state.columns)
