# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Runoff of the land for a routing model: ``python routing.py land.nc runoff.nc O96``.

``land.nc`` is the output of a run of the land, coupled or not, with ``sro`` and ``ssro``, on points of the grid O96;
without the name, a usual grid is recognised. ``runoff.nc`` has their means over whole days [mm day-1] on a regular grid
of 1 degree, rows from north to south: the NetCDF input of CaMa-Flood.
"""

import sys

import numpy as np
import xarray as xr

import anemoi_ailand as ail

DEGREES = 1.0
SECONDS = 86400.0  # of a day: kg m-2 s-1 to mm per day

source, target, *cells = sys.argv[1:]
land = xr.open_dataset(source)[["sro", "ssro"]].isel(time=slice(1, None))  # no fluxes at the initial date

# A value is the mean over the 6 h that end at its stamp: the day is that of the beginning of the interval.
land = land.assign_coords(time=land["time"] - np.timedelta64(6, "h"))
whole = land["time"].resample(time="1D").count() == 4
days = land.resample(time="1D").mean().isel(time=whole.values)

rows, columns = np.arange(90.0, -90.0 - DEGREES, -DEGREES), np.arange(-180.0, 180.0, DEGREES)
grid = tuple(axis.ravel() for axis in np.meshgrid(rows, columns, indexing="ij"))
places = land["latitude"].values, land["longitude"].values
areas = ail.overlap_areas(grid, places, cells=[DEGREES, DEGREES], source_cells=cells[0] if cells else "auto")
covered = areas.sum(axis=1)  # m2 of land in each cell

runoff = xr.Dataset(coords={"time": days["time"], "lat": rows, "lon": columns})
for name in days:
    means = areas @ days[name].transpose("point", "time").values.astype(np.float64)
    means = SECONDS * means / np.where(covered > 0.0, covered, np.nan)[:, None]
    runoff[name] = ("time", "lat", "lon"), means.T.reshape(-1, rows.size, columns.size).astype(np.float32)
    runoff[name].attrs = {"long_name": land[name].attrs["long_name"], "units": "mm day-1", "cell_methods": "time: mean"}
runoff["area"] = ("lat", "lon"), covered.reshape(rows.size, columns.size)
runoff["area"].attrs = {"long_name": "area of the land in the cell", "units": "m2"}
runoff.to_netcdf(target, encoding={name: {"_FillValue": np.float32(-9999.0)} for name in days})
