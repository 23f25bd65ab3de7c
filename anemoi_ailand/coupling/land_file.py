# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""NetCDF file of the land in a coupled run."""

from __future__ import annotations

import logging
from pathlib import Path

import netCDF4

from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.support.atomic import check_replaceable, partial_path, publish
from anemoi_ailand.support.disk_errors import check_folder, writing
from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK
from anemoi_ailand.support.netcdf_writer import (
    EPOCH,
    add_coordinate,
    add_field,
    add_points,
    create,
    global_attributes,
    variable_attributes,
)
from anemoi_ailand.variables import variable

LOG = logging.getLogger(__name__)


class LandFile:
    """CF NetCDF file, dimensions (time, point), one time every 6 h; published when it is closed.

    It records the checkpoint, and the execution of its steps.
    """

    def __init__(self, path: Path, names: tuple[str, ...], checkpoint_sha256: str, execution: str) -> None:
        if path.suffix != ".nc":
            raise ValueError(f"`output` is '{path}', but the file of a coupled land is NetCDF. Give a name in .nc.")
        check_folder(path.parent)
        check_replaceable(path)
        self.path, self.partial = path, partial_path(path)
        self._names, self._about = names, {"checkpoint_sha256": checkpoint_sha256, "execution": execution}
        self._file: netCDF4.Dataset | None = None

    def write(self, state: LandState) -> None:
        """Append a time; variables that the state lacks (diagnostics at the start) are missing."""
        with NETCDF_LOCK, writing(self.path):
            file = self._file or self._create(state)
            i = len(file["time"])
            file["time"][i] = (state.date - EPOCH).total_seconds() / 3600.0
            held = state.numpy()
            for name in self._names:
                if name in held:
                    file[variable(name).netcdf_name][i] = held[name]

    def close(self) -> None:
        """Close the file and publish it under its name."""
        if self._file is not None:
            with NETCDF_LOCK, writing(self.path):
                self._file.close()
                publish(self.partial, self.path)
            LOG.info("Land written to %s", self.path)
        self._file = None

    def _create(self, state: LandState) -> netCDF4.Dataset:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self._file = create(self.partial)
        about = self._about | {"featureType": "timeSeries"}
        file.setncatts(global_attributes("Coupled run of the anemoi-ailand land emulator", **about))
        file.createDimension("time", None)
        add_coordinate(file, "time", ("time",), ())
        add_points(file, state.latitudes, state.longitudes)
        for name in self._names:
            attributes = variable_attributes(name, coordinates="latitude longitude")
            add_field(file, variable(name).netcdf_name, ("time", "point"), attributes)
        return file
