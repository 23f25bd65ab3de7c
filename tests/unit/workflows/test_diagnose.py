# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Error of the emulator by years, and observations of a diagnosis that do not fit."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.data.land_data import open_data
from anemoi_ailand.workflows.diagnose import Emulation, diagnose, known_error, read_observations

NAMES = ("slhf", "sshf", "2t", "swvl1")


def empty(times: np.ndarray, latitudes: np.ndarray, longitudes: np.ndarray) -> xr.Dataset:
    """Observations without values."""
    fields = {n: (("time", "point"), np.full((times.size, latitudes.size), np.nan)) for n in NAMES}
    places = {"latitude": ("point", latitudes), "longitude": ("point", longitudes)}
    return xr.Dataset(fields, {"time": times, **places})


@pytest.fixture(scope="module")
def sample():
    """The sample, and observations without values in a summer of the north."""
    data = open_data("$AILAND_SAMPLE")
    times = np.arange("2022-06-01T06", "2022-09-01", 6, "datetime64[h]").astype("datetime64[ns]")
    return data, empty(times, data.reader.latitudes, data.reader.longitudes)


def test_known_error_and_anomalies():
    """Years of a run are weighted alike, whatever their number; a first year is compared with the others."""
    errors = {(2018, 2018): 1.0, (2019, 2019): 2.0, (2020, 2020): 6.0, (2018, 2019): 10.0}
    known, anomalies = known_error({k: np.full((1, 1), v) for k, v in errors.items()})
    assert known.item() == 0.5 * (3.0 + 10.0)
    assert [a.item() for a in anomalies] == [-3.0, -1.5, 4.5]


def test_observations_that_do_not_fit(sample, tmp_path):
    """The message says what is wrong: names, dimensions, places, dates, and years for the error."""
    data, observed = sample
    cases = {
        "none of": observed[["slhf"]].rename({"slhf": "LE"}),
        "need dimensions": observed.drop_vars("latitude"),
        "Site .* degrees": observed.assign_coords(latitude=observed["latitude"] + 1.0),
        "at dates of the dataset": observed.assign_coords(time=observed["time"] + np.timedelta64(1, "h")),
        "two or more": observed.assign_coords(time=observed["time"] - np.timedelta64(365, "D")),
    }
    for message, wrong in cases.items():
        wrong.to_netcdf(tmp_path / "wrong.nc")
        with pytest.raises(ValueError, match=message):
            Emulation(data, read_observations(tmp_path / "wrong.nc"))


def test_units_and_values_of_observations(sample, tmp_path, caplog):
    """Units are converted or refused; a single fill value is left out, and many are refused before any run."""
    observed = sample[1].isel(time=slice(4)).copy(deep=True)
    observed["2t"][:], observed["swvl1"][:] = 22.0, 0.2
    observed["swvl1"][0, 0] = -9999.0
    observed["2t"].attrs["units"] = "degC"
    observed.to_netcdf(tmp_path / "celsius.nc")
    found = read_observations(tmp_path / "celsius.nc")
    np.testing.assert_allclose(found["2t"], 295.15)
    assert np.isnan(found["swvl1"][0, 0]) and np.isfinite(found["swvl1"].values).sum() == found["swvl1"].size - 1
    assert "the worst is -9999 m3 m-3" in caplog.text
    for units, message in (("K", "temperatures look like degC"), ("W m-2", "has units 'W m-2'")):
        observed["2t"].attrs["units"] = units
        observed.to_netcdf(tmp_path / "wrong.nc")
        with pytest.raises(ValueError, match=message):
            diagnose(tmp_path / "wrong.nc", "$AILAND_SAMPLE", tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(FileExistsError, match="is not an earlier result"):
        diagnose(tmp_path / "lost.nc", "$AILAND_SAMPLE", tmp_path / "out")


def test_change_at_some_points(sample):
    """A run at some points is bitwise that at all; without points it is at those with the tile of the candidate."""
    data, observed = sample
    emulation = Emulation(data, observed.isel(time=slice(20)))
    some = np.arange(44) % 3 == 0
    whole, part = emulation.perturbed("albedo", 0.5), emulation.perturbed("albedo", 0.5, some)
    for name, values in whole.items():
        np.testing.assert_array_equal(part[name], np.where(some, values, 0.0), err_msg=name)
    assert whole["slhf"][:, some].any() and whole["slhf"][:, ~some].any()
    with_trees = next(c.members for c in emulation.classes if c.name == "all high vegetation")
    change = emulation.perturbed("rsmin_hv")["slhf"]
    assert change[:, with_trees].any() and not change[:, ~with_trees].any() and (~with_trees).any()
