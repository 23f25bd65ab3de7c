# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A saved state as the start of a run."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from anemoi_ailand.rollout.forcing.state_input import LandStateInput
from tests.support import stepper as case
from tests.support.land import CLOSED


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
    for names, purpose in ((["stl1", "sd", "swvl3"], "prognostics"), (["cvl", "slt"], "constant_forcings")):
        found = made(path, names, purpose).create_input_state(dates=[case.DATE])
        assert list(found["fields"]) == names
        assert (found["date"], set(found["_variables"])) == (case.DATE, set(names))
        for name in names:
            assert found["fields"][name].shape == (1, 7)
            assert found["fields"][name][0].tobytes() == state[name].numpy().tobytes()
        np.testing.assert_array_equal(found["latitudes"], state.latitudes)
        np.testing.assert_array_equal(found["longitudes"], state.longitudes)


def test_date_of_the_run_is_that_of_the_state(saved):
    """The default date is that of the state."""
    assert made(saved[1], ["stl1"]).default_initial_date() == case.DATE


@pytest.mark.parametrize("dates", [[timedelta(hours=6)], [timedelta(hours=-6), timedelta(0)]])
def test_another_date_is_refused(saved, dates):
    """The error names both dates."""
    with pytest.raises(ValueError, match=r"land.state' is of 2022-01-01 00:00:00, the run starts at .*Set `date` to"):
        made(saved[1], ["stl1"]).create_input_state(dates=[case.DATE + d for d in dates])


def test_variable_that_is_not_there(saved):
    """The error names variable, purpose and available variables."""
    with pytest.raises(ValueError, match=r"has no \['lsm'\] for constant_forcings; it has \[.*'cvl'"):
        made(saved[1], ["cvl", "lsm"], "constant_forcings").create_input_state(dates=[case.DATE])


def test_there_is_no_forcing(saved):
    """The error names another source of forcing."""
    some = made(saved[1], ["t"], "dynamic_forcings")
    with pytest.raises(ValueError, match=r"has no forcing. Give `dynamic_forcings`, for example"):
        some.load_forcings_state(dates=[datetime(2022, 1, 1, 6)], current_state={})


def test_pre_processors_are_refused(saved):
    """Pre-processors are an error rather than silently ignored."""
    with pytest.raises(ValueError, match="`land-state` applies no pre-processors; there are"):
        made(saved[1], ["stl1"], pre_processors=["extract_mask"])


def test_no_such_file(tmp_path):
    """A missing file is an error when it is read, and its name is in the log."""
    some = made(tmp_path / "no.state", ["stl1"])
    assert repr(some) == f"LandStateInput(prognostics from {tmp_path / 'no.state'})"
    with pytest.raises(FileNotFoundError, match=r"no\.state"):
        some.create_input_state(dates=[case.DATE])
