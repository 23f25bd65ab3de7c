# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""One lock for the HDF5 library, shared with the NetCDF output of anemoi-inference."""

from __future__ import annotations

import sys
from functools import wraps
from typing import Any

from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK


def share_netcdf_lock() -> None:
    """Give Anemoi's ``output: netcdf`` our lock; nothing to do where that output is not loaded.

    HDF5 is not thread-safe in the wheels of netCDF4. anemoi-inference 0.13 guards it with a lock of its own
    (``outputs.netcdf.LOCK``) and writes the time coordinates without any (``NetCDFOutput.write_step``), so that our
    background reader or writer in the same process ends in a segmentation fault. This can go when anemoi-inference
    offers a public lock that covers all of its calls.
    """
    module: Any = sys.modules.get("anemoi.inference.outputs.netcdf")
    if module is None or module.LOCK is NETCDF_LOCK:
        return
    module.LOCK = NETCDF_LOCK
    unguarded = module.NetCDFOutput.write_step

    @wraps(unguarded)
    def write_step(self: Any, state: Any) -> None:
        with NETCDF_LOCK:
            unguarded(self, state)

    module.NetCDFOutput.write_step = write_step
