# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Process-wide lock for the NetCDF and HDF5 libraries, which are not thread-safe."""

from __future__ import annotations

import threading

#: Held around every call of netCDF4 during a roll-out or re-forecast: by writers for one variable at a time, by
#: background readers for one block. Two threads in HDF5 at once crash the process, even with two files. Anemoi's own
#: NetCDF output takes the same lock, see :mod:`anemoi_ailand.hosts.anemoi_inference`.
NETCDF_LOCK = threading.RLock()
