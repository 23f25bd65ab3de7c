# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""CF NetCDF of a roll-out: ``output: {land-netcdf: {path: ...}}``."""

from __future__ import annotations

import fnmatch
import logging
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from anemoi.inference.output import Output
from anemoi.inference.types import State
from netCDF4 import Dataset

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.rollout.checkpoint import known_by
from anemoi_ailand.rollout.checks import check_task
from anemoi_ailand.variables import Role, variable

LOG = logging.getLogger(__name__)

#: Most times that are gathered before they are written: compressed chunks want more than one.
CHUNK_TIMES = 64
#: Memory that they may take [bytes]; one time is always kept whole.
GATHERED_BYTES = 2**28
#: Values of a compressed chunk: 1 MiB.
CHUNK_SIZE = 2**18

EPOCH = datetime(1970, 1, 1)


class LandNetCDFOutput(Output):
    """Write prognostic and diagnostic variables as CF-1.11 NetCDF, dimensions (time, point).

    Names, units, standard names and cell methods come from the table of variables (``t2m`` for ``2t``: a NetCDF
    name begins with a letter); interval means have time bounds; global attributes name checkpoint, its
    SHA-256, start and versions. The file is written under a temporary name and renamed when it is complete.

    Parameters
    ----------
    path : str
        The file. Its folder is made.
    compression : int
        zlib level, 0 to 9.
    **options
        Of every output of anemoi-inference: ``variables``, ``output_frequency``, ``write_initial_state``,
        ``post_processors``.

    Raises
    ------
    ValueError
        A compression level that is none; a name in ``variables`` that the model does not predict, or none left; a
        checkpoint of another task.
    """

    def __init__(self, context: Any, metadata: Any, *, path: str, compression: int = 4, **options: Any) -> None:
        super().__init__(context, metadata, **options)
        check_task(context.checkpoint.task, context.checkpoint.path)
        if compression not in range(10):
            raise ValueError(f"`compression` is {compression}. Give a zlib level from 0 to 9.")
        self.path, self.compression = Path(path), compression
        self.partial = self.path.with_name(self.path.name + ".partial")
        self.names = self._selected()
        self._file: Any = None
        self._pending: list[tuple[datetime, dict[str, np.ndarray]]] = []
        self._written = 0

    def __repr__(self) -> str:
        return f"LandNetCDFOutput({self.path})"

    def _selected(self) -> list[str]:
        """Variables to write, in the order of the model."""
        order = self.metadata.variable_to_output_tensor_index
        predicted = sorted(order, key=order.__getitem__)
        patterns = [p for p in self.variables.select or self.variables.drop or [] if isinstance(p, str)]
        unknown = [p for p in patterns if not fnmatch.filter(predicted, p)]
        names = [v for v in predicted if not self.skip_variable(v)]
        if unknown or not names:
            raise ValueError(
                f"`variables` of {self.path} leaves {names or 'nothing'} and names {unknown}, but the model predicts "
                f"{predicted}. Correct the names."
            )
        return names

    def open(self, state: State) -> None:
        """Create the file with dimensions, coordinates and variables."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.partial.unlink(missing_ok=True)  # of a failed run, which may still hold its lock in this process
        self._file = Dataset(self.partial, "w", format="NETCDF4")
        self._file.setncatts(self._global_attributes(state["date"]))
        n = state["latitudes"].size
        self._file.createDimension("time", None)
        self._file.createDimension("bnds", 2)
        self._file.createDimension("point", n)
        self._coordinates(state)
        self._n_times = max(1, min(CHUNK_TIMES, GATHERED_BYTES // (4 * n * len(self.names))))
        for name in self.names:
            self._variable(name, n)

    def _coordinates(self, state: State) -> None:
        for axis, unit in (("latitude", "degrees_north"), ("longitude", "degrees_east")):
            var = self._file.createVariable(axis, "f8", ("point",))
            var.setncatts({"standard_name": axis, "units": unit})
            var[:] = state[f"{axis}s"]
        hours = {"units": f"hours since {EPOCH:%Y-%m-%d %H:%M:%S}", "calendar": "standard"}
        time = self._file.createVariable("time", "i4", ("time",))
        time.setncatts({"standard_name": "time", "axis": "T", "bounds": "time_bnds", **hours})
        self._file.createVariable("time_bnds", "i4", ("time", "bnds")).setncatts(hours)
        start = self._file.createVariable("forecast_reference_time", "i4")
        start.setncatts({"standard_name": "forecast_reference_time", **hours})
        start[...] = _hours(state["date"])

    def _variable(self, name: str, n_points: int) -> None:
        row = variable(name)
        var = self._file.createVariable(
            row.netcdf_name,
            "f4",
            ("time", "point"),
            fill_value=np.float32(np.nan),
            chunksizes=(self._n_times, min(n_points, CHUNK_SIZE // self._n_times)),
            zlib=self.compression > 0,
            complevel=self.compression or None,
            shuffle=self.compression > 0,
        )
        attributes = {
            "standard_name": row.standard_name,
            "long_name": row.long_name,
            "units": row.units,
            "cell_methods": row.cell_methods,
            "short_name": name,
            "role": "prognostic" if row.role is Role.PROGNOSTIC else "diagnostic",
            "coordinates": "latitude longitude",
        }
        var.setncatts({k: v for k, v in attributes.items() if v is not None})

    def _global_attributes(self, date: datetime) -> dict[str, str]:
        checkpoint = Path(str(self.context.checkpoint.path))
        packages = ("anemoi-ailand", "anemoi-inference", "anemoi-models", "torch")
        return {
            "Conventions": "CF-1.11",
            "title": "Roll-out of the anemoi-ailand land emulator",
            "source": "anemoi-ailand, an emulator of ecLand",
            "history": f"{datetime.now():%Y-%m-%dT%H:%M:%S} anemoi-inference run",
            "initial_date": f"{date:%Y-%m-%dT%H:%M:%S}",
            "lead_time": str(getattr(self.context, "lead_time", "")),
            "checkpoint": checkpoint.name,
            "checkpoint_sha256": known_by(checkpoint),
            "versions": ", ".join(f"{p} {version(p)}" for p in packages),
        }

    def write_step(self, state: State) -> None:
        """Take one state; write when a chunk is full. Variables that a state lacks (lead 0) stay missing."""
        fields = {n: np.array(state["fields"][n], dtype=np.float32) for n in self.names if n in state["fields"]}
        self._pending.append((state["date"], fields))
        if len(self._pending) == self._n_times:
            self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        rows = slice(self._written, self._written + len(self._pending))
        hours = np.array([_hours(date) for date, _ in self._pending])
        self._file["time"][rows] = hours
        self._file["time_bnds"][rows] = np.stack([hours - STEP_HOURS, hours], axis=1)
        missing = np.full(self._file.dimensions["point"].size, np.nan, dtype=np.float32)
        for name in self.names:
            values = np.stack([fields.get(name, missing) for _, fields in self._pending])
            self._file[variable(name).netcdf_name][rows] = values
        self._written += len(self._pending)
        self._pending.clear()

    def close(self) -> None:
        """Write what is left and give the file its name."""
        if self._file is None:
            return
        self._flush()
        self._file.close()
        self._file = None
        self.partial.replace(self.path)
        LOG.info("Roll-out written to %s: %d times", self.path, self._written)


def _hours(date: datetime) -> int:
    return int((date - EPOCH) / timedelta(hours=1))
