# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""CF NetCDF as this package writes it: coordinates, attributes, provenance, compression, in every kind of file.

A writer opens a file with :func:`new_file` (published when complete) or :func:`create`, and fills it with
:func:`add_points`, :func:`add_coordinate` and :func:`add_field`; one that has an ``xarray.Dataset`` calls
:func:`write_dataset`. Attributes come from the table of variables (:func:`variable_attributes`), :data:`COORDINATES`
and :func:`global_attributes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np

from anemoi_ailand.support.atomic import complete_file
from anemoi_ailand.support.disk_errors import full_disk
from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK
from anemoi_ailand.variables import variable

if TYPE_CHECKING:
    import xarray as xr

CONVENTIONS = "CF-1.11"
#: Zero of all time axes, UTC.
EPOCH = datetime(1970, 1, 1)
#: Attributes of times in hours and in days.
HOURS = {"units": f"hours since {EPOCH:%Y-%m-%d %H:%M:%S}", "calendar": "standard"}
DAYS = {"units": f"days since {EPOCH:%Y-%m-%d %H:%M:%S}", "calendar": "standard"}

#: Attributes of coordinates by name.
COORDINATES: dict[str, dict[str, str]] = {
    "latitude": {"standard_name": "latitude", "units": "degrees_north"},
    "longitude": {"standard_name": "longitude", "units": "degrees_east"},
    "time": {"standard_name": "time", "axis": "T", **HOURS},
    "start": {"standard_name": "forecast_reference_time", "axis": "T", **HOURS},
    "lead": {"standard_name": "forecast_period", "units": "h"},
    "forecast_reference_time": {"standard_name": "forecast_reference_time", **HOURS},
    "member": {"standard_name": "realization", "long_name": "member of the ensemble", "units": "1"},
}

#: Values of a compressed chunk: 1 MiB.
CHUNK_SIZE = 2**18

#: Level of zlib: the highest saves a few per cent more and takes many times as long.
COMPRESSION = 1

_PACKAGES = ("anemoi-ailand", "anemoi-inference", "anemoi-models", "torch")


def hours_since_epoch(date: datetime) -> int:
    """Return the whole hours since 1970-01-01 00 UTC."""
    return int((date - EPOCH) / timedelta(hours=1))


def date_of(hours: int) -> datetime:
    """Return the date of a number of hours, the inverse of :func:`hours_since_epoch`."""
    return EPOCH + timedelta(hours=int(hours))


def known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that are not None."""
    return {name: value for name, value in attributes.items() if value is not None}


def variable_attributes(name: str, **changes: Any) -> dict[str, Any]:
    """Return the CF attributes of a variable of the table, with changes and additions; None leaves one out."""
    row = variable(name)
    of_the_table = {
        "standard_name": row.standard_name,
        "long_name": row.long_name,
        "units": row.units,
        "cell_methods": row.cell_methods,
        "short_name": name,
    }
    return known(of_the_table | changes)


def versions() -> str:
    """Return the versions of the packages that numbers depend on, as text."""
    return ", ".join(f"{package} {version(package)}" for package in _PACKAGES)


def global_attributes(title: str, command: str = "", **more: Any) -> dict[str, Any]:
    """Return convention, title, source, history (date, UTC, and command) and versions, with additions."""
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    found = {
        "Conventions": CONVENTIONS,
        "title": title,
        "source": "anemoi-ailand, an emulator of ecLand",
        "history": f"{now} {command or 'written by anemoi-ailand ' + version('anemoi-ailand')}",
        "versions": versions(),
    }
    return known(found | more)


def create(path: Path) -> netCDF4.Dataset:
    """Create a NetCDF-4 file, replacing an earlier one; the caller closes it."""
    path.unlink(missing_ok=True)  # an earlier run of this process may still hold its HDF5 lock
    with NETCDF_LOCK:
        return netCDF4.Dataset(path, "w", format="NETCDF4")


@contextmanager
def new_file(path: Path) -> Iterator[netCDF4.Dataset]:
    """Yield a new NetCDF-4 file, published as ``path`` on success and removed on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with complete_file(path) as partial, full_disk(path):
        file = create(partial)
        try:
            yield file
        except BaseException:
            # after a failed write the library may fail to close as well, which would hide the reason
            with suppress(OSError, RuntimeError), NETCDF_LOCK:
                file.close()
            raise
        with NETCDF_LOCK:
            file.close()


def add_coordinate(
    file: netCDF4.Dataset,
    name: str,
    dimensions: Sequence[str],
    values: Any,
    kind: str = "f8",
    attributes: Mapping[str, Any] | None = None,
) -> netCDF4.Variable:
    """Add a coordinate with its values; attributes of :data:`COORDINATES` unless given."""
    with NETCDF_LOCK:
        created = file.createVariable(name, kind, tuple(dimensions))
        created.setncatts(COORDINATES[name] if attributes is None else attributes)
        if np.size(values):
            created[...] = values
    return created


def add_points(file: netCDF4.Dataset, latitudes: np.ndarray, longitudes: np.ndarray) -> None:
    """Add the dimension ``point`` and its coordinates [degrees]."""
    with NETCDF_LOCK:
        file.createDimension("point", len(latitudes))
    add_coordinate(file, "latitude", ("point",), latitudes)
    add_coordinate(file, "longitude", ("point",), longitudes)


def add_field(
    file: netCDF4.Dataset,
    name: str,
    dimensions: Sequence[str],
    attributes: Mapping[str, Any],
    kind: str | type[str] = "f4",
    chunks: Sequence[int] | None = None,
    compression: int = COMPRESSION,
    **options: Any,
) -> netCDF4.Variable:
    """Add a compressed field without values; NaN is missing in a floating-point one.

    ``kind`` is the type, :class:`str` for text. ``compression`` is the zlib level from 0 (none) to 9; ``options`` are
    those of ``netCDF4.Dataset.createVariable``.
    """
    level: Any = compression or None
    number = isinstance(kind, str) and kind.startswith("f")
    with NETCDF_LOCK:
        created = file.createVariable(
            name,
            kind,
            tuple(dimensions),
            fill_value=np.array(np.nan, kind)[()] if number else None,
            chunksizes=chunks,
            zlib=compression > 0,
            complevel=level,
            shuffle=compression > 0,
            **options,
        )
        created.setncatts(attributes)
    return created


def write_dataset(dataset: xr.Dataset, path: Path) -> None:
    """Write an xarray dataset with a ``time`` in whole hours: compressed, published when complete."""
    encoding: dict[str, dict[str, Any]] = {
        str(name): {"zlib": True, "complevel": COMPRESSION} for name in dataset.data_vars
    }
    encoding["time"] = {**HOURS, "dtype": "i4"}
    path.parent.mkdir(parents=True, exist_ok=True)
    with complete_file(path) as partial, NETCDF_LOCK:
        dataset.to_netcdf(partial, engine="netcdf4", encoding=encoding)


def time_coordinate() -> dict[str, str]:
    """Return the attributes of a time that xarray encodes, without units and calendar."""
    return {k: v for k, v in COORDINATES["time"].items() if k not in HOURS}
