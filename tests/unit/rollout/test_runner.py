# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The runner: what it adds to the stock one."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from anemoi_ailand.rollout.runner import LandForecasterRunner

DATE = datetime(2022, 1, 1)


def runner(**attributes):
    """A runner without a checkpoint around it."""
    out = LandForecasterRunner.__new__(LandForecasterRunner)
    out._checkpoint = SimpleNamespace(timestep=timedelta(hours=6))
    for name, value in attributes.items():
        setattr(out, name, value)
    return out


def state(name, latitudes):
    return {
        "date": DATE,
        "latitudes": np.array(latitudes),
        "longitudes": np.zeros(2),
        "fields": {name: np.zeros((1, 2))},
        "_input": name,
    }


@pytest.mark.parametrize("lead_time", ["7h", "0h", "-6h"])
def test_lead_time_must_be_whole_steps(lead_time):
    """Refused before anything is read."""
    with pytest.raises(ValueError, match="no positive multiple of 6:00:00"):
        runner(config=SimpleNamespace(lead_time=lead_time)).execute()


def test_start_of_the_files_is_checked_when_no_date_is_given():
    """The period that the forcing must cover begins at the first state."""
    stamps = np.datetime64("2022-01-01T00", "s") + np.arange(3) * np.timedelta64(6, "h")
    r = runner(
        config=SimpleNamespace(lead_time="1d"),
        reference_date=None,
        prognostics_inputs={"data": SimpleNamespace(default_initial_date=lambda: DATE)},
        dynamic_forcings_inputs={"data": SimpleNamespace(available_dates=stamps)},
    )
    with pytest.raises(ValueError, match="needs forcing at 2022-01-01T18:00:00"):
        r.execute()


def test_inputs_with_rounded_coordinates_are_combined():
    """The stock runner asks for the same bits."""
    combined = runner()._combine_states(state("swvl1", [50.0, 60.0]), state("z", [50.0, 60.0001]))
    assert set(combined["fields"]) == {"swvl1", "z"}
    np.testing.assert_array_equal(combined["latitudes"], [50.0, 60.0])


def test_inputs_on_different_points_are_not_combined():
    """The error says which inputs and where."""
    with pytest.raises(ValueError, match="z and swvl1 are on different points: 1 of 2 differ"):
        runner()._combine_states(state("swvl1", [50.0, 60.0]), state("z", [50.0, 61.0]))
