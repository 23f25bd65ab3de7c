# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A file of the land's own, beside what the atmosphere writes."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

import netCDF4
import numpy as np

from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.support.disk_errors import check_folder, writing
from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK
from anemoi_ailand.variables import variable

LOG = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1)


class LandFile:
    """CF NetCDF with dimensions (time, point), a time every 6 h; it gets its name when it is complete.

    Parameters
    ----------
    path : Path
        The file. Its folder is made.
    names : tuple of str
        Variables that are written.
    checkpoint_sha256 : str
        Of the land's network.

    Raises
    ------
    OSError
        The folder cannot be written, or the disk is full.
    """

    def __init__(self, path: Path, names: tuple[str, ...], checkpoint_sha256: str) -> None:
        check_folder(path.parent)
        self.path, self.partial = path, path.with_name(f"{path.name}.partial")
        self._names, self._sha256 = names, checkpoint_sha256
        self._file: netCDF4.Dataset | None = None

    def write(self, state: LandState) -> None:
        """Add a time; what the state does not hold, as diagnostics at the start, is missing."""
        with NETCDF_LOCK, writing(self.path):
            file = self._file or self._create(state)
            i = len(file["time"])
            file["time"][i] = (state.date - _EPOCH).total_seconds() / 3600.0
            held = state.numpy()
            for name in self._names:
                if name in held:
                    file[variable(name).netcdf_name][i] = held[name]

    def close(self) -> None:
        """Give the file its name."""
        if self._file is not None:
            with NETCDF_LOCK, writing(self.path):
                self._file.close()
                self.partial.replace(self.path)
            LOG.info("Land written to %s", self.path)
        self._file = None

    def _create(self, state: LandState) -> netCDF4.Dataset:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self._file = netCDF4.Dataset(self.partial, "w")
        file.setncatts({"Conventions": "CF-1.11", "checkpoint_sha256": self._sha256, "featureType": "timeSeries"})
        file.createDimension("time", None)
        file.createDimension("point", len(state.latitudes))
        time = file.createVariable("time", "f8", ("time",))
        time.setncatts({"units": f"hours since {_EPOCH}", "calendar": "standard", "standard_name": "time"})
        for name, values, units in (("latitude", state.latitudes, "degrees_north"),
                                    ("longitude", state.longitudes, "degrees_east")):  # fmt: skip
            place = file.createVariable(name, "f8", ("point",))
            place.setncatts({"units": units, "standard_name": name})
            place[:] = values
        for name in self._names:
            row = variable(name)
            field = file.createVariable(
                row.netcdf_name, "f4", ("time", "point"), compression="zlib", complevel=1, fill_value=np.float32(np.nan)
            )
            attributes = {"units": row.units, "long_name": row.long_name, "standard_name": row.standard_name,
                          "cell_methods": row.cell_methods, "coordinates": "latitude longitude"}  # fmt: skip
            field.setncatts({k: v for k, v in attributes.items() if v is not None})
        return file
