# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Coordinates of flux towers. FLUXNET data files omit them, so they are read from an accompanying table.

Two forms are distinguished by their header: FLUXNET's own BIF in CSV (SITE_ID, VARIABLE_GROUP, VARIABLE, DATAVALUE) and
a plain table with the columns ``site, latitude, longitude`` and optionally ``elevation`` [m], ``utc_offset`` [h],
``soil_depths`` (depths of the sensors 1, 2, ... [m], separated by ``;``) and ``stamp`` (``start`` or ``end`` of the
record). NetCDF holds the place of its tower; such a table adds what the file does not say.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

#: Required columns of a plain table and of a BIF.
PLAIN, BIF = {"site", "latitude", "longitude"}, {"SITE_ID", "VARIABLE_GROUP", "VARIABLE", "DATAVALUE"}

#: Depth of the first, shallowest soil sensor where the table of sites does not give it [m].
FIRST_SENSOR_DEPTH = 0.05

_BIF_NAMES = {
    "LOCATION_LAT": "latitude", "LOCATION_LONG": "longitude", "LOCATION_ELEV": "elevation", "UTC_OFFSET": "utc_offset",
}  # fmt: skip


@dataclass(frozen=True)
class Site:
    """Place and clock of a tower."""

    latitude: float
    longitude: float
    elevation: float = np.nan  #: m
    utc_offset: float | None = None  #: local standard time minus UTC [h]; None: from the longitude
    soil_depths: tuple[float, ...] = ()  #: depth of the soil sensors 1, 2, ... [m]
    stamp: str | None = None  #: whether stamps are the start or the end of a record; None: as the file says


def sensor_depth(site: Site, number: int, label: str, notes: list[str]) -> float | None:
    """Return the depth of soil sensor 1, 2, ... [m], assumed for the first; None if unknown, with a note."""
    if site.soil_depths:
        depth = dict(enumerate(site.soil_depths, start=1)).get(number)
    else:
        depth = FIRST_SENSOR_DEPTH if number == 1 else None
    if depth is None:
        notes.append(f"{label}: left out, its depth is not given")
    elif not site.soil_depths:
        notes.append(f"{label}: depth not given, {depth} m assumed")
    return depth


def is_sites(path: Path) -> bool:
    """Return whether a file is a table of sites in one of the two forms."""
    if path.suffix.lower() not in (".csv", ".txt"):
        return False
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = set(next(csv.reader(file, skipinitialspace=True), []))
    return header >= PLAIN or header >= BIF


def read_sites(path: Path) -> dict[str, Site]:
    """Read sites by code from a plain table or a BIF in CSV."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    if set(table.columns) >= BIF:
        rows = _from_bif(table)
    elif set(table.columns) >= PLAIN:
        rows = {row["site"]: row for row in table.to_dict("records")}
    else:
        raise ValueError(
            f"'{path}' has the columns {list(table.columns)[:10]}, so it is not a table of sites. Give the columns "
            f"{sorted(PLAIN)} (and elevation, utc_offset, soil_depths), or FLUXNET's BIF with {sorted(BIF)}."
        )
    try:
        return {code: _site(row) for code, row in rows.items() if row.get("latitude") and row.get("longitude")}
    except ValueError as error:
        raise ValueError(f"A number in the table of sites '{path}' cannot be read ({error}). Correct it.") from error


def _from_bif(table: pd.DataFrame) -> dict[str, dict[str, str]]:
    rows: dict[str, dict[str, str]] = {}
    known = table[table["VARIABLE"].isin(list(_BIF_NAMES))]
    for code, name, value in known[["SITE_ID", "VARIABLE", "DATAVALUE"]].itertuples(index=False):
        rows.setdefault(code, {})[_BIF_NAMES[name]] = value
    return rows


def _site(row: dict[str, str]) -> Site:
    depths = tuple(float(d) for d in row.get("soil_depths", "").split(";") if d.strip())
    offset, elevation = row.get("utc_offset", ""), row.get("elevation", "")
    return Site(
        float(row["latitude"]), float(row["longitude"]), float(elevation) if elevation.strip() else np.nan,
        float(offset) if offset.strip() else None, depths, row.get("stamp", "").strip() or None,
    )  # fmt: skip
