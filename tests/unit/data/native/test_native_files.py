# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""ecLand's files are recognised by content, and their records located by stamp."""

from __future__ import annotations

from datetime import datetime

import netCDF4
import numpy as np
import pytest

from anemoi_ailand.data.files.paths import resolve
from anemoi_ailand.data.native.native_files import Series, role, scan
from anemoi_ailand.support.packaged import folder
from tests.support.files import native_copy, spoil

NATIVE = folder("sample") / "native"


@pytest.mark.parametrize("layout", ["points", "grid"])
def test_roles_agree_with_the_names_of_files(layout):
    """Names are not used by the code."""
    for path in resolve(str(NATIVE / layout)):
        with netCDF4.Dataset(path) as ds:
            expected = path.stem if path.stem not in ("o_ggd", "o_cld") else None
            assert role(set(ds.variables)) == expected


def test_initial_state_and_empty_files_are_not_used():
    """`soilinit` repeats variables of other files, `o_ggd` is empty."""
    found = {f.path.name for f in scan(resolve(str(NATIVE / "points")))}
    assert found.isdisjoint({"soilinit", "o_ggd.nc", "o_cld.nc"}) and {"forcing", "o_gg.nc", "o_fix.nc"} <= found


def test_grid_becomes_points(tmp_path):
    """Latitude varies slowest, and levels come before points."""
    path = tmp_path / "o_gg.nc"
    with netCDF4.Dataset(path, "w") as ds:
        for name, size in (("time", 2), ("nlevs", 4), ("lat", 2), ("lon", 3)):
            ds.createDimension(name, size)
        ds.createVariable("timestp", "i4", ("time",))[:] = [0, 1]
        time = ds.createVariable("time", "f8", ("time",))
        time.units, time[:] = "seconds since 2020-01-01 00:00:00", [0, 3600]
        ds.createVariable("lat", "f8", ("lat",))[:] = [50, 40]
        ds.createVariable("lon", "f8", ("lon",))[:] = [1, 2, 3]
        ds.createVariable("SoilMoist", "f4", ("time", "nlevs", "lat", "lon"))[:] = np.arange(48).reshape(2, 4, 2, 3)
    (file,) = scan([path])
    assert file.latitudes.tolist() == [50, 50, 50, 40, 40, 40] and file.longitudes.tolist() == [1, 2, 3] * 2
    np.testing.assert_array_equal(file.read("SoilMoist", np.array([1]))[0, 3], np.arange(42, 48))


def test_runs_may_share_a_state_but_not_a_flux(tmp_path):
    """The end of a run is the start of the next; a duplicate flux is an error."""
    files = {f.role: f for f in scan(resolve(str(NATIVE / "points")))}
    assert len(Series([files["o_gg"], files["o_gg"]]).stamps) == len(files["o_gg"].stamps)
    with pytest.raises(ValueError, match="is in two of"):
        Series([files["forcing"], files["forcing"]])


def test_files_that_are_refused(tmp_path):
    """One moved longitude, no coordinates, no file of ecLand; and a date without a record, never the nearest one."""
    native = native_copy(tmp_path / "n")
    spoil(native / "surfclim", "lon", 0.0, 2)
    with pytest.raises(ValueError, match="different points"):
        scan(resolve(str(native)))
    with pytest.raises(ValueError, match=r"None of .*o_ggd.nc.* is a file of ecLand"):
        scan([native / "o_ggd.nc"])
    with pytest.raises(ValueError, match="no record at 2018-01-01T03"):
        Series(scan([native / "o_gg.nc"])).at([datetime(2018, 1, 1, 3)])
    with netCDF4.Dataset(native / "o_gg.nc", "a") as ds:
        ds.renameVariable("lat", "nowhere")
    with pytest.raises(ValueError, match="has no 'lat' and 'lon'"):
        scan([native / "o_gg.nc"])
