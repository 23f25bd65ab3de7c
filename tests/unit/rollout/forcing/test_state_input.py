# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A saved state as the start of a run."""

from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from anemoi_ailand.rollout.forcing.state_input import LandStateInput
from tests.support import stepper as case
from tests.support.land import CLOSED

STEP = timedelta(hours=6)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A state of random fields, and the file in which it is."""
    stepper = case.stepper()
    state = case.start(stepper, 7)
    return state, state.save(tmp_path_factory.mktemp("state") / "land.state", "any")


def made(path, variables, purpose="prognostics", **options):
    metadata = SimpleNamespace(dataset_name="data", typed_variables=dict.fromkeys(CLOSED.forcing + list(variables)))
    context = SimpleNamespace(reference_date=None)
    return LandStateInput(context, metadata, path=str(path), variables=variables, purpose=purpose, **options)


def test_state_is_given_to_the_last_bit(saved):
    """State and static fields are bitwise equal, in the order requested."""
    state, path = saved
    assert made(path, ["stl1"]).default_initial_date() == case.DATE
    for names, purpose in ((["stl1", "sd", "swvl3"], "prognostics"), (["cvl", "slt"], "constant_forcings")):
        found = made(path, names, purpose).create_input_state(dates=[case.DATE])
        assert list(found["fields"]) == names
        assert (found["date"], set(found["_variables"])) == (case.DATE, set(names))
        for name in names:
            assert found["fields"][name].shape == (1, 7)
            assert found["fields"][name][0].tobytes() == state[name].numpy().tobytes()
        np.testing.assert_array_equal(found["latitudes"], state.latitudes)
        np.testing.assert_array_equal(found["longitudes"], state.longitudes)


def test_unsuitable_state_is_refused(saved, tmp_path):
    """Another date, another variable, forcing and a missing file are errors."""
    path = saved[1]
    for dates in ([case.DATE + STEP], [case.DATE - STEP, case.DATE]):
        with pytest.raises(ValueError, match=r"land.state' is of 2022-01-01 00:00:00, the run starts at .*Set `date`"):
            made(path, ["stl1"]).create_input_state(dates=dates)
    with pytest.raises(ValueError, match=r"has no \['lsm'\] for constant_forcings; it has \[.*'cvl'"):
        made(path, ["cvl", "lsm"], "constant_forcings").create_input_state(dates=[case.DATE])
    with pytest.raises(ValueError, match=r"has no forcing. Give `dynamic_forcings`, for example"):
        made(path, ["t"], "dynamic_forcings").load_forcings_state(dates=[case.DATE + STEP], current_state={})
    with pytest.raises(FileNotFoundError, match=r"no\.state"):
        made(tmp_path / "no.state", ["stl1"]).create_input_state(dates=[case.DATE])
