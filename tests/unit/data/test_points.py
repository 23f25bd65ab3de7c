# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reader and writer of the 6-hourly layout."""

from datetime import datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.points.point_reader import PointReader
from anemoi_ailand.data.points.point_writer import write_points
from anemoi_ailand.data.reader import MARKS
from anemoi_ailand.support.packaged import folder
from anemoi_ailand.variables import VARIABLES, Time, names
from tests.support.files import FIRST, STEP, ramp, spoil, stamps, write_land


def test_sample_has_all_variables_of_its_layout():
    """All of the table but instants of pressure and wind, which the reference layout does not have."""
    table = {n for n, v in VARIABLES.items() if not v.computed}
    assert table - set(open_reader("$AILAND_SAMPLE").variables) == {"sp", "u", "v", *MARKS}


@pytest.mark.parametrize(
    ("name", "parts"),
    [("swvl3", ["swvl3"]), ("2t", ["t2m"]), ("avg_t", ["Tair"]), ("t", ["Tair_inst"]),
     ("avg_tprate", ["Rainf", "Snowf"]), ("late_tprate", ["Rainf_late", "Snowf_late"])],
)  # fmt: skip
def test_values_are_those_of_the_file(name, parts):
    """Values read directly are equal, at dates in two yearly files."""
    first = FIRST.replace(year=2020, month=12, day=31)
    dates = stamps(8, first)
    got = open_reader("$AILAND_SAMPLE").read([name], dates)[0]
    with (
        netCDF4.Dataset(folder("sample") / "ecland_2020.nc") as a,
        netCDF4.Dataset(folder("sample") / "ecland_2021.nc") as b,
    ):
        expected = sum(np.concatenate([a[p][-4:], b[p][:4]]) for p in parts)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert np.ptp(got) > 0


def test_constants_are_repeated_and_c4_is_a_flag():
    """The codes 3 and 4 of the photosynthetic pathway become 0 and 1."""
    cvl, c4 = open_reader("$AILAND_SAMPLE").read(["cvl", "c4"], stamps(3))
    with netCDF4.Dataset(folder("sample") / "static.nc") as ds:
        np.testing.assert_array_equal(cvl, np.tile(ds["clim_cvl"][:], (3, 1)))
        np.testing.assert_array_equal(c4[0], np.asarray(ds["clim_ctype"][:]) == 4)
    assert 0 < c4.mean() < 1


def test_order_of_names_and_dates_is_that_of_the_request():
    """A reversed request gives reversed values."""
    reader = open_reader("$AILAND_SAMPLE")
    dates = stamps(5)
    values = reader.read(["stl1", "tvl", "sd"], dates)
    back = reader.read(["sd", "tvl", "stl1"], dates[::-1])
    np.testing.assert_array_equal(values, back[::-1, ::-1])


def test_static_file_in_the_same_folder_is_found():
    """One yearly file has the constants and the classes of its points."""
    reader = open_reader("$AILAND_SAMPLE/ecland_2021.nc")
    assert "cvl" in reader.variables
    assert reader.climate_class is not None and set(reader.climate_class) == set(range(11))


def test_static_file_is_found_beside_labels_of_points(tmp_path):
    """A label among the series, such as a year, is not taken for the constant fields."""
    label = {"year": np.array([1998.0, 1999.0])}
    write_land(tmp_path / "series.nc", {"swvl1": ramp(4, 2), **label}, stamps(4))
    write_land(tmp_path / "static.nc", {"cvl": np.array([0.2, 0.4]), **label}, [])
    assert "cvl" in open_reader(str(tmp_path / "series.nc")).variables


def test_names_of_our_own_output(tmp_path):
    """They are accepted, and t2m is 2t."""
    path = write_land(tmp_path / "f.nc", {"t2m": ramp(4, 2, 280), "swvl1": ramp(4, 2)}, stamps(4), {"t2m": "K"})
    reader = open_reader(str(path))
    assert reader.variables == ("swvl1", "2t")
    np.testing.assert_allclose(reader.read(["2t"], stamps(4))[0], ramp(4, 2, 280), rtol=1e-7)
    assert reader.point_id.tolist() == [100, 101]


def test_coverage_is_common_to_all_variables(tmp_path):
    """It begins with the variable that begins last."""
    a = write_land(tmp_path / "a.nc", {"swvl1": ramp(6, 2)}, stamps(6))
    b = write_land(tmp_path / "b.nc", {"avg_t": ramp(6, 2, 280)}, stamps(6, FIRST + 2 * STEP))
    coverage = PointReader([a, b]).coverage
    assert (coverage.first, coverage.last) == (FIRST + 2 * STEP, FIRST + 5 * STEP)


def write(tmp_path: Path, name: str, n: int, first=FIRST, step=STEP, points: int = 2) -> Path:
    return write_land(tmp_path / name, {"swvl1": ramp(n, points)}, stamps(n, first, step))


def test_times_have_no_gap_and_no_duplicate(tmp_path):
    """The error gives stamps and files; a step other than 6 h is a gap."""
    first = write(tmp_path, "a.nc", 4)
    with pytest.raises(ValueError, match=r"gap in time: after 2020-01-01 18:00:00 \('a.nc'\) comes 2020-01-02 06"):
        PointReader([first, write(tmp_path, "b.nc", 4, FIRST + 5 * STEP)])
    with pytest.raises(ValueError, match=r"is in '.*a.nc' and in '.*b.nc'"):
        PointReader([first, write(tmp_path, "b.nc", 4, FIRST + 3 * STEP)])
    for hours in (3, 12):
        with pytest.raises(ValueError, match="gap in time"):
            PointReader([write(tmp_path, "c.nc", 4, step=timedelta(hours=hours))])


def test_other_points(tmp_path):
    """Files with another number of points, or one moved point, are refused."""
    with pytest.raises(ValueError, match="different points"):
        PointReader([write(tmp_path, "a.nc", 4), write(tmp_path, "b.nc", 4, FIRST + 4 * STEP, points=3)])
    moved = write(tmp_path, "c.nc", 4, FIRST + 4 * STEP)
    spoil(moved, "longitude", 99.0, 1)
    with pytest.raises(ValueError, match=r"different points \(coordinates"):
        PointReader([tmp_path / "a.nc", moved])


def test_longitudes_in_two_conventions_are_the_same_points(tmp_path):
    """From -180 to 180 and from 0 to 360; the reader has those of the first file."""
    paths = [
        write_land(tmp_path / f"{name}.nc", {name: ramp(4, 3, start)}, stamps(4))
        for name, start in (("swvl1", 0.1), ("q", 0.01))
    ]
    spoil(paths[0], "longitude", [-10.0, -180.0, 20.0])
    spoil(paths[1], "longitude", [350.0, 180.0, 20.0])
    reader = PointReader(paths)
    assert set(reader.variables) == {"swvl1", "q"}
    np.testing.assert_array_equal(reader.longitudes, [-10.0, -180.0, 20.0])


def test_files_that_cannot_be_read_together_or_alone(tmp_path):
    """State and forcing of different years, no known variable, nothing that changes in time, no coordinates."""
    state = write(tmp_path, "a.nc", 4)
    forcing = write_land(tmp_path / "b.nc", {"avg_t": ramp(4, 2)}, stamps(4, FIRST + 9 * STEP))
    with pytest.raises(ValueError, match=r"no date in common: .*'avg_t': '2020-01-03 06:00 to"):
        PointReader([state, forcing])
    with pytest.raises(ValueError, match=r"No variable of the table is in 'c.nc', which holds .*rubbish"):
        PointReader([write_land(tmp_path / "c.nc", {"rubbish": ramp(3, 2)}, stamps(3))])
    with pytest.raises(ValueError, match="nothing that changes in time"):
        open_reader("$AILAND_SAMPLE/static.nc")
    with netCDF4.Dataset(state, "a") as ds:
        ds.renameVariable("latitude", "whatever")
    with pytest.raises(ValueError, match="no 'latitude' and 'longitude'"):
        PointReader([state])


def test_state_of_the_sample_is_within_bounds():
    """So a unit that is wrong by a factor cannot pass."""
    reader = open_reader("$AILAND_SAMPLE")
    for name in names("prognostic"):
        low, high = VARIABLES[name].bounds
        values = reader.read([name], stamps(40, FIRST))
        assert values.min() >= (low or 0.0) and values.max() <= (high or np.inf)


DATES = np.datetime64("2022-01-01", "s") + np.arange(3) * np.timedelta64(6, "h")
LATITUDES, LONGITUDES = np.array([50.25, -33.5]), np.array([7.125, 151.0])


def fields(names):
    rng = np.random.default_rng(7)
    values = rng.uniform(0.0, 1.0, (len(DATES), 2, len(names))).astype(np.float32)
    for i, name in enumerate(names):
        if VARIABLES[name].time is Time.CONSTANT:
            values[:, :, i] = [1.0, 0.0] if name in ("c4", "held_out") else [3.0, 4.0]
    return values


def written(folder, names=tuple(VARIABLES), **options):
    values = fields(names)
    path = write_points(folder / "new" / "site.nc", values, names, DATES, LATITUDES, LONGITUDES, **options)
    return path, values


def test_all_variables_come_back(tmp_path):
    """All variables of the table but computed ones; rain plus snow is the total; points keep their identity."""
    path, values = written(tmp_path)
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
    path, _ = written(tmp_path, ("avg_t", "avg_tprate", "avg_tsrwe", "insolation", "cvl"), attributes={"title": "x"})
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
    path, values = written(tmp_path, ("avg_tprate",))
    with netCDF4.Dataset(path) as file:
        assert "avg_tprate" in file.variables
        assert "Rainf" not in file.variables
    np.testing.assert_array_equal(PointReader([path]).read(["avg_tprate"], [DATES[1].item()])[0, 0], values[1, :, 0])


def test_existing_file_is_not_overwritten(tmp_path):
    """No temporary file remains."""
    path, _ = written(tmp_path, ("t",))
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="Give another name"):
        written(tmp_path, ("q",))
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["site.nc"]


def monthly(path: Path, name: str, values: np.ndarray) -> Path:
    """Add a monthly climatology (month, point) to a file."""
    with netCDF4.Dataset(path, "a") as ds:
        ds.createDimension("month", 12)
        ds.createVariable(name, "f4", ("month", "point"))[:] = values
    return path


def test_albedo_is_monthly_constant_or_at_each_date(tmp_path):
    """The climatology of ecLand is linear between the 15th of months; one value holds always; series come first."""
    dates = stamps(8, datetime(2020, 1, 14, 12))
    state = {"swvl1": ramp(8, 2)}
    months = np.stack([np.linspace(0.1, 0.21, 12), np.full(12, 0.3)], axis=1)
    path = monthly(write_land(tmp_path / "a.nc", state, dates), "Malbedo", months)
    found = PointReader([path]).read(["al"], dates)[0]
    np.testing.assert_allclose(found[2:6, 0], 0.1, rtol=1e-6)  # 15 January
    np.testing.assert_allclose(found[:2, 0], 0.21 - 0.11 * 30 / 31, rtol=1e-5)
    np.testing.assert_allclose(found[:, 1], 0.3, rtol=1e-6)
    given = write_land(tmp_path / "b.nc", {**state, "al": np.array([0.2, 0.4])}, dates)
    np.testing.assert_allclose(PointReader([given]).read(["al"], dates)[0], np.tile([0.2, 0.4], (8, 1)), rtol=1e-6)
    series = monthly(write_land(tmp_path / "c.nc", {**state, "al": 0.1 + 0.01 * ramp(8, 2)}, dates), "Malbedo", months)
    np.testing.assert_allclose(PointReader([series]).read(["al"], dates)[0], 0.1 + 0.01 * ramp(8, 2), rtol=1e-6)


def test_parameters_of_types_are_derived(tmp_path):
    """Those that the files lack follow from the types; vegetation counts as C3 without its pathway."""
    fields = {"swvl1": ramp(2, 2), "clim_tvl": np.array([7.0, 9.0]), "clim_tvh": np.array([3.0, 18.0])}
    for extra, expected in (({}, 49.0), ({"clim_ctype": np.array([4.0, 3.0])}, 70.5)):
        reader = PointReader([write_land(tmp_path / f"{len(extra)}.nc", {**fields, **extra}, stamps(2))])
        names = ["veg_cov_lv", "veg_vcmax_lv", "veg_lz0h_hv"]
        values = reader.read(names, stamps(2))
        np.testing.assert_allclose(values[:, 1], [[0.7, 0.5], [expected, 70.0], np.log([2.0, 0.015])], rtol=1e-6)
        assert set(names) < set(reader.variables)
