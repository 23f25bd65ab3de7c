# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reader of ecLand's own files: equal to the reference set of the same run."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS, WATER_DENSITY
from anemoi_ailand.data.derived import ABSENT
from anemoi_ailand.data.files.paths import resolve
from anemoi_ailand.data.native.interval_means import Kind
from anemoi_ailand.data.native.native_reader import NativeReader
from anemoi_ailand.data.native.native_variables import CLIMATE, LEAF_AREA, RULES
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import STEP
from anemoi_ailand.support.packaged import folder
from anemoi_ailand.variables import VARIABLES, Time
from tests.support.files import native_copy, without_records

NATIVE = folder("sample") / "native"
EXPECTED = open_reader(str(NATIVE / "expected.nc"))
POINTS = open_reader(str(NATIVE / "points"), point_id=str(NATIVE / "points" / "point_index_in_main_run.txt"))
DATES = [EXPECTED.coverage.first + i * STEP for i in range(83)]
SHARED = [n for n in POINTS.variables if n in EXPECTED.variables]

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


def test_missing_file_means_fewer_variables(tmp_path):
    """A run without CO2 output has no gpp and nee, and everything else."""
    native = native_copy(tmp_path / "n")
    (native / "o_co2.nc").unlink()
    assert set(POINTS.variables) - set(of(native).variables) == {"gpp", "nee"}


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


def test_six_hourly_forcing_has_no_late_means(tmp_path):
    """They are not among the variables."""
    native = native_copy(tmp_path / "n")
    without_records(native / "forcing", [i for i in range(505) if i % 6])
    assert set(POINTS.variables) - set(of(native).variables) == {"late_sdswrf", "late_tprate", "late_tsrwe"}


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


def test_number_of_ids(tmp_path):
    """There must be one for each point."""
    (tmp_path / "ids.txt").write_text("1\n2\n")
    with pytest.raises(ValueError, match="names 2 points and the files hold 4"):
        open_reader(str(NATIVE / "points"), point_id=str(tmp_path / "ids.txt"))


def test_only_constants(tmp_path):
    """Surfclim alone is refused."""
    with pytest.raises(ValueError, match="nothing that changes in time"):
        NativeReader([NATIVE / "points" / "surfclim"])


def test_leaf_area_is_constant_over_a_utc_day():
    """It changes at midnight."""
    day = [datetime(2018, 1, 5) + timedelta(hours=h) for h in (0, 6, 12, 18, 24)]
    values = POINTS.read(["lai_lv"], day)[0]
    assert (values[:4] == values[0]).all() and (values[4] != values[0]).any()


HOURS = {Time.INSTANT: 0, Time.INTERVAL_MEAN: 6, Time.LATE_MEAN: 3}
MADE = {"avg_cpfr", "c4"}  #: derived from others in native_reader.py


def test_every_variable_of_the_table_has_one_rule():
    """Except sun, calendar and labels of points, which no file of ecLand has."""
    ruled = [*RULES, *CLIMATE, *LEAF_AREA, *ABSENT, *MADE]
    assert len(ruled) == len(set(ruled))
    rest = {n for n, v in VARIABLES.items() if not v.computed} - set(ruled)
    assert rest == {"climate_class", "point_id", "held_out"}


def test_time_semantics_are_those_of_the_table():
    """An interval mean of the table is a mean over 6 h, a late mean over 3 h, an instant no mean."""
    assert {n: r.hours for n, r in RULES.items()} == {n: HOURS[VARIABLES[n].time] for n in RULES}
    assert [n for n, r in RULES.items() if r.hours == 3 and r.kind is Kind.INSTANT] == []


def test_files_and_names_are_those_of_the_table():
    """The column ``native`` of the table has the same file and names."""
    ours = {n: ("surfclim", {native}) for n, native in {**CLIMATE, **LEAF_AREA}.items()}
    for name, rule in RULES.items():
        level = "" if rule.level is None else f"[{rule.level + 1}]"
        ours[name] = (rule.role, {f"{part}{level}" for part, _ in rule.parts})
    table = {n: (VARIABLES[n].native or "").partition(":")[::2] for n in ours}
    assert ours == {n: (role, set(natives.split(","))) for n, (role, natives) in table.items()}
