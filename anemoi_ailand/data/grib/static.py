# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Coordinates, constants and monthly climatologies from NetCDF files on the grid of a GRIB archive, in its order.

GRIB of an unstructured grid has no coordinates, and constants such as vegetation and soil types are often kept in
NetCDF. Names are those of the table or of the reference layout (``cvl`` or ``clim_cvl``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import netCDF4
import numpy as np

from anemoi_ailand.constants import C4_CODE
from anemoi_ailand.data.derived import MONTHLY, ONE_SUFFICES
from anemoi_ailand.data.files.netcdf import filled, open_file
from anemoi_ailand.support.units import conversion, convert, table_units
from anemoi_ailand.variables import VARIABLES, Time, Variable

_LATITUDE, _LONGITUDE = ("latitude", "lat", "clat"), ("longitude", "lon", "clon")


@dataclass
class Static:
    """Coordinates [degrees], constants (grid point,) and climatologies (month, grid point) by name in NetCDF files."""

    latitudes: np.ndarray | None = None
    longitudes: np.ndarray | None = None
    fields: dict[str, np.ndarray] = field(default_factory=dict)


def read_static(paths: list[Path]) -> Static:
    """Read coordinates, and all constants and monthly climatologies of the table, from NetCDF files."""
    out = Static()
    for path in paths:
        with open_file(path) as dataset:
            latitudes, longitudes = _coordinate(dataset, _LATITUDE), _coordinate(dataset, _LONGITUDE)
            if latitudes is not None and longitudes is not None:
                if latitudes.ndim == 1 and "lat" in dataset.dimensions and "lon" in dataset.dimensions:
                    latitudes, longitudes = np.meshgrid(latitudes, longitudes, indexing="ij")
                out.latitudes, out.longitudes = latitudes.ravel(), longitudes.ravel()
            for row in VARIABLES.values():
                names = (row.reference, row.netcdf_name, row.name, MONTHLY.get(row.name))
                found = [n for n in names if n in dataset.variables]
                if found and _is_fixed(row, dataset.variables[found[0]].dimensions):
                    out.fields.setdefault(row.name, _field(dataset, found[0], table_units(row.name), path))
    return out


def _is_fixed(row: Variable, dimensions: tuple[str, ...]) -> bool:
    """Return whether a variable with these dimensions is a constant, or a climatology where one suffices."""
    monthly = row.name in MONTHLY and "month" in dimensions
    return "time" not in dimensions and (row.time is Time.CONSTANT or row.name in ONE_SUFFICES or monthly)


def _coordinate(dataset: netCDF4.Dataset, names: tuple[str, ...]) -> np.ndarray | None:
    for name in names:
        if name in dataset.variables:
            values = filled(dataset.variables[name])
            return np.degrees(values) if "rad" in getattr(dataset.variables[name], "units", "") else values
    return None


def _field(dataset: netCDF4.Dataset, name: str, units: str, path: Path) -> np.ndarray:
    pair = conversion(getattr(dataset.variables[name], "units", None), units, name, path)
    n_months = len(dataset.dimensions["month"]) if "month" in dataset.variables[name].dimensions else 0
    values = convert(filled(dataset.variables[name]).reshape((n_months, -1) if n_months else -1), pair)
    return (values == C4_CODE).astype("f8") if name == "clim_ctype" else values
