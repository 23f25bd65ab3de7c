# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Small files of land data for tests: written from scratch, or copied from the sample and spoilt in one way."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np

from anemoi_ailand.support.packaged import folder
from anemoi_ailand.variables import VARIABLES

STEP = timedelta(hours=6)
FIRST = datetime(2020, 1, 1)


def stamps(n: int, first: datetime = FIRST, step: timedelta = STEP) -> list[datetime]:
    """Return n stamps from first on."""
    return [first + i * step for i in range(n)]


def write_land(
    path: Path, values: dict[str, np.ndarray], dates: Sequence[datetime], units: dict[str, str] | None = None
) -> Path:
    """Write variables of shape (time, point) or (point,) under the names given."""
    n_points = next(iter(values.values())).shape[-1]
    with netCDF4.Dataset(path, "w") as ds:
        ds.createDimension("time", len(dates))
        ds.createDimension("point", n_points)
        time = ds.createVariable("time", "i4", ("time",))
        time.units = "hours since 2000-01-01"
        time[:] = [int((d - datetime(2000, 1, 1)) / timedelta(hours=1)) for d in dates]
        for name, start in (("latitude", 10.0), ("longitude", 20.0)):
            ds.createVariable(name, "f8", ("point",))[:] = start + np.arange(n_points)
        ds.createVariable("point_id", "i4", ("point",))[:] = 100 + np.arange(n_points)
        for name, data in values.items():
            v = ds.createVariable(name, "f4", ("time", "point")[2 - data.ndim :])
            v.units = (units or {}).get(name) or (VARIABLES[name].units if name in VARIABLES else "1")
            v[:] = data
    return path


def ramp(n_dates: int, n_points: int, start: float = 0.0) -> np.ndarray:
    """Values that differ at every date and point."""
    return start + np.arange(n_dates)[:, None] + 0.01 * np.arange(n_points)


def native_copy(target: Path, layout: str = "points") -> Path:
    """Copy of the native files of the sample, which a test may spoil."""
    shutil.copytree(folder("sample") / "native" / layout, target)
    return target


def spoil(path: Path, name: str, value: object, index: object = slice(None)) -> None:
    """Overwrite values of a variable in a file."""
    with netCDF4.Dataset(path, "a") as ds:
        ds.variables[name][index] = value


def without_records(path: Path, records: Sequence[int]) -> None:
    """Rewrite a file without some records in time."""
    copy = path.with_name(f"{path.name}.copy")
    with netCDF4.Dataset(path) as a, netCDF4.Dataset(copy, "w", format=a.data_model) as b:
        a.set_auto_mask(False)
        keep = np.setdiff1d(np.arange(len(a.dimensions["time"])), records)
        for name, dim in a.dimensions.items():
            b.createDimension(name, len(keep) if name == "time" else len(dim))
        for name, v in a.variables.items():
            out = b.createVariable(name, v.dtype, v.dimensions)
            out.setncatts({k: v.getncattr(k) for k in v.ncattrs() if k != "_FillValue"})
            data = v[:]
            out[:] = data[keep] if "time" in v.dimensions else data
    copy.replace(path)
