# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Fields (time, point) of an Anemoi dataset or a NetCDF file.

Values are read in blocks of dates, and only the requested variables, dates and points, so that memory does not grow
with the file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from anemoi_ailand.data.anemoi_dataset import AnemoiDataset
from anemoi_ailand.data.mapping.mapped_path import exists, is_mapped, local_store
from anemoi_ailand.support.disk_errors import not_found
from anemoi_ailand.variables import VARIABLES

#: Size of the values in memory at once while a file is read [bytes].
BLOCK_BYTES = 64 * 2**20

#: Dataset name by NetCDF name, for files without the attribute ``short_name``.
_BY_NETCDF_NAME = {v.netcdf_name: v.name for v in VARIABLES.values()}

Reader = Callable[[Sequence[str], int, int], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Header:
    """Source, points and variables of fields; everything but their dates and values.

    Parameters
    ----------
    path : Path
        Source of the values, named in messages.
    latitude, longitude : numpy.ndarray
        Coordinates of the points ``(point,)`` [degrees].
    units : dict
        Unit by dataset name, ``None`` where the file has no unit. The keys are the variables.
    attributes : dict
        Global attributes of the file.
    """

    path: Path
    latitude: np.ndarray
    longitude: np.ndarray
    units: dict[str, str | None]
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def variables(self) -> list[str]:
        """Dataset names of the variables."""
        return list(self.units)


@dataclass(frozen=True, kw_only=True)
class Fields(Header):
    """Fields (time, point): their header, and a reader of their values that :meth:`load` and :meth:`blocks` call.

    Parameters
    ----------
    times : numpy.ndarray
        Valid times ``(time,)``, ``datetime64[ns]``, increasing with a constant step.
    reader : callable
        ``(names, first, last) -> (time, variable, point)``, values of the times ``first:last``.
    constants : dict
        Time-independent values ``(point,)`` by name.

    The other parameters are those of :class:`Header`.
    """

    times: np.ndarray
    reader: Reader
    constants: dict[str, np.ndarray] = field(default_factory=dict)

    def constant(self, name: str) -> np.ndarray | None:
        """Return a time-independent field ``(point,)``, else its values at the first date; ``None`` if missing."""
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

        ``start`` and ``end`` are included; ``points`` are indices in the order of the result.
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
    """Open an Anemoi dataset (a folder) or a NetCDF file (any other path).

    A NetCDF file has variables (time, point) with a constant time step, and coordinates ``time``, ``latitude`` and
    ``longitude``, such as a forecast of the output ``land-netcdf``. Only the header is read here; ``load`` and
    ``blocks`` of the result read values.

    Raises
    ------
    FileNotFoundError
        ``path`` does not exist.
    ValueError
        The file cannot be read, its times have a gap, or it has no coordinates.

    Examples
    --------
    >>> from anemoi_ailand import folder, open_fields
    >>> fields = open_fields(folder("sample") / "ecland_2022.nc")
    >>> fields.load(["swvl1"])["swvl1"].shape  # (time, point)
    (1460, 44)
    """
    path = Path(path).expanduser()
    if not exists(path):
        raise not_found(local_store(path), "file or dataset")
    if is_mapped(path) or path.is_dir():
        fields = _open_zarr(path)
    else:
        with stored(path) as dataset:
            fields = _describe_netcdf(path, dataset)
    _check_times(fields)
    return fields


def span(times: np.ndarray) -> str:
    """Return the first and last of ``times`` as text, to the minute."""
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


@contextmanager
def stored(path: Path) -> Iterator[xr.Dataset]:
    """Open a NetCDF file or a zarr; an error while it is open becomes a ValueError naming what is unreadable."""
    engine, kind = ("zarr", "zarr") if path.is_dir() else ("netcdf4", "NetCDF")
    try:  # name the engine; otherwise xarray tries others on a broken file
        with xr.open_dataset(path, engine=engine, decode_timedelta=False) as dataset:
            yield dataset
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"'{path}' ({path.stat().st_size} bytes) cannot be read as {kind} ({error}). "
            "It may be truncated or still being written: wait for the run to end, or write it again."
        ) from error


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
        with stored(path) as opened:
            part = opened.isel(time=slice(first, last))
            return np.stack([part[varying[name]].values for name in names], axis=1)

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
    """Return the dataset name of a variable of a NetCDF file."""
    return str(variable.attrs.get("short_name") or _BY_NETCDF_NAME.get(raw, raw))


def check_finite(fields: Fields, block: xr.Dataset, but_first: Collection[str] = ()) -> None:
    """Refuse NaN and infinity in a block ``(time, point)``, but not in the first record of ``but_first``."""
    for name, values in block.data_vars.items():
        first = 1 if name in but_first else 0
        bad = ~np.isfinite(values.values[first:])
        if bad.any():
            time, point = np.argwhere(bad)[0]
            raise ValueError(
                f"'{name}' of '{fields.path}' has {int(bad.sum())} values of {bad.size} that are NaN or infinite, "
                f"first at {np.datetime_as_string(block['time'].values[time + first], 'm')}, latitude "
                f"{float(block['latitude'][point]):.4f}, longitude {float(block['longitude'][point]):.4f}. If this is "
                "a forecast, the run diverged: repair it and run it again. If it is the reference, create the dataset "
                "again."
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
