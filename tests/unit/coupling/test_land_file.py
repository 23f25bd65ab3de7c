# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""NetCDF file of the land in a coupled run."""

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.coupling.land_file import LandFile
from tests.support import stepper as case

N = 5


@pytest.fixture(scope="module")
def states():
    stepper = case.stepper()
    first = case.start(stepper, N)
    return stepper, [first, stepper.step(first, case.forcings(N)[0])]


def test_states_are_written_unchanged(states, tmp_path):
    """All times are written bitwise, under NetCDF names; diagnostics are missing at the start."""
    stepper, made = states
    file = LandFile(tmp_path / "new" / "land.nc", stepper.outputs, "abc")
    for state in made:
        file.write(state)
    file.close()
    with xr.open_dataset(tmp_path / "new" / "land.nc") as ds:
        assert ds.attrs["checkpoint_sha256"] == "abc"
        np.testing.assert_array_equal(ds.time, np.array([s.date for s in made], dtype="datetime64[ns]"))
        np.testing.assert_array_equal(ds.latitude, made[0].latitudes)
        for k, state in enumerate(made):
            for name, values in state.numpy().items():
                found = ds["t2m" if name == "2t" else name]
                np.testing.assert_array_equal(found.values[k], values, err_msg=name)
        assert np.isnan(ds.t2m.values[0]).all()
        assert ds.sd.attrs["units"] == "kg m-2"


def test_the_name_is_given_when_the_file_is_complete(states, tmp_path):
    """Until the run is complete there is a partial file, and an earlier file stays."""
    (tmp_path / "land.nc").write_text("earlier")
    file = LandFile(tmp_path / "land.nc", states[0].outputs, "abc")
    file.write(states[1][0])
    assert (tmp_path / "land.nc").read_text() == "earlier"
    assert (tmp_path / "land.nc.partial").is_file()
    file.close()
    assert not (tmp_path / "land.nc.partial").exists()
