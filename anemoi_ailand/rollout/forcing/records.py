# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Fields by date, from opened data or a labelled dataset, read in pieces so that memory is bounded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

import numpy as np

from anemoi_ailand.constants import STEP, STEP_HOURS
from anemoi_ailand.data.land_data import LandData
from anemoi_ailand.support.units import conversion, convert, table_units
from anemoi_ailand.variables import variable

if TYPE_CHECKING:
    import xarray as xr

#: Memory of the fields that are read at once [bytes]; a date is always read whole.
BLOCK_BYTES = 64 * 2**20

#: Names of the coordinates of points, in order of preference.
_COORDINATES = (("latitude", "longitude"), ("lat", "lon"))

_STEP = np.timedelta64(STEP_HOURS, "h")


class Source(Protocol):
    """Fields at dates (``datetime64[s]``) and points [degrees]."""

    dates: np.ndarray
    latitudes: np.ndarray
    longitudes: np.ndarray

    def read(self, names: Sequence[str], first: int, last: int) -> dict[str, np.ndarray]:
        """Return those of the fields that exist at the dates ``first:last``, in the units of the table.

        Shapes: (date, point).
        """
        ...


class _Opened:
    """Fields of opened data."""

    def __init__(self, data: LandData) -> None:
        self._reader = data.reader
        self._dates = data.coverage.dates()
        self.dates = np.array(self._dates, "datetime64[s]")
        self.latitudes, self.longitudes = data.reader.latitudes, data.reader.longitudes

    def read(self, names: Sequence[str], first: int, last: int) -> dict[str, np.ndarray]:
        held = [n for n in names if n in self._reader.variables]
        return dict(zip(held, self._reader.read(held, self._dates[first:last]), strict=True))


class _Labelled:
    """Fields of a dataset with dimensions time and points; a single site may lack that of points."""

    def __init__(self, dataset: xr.Dataset) -> None:
        if "time" not in dataset.coords:
            raise ValueError(
                "The dataset has no coordinate 'time'. Add it (`assign_coords(time=...)`), or rename the one it has."
            )
        if dataset["time"].dtype.kind != "M":
            raise ValueError(f"'time' is of type {dataset['time'].dtype}, not datetime64. Decode or convert it.")
        self._data = dataset if "time" in dataset.dims else dataset.expand_dims("time")
        self.dates = self._data["time"].values.astype("datetime64[s]")
        self.latitudes, self.longitudes = places_of(dataset)

    def read(self, names: Sequence[str], first: int, last: int) -> dict[str, np.ndarray]:
        shape = last - first, self.latitudes.size
        found = {}
        for name in names:
            if (key := key_of(self._data, name)) is None:
                continue
            array = self._data[key]
            if "time" in array.dims:
                array = array.isel(time=slice(first, last)).transpose("time", ...)
            values = in_table_units(array.values, array.attrs.get("units"), name)
            if values.ndim < 2 and "time" in array.dims:  # a single site
                values = values[:, None]
            found[name] = np.broadcast_to(values, shape) if values.shape != shape else values
        return found


def is_dataset(given: Any) -> TypeGuard[xr.Dataset]:
    """Return whether fields are a labelled dataset."""
    if isinstance(given, dict):
        return False
    import xarray as xr  # slow to import: a host program that passes arrays does without

    return isinstance(given, xr.Dataset)


def source_of(data: LandData | xr.Dataset) -> Source:
    """Return the fields of opened data or of a dataset.

    Raises
    ------
    TypeError
        Anything else.
    ValueError
        The dataset has no points, no coordinates of time and points, or points along two dimensions.
    """
    if not isinstance(data, LandData) and not is_dataset(data):
        raise TypeError(
            f"The data are a {type(data).__name__}. Give what `open_data` returns, or an xarray.Dataset (time, point)."
        )
    source = _Opened(data) if isinstance(data, LandData) else _Labelled(data)
    if not source.latitudes.size:
        raise ValueError("The data have no points. Choose points that they have.")
    return source


def position(source: Source, date: datetime) -> int:
    """Return the position of a date; an absent one raises a ValueError that gives the period."""
    found = np.flatnonzero(source.dates == np.datetime64(date, "s"))
    if not found.size:
        period = f"{_stamp(source.dates[0])} to {_stamp(source.dates[-1])}" if source.dates.size else "no date"
        raise ValueError(f"The data have no record at {date:%Y-%m-%d %H:%M}; they have {period}. Choose a date in it.")
    return int(found[0])


def pieces(
    source: Source, names: Sequence[str], first: int, last: int, most: int
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Iterate over the dates ``first:last`` in pieces of at most ``most``: their number, and values (date, point)."""
    size = max(1, BLOCK_BYTES // (4 * max(1, len(names)) * source.latitudes.size))
    for begin in range(first, last, size):
        end = min(begin + size, last)
        block = source.read(names, begin, end)
        for k in range(0, end - begin, most):
            n = min(most, end - begin - k)
            yield n, {name: values[k : k + n] for name, values in block.items()}


def records(source: Source, names: Sequence[str], first: int, last: int) -> Iterator[dict[str, np.ndarray]]:
    """Iterate over the records ``first:last``, each a mapping of name to values (point,)."""
    for _, piece in pieces(source, names, first, last, 1):
        yield {name: values[0] for name, values in piece.items()}


def record_at(given: Any, date: datetime, names: Sequence[str]) -> Mapping[str, Any]:
    """Return the fields at a date, from anything with a time; a mapping without one is returned as it is.

    Raises
    ------
    ValueError
        There is no record at the date, or the only one is of another date.
    TypeError
        Neither fields by name nor anything with a time.
    """
    if isinstance(given, LandData):
        held = [n for n in names if n in given.variables]
        if date in given.coverage:
            return dict(zip(held, given.reader.read(held, [date])[:, 0], strict=True))
        if date == given.coverage.first - STEP:
            with suppress(ValueError):  # state and instants may begin one step before means
                return dict(zip(held, given.reader.read(held, [date])[:, 0], strict=True))
    if isinstance(given, LandData) or (is_dataset(given) and "time" in given.dims):
        source = source_of(given)
        first = position(source, date)
        return next(records(source, names, first, first + 1))
    timed = is_dataset(given) and "time" in given.coords
    if timed and (found := np.datetime64(given["time"].values, "s")) != np.datetime64(date, "s"):
        raise ValueError(
            f"The fields are of {_stamp(found)}, needed are those of {date:%Y-%m-%d %H:%M}. Select that time "
            "(`sel(time=...)`), or use others deliberately with `drop_vars('time')`."
        )
    if not hasattr(given, "keys"):
        raise TypeError(
            f"The fields are a {type(given).__name__}. Give a mapping of names to values, in which a number stands for "
            "all points, an xarray.Dataset, or what `open_data` returns."
        )
    return given


def records_at(given: Any, dates: Sequence[datetime], names: Sequence[str]) -> Mapping[str, Any]:
    """Return the fields at several dates, shape (date, point), as :func:`record_at` does at one."""
    labelled = is_dataset(given)
    if labelled and "time" not in given.coords:
        return given
    if not labelled and not isinstance(given, LandData):
        return record_at(given, dates[0], names)
    if labelled and "time" not in given.dims and given["time"].ndim == 1:  # such as time(step)
        given = given.swap_dims({given["time"].dims[0]: "time"})
    source = source_of(given)
    at = np.array([position(source, date) for date in dates])
    first = int(at.min())
    fields = source.read(names, first, int(at.max()) + 1)
    return {name: values[at - first] for name, values in fields.items()}


def dates_after(given: Any, date: datetime) -> list[datetime]:
    """Return the dates of opened data or a dataset that are later than ``date``; refuse a gap."""
    dates = source_of(given).dates
    later = dates[dates > np.datetime64(date, "s")]
    check_steps(np.concatenate([[np.datetime64(date, "s")], later]))
    return later.astype("datetime64[us]").tolist()


def check_steps(dates: np.ndarray) -> None:
    """Refuse dates that are not every 6 h."""
    wrong = np.flatnonzero(np.diff(dates) != _STEP)
    if wrong.size:
        a, b = dates[wrong[0]], dates[wrong[0] + 1]
        raise ValueError(
            f"After {_stamp(a)} comes {_stamp(b)}, but the land makes steps of {STEP_HOURS} h. Give data every "
            f"{STEP_HOURS} h without a gap."
        )


def places_of(dataset: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return latitudes and longitudes of a dataset, each of shape (point,)."""
    for lat, lon in _COORDINATES:
        if lat in dataset.variables and lon in dataset.variables:
            if dataset[lat].dims != dataset[lon].dims or dataset[lat].ndim > 1:
                raise ValueError(
                    f"'{lat}' and '{lon}' span a grid, but the land has a list of points. Make one: "
                    f"`data.stack(point=('{lat}', '{lon}'))`."
                )
            found = (np.atleast_1d(np.asarray(dataset[name].values, np.float64)) for name in (lat, lon))
            return next(found), next(found)
    raise ValueError("The dataset has no 'latitude' and 'longitude'. Add them as coordinates of its points [degrees].")


def key_of(fields: Mapping[str, Any] | xr.Dataset, name: str) -> str | None:
    """Return the name under which a field is given: that of the table, or that of its NetCDF files."""
    return name if name in fields else other if (other := variable(name).netcdf_name) in fields else None


def in_table_units(values: Any, units: str | None, name: str) -> Any:
    """Convert values by the unit they state, if any; an unknown unit is refused."""
    return values if units is None else convert(values, conversion(str(units), table_units(name), name, "the dataset"))


def _stamp(date: np.datetime64) -> str:
    return str(date.astype("datetime64[m]")).replace("T", " ")
