# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Recognition of the layout of input files by content, never by name or folder."""

from __future__ import annotations

from pathlib import Path

from anemoi_ailand.data.files.netcdf import open_file
from anemoi_ailand.variables import VARIABLES

#: Dimensions of points in any layout but ecLand's own.
POINT_DIMENSIONS = ("point", "values", "cell", "location")

#: Variables that occur in ecLand's own files only.
_NATIVE = {"SoilMoist", "SoilTemp", "AvgSurfT", "SWE", "Qle", "Evap", "T2m", "Ag", "SoilFC", "landsea", "Tair", "Mlail"}

#: Variables that occur in the reference layout of the project only.
_REFERENCE = {
    part for v in VARIABLES.values() if v.reference and v.reference not in (v.name, v.netcdf_name)
    for part in v.reference.split("+")
}  # fmt: skip


def detect(files: list[Path]) -> str:
    """Return the layout of files: 'reference', 'native', 'land' or 'grib'."""
    seen: set[str] = set()
    votes: set[str] = set()
    for path in files:
        if _is_grib(path):
            return "grib"
        with open_file(path) as dataset:
            names = set(dataset.variables)
            by_point = any(d in dataset.dimensions for d in POINT_DIMENSIONS)
        seen |= names
        if by_point:
            votes.add("reference" if names & _REFERENCE else "land")
        elif names & _NATIVE:
            votes.add("native")
    for layout in ("native", "reference", "land"):
        if layout in votes:
            return layout
    raise ValueError(
        f"No layout is recognised in {[p.name for p in files][:8]}, which hold {sorted(seen)[:20]}. Known: 'reference' "
        f"or 'land' (NetCDF with dimensions time and one of {POINT_DIMENSIONS}), 'native' (input and "
        "output of ecLand offline), 'grib'. Set `layout`, or correct `path`."
    )


def _is_grib(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"GRIB"
