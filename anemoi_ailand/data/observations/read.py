# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Read observations from files; the kind of a file is known by its name and content."""

from __future__ import annotations

import glob
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from anemoi_ailand.data.observations.archives import read_bufr, read_ioda, read_odb
from anemoi_ailand.data.observations.impossible import without_impossible
from anemoi_ailand.data.observations.rows import ObservationRows, in_units, make_rows, observed_name
from anemoi_ailand.support.disk_errors import not_found
from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK
from anemoi_ailand.support.packaged import expand
from anemoi_ailand.support.sphere import check_coordinates

LOG = logging.getLogger(__name__)

#: Columns that a table needs, and those that it may have.
COLUMNS, FURTHER = ("time", "latitude", "longitude", "variable", "value"), ("error", "elevation")

#: End of the name of the errors of a variable in NetCDF.
_ERROR = "_error"


def read_observations(paths: Sequence[str | Path]) -> ObservationRows:
    """Read observations from files; patterns such as ``obs/*.nc`` are expanded.

    ``*.csv`` is a table with the columns ``time, latitude, longitude, variable, value`` and, if known, ``error`` and
    ``elevation``, in the units of the table of variables. ``*.nc`` has such variables by row, or fields (time, point)
    or (row,) under the names of the variables, with ``NAME_error`` if known, in units that they state; or it is IODA,
    with groups ``ObsValue``, ``ObsError`` and ``MetaData``. ``*.odb`` is ODB-2 and ``*.bufr`` are SYNOP reports.

    Rows without a value are left out, and with a warning those with a value that is not possible and those that repeat
    another one.

    Raises
    ------
    FileNotFoundError
        No file fits.
    ValueError
        A file has no observations in a known form, or places, times or errors that are none; all files together have no
        value; or more than a tenth of the values of a variable, in all files, are not possible.
    """
    parts = []
    for path in [found for pattern in paths for found in _files(pattern)]:
        try:
            rows = _reader(path)(path)
        except (KeyError, TypeError, UnicodeDecodeError) as error:
            raise ValueError(f"The observations '{path}' cannot be read: {error!r}. Compare docs/guide.") from error
        rows = rows.take(np.isfinite(rows.values))
        check_coordinates(rows.latitudes, rows.longitudes, path)
        if np.isnat(rows.times).any():
            raise ValueError(f"The observations '{path}' have {np.isnat(rows.times).sum()} rows without a time.")
        if (rows.errors <= 0.0).any() or np.isinf(rows.errors).any():
            raise ValueError(f"The observations '{path}' have errors of zero or less, or infinite ones. Give standard "
                             "deviations, and leave an unknown one empty.")  # fmt: skip
        LOG.info("%d observations in %s: %s", len(rows), path, ", ".join(np.unique(rows.names)))
        parts.append(rows)
    joined = ObservationRows.joined(parts)
    if parts and not len(joined):
        raise ValueError(f"There is no value in the observations {[str(p) for p in paths]}. Give files with values, or "
                         "none at all for a run without observations.")  # fmt: skip
    return _once(_possible(joined))


def _possible(rows: ObservationRows) -> ObservationRows:
    """Return the rows whose values are possible."""
    values = rows.values.copy()
    for name in np.unique(rows.names):
        own = rows.names == name
        files = np.unique(rows.sources[own])
        where = f"'{files[0]}'" + (f" and {len(files) - 1} more files" if len(files) > 1 else "")
        values[own] = without_impossible(values[own], str(name), where)
    return rows.take(np.isfinite(values))


def _once(rows: ObservationRows) -> ObservationRows:
    """Return the rows without repetitions, as of a report that two files have: used twice, it would count twice."""
    columns = {n: getattr(rows, n) for n in ("names", "times", "latitudes", "longitudes", "elevations", "values")}
    again = pd.DataFrame(columns).duplicated().to_numpy()
    if again.any():
        first = rows.take(again).take(slice(1))
        LOG.warning(
            "%d of %d observations repeat another one in time, place, variable and value, the first %s at %s. They are "
            "left out.", again.sum(), len(rows), first.names[0], first.times[0],
        )  # fmt: skip
    return rows.take(~again)


def _files(pattern: str | Path) -> list[Path]:
    text = expand(str(pattern))
    found = sorted(map(Path, glob.glob(text)))  # noqa: PTH207
    if not found:
        raise not_found(Path(text), "file of observations")
    return found


def _reader(path: Path):  # noqa: ANN202
    kinds = {".csv": read_csv, ".nc": read_netcdf, ".nc4": read_netcdf, ".odb": read_odb, ".odb2": read_odb,
             ".bufr": read_bufr}  # fmt: skip
    if path.suffix not in kinds:
        raise ValueError(f"The observations '{path}' are of no known kind. Give a file that ends in {sorted(kinds)}.")
    return kinds[path.suffix]


def read_csv(path: Path) -> ObservationRows:
    """Read a table of observations."""
    table = pd.read_csv(path)
    if missing := [c for c in COLUMNS if c not in table]:
        raise ValueError(
            f"The table '{path}' has no column {missing}; it has {list(table)}. Needed are {list(COLUMNS)}, and if "
            f"known {list(FURTHER)}."
        )
    if len(table) and pd.api.types.is_numeric_dtype(table["time"]) and table["time"].notna().any():
        raise ValueError(f"The times in '{path}' are numbers such as {table['time'].iloc[0]}. Give text such as "
                         "2022-06-01T06:00, in UTC or with its zone.")  # fmt: skip
    try:
        times = pd.to_datetime(table["time"], utc=True, format="ISO8601").dt.tz_localize(None).to_numpy()
        values = {c: table[c].to_numpy(float) for c in ("latitude", "longitude", "value", *FURTHER) if c in table}
    except ValueError as error:
        raise ValueError(f"The table '{path}' has a value that is not a time or number: {error}.") from error
    known = {str(n): observed_name(str(n)) for n in table["variable"].unique()}
    return make_rows(
        str(path), np.array([known[str(n)] for n in table["variable"]], "U16"), times, values["latitude"],
        values["longitude"], values["value"], values.get("error"), values.get("elevation"),
    )  # fmt: skip


def read_netcdf(path: Path) -> ObservationRows:
    """Read rows or fields of observations from NetCDF, or IODA groups."""
    with NETCDF_LOCK:
        with xr.open_dataset(path) as file:
            data = file.load()
        return read_ioda(path) if not data.data_vars and "time" not in data else _rows_of(data, path)


def _rows_of(data: xr.Dataset, path: Path) -> ObservationRows:
    if missing := [n for n in ("time", "latitude", "longitude") if n not in data.variables]:
        raise ValueError(f"The observations '{path}' have no {missing}; they have {list(data.variables)}. Add them.")
    if data["time"].dtype.kind != "M":
        raise ValueError(f"The times in '{path}' have no unit such as 'hours since 1970-01-01'. Add the attribute.")
    place = [data[n] for n in ("latitude", "longitude")]
    elevation = data["elevation"] if "elevation" in data else xr.DataArray(np.nan)
    if {"variable", "value"} <= set(data.variables):
        listed = [_text(n) for n in data["variable"].values]
        known = {n: observed_name(n) for n in set(listed)}
        error = data["error"] if "error" in data else xr.DataArray(np.nan)
        fields = xr.broadcast(data["value"], data["time"], *place, error, elevation)
        values, times, lat, lon, errors, heights = (f.values for f in fields)
        return make_rows(
            str(path), np.array([known[n] for n in listed], "U16"), times, lat, lon, values, errors, heights
        )
    parts = []
    for name, field in data.data_vars.items():
        label = str(name)
        if label.endswith(_ERROR) or label == "elevation" or not set(data["time"].dims) <= set(field.dims):
            continue
        known_name = observed_name(label)
        error = data.get(f"{label}{_ERROR}", xr.DataArray(np.nan))
        values, times, lat, lon, errors, heights = (
            f.values for f in xr.broadcast(field, data["time"], *place, error, elevation)
        )
        units = field.attrs.get("units")
        parts.append(
            make_rows(
                str(path),
                known_name,
                times,
                lat,
                lon,
                in_units(values, units, known_name, str(path)),
                in_units(errors, units, known_name, str(path), error=True),
                heights,
            )
        )
    if not parts:
        raise ValueError(f"The file '{path}' has no observed variable; it has {list(data.data_vars)}.")
    return ObservationRows.joined(parts)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
