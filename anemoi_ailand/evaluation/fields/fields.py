# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Read fields: an anemoi dataset or a NetCDF file becomes ``xarray`` with dimensions (time, point).

Everything else in this folder works on ``xarray`` and does not know where the values come from. Values are read in
blocks of dates, only the variables, dates and points that are asked for, so that memory does not grow with the file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from anemoi_ailand.data.anemoi_dataset import AnemoiDataset
from anemoi_ailand.variables import VARIABLES

LOG = logging.getLogger(__name__)

#: Size of the values that are in memory at once while a file is read [bytes].
BLOCK_BYTES = 64 * 2**20

#: Names in files by dataset name are looked up here when the file does not say ``short_name``.
_BY_NETCDF_NAME = {v.netcdf_name: v.name for v in VARIABLES.values()}

Reader = Callable[[Sequence[str], int, int], np.ndarray]


@dataclass(frozen=True)
class Fields:
    """What a file holds, and how to read it; values are read by :meth:`load` and :meth:`blocks` only.

    Parameters
    ----------
    path : Path
        Where it is; used in messages.
    times : numpy.ndarray
        Valid times ``(time,)``, ``datetime64[ns]``, increasing with a constant step.
    latitude, longitude : numpy.ndarray
        Coordinates of the points ``(point,)`` [degrees].
    units : dict
        Unit by dataset name, ``None`` where the file does not say it. Its keys are the variables.
    reader : callable
        ``(names, first, last) -> (time, variable, point)``, values of the times ``first:last``.
    constants : dict
        Values ``(point,)`` that do not depend on time, by name.
    attributes : dict
        Global attributes.
    """

    path: Path
    times: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    units: dict[str, str | None]
    reader: Reader
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def variables(self) -> list[str]:
        """Dataset names of the variables."""
        return list(self.units)

    def constant(self, name: str) -> np.ndarray | None:
        """Values ``(point,)`` of a field that does not change in time, from the first date; ``None`` if not there."""
        if name in self.constants:
            return self.constants[name]
        return self.reader([name], 0, 1)[0, 0] if name in self.units else None

    def blocks(
        self,
        names: Sequence[str],
        start: np.datetime64 | None = None,
        end: np.datetime64 | None = None,
        points: np.ndarray | None = None,
    ) -> Iterator[xr.Dataset]:
        """Iterate over blocks of dates, each a Dataset ``(time, point)`` of ``names``, float32.

        Parameters
        ----------
        names : sequence of str
            Dataset names.
        start, end : numpy.datetime64, optional
            First and last time, both included; open if not given.
        points : numpy.ndarray, optional
            Indices of the points, in the order wanted; all if not given.
        """
        first = 0 if start is None else int(np.searchsorted(self.times, start, "left"))
        last = len(self.times) if end is None else int(np.searchsorted(self.times, end, "right"))
        points = np.arange(len(self.latitude)) if points is None else points
        step = max(1, BLOCK_BYTES // (4 * len(self.units) * len(self.latitude)))
        for begin in range(first, last, step):
            stop = min(begin + step, last)
            values = self.reader(names, begin, stop)[..., points].astype(np.float32, copy=False)
            yield xr.Dataset(
                {name: (("time", "point"), values[:, i]) for i, name in enumerate(names)},
                coords={
                    "time": self.times[begin:stop],
                    "latitude": ("point", self.latitude[points]),
                    "longitude": ("point", self.longitude[points]),
                },
            )

    def load(
        self,
        names: Sequence[str],
        start: np.datetime64 | None = None,
        end: np.datetime64 | None = None,
        points: np.ndarray | None = None,
    ) -> xr.Dataset:
        """Read ``names`` into one Dataset ``(time, point)``; arguments as in :meth:`blocks`."""
        blocks = list(self.blocks(names, start, end, points))
        if not blocks:
            raise ValueError(
                f"'{self.path}' has no date between {start} and {end}; it covers {span(self.times)}. Change the period."
            )
        return xr.concat(blocks, "time", data_vars="minimal", coords="minimal", compat="override", join="override")


def open_fields(path: str | Path) -> Fields:
    """Open an anemoi dataset (a folder) or a NetCDF file (anything else).

    Raises
    ------
    FileNotFoundError
        There is nothing at ``path``.
    ValueError
        It cannot be read, or its times have a gap, or it has no coordinates.
    """
    path = Path(path).expanduser()
    if not path.exists():
        near = sorted(p.name for p in path.parent.glob("*")) if path.parent.is_dir() else []
        raise FileNotFoundError(
            f"There is no '{path}'. Its folder holds {near[:10]}. Correct the path, or make the file first."
        )
    fields = _open_zarr(path) if path.is_dir() else _open_netcdf(path)
    _check_times(fields)
    return fields


def span(times: np.ndarray) -> str:
    """First and last of ``times`` as text, to the minute."""
    if len(times) < 2:
        return str(np.datetime_as_string(times[0], "m")) if len(times) else "nothing"
    return f"{np.datetime_as_string(times[0], 'm')} to {np.datetime_as_string(times[-1], 'm')}"


def _open_zarr(path: Path) -> Fields:
    dataset = AnemoiDataset(path)
    return Fields(
        path=path,
        times=dataset.dates.astype("datetime64[ns]"),
        latitude=dataset.latitudes,
        longitude=dataset.longitudes,
        units=dataset.units,
        reader=dataset.values,
    )


def _open_netcdf(path: Path) -> Fields:
    try:
        with _netcdf(path) as dataset:
            return _describe_netcdf(path, dataset)
    except (OSError, RuntimeError) as error:
        raise unreadable(path, error) from error


def _netcdf(path: Path) -> xr.Dataset:
    return xr.open_dataset(path, engine="netcdf4")  # named, or a broken file ends in a search for other engines


def _describe_netcdf(path: Path, dataset: xr.Dataset) -> Fields:
    missing = [name for name in ("time", "latitude", "longitude") if name not in dataset.variables]
    if missing or "time" not in dataset.sizes or "point" not in dataset.sizes:
        raise ValueError(
            f"'{path}' has no {missing or 'dimensions (time, point)'}; it has dimensions {dict(dataset.sizes)}. "
            "Give a forecast written by the output 'land-netcdf', or a NetCDF file in that layout."
        )
    varying = {dataset_name(str(n), v): str(n) for n, v in dataset.data_vars.items() if v.dims == ("time", "point")}
    fixed = {str(n): v.values for n, v in dataset.variables.items() if v.dims == ("point",)}

    def read(names: Sequence[str], first: int, last: int) -> np.ndarray:
        try:
            with _netcdf(path) as opened:
                part = opened.isel(time=slice(first, last))
                return np.stack([part[varying[name]].values for name in names], axis=1)
        except (OSError, RuntimeError) as error:
            raise unreadable(path, error) from error

    return Fields(
        path=path,
        times=dataset["time"].values.astype("datetime64[ns]"),
        latitude=dataset["latitude"].values.astype(np.float64),
        longitude=dataset["longitude"].values.astype(np.float64),
        units={name: dataset[raw].attrs.get("units") for name, raw in varying.items()},
        reader=read,
        constants=fixed,
        attributes=dict(dataset.attrs),
    )


def dataset_name(raw: str, variable: xr.DataArray) -> str:
    """Name in the table of a variable of a NetCDF file."""
    return str(variable.attrs.get("short_name") or _BY_NETCDF_NAME.get(raw, raw))


def unreadable(path: Path, error: Exception) -> ValueError:
    """The error to raise when a NetCDF file cannot be read."""
    return ValueError(
        f"'{path}' ({path.stat().st_size} bytes) cannot be read as NetCDF ({error}). "
        "It may be truncated or still being written: wait for the run to end, or write it again."
    )


def _check_times(fields: Fields) -> None:
    steps = np.diff(fields.times)
    if len(fields.times) == 0:
        raise ValueError(f"'{fields.path}' has no date. Write it again.")
    if len(steps) and (steps[0] <= np.timedelta64(0) or np.any(steps != steps[0])):
        odd = int(np.argmax(steps != steps[0])) if steps[0] > np.timedelta64(0) else 0
        raise ValueError(
            f"The times of '{fields.path}' have no constant step: {fields.times[odd]} is followed by "
            f"{fields.times[odd + 1]}, the first step is {steps[0] / np.timedelta64(1, 'h'):g} h. "
            "Write it again without a gap and in order of time."
        )
