# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The state from which a coupled run starts, from a saved state; from a dataset in tests/integration."""

from datetime import timedelta

import numpy as np
import pytest
import torch

from anemoi_ailand.coupling import start
from anemoi_ailand.coupling.start import initial_state
from tests.support import stepper as case

N = 5


@pytest.fixture(scope="module")
def stepper():
    return case.stepper()


def test_a_saved_state_goes_on(stepper, tmp_path):
    """At its date, to the last bit."""
    state = case.start(stepper, N)
    path = stepper.save(state, tmp_path / "land.state")
    assert torch.equal(initial_state({"state": str(path)}, stepper, case.DATE).columns, state.columns)
    with pytest.raises(ValueError, match=r"is of 2022-01-01 00:00:00, the run starts at 2022-01-01 06:00:00"):
        initial_state({"state": str(path)}, stepper, case.DATE + timedelta(hours=6))


class Stored:
    """A dataset at two dates."""

    def __init__(self, path, names):
        self.path, self.names = path, names
        self.latitudes, self.longitudes = case.places(N)
        self.dates = np.array([case.DATE, case.DATE + timedelta(hours=6)], dtype="datetime64[s]")

    def read(self, first, last, points):
        return np.stack([[case.fields(N, seed)[n] for n in self.names] for seed in (0, 1)]).swapaxes(1, 2)[first:last]


def test_a_dataset_at_the_date_of_the_run(stepper, monkeypatch):
    """The right date of it; one that it does not hold is said."""
    monkeypatch.setattr(start, "StoredFields", Stored)
    for k in (0, 1):
        found = initial_state({"dataset": "land.zarr"}, stepper, case.DATE + k * timedelta(hours=6))
        assert torch.equal(found.columns[:, :3], case.start(stepper, N, k).columns[:, :3])
    with pytest.raises(
        ValueError, match="has 2022-01-01T00:00:00 to 2022-01-01T06:00:00, but the run starts at 2022-01-02"
    ):
        initial_state({"dataset": "land.zarr"}, stepper, case.DATE + timedelta(days=1))


@pytest.mark.parametrize("config", ["land.state", {}, {"dataset": "a", "state": "b"}, {"sate": "x"}])
def test_other_configurations_are_refused(stepper, config):
    """The error says which there are."""
    with pytest.raises(TypeError, match=r"Give {dataset: PATH} or {state: PATH}|Did you mean 'state'"):
        initial_state(config, stepper, case.DATE)
