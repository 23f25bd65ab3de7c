# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Writer of series at points in the reference layout of the project."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from anemoi_ailand.support.netcdf_writer import (
    CONVENTIONS,
    COORDINATES,
    time_coordinate,
    variable_attributes,
    write_dataset,
)
from anemoi_ailand.variables import Time, Variable, variable

LOG = logging.getLogger(__name__)

#: Rain of the layout, by the total precipitation and the snow whose difference it is.
RAIN = {"Rainf": ("avg_tprate", "avg_tsrwe"), "Rainf_late": ("late_tprate", "late_tsrwe")}

#: Variables that have other values in the layout than in the table: a code, monthly means.
OTHER_VALUES = ("c4", "al")

#: Coordinates that identify points.
IDENTITIES = ("point_id", "climate_class")


def write_points(
    path: Path,
    values: np.ndarray,
    names: Sequence[str],
    dates: np.ndarray,
    latitudes: np.ndarray,
    longitudes: np.ndarray,
    attributes: Mapping[str, str] | None = None,
) -> Path:
    """Write a CF NetCDF file with dimensions (time, point), under the reference names of the table.

    Computed variables (sun, calendar) are left out. Total precipitation becomes rain in double precision, so that rain
    plus snow is bitwise the total. ``values`` are in the units of the table, shape (date, point, variable), ``dates``
    in UTC. The folder of ``path`` is created; an existing file is never replaced.
    """
    if path.exists():
        raise FileExistsError(f"The output '{path}' exists. Give another name, or remove it yourself.")
    fields = dict(zip(names, np.moveaxis(values, -1, 0), strict=True))
    made = {}
    for name, field in fields.items():
        row = variable(name)
        if not row.computed:
            called, field = _reference(row, field, fields)
            made[called] = _array(row, field)
    dataset = xr.Dataset(
        made,
        coords={
            "time": ("time", dates.astype("datetime64[ns]"), time_coordinate()),
            "latitude": ("point", latitudes, COORDINATES["latitude"]),
            "longitude": ("point", longitudes, COORDINATES["longitude"]),
        },
        attrs={"Conventions": CONVENTIONS, **(attributes or {})},
    )
    write_dataset(dataset.set_coords([n for n in IDENTITIES if n in made]), path)
    LOG.info("%d variables at %d points written to %s", len(made), len(latitudes), path)
    return path


def _reference(row: Variable, field: np.ndarray, fields: Mapping[str, np.ndarray]) -> tuple[str, np.ndarray]:
    """Return name and values in the layout; the name of the table if the layout has other values (a sum, a code)."""
    for rain, (total, snow) in RAIN.items():
        if row.name == total and snow in fields:
            return rain, field.astype("f8") - fields[snow].astype("f8")
    plain = (
        row.reference
        if row.reference and "+" not in row.reference and row.name not in OTHER_VALUES
        else row.netcdf_name
    )
    return plain, field


def _array(row: Variable, field: np.ndarray) -> tuple[tuple[str, ...], np.ndarray, dict[str, str]]:
    attributes = variable_attributes(row.name, short_name=None)
    if row.name in {total for total, _ in RAIN.values()} and field.dtype == np.float64:
        rate = row.long_name.replace("total precipitation rate (rain and snow)", "rainfall rate")
        attributes |= {"long_name": rate, "standard_name": "rainfall_flux"}
    if row.time is not Time.CONSTANT:
        return ("time", "point"), field, attributes
    return ("point",), np.rint(field[0]).astype("i8") if row.name in IDENTITIES else field[0], attributes
