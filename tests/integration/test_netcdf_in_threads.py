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


def test_output_of_anemoi_with_our_input_and_output(tmp_path):
    """A background reader and a background writer of NetCDF complete a run together with Anemoi's `netcdf`."""
    output = {"tee": {"outputs": [{"land-netcdf": {"path": "land.nc"}}, {"netcdf": {"path": "anemoi.nc"}}]}}
    config = yaml.safe_load(find("configs", "inference/rollout-files").read_text())
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({**config, "output": output, "lead_time": "10d"}))
    command = [sys.executable, "-m", "anemoi.inference", "run", "run.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    for path in tmp_path.glob("*.nc"):
        with xr.open_dataset(path) as found:
            assert found.sizes["time"] == 41
