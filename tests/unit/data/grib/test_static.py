# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Coordinates and constants from NetCDF files that accompany GRIB."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np

from anemoi_ailand.data.grib.static import read_static


def write(path: Path, dimensions: dict[str, int], **variables: tuple[tuple[str, ...], np.ndarray, str]) -> Path:
    """Write NetCDF with variables given as (dimensions, values, units)."""
    with netCDF4.Dataset(path, "w") as out:
        for name, size in dimensions.items():
            out.createDimension(name, size)
        for name, (over, values, units) in variables.items():
            variable = out.createVariable(name, "f8", over)
            variable[:], variable.units = values, units
    return path


def test_coordinates_in_radians(tmp_path: Path) -> None:
    """They are converted, as in the grid files of ICON."""
    radians = (("cell",), np.array([0.0, np.pi / 4]), "radian")
    found = read_static([write(tmp_path / "grid.nc", {"cell": 2}, clat=radians, clon=radians)])
    np.testing.assert_allclose(found.latitudes, [0.0, 45.0])
    np.testing.assert_allclose(found.longitudes, [0.0, 45.0])


def test_axes_become_points_row_by_row(tmp_path: Path) -> None:
    """A grid of two axes is in the order of GRIB: west to east, row after row."""
    path = write(
        tmp_path / "grid.nc", {"lat": 2, "lon": 3},
        lat=(("lat",), np.array([50.0, 49.0]), "degrees_north"),
        lon=(("lon",), np.array([5.0, 6.0, 7.0]), "degrees_east"),
        clim_cvl=(("lat", "lon"), np.arange(6.0).reshape(2, 3) / 10, "1"),
    )  # fmt: skip
    found = read_static([path])
    np.testing.assert_array_equal(found.latitudes, [50.0] * 3 + [49.0] * 3)
    np.testing.assert_array_equal(found.longitudes, [5.0, 6.0, 7.0] * 2)
    np.testing.assert_allclose(found.fields["cvl"], np.arange(6) / 10)


def test_pathway_of_photosynthesis_is_decoded(tmp_path: Path) -> None:
    """The code 4 of ecLand is C4, the code 3 is C3."""
    found = read_static([write(tmp_path / "a.nc", {"x": 2}, clim_ctype=(("x",), np.array([3.0, 4.0]), "1"))])
    assert found.fields["c4"].tolist() == [0.0, 1.0]
