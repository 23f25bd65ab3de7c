# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Writer of the reference layout: a round trip through the reader is bitwise."""

import netCDF4
import numpy as np
import pytest

from anemoi_ailand.data.points.point_reader import PointReader
from anemoi_ailand.data.points.point_writer import write_points
from anemoi_ailand.data.reader import MARKS
from anemoi_ailand.variables import VARIABLES, Time

DATES = np.datetime64("2022-01-01", "s") + np.arange(3) * np.timedelta64(6, "h")
LATITUDES, LONGITUDES = np.array([50.25, -33.5]), np.array([7.125, 151.0])


def fields(names):
    rng = np.random.default_rng(7)
    values = rng.uniform(0.0, 1.0, (len(DATES), 2, len(names))).astype(np.float32)
    for i, name in enumerate(names):
        if VARIABLES[name].time is Time.CONSTANT:
            values[:, :, i] = [1.0, 0.0] if name in ("c4", "held_out") else [3.0, 4.0]
    return values


def write(folder, names=tuple(VARIABLES), **options):
    values = fields(names)
    path = write_points(folder / "new" / "site.nc", values, names, DATES, LATITUDES, LONGITUDES, **options)
    return path, values


def test_all_variables_come_back(tmp_path):
    """All variables of the table but computed ones; rain plus snow is the total; points keep their identity."""
    path, values = write(tmp_path)
    reader = PointReader([path])
    expected = [n for n, row in VARIABLES.items() if not row.computed and n not in MARKS]
    assert sorted(reader.variables) == sorted(expected)
    read = reader.read(expected, [d.item() for d in DATES])
    for i, name in enumerate(expected):
        np.testing.assert_array_equal(read[i], values[:, :, list(VARIABLES).index(name)], err_msg=name)
    assert reader.point_id.tolist() == [3, 4]
    assert reader.climate_class.tolist() == [3, 4]
    np.testing.assert_array_equal(reader.longitudes, LONGITUDES)


def test_names_are_those_of_the_reference_layout(tmp_path):
    """They have units and cell methods; total precipitation is written as rain."""
    path, _ = write(tmp_path, ("avg_t", "avg_tprate", "avg_tsrwe", "insolation", "cvl"), attributes={"title": "x"})
    with netCDF4.Dataset(path) as file:
        assert set(file.variables) == {"time", "latitude", "longitude", "Tair", "Rainf", "Snowf", "clim_cvl"}
        assert file["Rainf"].standard_name == "rainfall_flux"
        assert file["Rainf"].long_name == "rainfall rate"
        assert file["Tair"].units == "K"
        assert "ending at the time stamp" in file["Tair"].cell_methods
        assert file["clim_cvl"].dimensions == ("point",)
        assert file.title == "x"


def test_total_precipitation_alone_keeps_its_name(tmp_path):
    """Rain is the difference between total precipitation and snow, so it needs both."""
    path, values = write(tmp_path, ("avg_tprate",))
    with netCDF4.Dataset(path) as file:
        assert "avg_tprate" in file.variables
        assert "Rainf" not in file.variables
    np.testing.assert_array_equal(PointReader([path]).read(["avg_tprate"], [DATES[1].item()])[0, 0], values[1, :, 0])


def test_existing_file_is_not_overwritten(tmp_path):
    """No temporary file remains."""
    path, _ = write(tmp_path, ("t",))
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="Give another name"):
        write(tmp_path, ("q",))
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["site.nc"]
