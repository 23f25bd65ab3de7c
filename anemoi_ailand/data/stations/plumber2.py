# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Flux towers in NetCDF with ALMA names, as PLUMBER2 and PALS have them, one tower per file.

Dimensions are (time, y, x) with x = y = 1, or time alone. The stamp is the START of the record, unless an attribute of
``time`` or a table of sites says otherwise, in local standard time, never daylight saving time; the attribute
``time_zone`` of ``time`` names the zone. ``Qle`` and ``Qh`` are positive upward and change sign. ``SWC1`` and ``TS1``
are soil sensors, at depths of their attribute ``depth`` or of the table of sites. Quality ``*_qc``: 0 measured, 1 good
gap-filling; a variable without it keeps all values, with a note of the station.

Source: Ukkola et al. (2022), doi:10.5194/essd-14-449-2022.
"""

from __future__ import annotations

import datetime
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import xarray as xr

from anemoi_ailand.data.files.netcdf import is_netcdf
from anemoi_ailand.data.stations.closure import (
    BOWEN,
    FRACTION,
    MEASURED,
    FluxOptions,
    by_fraction,
    missing_correction,
)
from anemoi_ailand.data.stations.sampling import (
    check_increasing,
    instants,
    interval_means,
    keep_good,
    offset_of_longitude,
    to_utc,
)
from anemoi_ailand.data.stations.sites import Site, sensor_depth
from anemoi_ailand.data.stations.station import GROUND, ONE, Sensor, Station, converted, make_station

LOG = logging.getLogger(__name__)

#: Name in the table: variable, and the flux corrected for the closure of the energy balance.
_FLUXES = {
    "slhf": ("Qle", "Qle_cor"), "sshf": ("Qh", "Qh_cor"), "rnet": ("Rnet", "Rnet"), "nee": ("NEE", "NEE"),
    "gpp": ("GPP", "GPP"), GROUND: ("Qg", "Qg"),
}  # fmt: skip

#: Name in the table: prefixes of the variables 1, 2, ...
_SOIL = {"swvl": ("SWC", "SoilMoist"), "stl": ("TS", "SoilTemp")}

#: Meanings of a stamp.
START, END = "start", "end"

#: ALMA's fluxes of energy are positive upward.
_UPWARD = ("slhf", "sshf")

#: Name of a time zone at the end of an attribute: its last word, as in "local standard time, UTC+1".
_ZONE = re.compile(r"[^\s,;]+$")

_UTC = re.compile(r"(?:UTC|GMT)?\s*([+-]\d{1,2})(?::?(\d{2}))?")


def is_plumber2(path: Path) -> bool:
    """Return whether a file is NetCDF of one place with a flux under its name in ALMA."""
    if not is_netcdf(path):
        return False
    try:
        with xr.open_dataset(path, engine="netcdf4", decode_times=False) as dataset:
            of_place = {"time", "x", "y"} <= set(dataset.sizes) or set(dataset.sizes) == {"time"}
            return of_place and any(names[0] in dataset for names in _FLUXES.values())
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"'{path}' ({path.stat().st_size} bytes) cannot be read as NetCDF ({error}). Download it again."
        ) from error


def read_plumber2(
    path: Path, sites: Mapping[str, Site] | None = None, *, per_layer: str = ONE, fluxes: FluxOptions = MEASURED
) -> Station:
    """Read one tower; arguments as in :func:`~anemoi_ailand.data.stations.fluxnet.read_fluxnet`.

    A site that is in ``sites`` by its code in the file or at the beginning of its name has that place, clock and depths
    of sensors.
    """
    with xr.open_dataset(path, engine="netcdf4") as dataset:
        name = str(dataset.attrs.get("site_code") or path.stem.split("_")[0])
        _check(dataset, path)
        site = (sites or {}).get(name) or _place(dataset, path)
        starts, ends, offset, notes = _clock(dataset, site, path)
        sensors = []
        for row, (raw, flag) in _chosen(dataset, fluxes.closure, path).items():
            values = _values(dataset, row, raw, flag, fluxes.quality, notes, path)
            sensors.append(Sensor(row, *interval_means(starts, ends, values, fluxes.coverage), label=raw))
        if fluxes.closure == FRACTION:
            sensors = by_fraction(sensors, str(path))
        for row, label, depth in _soil(dataset, site, notes):
            values = _values(dataset, row, label, f"{label}_qc", fluxes.quality, notes, path)
            middles = starts + (ends - starts) / 2
            sensors.append(Sensor(row, *instants(middles, values), depth=(depth, depth), label=label))
    LOG.info("PLUMBER2: %s, %d records of '%s', UTC%+g h", name, len(starts), path, offset)
    place = (site.latitude, site.longitude, site.elevation)
    return make_station(name, "PLUMBER2", place, sensors, per_layer=per_layer, notes=notes, source=str(path))


def _place(dataset: xr.Dataset, path: Path) -> Site:
    if missing := [n for n in ("latitude", "longitude") if n not in dataset.variables]:
        raise ValueError(
            f"'{path}' has no {missing}; it has {sorted(str(n) for n in dataset.variables)}. Give a flux file of "
            "PLUMBER2, or its site in a table of sites."
        )
    latitude, longitude = (float(dataset[n].values.squeeze()) for n in ("latitude", "longitude"))
    return Site(latitude, longitude, float(dataset["elevation"].values.squeeze()) if "elevation" in dataset else np.nan)


def _check(dataset: xr.Dataset, path: Path) -> None:
    several = {d: n for d, n in dataset.sizes.items() if d in ("x", "y") and n > 1}
    if several:
        raise ValueError(f"'{path}' has {several}, so more than one place. Give one tower per file.")


def _chosen(dataset: xr.Dataset, closure: str, path: Path) -> dict[str, tuple[str, str]]:
    """Return variable and flags of the fluxes in a file, as the closure needs them."""
    found = {}
    for name, (raw, corrected) in _FLUXES.items():
        variable = corrected if closure == BOWEN else raw
        if variable not in dataset and raw in dataset:
            raise missing_correction(str(path), [variable])
        if variable in dataset and (name != GROUND or closure == FRACTION):
            found[name] = (variable, f"{raw}_qc")
    return found


def _soil(dataset: xr.Dataset, site: Site, notes: list[str]) -> Iterator[tuple[str, str, float]]:
    """Iterate over name, variable and depth of the soil sensors whose depth is known or assumed."""
    for name, prefixes in _SOIL.items():
        pattern = re.compile(rf"(?:{'|'.join(prefixes)})_?(\d+)")
        for label in map(str, dataset.data_vars):
            if (match := pattern.fullmatch(label)) is None:
                continue
            given = dataset[label].attrs.get("depth")
            depth = sensor_depth(site, int(match[1]), label, notes) if given is None else float(given)
            if depth is not None:
                yield name, label, depth


def _clock(dataset: xr.Dataset, site: Site, path: Path) -> tuple[np.ndarray, np.ndarray, float, list[str]]:
    """Return start and end of each record in UTC, whose length is the most common step, and local time minus UTC."""
    times = dataset["time"].values if "time" in dataset else np.zeros(0)
    if not np.issubdtype(times.dtype, np.datetime64) or len(times) < 2:
        units = dataset["time"].attrs.get("units") if "time" in dataset else None
        raise ValueError(
            f"The times of '{path}' ({len(times)}, units '{units}') cannot be read. They "
            "must be at least two, in 'seconds since YYYY-MM-DD hh:mm:ss' and the standard calendar."
        )
    check_increasing(times, f"'{path}'")
    stamps = times.astype("datetime64[ns]")
    lengths, counts = np.unique(np.diff(stamps), return_counts=True)
    step, zero = lengths[counts.argmax()], np.timedelta64(0, "ns")
    zone = str(dataset["time"].attrs.get("time_zone", "")).strip()
    hours = zone_offset(zone, int(str(stamps[0])[:4])) if site.utc_offset is None else site.utc_offset
    notes = []
    if hours is None:
        hours = offset_of_longitude(site.longitude)
        reason = f"'{zone}' is unknown" if zone else "not given"
        notes.append(f"time zone {reason}: UTC{hours:+g} h taken from the longitude")
    at_end = (site.stamp or meaning_of_stamps(dataset["time"])) == END
    starts = to_utc(stamps, hours) - (step if at_end else zero)
    return starts, starts + step, hours, notes


def meaning_of_stamps(time: xr.DataArray) -> str | None:
    """Return whether stamps are the start or the end of a record, as the attributes of ``time`` say; None if not."""
    said = " ".join(str(v) for k, v in time.attrs.items() if k not in ("units", "calendar")).lower()
    return END if re.search(r"\bend", said) else START if "start" in said else None


def zone_offset(zone: str, year: int) -> float | None:
    """Return local standard time minus UTC [h] of a time zone, which may end a text; None if unknown or empty."""
    last = _ZONE.search(zone.strip())
    found = (standard_offset(text, year) for text in (zone, last[0] if last else "") if text)
    return next((hours for hours in found if hours is not None), None)


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
    direction = str(data.attrs.get("Standard_name", data.attrs.get("standard_name", "")))
    signed = -good if name in _UPWARD and "downward" not in direction else good
    return converted(signed, data.attrs.get("units"), name, f"{path}: {raw}")
