# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reading of NetCDF files: clear errors, UTC stamps, missing values, records by time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from anemoi_ailand.constants import TIME_TOLERANCE

#: Dimensions of points in any layout but ecLand's own.
POINT_DIMENSIONS = ("point", "values", "cell", "location")

_REFERENCE = re.compile(
    r"(?P<unit>[A-Za-z]+) since (?P<date>\d{1,4}-\d{1,2}-\d{1,2})"
    r"(?:[T ]+(?P<time>\d{1,2}(?::\d{1,2}(?::\d{1,2}(?:\.\d*)?)?)?))?\s*(?P<zone>.*)"
)
_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?")
_UNITS = ("second", "minute", "hour", "day", "seconds", "minutes", "hours", "days", "s", "min", "h", "hr", "d", "sec")
_UTC = ("", "Z", "UTC", "GMT")
#: Attributes in which some programs store the zone.
_ATTRIBUTES = ("time_zone", "timezone", "tz")


def is_netcdf(path: Path) -> bool:
    """Return whether a file begins like NetCDF, classic or 4."""
    with path.open("rb") as file:
        return file.read(4).startswith((b"CDF", b"\x89HDF"))


@contextmanager
def open_file(path: Path) -> Iterator[netCDF4.Dataset]:
    """Open ``path`` for reading; a truncated or foreign file raises an OSError that names it."""
    try:
        dataset = netCDF4.Dataset(str(path))
    except OSError as error:
        size = path.stat().st_size if path.exists() else 0
        raise OSError(
            f"The file '{path}' ({size:,} bytes) cannot be read as NetCDF: {error}. "
            "It may be truncated or of another format: copy it again or recreate it."
        ) from error
    with dataset:
        _check_length(path, dataset)
        yield dataset


def _check_length(path: Path, dataset: netCDF4.Dataset) -> None:
    """Refuse a classic file that is shorter than its header declares; the library would read zeros beyond its end."""
    if not dataset.data_model.startswith("NETCDF3"):
        return
    need = sum(int(np.prod(v.shape)) * v.dtype.itemsize for v in dataset.variables.values())
    size = path.stat().st_size
    if size < need:
        raise OSError(
            f"The file '{path}' is truncated: it has {size:,} bytes and its variables need {need:,}. "
            "Copy it again or recreate it."
        )


def times(dataset: netCDF4.Dataset, path: Path) -> list[datetime]:
    """Return the UTC stamps of ``dataset``, rounded to the second; empty without a time axis."""
    if "time" not in dataset.variables or dataset.variables["time"].ndim != 1:
        return []
    axis = dataset.variables["time"]
    units, offset = utc_reference(axis, path)
    calendar = getattr(axis, "calendar", "standard")
    if calendar not in ("standard", "gregorian", "proleptic_gregorian"):
        raise ValueError(f"The time axis of '{path}' has the calendar '{calendar}'; only the real calendar is read.")
    values = np.ma.filled(axis[:].astype("f8"), np.nan)
    if np.isnan(values).any() or (np.diff(values) <= 0).any():
        bad = int(np.flatnonzero(np.isnan(values) | (np.diff(values, prepend=values[0] - 1) <= 0))[0])
        raise ValueError(f"The time axis of '{path}' does not increase at record {bad}. Sort or repair the file.")
    python = {"only_use_cftime_datetimes": False, "only_use_python_datetimes": True}
    stamps: Any = netCDF4.num2date(values, units, "standard", **python)
    half = timedelta(seconds=TIME_TOLERANCE / 2)
    return [(s.replace(tzinfo=None) - offset + half).replace(microsecond=0) for s in stamps]


def utc_reference(axis: Any, path: Any) -> tuple[str, timedelta]:
    """Return the units of a time axis without the zone, and the offset to subtract from its times to obtain UTC."""
    units = str(getattr(axis, "units", ""))
    found = _REFERENCE.fullmatch(units.strip())
    if found is None or found["unit"].lower() not in _UNITS:
        raise ValueError(
            f"The time axis of '{path}' has units '{units}', which are not seconds, minutes, hours or days since a "
            "date. Set them to e.g. 'seconds since 2018-01-01 00:00:00'."
        )
    offset = _offset(found["zone"], units, path)
    for name in _ATTRIBUTES:
        zone = str(getattr(axis, name, "")).strip()
        if zone and _offset(zone, f"{name} = {zone}", path) != offset:
            raise ValueError(
                f"The time axis of '{path}' has units '{units}' and {name} '{zone}'. Give times in UTC, or state the "
                "zone in the units alone."
            )
    return f"{found['unit']} since {found['date']} {found['time'] or '00:00:00'}", offset


def _offset(zone: str, source: str, path: Any) -> timedelta:
    """Return the offset of a zone from UTC, positive to the east."""
    zone = zone.strip()
    if zone.upper() in _UTC:
        return timedelta(0)
    found = _OFFSET.fullmatch(zone)
    if found is None:
        raise ValueError(
            f"The time axis of '{path}' is in the zone '{zone}' ('{source}'). Only UTC and offsets such as '+02:00' "
            "are read: convert it to UTC. A flux tower's own file is opened by `layout='tower'`."
        )
    size = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
    return size if found["sign"] == "+" else -size


def filled(variable: netCDF4.Variable, index: object = slice(None)) -> np.ndarray:
    """Return ``variable[index]`` as float64 with NaN for missing values."""
    return np.ma.filled(np.ma.asarray(variable[index]).astype("f8"), np.nan)


def labels(variable: netCDF4.Variable) -> np.ndarray:
    """Return a variable along the points as text if it is text, otherwise as :func:`filled`."""
    return variable[:].astype(str) if variable.dtype is str else filled(variable)


def read_records(variable: netCDF4.Variable, numbers: np.ndarray) -> np.ndarray:
    """Return the values of records ``numbers``; those close to each other are read as one contiguous block."""
    if len(numbers) == 0:
        return np.empty((0, *variable.shape[1:]))
    first, last = int(numbers.min()), int(numbers.max())
    if last - first + 1 <= 4 * len(numbers):
        return filled(variable, slice(first, last + 1))[numbers - first]
    return np.stack([filled(variable, int(n)) for n in numbers])
