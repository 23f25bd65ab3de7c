# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Flux towers of PLUMBER2: ALMA names in NetCDF, one tower per file.

Dimensions are (time, y, x) with x = y = 1. The stamp is the START of the record in local standard time, never daylight
saving time; the attribute ``time_zone`` of ``time`` names the zone. ``Qle`` and ``Qh`` are positive upward and change
sign. Quality ``*_qc``: 0 measured, 1 good gap-filling; a variable without it keeps all values, with a note of the
station.

Source: Ukkola et al. (2022), doi:10.5194/essd-14-449-2022.
"""

from __future__ import annotations

import datetime
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import xarray as xr

from anemoi_ailand.data.files.netcdf import is_netcdf
from anemoi_ailand.data.stations.sampling import (
    GOOD_QUALITY,
    check_increasing,
    interval_means,
    keep_good,
    offset_of_longitude,
    to_utc,
)
from anemoi_ailand.data.stations.station import Sensor, Station, converted, make_station

LOG = logging.getLogger(__name__)

#: Name in the table: variable, and the flux corrected for the closure of the energy balance.
_FLUXES = {
    "slhf": ("Qle", "Qle_cor"), "sshf": ("Qh", "Qh_cor"), "rnet": ("Rnet", "Rnet"), "nee": ("NEE", "NEE"),
    "gpp": ("GPP", "GPP"),
}  # fmt: skip

#: ALMA's fluxes of energy are positive upward.
_UPWARD = ("slhf", "sshf")

_UTC = re.compile(r"(?:UTC|GMT)?\s*([+-]\d{1,2})(?::?(\d{2}))?")


def is_plumber2(path: Path) -> bool:
    """Return whether a file is NetCDF with the dimensions of ALMA and a flux that is read."""
    if not is_netcdf(path):
        return False
    try:
        with xr.open_dataset(path, engine="netcdf4", decode_times=False) as dataset:
            return {"time", "x", "y"} <= set(dataset.sizes) and any(names[0] in dataset for names in _FLUXES.values())
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"'{path}' ({path.stat().st_size} bytes) cannot be read as NetCDF ({error}). Download it again."
        ) from error


def read_plumber2(path: Path, *, corrected: bool = False, quality: Sequence[int] = GOOD_QUALITY) -> Station:
    """Read one tower; arguments as in :func:`~anemoi_ailand.data.stations.fluxnet.read_fluxnet`."""
    with xr.open_dataset(path, engine="netcdf4") as dataset:
        _check(dataset, path)
        latitude, longitude = (float(dataset[n].values.squeeze()) for n in ("latitude", "longitude"))
        elevation = float(dataset["elevation"].values.squeeze()) if "elevation" in dataset else np.nan
        starts, ends = _records(dataset, path)
        offset, notes = _offset(dataset, longitude, starts[0])
        starts, ends = to_utc(starts, offset), to_utc(ends, offset)
        sensors = []
        for name, names in _FLUXES.items():
            if names[corrected] in dataset:
                values = _values(dataset, name, names[corrected], f"{names[0]}_qc", quality, notes, path)
                sensors.append(Sensor(name, *interval_means(starts, ends, values), label=names[corrected]))
            elif names[0] in dataset:
                raise ValueError(
                    f"'{path}' has no '{names[corrected]}', the flux corrected for energy closure. Read the measured "
                    "one (corrected=False), or leave this site out."
                )
        name = str(dataset.attrs.get("site_code") or path.stem.split("_")[0])
    LOG.info("PLUMBER2: %s, %d records of '%s', UTC%+g h", name, len(starts), path, offset)
    return make_station(name, "PLUMBER2", (latitude, longitude, elevation), sensors, notes=notes, source=str(path))


def _check(dataset: xr.Dataset, path: Path) -> None:
    several = {d: n for d, n in dataset.sizes.items() if d in ("x", "y") and n > 1}
    if several:
        raise ValueError(f"'{path}' has {several}, so more than one place. Give one tower per file.")
    missing = [n for n in ("latitude", "longitude", "time") if n not in dataset.variables]
    if missing:
        raise ValueError(
            f"'{path}' has no {missing}; it has {sorted(str(n) for n in dataset.variables)}. "
            "Give a flux file of PLUMBER2, or add them."
        )


def _records(dataset: xr.Dataset, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return start and end of each record; the length is the most common step."""
    times = dataset["time"].values
    if not np.issubdtype(times.dtype, np.datetime64) or len(times) < 2:
        raise ValueError(
            f"The times of '{path}' ({len(times)}, units '{dataset['time'].attrs.get('units')}') cannot be read. They "
            "must be at least two, in 'seconds since YYYY-MM-DD hh:mm:ss' and the standard calendar."
        )
    check_increasing(times, f"'{path}'")
    starts = times.astype("datetime64[ns]")
    lengths, counts = np.unique(np.diff(starts), return_counts=True)
    return starts, starts + lengths[counts.argmax()]


def _offset(dataset: xr.Dataset, longitude: float, first: np.datetime64) -> tuple[float, list[str]]:
    zone = str(dataset["time"].attrs.get("time_zone", "")).strip()
    hours = standard_offset(zone, int(str(first)[:4])) if zone else None
    if hours is not None:
        return hours, []
    hours = offset_of_longitude(longitude)
    reason = f"'{zone}' is unknown" if zone else "not given"
    return hours, [f"time zone {reason}: UTC{hours:+g} h taken from the longitude"]


def standard_offset(zone: str, year: int) -> float | None:
    """Return local standard time minus UTC [h] of a zone such as ``Australia/Sydney`` or ``UTC+10``; None if unknown.

    Standard time is the smaller of the offsets in January and July, on both hemispheres.
    """
    fixed = _UTC.fullmatch(zone)
    if fixed:
        hours = float(fixed[1])
        return hours + float(np.copysign(int(fixed[2] or 0) / 60, hours))
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    offsets = [datetime.datetime(year, month, 1, tzinfo=place).utcoffset() for month in (1, 7)]
    return min(o.total_seconds() for o in offsets if o is not None) / 3600


def _values(
    dataset: xr.Dataset, name: str, raw: str, flag: str, quality: Sequence[int], notes: list[str], path: Path
) -> np.ndarray:
    data = dataset[raw]
    flags = dataset[flag].values.reshape(-1) if flag in dataset else None
    good = keep_good(data.values.reshape(-1).astype(np.float64), flags, quality, raw, notes)
    values = converted(good, data.attrs.get("units"), name, f"{path}: {raw}")
    direction = str(data.attrs.get("Standard_name", data.attrs.get("standard_name", "")))
    return -values if name in _UPWARD and "downward" not in direction else values
