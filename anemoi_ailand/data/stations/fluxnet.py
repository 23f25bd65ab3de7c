# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Flux towers as FLUXNET CSV: FLUXNET2015 and its successors, FULLSET or SUBSET, half-hourly (HH) or hourly (HR).

Times are local standard time, ``TIMESTAMP_START`` and ``TIMESTAMP_END`` as YYYYMMDDHHMM; -9999 is missing; quality 0 is
measured, 1 good, 2 medium, 3 poor gap-filling. A variable without a quality column keeps all values, with a note of the
station. Heat fluxes, positive upward in FLUXNET, become positive downward; NEE is positive to the atmosphere in both.
Soil moisture and temperature are means over the record and count as instants at its middle.

Source: Pastorello et al. (2020), doi:10.1038/s41597-020-0534-3.
"""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

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

START, END = "TIMESTAMP_START", "TIMESTAMP_END"
_FORMAT = "%Y%m%d%H%M"
_SITE = re.compile(r"(?:^|_)([A-Z]{2}-[A-Za-z0-9]{3})(?:_|\.|$)")

#: Name in the table: column, column of its quality, unit, sign.
_FLUXES = {
    "slhf": ("LE_F_MDS", "LE_F_MDS_QC", "W m-2", -1.0),
    "sshf": ("H_F_MDS", "H_F_MDS_QC", "W m-2", -1.0),
    "rnet": ("NETRAD", "NETRAD_QC", "W m-2", 1.0),
    "nee": ("NEE_VUT_REF", "NEE_VUT_REF_QC", "umolCO2 m-2 s-1", 1.0),
    "gpp": ("GPP_NT_VUT_REF", "NEE_VUT_REF_QC", "umolCO2 m-2 s-1", 1.0),
    GROUND: ("G_F_MDS", "G_F_MDS_QC", "W m-2", 1.0),
}

#: The same corrected for the closure of the energy balance; the quality is that of the measured flux.
_CORRECTED = {"slhf": "LE_CORR", "sshf": "H_CORR"}

#: Prefix in the table: prefix of the columns 1, 2, ..., unit.
_SOIL = {"swvl": ("SWC_F_MDS_", "%"), "stl": ("TS_F_MDS_", "degC")}


def is_fluxnet(path: Path) -> bool:
    """Return whether a file is CSV with half-hourly or hourly records of a variable that is read."""
    if path.suffix.lower() not in (".csv", ".txt"):
        return False
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.reader(file, skipinitialspace=True)
        header, first = next(rows, []), next(rows, [])
    row = dict(zip(header, first, strict=False))
    return len(row.get(START, "")) == len("200001010000") and END in row and bool(_read_columns(header) - {START, END})


def read_fluxnet(
    path: Path,
    sites: Mapping[str, Site],
    *,
    per_layer: str = ONE,
    fluxes: FluxOptions = MEASURED,
) -> Station:
    """Read one tower from a file with the code of the site in its name."""
    code, site = _site(path, sites)
    header = [str(c) for c in pd.read_csv(path, nrows=0).columns]
    table = pd.read_csv(path, usecols=sorted(_read_columns(header)), dtype={START: str, END: str}, na_values=["-9999"])
    starts, ends = (_times(table[c], path) for c in (START, END))
    check_increasing(starts, f"'{path}'")
    offset = offset_of_longitude(site.longitude) if site.utc_offset is None else site.utc_offset
    notes = [f"UTC{offset:+g} h taken from the longitude"] if site.utc_offset is None else []
    starts, ends = to_utc(starts, offset), to_utc(ends, offset)
    sensors = []
    for name, (column, flag, units, sign) in _fluxes(header, fluxes.closure, path).items():
        values = converted(sign * _good(table, column, flag, fluxes.quality, notes), units, name, str(path))
        sensors.append(Sensor(name, *interval_means(starts, ends, values, fluxes.coverage), label=column))
    if fluxes.closure == FRACTION:
        sensors = by_fraction(sensors, str(path))
    middles = starts + (ends - starts) / 2
    for name, column, units, depth in _soil(header, site, notes):
        values = converted(_good(table, column, f"{column}_QC", fluxes.quality, notes), units, name, str(path))
        sensors.append(Sensor(name, *instants(middles, values), depth=(depth, depth), label=column))
    LOG.info("FLUXNET: %s, %d records of '%s', UTC%+g h", code, len(table), path, offset)
    place = (site.latitude, site.longitude, site.elevation)
    return make_station(code, "FLUXNET", place, sensors, per_layer=per_layer, notes=notes, source=str(path))


def _read_columns(header: Sequence[str]) -> set[str]:
    wanted = {c for column, flag, *_ in _FLUXES.values() for c in (column, flag)} | set(_CORRECTED.values())
    soil = re.compile(rf"(?:{'|'.join(prefix for prefix, _ in _SOIL.values())})\d+(?:_QC)?")
    return {c for c in header if c in wanted or c in (START, END) or soil.fullmatch(c)}


def _site(path: Path, sites: Mapping[str, Site]) -> tuple[str, Site]:
    found = _SITE.search(path.name)
    if found is None:
        raise ValueError(
            f"The name '{path.name}' holds no site code such as US-Bo1. Rename the file as FLUXNET does: "
            "FLX_US-Bo1_FLUXNET2015_FULLSET_HH_1996-2008_1-3.csv."
        )
    code = found[1]
    if code not in sites:
        raise ValueError(
            f"The coordinates of the tower {code} of '{path}' are unknown; known sites are {sorted(sites)[:20]}. Put a "
            "CSV with the columns site, latitude, longitude (and elevation, utc_offset, soil_depths), or FLUXNET's BIF "
            "as CSV, in the folder of the data, or give it as 'sites'."
        )
    return code, sites[code]


def _times(column: pd.Series, path: Path) -> np.ndarray:
    try:
        return pd.to_datetime(column, format=_FORMAT).to_numpy(dtype="datetime64[ns]")
    except ValueError as error:
        raise ValueError(
            f"'{column.name}' of '{path}' is not YYYYMMDDHHMM ({str(error).split(',')[0]}). "
            "Give the half-hourly (HH) or hourly (HR) file."
        ) from error


def _fluxes(header: Sequence[str], closure: str, path: Path) -> dict[str, tuple[str, str, str, float]]:
    """Return column, flags, unit and sign of the fluxes in a file, as the closure needs them."""
    corrected = closure == BOWEN
    rows = {n: (_CORRECTED.get(n, r[0]) if corrected else r[0], *r[1:]) for n, r in _FLUXES.items()}
    missing = [rows[n][0] for n in _CORRECTED if corrected and rows[n][0] not in header and _FLUXES[n][0] in header]
    if missing:
        raise missing_correction(str(path), missing)
    return {n: r for n, r in rows.items() if r[0] in header and (n != GROUND or closure == FRACTION)}  # type: ignore[misc]


def _soil(header: Sequence[str], site: Site, notes: list[str]) -> list[tuple[str, str, str, float]]:
    """Return name, column, unit and depth of the soil sensors whose depth is known or assumed."""
    out = []
    for name, (prefix, units) in _SOIL.items():
        for column in (c for c in header if re.fullmatch(rf"{prefix}\d+", c)):
            depth = sensor_depth(site, int(column.removeprefix(prefix)), column, notes)
            if depth is not None:
                out.append((name, column, units, depth))
    return out


def _good(table: pd.DataFrame, column: str, flag: str, quality: Sequence[int], notes: list[str]) -> np.ndarray:
    flags = table[flag].to_numpy(dtype=np.float64) if flag in table else None
    return keep_good(table[column].to_numpy(dtype=np.float64), flags, quality, column, notes)
