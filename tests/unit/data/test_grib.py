# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reader of GRIB archives: parameters, fields behind a value, intervals that add up, decoding."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import eccodes
import netCDF4
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemoi_ailand.data.derived import hour_of_half
from anemoi_ailand.data.grib import parameters as grib_parameters
from anemoi_ailand.data.grib.accumulation import Intervals, cover, simple_ends
from anemoi_ailand.data.grib.decode import Decoder
from anemoi_ailand.data.grib.grib_reader import GribReader
from anemoi_ailand.data.grib.index import scan
from anemoi_ailand.data.grib.parameters import PARAMETERS, Level, archive_param, level_kind
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import Reader
from anemoi_ailand.variables import HOURLY_RAIN, VARIABLES
from tests.support.files import ramp, write_land
from tests.support.grib import (
    AMOUNTS,
    CONSTANTS,
    MODEL_LEVEL,
    STATE,
    Archive,
    Grid,
    close,
    files,
    points,
    refuse,
    stamps,
    states,
)

FIRST = datetime(2020, 4, 1)
DATES = stamps(FIRST, 5)
#: Snow density and temperature are tested where there is snow.
STATES = [n for n in STATE if n not in ("rsn", "tsn")]


@pytest.mark.parametrize("written", [None, (1, "parameters"), (2, "levels")])
def test_archive_gives_the_sample(
    tmp_path: Path, folder: Path, ecland: Reader, written: tuple[int, str] | None
) -> None:
    """States, fluxes, forcing and constants equal the sample to the precision of packing; GRIB1 has no soil levels."""
    if written is not None:
        edition, soil = written
        folder = tmp_path
        Archive(folder, Grid("regular", len(ecland.point_id)), edition).write(ecland, DATES, soil)
    reader = open_reader(str(folder))
    names = [*STATES, *MODEL_LEVEL, *AMOUNTS, "late_sdswrf", "late_tprate", "late_tsrwe", *CONSTANTS]
    assert (reader.coverage.first, reader.coverage.last) == (DATES[1], DATES[-1])
    close(reader.read(names, DATES[1:]), ecland.read(names, DATES[1:]))
    derived = [n for n in ecland.variables if n.startswith(("veg_", "theta_"))]  # from types of vegetation and soil
    assert len(derived) == 14
    found, expected = (r.read(derived, DATES[1:2]) for r in (reader, ecland))
    c3 = ecland.read(["c4"], DATES[:1])[0, 0] == 0.0  # no GRIB parameter tells the pathway of photosynthesis
    np.testing.assert_allclose(found[..., c3], expected[..., c3], rtol=1e-5)
    np.testing.assert_allclose(found[[n.startswith("theta_") for n in derived]][..., ~c3],
                               expected[[n.startswith("theta_") for n in derived]][..., ~c3], rtol=1e-5)  # fmt: skip


def test_state_of_snow(folder: Path, ecland: Reader) -> None:
    """With snow its density, temperature and cover are those of the sample; without snow, ecLand's constants."""
    found = GribReader(files(folder)).read(["sd", "rsn", "tsn", "snowc"], DATES[1:])
    expected = ecland.read(["sd", "rsn", "tsn", "snowc"], DATES[1:])
    snow = expected[0] > 1.0
    assert snow.any()
    np.testing.assert_allclose(found[:, snow], expected[:, snow], rtol=1e-3)
    bare = found[0] == 0.0
    assert set(found[1][bare]) == {np.float32(100.0)} and set(found[2][bare]) == {np.float32(273.16)}


def test_state_at_the_start_of_a_forecast(folder: Path) -> None:
    """Fluxes begin 6 h later than the state, which can be read alone."""
    reader = GribReader(files(folder))
    assert reader.coverage.first == DATES[1]
    assert np.isfinite(reader.read(["swvl1", "t", "lsm"], DATES[:1])).all()
    with pytest.raises(ValueError, match=r"1 of 1 dates are not in .*2020-04-01 00:00; it covers 2020-04-01 06:00"):
        reader.read(["swvl1", "slhf"], DATES[:1])


def test_input_from_one_of_several_forecasts(empty: Archive) -> None:
    """`forecast` selects one of two overlapping forecasts, including its later steps."""
    for base, value in ((FIRST, 0.2), (FIRST + timedelta(hours=6), 0.4)):
        for step in (0, 6, 12):
            empty.field("fc.grib", points(empty, value), 39, base, step=step)
    shortest, first = GribReader(files(empty.folder)), GribReader(files(empty.folder), forecast="2020-04-01T00")
    np.testing.assert_allclose(shortest.read(["swvl1"], DATES[:3])[0, :, 0], [0.2, 0.4, 0.4], rtol=1e-6)
    np.testing.assert_allclose(first.read(["swvl1"], DATES[:3])[0, :, 0], [0.2, 0.2, 0.2], rtol=1e-6)


@pytest.mark.parametrize("kind", ["by the hour", "since the start", "hourly at first"])
def test_hourly_rain(empty: Archive, kind: str) -> None:
    """Amounts of each hour, or since the start of a forecast, give its rate; an archive that ends hourly has none."""
    amounts = np.arange(12.0) ** 2 * 1e-4  # m
    states(empty, 3)
    ends = [3, 6, 9, 12] if kind == "hourly at first" else range(1, 13)
    for end in sorted({*ends, *range(1, 7)}):
        start = end - 1 if kind == "by the hour" else 0
        empty.amount("tp.grib", points(empty, amounts[start:end].sum()), 228, FIRST, start, end)
    reader = GribReader(files(empty.folder))
    assert reader.coverage.last == DATES[2]
    names = ["avg_tprate", *HOURLY_RAIN]
    found = reader.read(names, DATES[1:3])[..., 0]
    np.testing.assert_allclose(found[0], amounts.reshape(2, 6).mean(1) / 3.6, rtol=1e-5)
    hours = amounts.reshape(2, 6) / 3.6
    if kind == "hourly at first":
        rates = np.repeat(hours.reshape(2, 2, 3).mean(2), 3, axis=1)
        hours = np.stack([hour_of_half(rates[:, k], 285.0, middle=k % 3 == 1) for k in range(6)], axis=1)
    np.testing.assert_allclose(found[1:].T, hours, rtol=1e-4, atol=1e-9)


def test_unknown_forecast(archive: Archive) -> None:
    """The error lists the starts of all forecasts."""
    refuse(
        archive.folder, r"No forecast starts at 2021-01-01 00:00; there are \['2020-04-01 00:00'", forecast="2021-01-01"
    )


def test_one_member_of_an_ensemble(empty: Archive) -> None:
    """The option `number` selects it; without the option several members are an error."""
    for number in (1, 2):
        for date in DATES[:2]:
            keys = {"productDefinitionTemplateNumber": 1, "number": number}
            empty.field("pf.grib", points(empty, number / 10.0), 39, date, **keys)
    found = GribReader(files(empty.folder), number=2).read(["swvl1"], DATES[:1])
    np.testing.assert_allclose(found, 0.2, rtol=1e-6)
    with pytest.raises(ValueError, match=r"ensemble members \[1, 2\].*`number`"):
        GribReader(files(empty.folder))


def test_lowest_model_level_is_the_forcing(archive: Archive) -> None:
    """The level with the largest number is read; pressure levels never are."""
    for date in DATES:
        for kind, level, value in (("hybrid", 136, 280.0), ("hybrid", 137, 290.0), ("isobaricInhPa", 1000, 300.0)):
            archive.field("t.grib", points(archive, value), 130, date, typeOfLevel=kind, level=level, dataType="an")
    assert np.unique(GribReader(files(archive.folder)).read(["t"], DATES[1:2])) == [290.0]


def test_pressure_levels_and_2m_are_not_forcing(archive: Archive) -> None:
    """They never replace a missing model level."""
    archive.field("t.grib", points(archive, 300.0), 130, FIRST, typeOfLevel="isobaricInhPa", level=1000)
    for date in DATES:
        archive.field("t.grib", points(archive, 300.0), 167, date)
    reader = GribReader(files(archive.folder))
    assert "2t" in reader.variables and "t" not in reader.variables


def test_evaporation_is_positive_upward(archive: Archive) -> None:
    """An amount of -6 mm in GRIB over 6 h is +1 kg m-2 h-1."""
    archive.amount("e.grib", points(archive, -6.0e-3), 182, FIRST, 0, 6)
    found = GribReader(files(archive.folder)).read(["evap"], DATES[1:2])
    np.testing.assert_allclose(found, 1.0 / 3600.0, rtol=1e-6)


def test_packing_noise_is_set_to_zero(archive: Archive) -> None:
    """No rain between two steps gives zero, whatever the rounding of packing."""
    rain = archive.grid.spread(np.linspace(0.0, 0.0123, archive.grid.n_points))
    noisy = np.where(np.arange(rain.size) == archive.grid.place[-1], 0.0423, rain)
    archive.amount("tp.grib", rain, 228, FIRST, 0, 6)
    archive.amount("tp.grib", noisy, 228, FIRST, 0, 12)
    second = GribReader(files(archive.folder)).read(["avg_tprate"], DATES[1:3])[0, 1]
    assert second.min() >= 0.0
    np.testing.assert_allclose(second[:-1], 0.0, atol=1e-9)


def test_decreasing_accumulation(archive: Archive) -> None:
    """It is an error, with its size and the likely repair."""
    for step, amount in ((6, 3.0e-3), (12, 2.0e-3)):
        archive.amount("tp.grib", points(archive, amount), 228, FIRST, 0, step)
    reader = GribReader(files(archive.folder))
    with pytest.raises(ValueError, match=r"accumulated tp decreases before 2020-04-01 12:00.*`restart_hours`"):
        reader.read(["avg_tprate"], DATES[1:3])


def test_netcdf_given_as_grib(tmp_path: Path) -> None:
    """The error says that it is NetCDF."""
    path = write_land(tmp_path / "a.grib", {"swvl1": ramp(5, 3, 0.1)}, DATES)
    with pytest.raises(ValueError, match=r"'a.grib' is NetCDF, not GRIB. Correct `path` or `layout`"):
        GribReader([path])


def test_table_and_parameters_agree() -> None:
    """Every variable with a GRIB name in the table is read from it; other parameters are known exceptions."""
    named = {n: v.grib for n, v in VARIABLES.items() if v.grib}
    assert {n for n, g in named.items() if g not in [p.short_name for p in PARAMETERS.get(n, ())]} == set()
    assert set(PARAMETERS) - set(named) == {
        "slw", "evap", "late_sdswrf", "late_tprate", "late_tsrwe", *HOURLY_RAIN,
    }  # fmt: skip


@pytest.mark.parametrize("edition", [1, 2])
def test_parameters_are_those_of_eccodes(edition: int) -> None:
    """Each paramId in the edition has our short name and known units."""
    for name, ways in PARAMETERS.items():
        for way in ways:
            handle = eccodes.codes_grib_new_from_samples("GRIB2" if edition == 2 else "regular_ll_sfc_grib1")
            try:
                if edition == 2:
                    eccodes.codes_set(handle, "tablesVersion", 33)
                eccodes.codes_set(handle, "paramId", way.param)
            except eccodes.CodesInternalError:
                assert edition == 1, f"{way.short_name} is not in GRIB2"
                continue
            assert eccodes.codes_get_string(handle, "shortName") == way.short_name
            assert grib_parameters.factor(name, way, eccodes.codes_get_string(handle, "units")) != 0.0
            eccodes.codes_release(handle)


def test_archive_has_the_same_unit() -> None:
    """A variable has a MARS parameter if and only if ECMWF's of the same name has the unit of the table."""
    given = {name for name in VARIABLES if archive_param(name)}
    ways = {name: next((w for w in PARAMETERS.get(name, ()) if w.short_name == name), None) for name in VARIABLES}
    same = set()
    for name, way in ways.items():
        if way is not None and not way.accumulated and Level.SURFACE in way.levels:
            message = eccodes.codes_grib_new_from_samples("GRIB2")
            eccodes.codes_set(message, "paramId", way.param)
            if grib_parameters.factor(name, way, eccodes.codes_get(message, "units")) == 1.0:
                same.add(name)
            eccodes.codes_release(message)
    assert given == same
    assert given >= {"swvl1", "stl4", "asn", "2t", "avg_sdswrf", "slt"}
    assert not given & {"sd", "sshf", "slhf", "sro", "evap", "theta_cap", "avg_q", "t", "late_sdswrf", "point_id"}


def test_kinds_of_level() -> None:
    """Snow layers and pressure levels are neither surface nor soil; lakes count as surface."""
    expected = {
        "surface": Level.SURFACE, "heightAboveGround": Level.SURFACE, "soilLayer": Level.SOIL,
        "depthBelowLandLayer": Level.SOIL, "hybrid": Level.MODEL, "isobaricInhPa": Level.OTHER,
        "snowLayer": Level.OTHER, "entireLake": Level.SURFACE,
    }  # fmt: skip
    assert {level: level_kind(level) for level in expected} == expected


def test_values_are_in_units_of_the_table(empty: Archive) -> None:
    """Snow in kg m-2, cover and albedo in %, and the logarithm of pressure are converted."""
    for date in DATES:
        for param, value in ((228141, 30.0), (260038, 40.0), (228032, 70.0)):
            empty.field("snow.grib", points(empty, value), param, date, dataType="an")
        empty.field("lnsp.grib", points(empty, np.log(9.0e4)), 152, date, typeOfLevel="hybrid", level=1)
    found = GribReader(files(empty.folder)).read(["sd", "snowc", "asn", "sp"], DATES[1:2])[:, 0, 0]
    np.testing.assert_allclose(found, [30.0, 0.4, 0.7, 9.0e4], rtol=1e-5)


def test_unknown_units_are_refused() -> None:
    """The message gives the parameter and the known units."""
    with pytest.raises(ValueError, match=r"swvl1 \(paramId 39\).*'kg m\*\*-3'.*'m3 m-3'.*Correct"):
        grib_parameters.factor("swvl1", PARAMETERS["swvl1"][0], "kg m**-3")


def test_editions_of_one_grid_may_be_mixed(archive: Archive) -> None:
    """ERA5 comes as GRIB1 at the surface and GRIB2 at model levels."""
    old = Archive(archive.folder, archive.grid, 1)
    for date in DATES:
        old.field("skt.grib", points(archive, 290.0), 235, date, dataType="an")
    assert GribReader(files(archive.folder)).variables == ("swvl1", "skt")


def test_file_that_has_changed_since_opened(archive: Archive) -> None:
    """Fields are read by position, so a changed file is refused."""
    reader = GribReader([archive.folder / "state.grib"])
    (archive.folder / "state.grib").write_bytes(b"x" * 10000)
    with pytest.raises(ValueError, match=r"has changed since it was opened"):
        reader.read(["swvl1"], DATES)


def test_points_outside_the_bitmap_are_missing(archive: Archive) -> None:
    """They are NaN, and all others have values."""
    values = Decoder(scan([archive.folder / "state.grib"]))(0).values
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(values)), archive.grid.place)
    np.testing.assert_allclose(values[archive.grid.place], 0.3, rtol=1e-6)


def test_quantum_is_the_step_of_the_packing(archive: Archive) -> None:
    """All packed values are whole multiples of the quantum above the smallest value."""
    archive.field("t.grib", np.linspace(0.0, 1.0, archive.grid.size), 235, FIRST)
    decoded = Decoder(scan([archive.folder / "t.grib"]))(0)
    steps = decoded.values / decoded.quantum
    assert 2.0**-25 < decoded.quantum <= 2.0**-23
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)


def test_cache_is_small(archive: Archive) -> None:
    """Memory does not grow with the number of fields read."""
    for i in range(60):
        archive.field("t.grib", points(archive, float(i)), 235, FIRST + timedelta(days=i))
    decoder = Decoder(scan([archive.folder / "t.grib"]))
    for row in range(60):
        decoder(row)
    assert decoder._cached.cache_info().currsize == 24


def test_mean_of_instants_is_trapezoidal(folder: Path, ecland: Reader) -> None:
    """The mean air temperature of the step is the mean of its ends."""
    t = ecland.read(["t"], DATES)[0]
    np.testing.assert_allclose(GribReader(files(folder)).read(["avg_t"], DATES[1:])[0], (t[1:] + t[:-1]) / 2, rtol=1e-6)


def test_mean_of_instants_includes_those_in_between(archive: Archive) -> None:
    """With 3-hourly instants 0, 3, 9 the mean is (0/2 + 3 + 9/2) / 2."""
    for hours, value in ((0, 0.0), (3, 3.0), (6, 9.0)):
        archive.field("t", points(archive, value), 130, FIRST, typeOfLevel="hybrid", level=137, step=hours)
    found = GribReader(files(archive.folder)).read(["avg_t"], DATES[1:2])
    np.testing.assert_allclose(found, 3.75, rtol=1e-5)


@pytest.mark.parametrize("edition", [1, 2])
def test_hourly_amounts_are_summed(tmp_path: Path, edition: int) -> None:
    """Amounts from step to step, as in ERA5, add up."""
    archive = Archive(tmp_path, Grid("regular", 12), edition)
    states(archive)
    for hour in range(6):
        archive.amount("ssrd.grib", points(archive, 3600.0 * (hour + 1)), 169, FIRST, hour, hour + 1)
    found = GribReader(files(tmp_path)).read(["avg_sdswrf"], DATES[1:2])
    np.testing.assert_allclose(found, 21.0 / 6.0, rtol=1e-6)


def test_means_over_intervals_are_weighted(archive: Archive) -> None:
    """Means over 2 h and 4 h are weighted by length."""
    for start, end, value in ((0, 2, 60.0), (2, 6, 90.0)):
        keys = {"stepType": "avg", "stepRange": f"{start}-{end}"}
        archive.field("mean.grib", points(archive, value), 235035, FIRST, **keys)
    np.testing.assert_allclose(GribReader(files(archive.folder)).read(["avg_sdswrf"], DATES[1:2]), 80.0, rtol=1e-6)


def test_grib1_amount_without_a_start(tmp_path: Path) -> None:
    """It begins with its forecast, or at each multiple of `restart_hours`."""
    archive = Archive(tmp_path, Grid("regular", 12), 1)
    states(archive)
    for step, value in ((6, 1.0), (12, 3.0)):
        archive.field("ssrd.grib", points(archive, value * 21600.0), 169, FIRST, step=step)
    plain, restarted = (GribReader(files(tmp_path), restart_hours=h) for h in (None, 6))
    assert plain.read(["avg_sdswrf"], DATES[1:3])[0, :, 0].tolist() == [1.0, 2.0]
    assert restarted.read(["avg_sdswrf"], DATES[1:3])[0, :, 0].tolist() == [1.0, 3.0]


def test_soil_given_by_depth(empty: Archive) -> None:
    """A soil layer may be given by its lower bound in metres."""
    keys = {"typeOfLevel": "depthBelowLandLayer", "scaleFactorOfFirstFixedSurface": 2,
            "scaledValueOfFirstFixedSurface": 7, "scaleFactorOfSecondFixedSurface": 2,
            "scaledValueOfSecondFixedSurface": 28}  # fmt: skip
    for date in DATES:
        empty.field("vsw.grib", points(empty, 0.25), 260199, date, dataType="an", **keys)
    reader = GribReader(files(empty.folder))
    assert reader.variables == ("swvl2",)
    assert np.unique(reader.read(["swvl2"], DATES[:1])) == [0.25]


def test_gap_in_time_of_a_state(archive: Archive) -> None:
    """The error gives the time of the missing analysis, and the option to leave the variable out."""
    for date in (DATES[0], DATES[1], DATES[3]):
        archive.field("skt.grib", points(archive, 290.0), 235, date, dataType="an")
    match = r"'skt' has a gap in time at 2020-04-01 12:00: There is no skt at 2020-04-01 12:00.*`leave_out: \[skt\]`"
    refuse(archive.folder, match)
    assert GribReader(files(archive.folder), leave_out=["skt"]).coverage.last == DATES[-1]


def intervals(*triples: tuple[int, int, int]) -> Intervals:
    """Return intervals from (base, start step, end step), with the position as row."""
    base, start, end = np.array(triples).T
    return Intervals.of(base + start, base + end, base, np.arange(len(triples)))


def test_single_interval_or_difference_within_one_forecast() -> None:
    """A forecast that starts with the interval needs no difference; two forecasts are never subtracted."""
    assert cover(intervals((0, 0, 12), (0, 0, 6), (6, 0, 6)), 6, 12) == [(1, 2)]
    assert cover(intervals((0, 0, 6), (0, 0, 12)), 6, 12) == [(1, 1), (-1, 0)]
    assert cover(intervals((0, 0, 6), (-12, 0, 24)), 6, 12) is None


def test_shortest_step_is_preferred() -> None:
    """Of two forecasts that cover the interval, the one with the later start is used."""
    found = intervals((0, 0, 18), (0, 0, 24), (12, 0, 6), (12, 0, 12))
    assert cover(found, 18, 24) == [(1, 3), (-1, 2)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8), st.integers(1, 8)), min_size=1, max_size=20))
def test_signed_intervals_add_up(triples: list[tuple[int, int, int]]) -> None:
    """For any archive, the signed intervals cover exactly the requested one."""
    triples = [(3 * b, s, s + n) for b, s, n in triples]
    found = cover(intervals(*triples), 6, 12)
    if found is None:
        assert 12 not in simple_ends(intervals(*triples), 6)
        return
    covered = np.zeros(40, int)
    for sign, row in found:
        base, start, end = triples[row]
        covered[base + start : base + end] += sign
    assert covered.tolist() == [1 if 6 <= hour < 12 else 0 for hour in range(40)]


def test_simple_ends_are_single_intervals_and_differences() -> None:
    """Consecutive intervals are left to `cover`."""
    found = intervals((0, 0, 6), (0, 0, 12), (100, 0, 3), (100, 3, 6), (200, 2, 5), (200, 2, 11))
    assert simple_ends(found, 6).tolist() == [6, 12, 211]


#: Archives that are refused: what is added to the fixture ``archive`` or ``empty``, and the message.
REFUSED = {
    "duplicate field": ("archive", lambda a: a.field("again.grib", points(a, 0.2), 39, DATES[1], dataType="an"),
        r"swvl1 from 2020-04-01 06:00 at step 0 h occurs 2 times, in \['again.grib', 'state.grib'\]"),
    "gap of a flux": ("archive", lambda a: [a.amount("a", points(a, 1e-3), 228, b, 0, 6) for b in (DATES[0], DATES[2])],
        r"'avg_tprate' has a gap in time at 2020-04-01 12:00: The mean of tp over the 6 h"),
    "steps 4 and 9": ("archive", lambda a: [a.amount("a", points(a, 1e-3), 228, FIRST, 0, step) for step in (4, 9)],
        r"mean of tp over the 6 h to .* cannot be formed; there are 2 intervals: 2020-04-01 00:00 \+0-4 h"),
    "no common date": ("archive", lambda a: a.field("a", points(a, 290.0), 235, FIRST + timedelta(days=30)),
        r"no date in common: .*'skt': '2020-05-01 00:00 to"),
    "only constants": ("empty", lambda a: a.field("lsm.grib", points(a, 1.0), 172, FIRST),
        r"holds nothing that changes in time"),
    "GRIB1 mean": ("empty", lambda a: replace(a, edition=1).field("a", points(a, 1.0), 235035, FIRST, step=6),
        r"1 fields of avg_sdswrf, a mean over an interval, do not give the interval.*`restart_hours`"),
    "unknown parameter": ("empty", lambda a: a.field("a", points(a, 1.0), 151, FIRST),
        r"None of the fields .* has a known parameter; there are \['msl'\]"),
    "two grids": ("archive", lambda a: replace(a, grid=Grid("regular", 30)).field("a", np.full(42, 290.0), 235, FIRST),
        r"on 2 different grids.*'skt': 'regular_ll, 42 points', 'swvl1': 'regular_ll, 21 points'"),
    "two levels": ("archive", lambda a: [a.field(n, points(a, v), p, d, typeOfLevel="hybrid", level=k) for d in DATES
                                         for n, v, p, k in (("t", 290.0, 130, 137), ("q", 0.01, 133, 136))],
        r"lowest model level differs.*'t': 137.*'q': 136"),
    "sea": ("archive", lambda a: a.field("a", a.grid.spread(np.zeros(12), 0.0), 172, FIRST),
        r"None of the 21 points .* is land, by the land-sea mask.*`land: false`"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_archive_is_refused(request: pytest.FixtureRequest, case: str) -> None:
    """The error names files, dates, intervals or parameters, and the repair."""
    fixture, add, message = REFUSED[case]
    archive = request.getfixturevalue(fixture)
    add(archive)
    refuse(archive.folder, message)


def test_albedo_from_one_field_a_climatology_or_netcdf(tmp_path: Path) -> None:
    """One field holds at all dates; twelve are linear between the 15th of months, as those of ecLand's NetCDF."""
    month = np.linspace(0.1, 0.21, 12)
    expected = 0.1 * 28 / 31 + 0.11 * 3 / 31  # 18 January
    for name, fields, value in (("one", [0.2], 0.2), ("twelve", list(month), expected)):
        (tmp_path / name).mkdir()
        archive = states(Archive(tmp_path / name, Grid("regular", 21)), first=datetime(2020, 1, 18))
        for k, one in enumerate(fields):
            archive.field("climate.grib", points(archive, one), 174, datetime(1990, k + 1, 15, 12), dataType="an")
        reader = GribReader(files(archive.folder))
        assert reader.coverage.first == datetime(2020, 1, 18)
        np.testing.assert_allclose(reader.read(["al"], [datetime(2020, 1, 18, 6)]), value, rtol=1e-5)
    archive = states(Archive(tmp_path, Grid("regular", 21)), first=datetime(2020, 1, 18))
    with netCDF4.Dataset(tmp_path / "static.nc", "w") as out:
        out.createDimension("month", 12)
        out.createDimension("point", archive.grid.size)
        out.createVariable("Malbedo", "f8", ("month", "point"))[:] = np.tile(month[:, None], archive.grid.size)
    reader = GribReader([tmp_path / "state.grib"], [tmp_path / "static.nc"])
    np.testing.assert_allclose(reader.read(["al"], [datetime(2020, 1, 18, 6)]), expected, rtol=1e-5)
