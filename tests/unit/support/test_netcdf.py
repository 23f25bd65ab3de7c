# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""NetCDF: one writer by the conventions, one lock of the library."""

import contextlib
import re
import threading
from pathlib import Path
from types import SimpleNamespace

import netCDF4
import numpy as np
import pytest
import xarray as xr
from anemoi.inference.outputs import netcdf

from anemoi_ailand.hosts.anemoi_inference import share_netcdf_lock
from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK
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
from tests.support.outputs import made, state


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


def test_writer_waits_for_a_reader(tmp_path):
    """While another thread holds the lock, nothing is written; then it is."""
    output = made(tmp_path / "f.nc")
    output.open(state(0))
    output.write_state(state(1))
    closing = threading.Thread(target=output.close)
    with NETCDF_LOCK:
        closing.start()
        closing.join(timeout=0.3)
        assert closing.is_alive()
        assert not (tmp_path / "f.nc").exists()
    closing.join(timeout=10)
    assert (tmp_path / "f.nc").exists()


def test_reading_while_another_thread_writes(tmp_path):
    """A thread that reads another file under the lock, and the writer, do not disturb each other."""
    with netCDF4.Dataset(tmp_path / "in.nc", "w") as file:
        file.createDimension("x", 1000)
        file.createVariable("a", "f4", ("x",), zlib=True)[:] = np.arange(1000)
    wrong, stop = [], threading.Event()

    def read() -> None:
        while not stop.is_set():
            with NETCDF_LOCK, netCDF4.Dataset(tmp_path / "in.nc") as file:
                wrong.extend(np.flatnonzero(file["a"][:] != np.arange(1000)))

    reader = threading.Thread(target=read)
    reader.start()
    output = made(tmp_path / "f.nc", chunks={"time": 2, "point": 5})
    output.open(state(0))
    for k in range(1, 200):
        output.write_state(state(k))
    output.close()
    stop.set()
    reader.join()
    assert wrong == []
    with netCDF4.Dataset(tmp_path / "f.nc") as file:
        np.testing.assert_array_equal(file["swvl1"][-1], state(199)["fields"]["swvl1"])


def test_anemoi_output_takes_our_lock():
    """Its own lock is replaced, and a step is written under ours, time coordinates included; twice is once."""
    share_netcdf_lock()
    guarded = netcdf.NetCDFOutput.write_step
    share_netcdf_lock()
    assert netcdf.LOCK is NETCDF_LOCK
    assert netcdf.NetCDFOutput.write_step is guarded
    begun = threading.Event()
    output = SimpleNamespace(ensure_variables=lambda state: begun.set() or 1 / 0)
    writing = threading.Thread(target=lambda: _quiet(guarded, output))
    with NETCDF_LOCK:
        writing.start()
        assert not begun.wait(0.2)
    writing.join(timeout=10)
    assert begun.is_set()


def test_our_output_shares_the_lock_under_any_runner(tmp_path, monkeypatch):
    """Opening a land output gives Anemoi's output our lock."""
    monkeypatch.setattr(netcdf, "LOCK", threading.RLock())
    monkeypatch.setattr(netcdf.NetCDFOutput, "write_step", netcdf.NetCDFOutput.write_step)
    output = made(tmp_path / "f.nc")
    output.open(state(0))
    assert netcdf.LOCK is NETCDF_LOCK
    output.close()


def test_coordinates_and_fields_are_defined_under_the_lock(tmp_path):
    """While another thread holds the lock, nothing is added to a new file."""
    with new_file(tmp_path / "f.nc") as file:
        defining = threading.Thread(target=add_points, args=(file, np.zeros(2), np.zeros(2)))
        with NETCDF_LOCK:
            defining.start()
            defining.join(timeout=0.2)
            assert "point" not in file.dimensions
        defining.join(timeout=10)
        assert set(file.variables) == {"latitude", "longitude"}


def _quiet(call, *arguments):
    with contextlib.suppress(ZeroDivisionError):
        call(*arguments, {})
