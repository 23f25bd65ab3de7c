# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reader of ecLand's own files: equal to the reference set of the same run."""

from datetime import datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS, STEP, WATER_DENSITY
from anemoi_ailand.data.derived import ABSENT, MONTHLY, hour_of_half
from anemoi_ailand.data.files.paths import resolve
from anemoi_ailand.data.native.interval_means import Kind, native_step, whole_ends, window
from anemoi_ailand.data.native.native_files import Series, role, scan
from anemoi_ailand.data.native.native_reader import NativeReader
from anemoi_ailand.data.native.native_variables import CLIMATE, RULES
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.support.packaged import folder
from anemoi_ailand.variables import HOURLY_RAIN, VARIABLES, Time
from tests.support.files import native_copy, spoil, without_records

NATIVE = folder("sample") / "native"
EXPECTED = open_reader(str(NATIVE / "expected.nc"))
POINTS = open_reader(str(NATIVE / "points"), point_id=str(NATIVE / "points" / "point_index_in_main_run.txt"))
DATES = [EXPECTED.coverage.first + i * STEP for i in range(83)]
#: Without hourly rain: the reference set knows the halves of the step only.
SHARED = [n for n in POINTS.variables if n in EXPECTED.variables and n not in HOURLY_RAIN]

#: Variables that are zero in these weeks: no snow melts, no snow is wet.
FROZEN = {"slw", "smlt"}


def quantum(name: str) -> float:
    """Return the rounding of the reference set, summed over the parts of a variable."""
    with netCDF4.Dataset(NATIVE / "expected.nc") as ds:
        parts = (VARIABLES[name].reference or "").split("+")
        return sum(getattr(ds[p], "quantum", 0.0) for p in parts if p in ds.variables)


def of(path: Path) -> NativeReader:
    return NativeReader(resolve(str(path)))


def test_same_points_and_dates():
    """Both are of the same run; only instants of pressure and wind are missing in the reference."""
    assert POINTS.point_id.tolist() == EXPECTED.point_id.tolist()
    np.testing.assert_allclose(POINTS.latitudes, EXPECTED.latitudes, atol=1e-3)
    assert POINTS.coverage == EXPECTED.coverage
    assert set(EXPECTED.variables) <= set(POINTS.variables)
    assert set(POINTS.variables) - set(EXPECTED.variables) == {"sp", "u", "v"}


def test_native_equals_reference():
    """To one quantum, the rounding of the reference, at all points and dates; no variable is a constant zero."""
    offenders = []
    native, reference = POINTS.read(SHARED, DATES), EXPECTED.read(SHARED, DATES)
    for name, ours, theirs in zip(SHARED, native, reference, strict=True):
        if not np.allclose(ours, theirs, rtol=3e-7, atol=1.001 * quantum(name)):
            offenders.append((name, float(np.abs(ours - theirs).max())))
        if VARIABLES[name].time is not Time.CONSTANT and (quantum(name) < 0.1 * ours.std()) == (name in FROZEN):
            offenders.append((name, "varies as little as its rounding"))
    assert offenders == []


def test_water_balance_closes():
    """Precipitation minus evaporation and runoff is the change of all stores: signs, Qsb, units, times are right."""
    names = ["avg_tprate", "evap", "sro", "ssro", "sd", "src", *(f"swvl{k}" for k in (1, 2, 3, 4))]
    rain, evap, sro, ssro, *stores = POINTS.read(names, DATES).astype(float)
    thickness = [1.0, 1.0, *(WATER_DENSITY * dz for dz in SOIL_LAYER_THICKNESS)]
    change = np.diff(sum(w * s for w, s in zip(thickness, stores, strict=True)), axis=0)
    flux = (rain - evap - sro - ssro)[1:] * STEP.total_seconds()
    cover = POINTS.read(["cl", "cur"], DATES[:1])[:, 0].sum(axis=0)
    dry = cover == 0
    assert dry.sum() >= 2
    np.testing.assert_allclose(flux[:, dry], change[:, dry], atol=0.02)
    assert np.abs(flux[:, dry]).max() > 1.0


def test_grid_layout():
    """Means of hourly output on latitude by longitude equal those computed here."""
    grid = open_reader(str(NATIVE / "grid"))
    assert (grid.latitudes.tolist(), grid.longitudes.tolist()) == ([51.971], [4.927])
    when = datetime(2022, 6, 27, 12)
    with netCDF4.Dataset(NATIVE / "grid" / "o_efl.nc") as ds, netCDF4.Dataset(NATIVE / "grid" / "forcing") as forcing:
        flux = ds["Qh"][6:12, 0, 0].mean()  # stamps 7, ..., 12 h
        air = np.asarray(forcing["Tair"][6:13, 0, 0], float)  # instants at 6, ..., 12 h
    got = grid.read(["sshf", "avg_t", "t"], [when])[:, 0, 0]
    np.testing.assert_allclose(got, [flux, (air.sum() - air[[0, -1]].mean()) / 6, air[-1]], rtol=1e-6)


def test_constants_follow_from_types_without_o_fix(tmp_path):
    """Soil parameters by soil type are those in o_fix."""
    native = native_copy(tmp_path / "n")
    with_fix = of(native).read(["theta_cap", "theta_pwp", "theta_sat"], DATES[:1])
    (native / "o_fix.nc").unlink()
    np.testing.assert_allclose(of(native).read(["theta_cap", "theta_pwp", "theta_sat"], DATES[:1]), with_fix, rtol=1e-6)


def test_last_two_metre_record_is_left_out(tmp_path):
    """Unless the forcing continues beyond it, so that ecLand did not clamp it."""
    native = native_copy(tmp_path / "n")
    assert POINTS.coverage.last == datetime(2018, 1, 21, 18)
    (native / "o_d2m.nc").unlink()
    assert of(native).coverage.last == datetime(2018, 1, 22)
    native = native_copy(tmp_path / "m")
    for file in native.glob("o_*.nc"):
        if file.name in ("o_d2m.nc", "o_gg.nc", "o_efl.nc", "o_wat.nc", "o_co2.nc"):
            without_records(file, [-1 % len(netCDF4.Dataset(file).dimensions["time"])])
    assert of(native).coverage.last == datetime(2018, 1, 21, 18)


def test_variables_follow_from_the_files(tmp_path):
    """A run without CO2 output has no gpp and nee, and 6-hourly forcing no late means."""
    native = native_copy(tmp_path / "n")
    (native / "o_co2.nc").unlink()
    assert set(POINTS.variables) - set(of(native).variables) == {"gpp", "nee"}
    without_records(native / "forcing", [i for i in range(505) if i % 6])
    late = {"late_sdswrf", "late_tprate", "late_tsrwe"}
    assert set(POINTS.variables) - set(of(native).variables) == {"gpp", "nee", *late, *HOURLY_RAIN}


def test_hourly_rain_is_that_of_each_hour(tmp_path):
    """Rates are the records of the six hours, whose mean is that of the step; 3-hourly forcing gives that of halves."""
    names = ["avg_tprate", "late_tprate", *HOURLY_RAIN]
    total, late, *hours = POINTS.read(names, DATES)
    assert (np.ptp(hours, axis=0) > 0.0).any()
    np.testing.assert_allclose(np.mean(hours, axis=0), total, rtol=1e-5, atol=1e-10)
    with netCDF4.Dataset(NATIVE / "points" / "forcing") as ds:
        stamps = netCDF4.num2date(ds["time"][:], ds["time"].units, only_use_cftime_datetimes=False)
        at = [list(stamps).index(DATES[3] - timedelta(hours=5 - k)) for k in range(6)]
        rain = (ds["Rainf"][:] + ds["Snowf"][:]).reshape(len(stamps), -1)
    np.testing.assert_allclose([hour[3] for hour in hours], rain[at], rtol=1e-5)
    native = native_copy(tmp_path / "n")
    with netCDF4.Dataset(native / "forcing", "a") as ds:
        for name in ("Rainf", "Snowf"):  # as from a model that writes means over 3 h
            ds[name][1:] = np.repeat(ds[name][1:].reshape(-1, 3, *ds[name].shape[1:]).mean(1), 3, axis=0)
    without_records(native / "forcing", [i for i in range(505) if i % 3])
    halves = of(native).read(names, DATES)
    np.testing.assert_allclose(halves[:2], [total, late], rtol=1e-5, atol=1e-10)
    for three, rate in ((halves[2:5], 2.0 * total - late), (halves[5:], late)):
        np.testing.assert_allclose(three.mean(0), rate, rtol=1e-4, atol=1e-9)
        np.testing.assert_array_equal(three[0], three[2])
        assert (three[1] >= three[0]).all() and (three[1] > 1.5 * three[0]).any()


def test_rain_of_three_hours_is_gathered_in_warm_air_and_light_rain():
    """Nothing is lost; the share of the middle hour has the concentration of the formula, within its range."""
    rate = np.array([2.0, 2.0, 20.0, 0.0, 1e6]) / 10800.0
    air = np.array([285.0, 300.0, 285.0, 285.0, 230.0])
    outer, middle = (hour_of_half(rate, air, middle=m) for m in (False, True))
    np.testing.assert_allclose(2.0 * outer + middle, 3.0 * rate, rtol=1e-12)
    share = (middle - outer)[[0, 1, 2, 4]] / (3.0 * rate[[0, 1, 2, 4]])
    logit = -0.27 + np.array([0.0, 0.96, -0.42 * np.log(10.0), -3.73])
    np.testing.assert_allclose(share**2, 1.0 / (1.0 + np.exp(-logit)), rtol=1e-12)


def test_chain_of_runs_is_joined_by_time(tmp_path):
    """State and fluxes in two files each give the same values as in one."""
    for name in ("o_gg.nc", "o_efl.nc", "o_wat.nc", "o_co2.nc"):
        for part, drop in (("a", slice(40, None)), ("b", slice(0, 40))):
            native_copy(tmp_path / f"{part}{name}")
            file = tmp_path / f"{part}{name}" / name
            without_records(file, range(*drop.indices(len(netCDF4.Dataset(file).dimensions["time"]))))
    rest = [f for f in resolve(str(NATIVE / "points")) if f.name in ("forcing", "surfclim", "o_fix.nc", "o_d2m.nc")]
    parts = sorted(tmp_path.glob("?o_*/o_*.nc"))
    chain = NativeReader([*rest, *(p for p in parts if p.parent.name[1:] == p.name)])
    names = ["swvl1", "sshf", "ssro", "nee", "snowc"]
    np.testing.assert_array_equal(chain.read(names, DATES), POINTS.read(names, DATES))


@pytest.mark.parametrize(
    ("left_out", "message"),
    [([100], r"'forcing' has a gap in time: after 2018-01-05T03"),
     ([i for i in range(505) if i % 4], "step of 4 h, which does not divide the 6 h")],
)  # fmt: skip
def test_forcing_with_a_gap_or_a_wrong_step(tmp_path, left_out, message):
    """A missing hour, and 4-hourly forcing, are errors at opening."""
    native = native_copy(tmp_path / "n")
    without_records(native / "forcing", left_out)
    with pytest.raises(ValueError, match=message):
        of(native)


def test_forcing_from_00_serves_a_start_at_00(tmp_path, monkeypatch):
    """Instants at the first record are read, where no mean ends; the message for a mean there names the folder."""
    native = native_copy(tmp_path / "n")
    for file in native.glob("o_*"):
        file.unlink()
    monkeypatch.chdir(native)
    reader = NativeReader([Path("forcing"), Path("surfclim")])
    first = reader.coverage.first - STEP
    with netCDF4.Dataset("forcing") as ds:
        np.testing.assert_array_equal(reader.read(["t", "lai_lv"], [first])[0, 0], ds["Tair"][0].astype("f4"))
    with pytest.raises(ValueError, match=r"1 of 1 dates are not in the ecLand files in 'n' .* Choose dates in this"):
        reader.read(["t", "avg_t"], [first])
    with pytest.raises(ValueError, match="1 of 2 dates"):
        reader.read(["t"], [first, first - STEP])


def test_files_that_do_not_suffice(tmp_path):
    """There must be one identity for each point, and something that changes in time."""
    (tmp_path / "ids.txt").write_text("1\n2\n")
    with pytest.raises(ValueError, match="names 2 points and the files hold 4"):
        open_reader(str(NATIVE / "points"), point_id=str(tmp_path / "ids.txt"))
    with pytest.raises(ValueError, match="nothing that changes in time"):
        NativeReader([NATIVE / "points" / "surfclim"])


def test_leaf_area_is_constant_over_a_utc_day():
    """It changes at midnight."""
    day = [datetime(2018, 1, 5) + timedelta(hours=h) for h in (0, 6, 12, 18, 24)]
    values = POINTS.read(["lai_lv"], day)[0]
    assert (values[:4] == values[0]).all() and (values[4] != values[0]).any()


HOURS = {Time.INSTANT: 0, Time.INTERVAL_MEAN: 6, Time.LATE_MEAN: 3, Time.HOUR_MEAN: 1}
MADE = {"avg_cpfr", "c4"}  #: derived from others in native_reader.py


def test_every_variable_of_the_table_has_one_rule():
    """Except sun, calendar and labels of points, which no file of ecLand has."""
    ruled = [*RULES, *CLIMATE, *MONTHLY, *ABSENT, *MADE]
    assert len(ruled) == len(set(ruled))
    rest = {n for n, v in VARIABLES.items() if not v.computed} - set(ruled)
    assert rest == {"climate_class", "point_id", "held_out"}


def test_time_semantics_are_those_of_the_table():
    """An interval mean of the table is a mean over 6 h, a late mean over 3 h, an instant no mean."""
    assert {n: r.hours for n, r in RULES.items()} == {n: HOURS[VARIABLES[n].time] for n in RULES}
    assert [n for n, r in RULES.items() if r.hours == 3 and r.kind is Kind.INSTANT] == []


def test_files_and_names_are_those_of_the_table():
    """The column ``native`` of the table has the same file and names."""
    ours = {n: ("surfclim", {native}) for n, native in {**CLIMATE, **MONTHLY}.items()}
    for name, rule in RULES.items():
        level = "" if rule.level is None else f"[{rule.level + 1}]"
        ours[name] = (rule.role, {f"{part}{level}" for part, _ in rule.parts})
    table = {n: (VARIABLES[n].native or "").partition(":")[::2] for n in ours}
    assert ours == {n: (role, set(natives.split(","))) for n, (role, natives) in table.items()}


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


T0 = np.datetime64("2020-01-01T00:00:00", "s")


def every(hours: float, n: int, first: np.datetime64 = T0) -> np.ndarray:
    return first + np.arange(n) * np.timedelta64(round(hours * 3600), "s")


def mean(values: np.ndarray, stamps: np.ndarray, end: np.datetime64, hours: float, kind: Kind) -> float:
    records, weights = window(stamps, np.array([end]), hours, kind, "x")
    return float(values[records[0]] @ weights)


@pytest.mark.parametrize(
    ("step", "kind", "expected"),
    [
        (1, Kind.MEAN, 9.5),  # stamps 7, ..., 12 h, each the mean over the hour before: values are the hours
        (1, Kind.INSTANT, 9.0),  # the trapezoid of a straight line from 6 to 12
        (2, Kind.MEAN, 10.0),  # 8, 10, 12
        (3, Kind.INSTANT, 9.0),
        (6, Kind.MEAN, 12.0),  # one record
        (6, Kind.INSTANT, 9.0),  # (6 + 12) / 2
    ],
)
def test_mean_of_the_six_hours_that_end_at_noon(step, kind, expected):
    """The values are their stamps in hours, so the means are known."""
    stamps = every(step, 48 // step + 1)
    hours = (stamps - T0) / np.timedelta64(3600, "s")
    assert mean(hours, stamps, T0 + np.timedelta64(12, "h"), 6, kind) == pytest.approx(expected, rel=1e-14)


@given(step=st.sampled_from([0.5, 1, 2, 3, 6]), kind=st.sampled_from(list(Kind)), value=st.floats(-1e6, 1e6))
def test_mean_of_a_constant_is_the_constant(step, kind, value):
    """Weights sum to one for every step that divides 6 h."""
    stamps = every(step, int(24 / step) + 1)
    got = mean(np.full(len(stamps), value), stamps, T0 + np.timedelta64(12, "h"), 6, kind)
    assert got == pytest.approx(value, rel=1e-12, abs=1e-9)


def test_records_that_give_no_mean():
    """An end between records or after the last one, and a single record."""
    for end in (np.timedelta64(90, "m"), np.timedelta64(100, "h")):
        with pytest.raises(ValueError, match="has no record at"):
            window(every(1, 49), np.array([T0 + end]), 6, Kind.MEAN, "'forcing'")
    with pytest.raises(ValueError, match="1 record"):
        native_step(every(1, 1), "'forcing'")


@pytest.mark.parametrize(("kind", "first"), [(Kind.MEAN, 5), (Kind.INSTANT, 6)])
def test_whole_ends_are_the_first_and_last_complete_intervals(kind, first):
    """A mean stamped 0 h covers the hour before, an instant does not."""
    stamps = every(1, 30)
    begin, end = whole_ends(stamps, 6, kind, "x")
    assert (begin, end) == (stamps[first], stamps[-1])
    window(stamps, np.array([begin, end]), 6, kind, "x")
    with pytest.raises(ValueError, match="not complete"):
        window(stamps, stamps[first - 1 : first], 6, kind, "x")


def test_background_albedo_is_what_ecland_reflects_without_snow():
    """One minus net over downward radiation, to rounding, where there is neither snow nor lake; it moves every day."""
    dates = [d for d in DATES if d.hour in (6, 12, 18)]  # steps from 18 to 00 UTC have the stamp of the next day
    names = ["al", "ssr", "avg_sdswrf", "snowc", "cl", "cur"]
    al, ssr, down, cover, lake, town = POINTS.read(names, dates).astype(float)
    seen = (down > 10.0) & (cover == 0.0) & (lake + town < 0.01)
    assert seen.sum() > 30 and np.ptp(al[seen]) > 5e-4
    np.testing.assert_allclose(1.0 - ssr[seen] / down[seen], al[seen], atol=1e-6)
