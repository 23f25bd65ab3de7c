# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The lock of the NetCDF library."""

import threading

import netCDF4
import numpy as np

from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK
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


def test_reading_beside_the_writer(tmp_path):
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
