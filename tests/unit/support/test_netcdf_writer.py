# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""CF NetCDF writing: coordinates, attributes, provenance, compression."""

import re
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.support.netcdf_writer import (
    add_coordinate,
    add_field,
    add_points,
    global_attributes,
    new_file,
    time_coordinate,
    variable_attributes,
    write_dataset,
)
from anemoi_ailand.variables import variable


def test_file_is_published_when_complete(tmp_path):
    """A new file appears under its name at the end; after an error nothing is left."""
    path = tmp_path / "new" / "f.nc"
    with new_file(path) as file:
        add_points(file, np.array([10.0, 20.0]), np.array([0.0, 350.0]))
        assert not path.exists()
    with pytest.raises(ZeroDivisionError), new_file(path.with_name("g.nc")):
        raise ZeroDivisionError
    assert [p.name for p in path.parent.iterdir()] == ["f.nc"]
    with xr.open_dataset(path) as found:
        np.testing.assert_array_equal(found.longitude, [0.0, 350.0])
        assert found.latitude.attrs == {"standard_name": "latitude", "units": "degrees_north"}


def test_fields_are_compressed_and_missing_is_nan(tmp_path):
    """A field of floating-point numbers has NaN for missing, one of integers no fill value; both are compressed."""
    with new_file(tmp_path / "f.nc") as file:
        add_points(file, np.zeros(3), np.arange(3.0))
        file.createDimension("time", None)
        add_coordinate(file, "time", ("time",), (), "i4")
        add_field(file, "sd", ("time", "point"), variable_attributes("sd"), chunks=(2, 3))
        add_field(file, "days", ("point",), {"units": "day"}, "i2")
        file["time"][0], file["days"][:] = 6, 1
    with netCDF4.Dataset(tmp_path / "f.nc") as file:
        file.set_auto_mask(False)
        assert np.isnan(file["sd"][0]).all()
        assert file["sd"].chunking() == [2, 3]
        assert file["sd"].filters()["zlib"]
        assert not hasattr(file["days"], "_FillValue")


def test_attributes_follow_the_table():
    """Changes and additions apply, None removes, and absent entries of the table are left out."""
    row = variable("slhf")
    found = variable_attributes("slhf", long_name="other", cell_methods=None, role="diagnostic")
    assert found == {"standard_name": row.standard_name, "long_name": "other", "units": row.units,
                     "short_name": "slhf", "role": "diagnostic"}  # fmt: skip
    assert "standard_name" not in variable_attributes("nee")


def test_provenance():
    """Global attributes give convention, history with a UTC date, and versions."""
    found = global_attributes("A title", "a command", label="A", absent=None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ a command", found["history"])
    assert (found["Conventions"], found["title"], found["label"]) == ("CF-1.11", "A title", "A")
    assert all(f"{package} " in found["versions"] for package in ("anemoi-ailand", "anemoi-inference", "torch"))
    assert "absent" not in found


def test_dataset_is_written_with_whole_hours(tmp_path):
    """An xarray dataset is compressed, its time is in whole hours since 1970."""
    stamps = np.datetime64("2022-01-01", "ns") + np.arange(3) * np.timedelta64(6, "h")
    data = xr.Dataset({"sd": ("time", np.arange(3.0))}, coords={"time": ("time", stamps, time_coordinate())})
    write_dataset(data, tmp_path / "f.nc")
    with netCDF4.Dataset(tmp_path / "f.nc") as file:
        assert (file["time"].units, file["time"].dtype) == ("hours since 1970-01-01", np.int32)
        assert (file["time"].standard_name, file["time"].axis) == ("time", "T")
        assert file["sd"].filters()["zlib"]
    with xr.open_dataset(tmp_path / "f.nc") as found:
        np.testing.assert_array_equal(found.time, stamps)


def test_netcdf_is_written_in_one_place():
    """Only `netcdf_writer` creates variables, encodes datasets and names the convention."""
    package = Path(__file__).resolve().parents[3] / "anemoi_ailand"
    by_hand = re.compile(r"createVariable\(|\.to_netcdf\(|\"CF-1")
    found = [str(p.relative_to(package)) for p in sorted(package.rglob("*.py")) if by_hand.search(p.read_text())]
    assert found == ["support/netcdf_writer.py"]
