# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The file of a re-forecast."""

import re

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.rollout.reforecast.reforecast_file import Layout, ReforecastFile
from anemoi_ailand.variables import VARIABLES

NAMES = ("swvl1", "2t", "slhf")
STARTS = np.array(["2022-01-01T00", "2022-01-03T06"], dtype="datetime64[s]")
LEADS = np.array([6, 24, 48])
N_POINTS = 4


def layout(**changes):
    made = {
        "starts": STARTS, "leads": LEADS, "latitudes": np.linspace(-60.0, 70.0, N_POINTS),
        "longitudes": np.linspace(0.0, 350.0, N_POINTS), "point_id": np.array([7, 3, 1, 0]), "variables": NAMES,
        "attributes": {"label": "A", "checkpoint": "best.ckpt"}, "lead_chunk": 2, "point_chunk": 3,
    }  # fmt: skip
    return Layout(**{**made, **changes})


def values():
    """All that is written, shape (start, lead, variable, point)."""
    shape = (len(STARTS), len(LEADS), len(NAMES), N_POINTS)
    return np.random.default_rng(0).standard_normal(shape).astype("f4")


def write(path, **changes):
    """Write a whole file."""
    with ReforecastFile.create(path, layout(**changes)) as file:
        for start in range(len(STARTS)):
            file.write(start, slice(None), slice(None), values()[start])
    return path


def test_axes_are_those_of_the_contract(tmp_path):
    """Starts decode to dates, leads stay whole hours, points have place and identity; chunks have one start."""
    with xr.open_dataset(write(tmp_path / "f.nc")) as found:
        np.testing.assert_array_equal(found.start, STARTS.astype("datetime64[ns]"))
        np.testing.assert_array_equal(found.lead, LEADS)
        assert (found.lead.dtype, found.lead.attrs["units"]) == (np.int32, "h")
        assert found.lead.attrs["standard_name"] == "forecast_period"
        np.testing.assert_array_equal(found.latitude, layout().latitudes)
        np.testing.assert_array_equal(found.point_id, [7, 3, 1, 0])
        assert {"latitude", "longitude", "point_id", "start", "lead"} == set(found.coords)
        np.testing.assert_array_equal(found.swvl1, values()[:, :, 0])
        assert found.swvl1.dims == ("start", "lead", "point")
        assert (found.swvl1.encoding["chunksizes"], found.swvl1.encoding["zlib"]) == ((1, 2, 3), True)
    with xr.open_dataset(write(tmp_path / "g.nc", point_id=None)) as found:
        assert {"latitude", "longitude"} <= set(found.swvl1.coords) - {"point_id"}


def test_attributes_are_those_of_the_table(tmp_path):
    """Variables have the attributes of the table, the file those given, convention, time and versions."""
    with xr.open_dataset(write(tmp_path / "f.nc")) as found:
        for name in NAMES:
            row, attrs = VARIABLES[name], found[VARIABLES[name].netcdf_name].attrs
            got = (attrs["short_name"], attrs["long_name"], attrs["units"], attrs["cell_methods"])
            assert got == (name, row.long_name, row.units, row.cell_methods)
            assert attrs.get("standard_name") == row.standard_name
        assert (found.attrs["label"], found.attrs["checkpoint"]) == ("A", "best.ckpt")
        assert found.attrs["Conventions"] == "CF-1.11"
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ written by anemoi-ailand", found.attrs["history"])
        assert "anemoi-ailand" in found.attrs["versions"]


def test_nothing_under_the_final_name_before_the_end(tmp_path):
    """The final name appears at the end; the unfinished file of a killed run is replaced."""
    path = tmp_path / "new" / "f.nc"
    path.parent.mkdir()
    (path.parent / "f.nc.partial").write_text("left")
    with ReforecastFile.create(path, layout()):
        assert [p.name for p in path.parent.iterdir()] == ["f.nc.partial"]
    assert [p.name for p in path.parent.iterdir()] == ["f.nc"]


@pytest.mark.parametrize("earlier", [None, "earlier"])
def test_failure_leaves_files_unchanged(tmp_path, earlier):
    """A failure leaves no file, or the earlier one."""
    path = tmp_path / "f.nc"
    if earlier:
        path.write_text(earlier)
    with pytest.raises(ZeroDivisionError), ReforecastFile.create(path, layout()) as file:
        file.write(0, slice(0, 2), slice(0, 3), values()[0, :2, :, :3])
        raise ZeroDivisionError
    with pytest.raises(ValueError, match="chunksize"), ReforecastFile.create(path, layout(point_chunk=9)):
        pass  # NetCDF refuses a chunk larger than its axis
    assert [p.read_text() for p in tmp_path.iterdir()] == ([earlier] if earlier else [])
