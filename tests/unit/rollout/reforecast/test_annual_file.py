# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The file of a long run is written year by year and continued."""

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.rollout.reforecast.annual_file import YearsFile
from anemoi_ailand.rollout.reforecast.annual_statistics import YearStatistics

PLACES = {"latitude": np.array([10.0, 50.0]), "longitude": np.array([0.0, 9.0]), "point_id": np.array([3.0, 4.0])}
RUN = {"checkpoint_sha256": "abc", "forcing_repeated": "2018 to 2022"}


def write(path, years, identity=RUN):
    """Write so many more years, the value of each step its number."""
    statistics = YearStatistics(("swvl1",), np.zeros(1), np.ones((2, 1)), 2)
    with YearsFile(path, ("swvl1",), PLACES, identity) as file:
        if file.years == 0:
            file.begin(np.full((2, 1), 0.5))
        for _ in range(years):
            k = file.years
            statistics.begin()
            for step in range(3):
                statistics.add(np.full((2, 1), k + 0.1 * step))
            file.write(statistics, np.datetime64(f"{2018 + k}-01-02T00", "s"))


def test_round_trip(tmp_path):
    """Statistics, places, steps and date of the forcing, with units."""
    write(tmp_path / "years.nc", 2)
    with xr.open_dataset(tmp_path / "years.nc") as years:
        np.testing.assert_allclose(years["swvl1_mean"][:, 0], [0.1, 1.1], rtol=1e-6)
        np.testing.assert_allclose(years["swvl1_end"][:, 0], [0.2, 1.2], rtol=1e-6)
        assert years["swvl1_start"].values.tolist() == [0.5, 0.5]
        assert years["swvl1_max"].attrs["units"] == "m3 m-3"
        assert years["steps"].values.tolist() == [3, 3]
        assert str(years["forcing"].values[1])[:13] == "2019-01-02T00"
        assert years["point_id"].values.tolist() == [3, 4]
        assert years.attrs["checkpoint_sha256"] == "abc"


def test_a_year_without_its_number_does_not_count(tmp_path):
    """The number is written last: what a stopped run left is written again."""
    path = tmp_path / "years.nc"
    write(path, 1)
    with YearsFile(path, ("swvl1",), PLACES, RUN) as file:
        file._file["swvl1_end"][1] = 9.0
    write(path, 1)
    with xr.open_dataset(path) as years:
        np.testing.assert_allclose(years["swvl1_end"][1], 1.2, rtol=1e-6)


def test_another_run_is_refused(tmp_path):
    """The error names the difference; the file stays, and so does another file."""
    write(tmp_path / "years.nc", 1)
    with pytest.raises(FileExistsError, match=r"another run.*'abc', 'other'"):
        write(tmp_path / "years.nc", 1, {**RUN, "checkpoint_sha256": "other"})
    write(tmp_path / "years.nc", 1)
    (tmp_path / "other.nc").write_text("mine")
    with pytest.raises(FileExistsError, match="cannot be continued"):
        write(tmp_path / "other.nc", 1)
    assert (tmp_path / "other.nc").read_text() == "mine"
