# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The one lock of this process around the NetCDF library, which is not safe in threads."""

from __future__ import annotations

import threading

#: Held by everything of a roll-out that calls netCDF4 while another thread may: the writer of an output, for one
#: variable at a time, and a reader ahead. Two threads in HDF5 at once end in a crash, even with two files.
NETCDF_LOCK = threading.RLock()
