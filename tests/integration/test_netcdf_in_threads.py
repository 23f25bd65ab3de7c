# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Background readers and writers with Anemoi's own NetCDF output: one process, one HDF5 library, one lock."""

import subprocess
import sys

import pytest
import xarray as xr
import yaml

from anemoi_ailand.support.packaged import find

pytestmark = pytest.mark.slow

#: ``anemoi-inference run run.yaml`` that fails if NetCDF is used without the lock: whether that crashes is a matter of
#: chance.
RUN = r"""
import traceback

import netCDF4

from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK

WITHOUT_LOCK = set()


def note():
    if not NETCDF_LOCK._is_owned():
        WITHOUT_LOCK.add("".join(traceback.format_stack(limit=4)[:-1]))


class Watched(netCDF4.Dataset):
    def __init__(self, *arguments, **options):
        note()
        super().__init__(*arguments, **options)

    def __getitem__(self, name):
        note()
        return WatchedVariable(super().__getitem__(name))

    def createVariable(self, *arguments, **options):
        note()
        return WatchedVariable(super().createVariable(*arguments, **options))

    def close(self):
        note()
        super().close()


class WatchedVariable:
    def __init__(self, variable):
        object.__setattr__(self, "variable", variable)

    def __getattr__(self, name):
        return getattr(self.variable, name)

    def __setattr__(self, name, value):
        note()
        setattr(self.variable, name, value)

    def __getitem__(self, index):
        note()
        return self.variable[index]

    def __setitem__(self, index, values):
        note()
        self.variable[index] = values


if __name__ == "__main__":
    netCDF4.Dataset = Watched
    from anemoi.inference.__main__ import main

    try:
        main()
    finally:  # it ends by SystemExit
        assert not WITHOUT_LOCK, "\n\n".join(WITHOUT_LOCK)
"""

ANEMOI = {"netcdf": {"path": "anemoi.nc"}}


@pytest.mark.parametrize("output", [ANEMOI, {"tee": {"outputs": [{"land-netcdf": {"path": "land.nc"}}, ANEMOI]}}])
def test_output_of_anemoi_with_our_background_threads(tmp_path, output):
    """Anemoi's `netcdf`, alone or with our background writer, and our background reader use the library in turn."""
    config = yaml.safe_load(find("configs", "inference/rollout-files").read_text())
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({**config, "output": output, "lead_time": "10d"}))
    (tmp_path / "watched.py").write_text(RUN)
    command = [sys.executable, "watched.py", "run", "run.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    assert list(tmp_path.glob("*.nc"))
    for path in tmp_path.glob("*.nc"):
        with xr.open_dataset(path) as found:
            assert found.sizes["time"] == 41
