# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The lock of the NetCDF library."""

import contextlib
import threading
from types import SimpleNamespace

import netCDF4
import numpy as np
from anemoi.inference.outputs import netcdf

from anemoi_ailand.hosts.anemoi_inference import share_netcdf_lock
from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK
from anemoi_ailand.support.netcdf_writer import add_points, new_file
from tests.support.outputs import made, state


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
