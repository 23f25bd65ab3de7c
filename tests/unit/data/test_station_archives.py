# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Readers of station archives: flux towers of FLUXNET and PLUMBER2, soil moisture of ISMN."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.data.stations.closure import BOWEN, FRACTION, FluxOptions
from anemoi_ailand.data.stations.fluxnet import is_fluxnet, read_fluxnet
from anemoi_ailand.data.stations.ismn import is_ismn, read_ismn
from anemoi_ailand.data.stations.plumber2 import is_plumber2, read_plumber2, standard_offset
from anemoi_ailand.data.stations.sites import Site
from anemoi_ailand.data.stations.station import Station
from anemoi_ailand.data.stations.station_reader import read_stations
from tests.support.files import (
    CEOP,
    ELEVATION,
    HEADER_VALUES,
    LATITUDE,
    LONGITUDE,
    UTC_OFFSET,
    times_between,
    write_fluxnet,
    write_ismn,
    write_plumber2,
    zip_ismn,
)

NAME = "FLX_US-Bo1_FLUXNET2015_FULLSET_HH_1998-1998_1-3.csv"
STARTS = times_between("1998-06-01T00:00", 480, 30)
HOUR = (STARTS - STARTS.astype("datetime64[D]")) / np.timedelta64(1, "h")
ONES, ZEROS = np.ones(480), np.zeros(480)
SITES = {"US-Bo1": Site(LATITUDE, LONGITUDE, 219.0, UTC_OFFSET, (0.05, 0.2))}

#: Fluxes by archive: column or variable, and its unit in PLUMBER2.
FLUXNET = {"slhf": "LE_F_MDS", "sshf": "H_F_MDS", "rnet": "NETRAD", "nee": "NEE_VUT_REF", "gpp": "GPP_NT_VUT_REF"}
PLUMBER2 = {
    "slhf": ("Qle", "W/m2"), "sshf": ("Qh", "W m-2"), "rnet": ("Rnet", "W/m2"), "nee": ("NEE", "umol/m2/s"),
    "gpp": ("GPP", "umol/m2/s"),
}  # fmt: skip

both = pytest.mark.parametrize("archive", ["fluxnet", "plumber2"])


def read(
    folder: Path,
    archive: str,
    fluxes: dict[str, np.ndarray],
    quality: np.ndarray | None = ZEROS,
    starts: np.ndarray = STARTS,
    more: dict[str, np.ndarray] | None = None,
    keep: tuple[int, ...] = (0, 1),
    **options: Any,
) -> Station:
    """Write the fluxes with one quality, and ``more`` as they are, in the form of an archive, and read them."""
    chosen = FluxOptions(quality=keep, **options)
    if archive == "fluxnet":
        columns = {FLUXNET[n]: v for n, v in fluxes.items()} | (more or {})
        flags = {f"{FLUXNET[n]}_QC": quality for n in fluxes if quality is not None}
        return read_fluxnet(write_fluxnet(folder / NAME, starts, {**columns, **flags}), SITES, fluxes=chosen)
    variables = {PLUMBER2[n][0]: (v, PLUMBER2[n][1]) for n, v in fluxes.items()}
    variables |= {n: (v, "W/m2") for n, v in (more or {}).items()}
    flags = {f"{PLUMBER2[n][0]}_qc": (quality, "-") for n in fluxes if quality is not None}
    return read_plumber2(write_plumber2(folder / "a.nc", starts, {**variables, **flags}), fluxes=chosen)


@both
def test_diurnal_peak_falls_on_the_right_utc_hours(tmp_path: Path, archive: str) -> None:
    """A flux between 12 and 18 local standard time at UTC-6, in June, is the mean stamped 00 UTC."""
    slhf = read(tmp_path, archive, {"slhf": ((HOUR >= 12) & (HOUR < 18)) * 100.0}).series["slhf"]
    at_midnight = slhf["time"].dt.hour.values == 0
    np.testing.assert_allclose(slhf.values[at_midnight], -100.0)
    np.testing.assert_allclose(slhf.values[~at_midnight], 0.0, atol=1e-6)


@both
def test_place_signs_and_units_become_those_of_the_table(tmp_path: Path, archive: str) -> None:
    """Upward fluxes become negative, and umol of CO2 are converted."""
    fluxes = {"slhf": 80 * ONES, "sshf": 40 * ONES, "rnet": 130 * ONES, "nee": -10 * ONES, "gpp": 15 * ONES}
    station = read(tmp_path, archive, fluxes)
    assert (station.name, station.network.lower()) == ("US-Bo1", archive)
    assert (station.latitude, station.longitude, station.elevation) == pytest.approx((LATITUDE, LONGITUDE, ELEVATION))
    expected = {"slhf": -80.0, "sshf": -40.0, "rnet": 130.0, "nee": -4.4009e-7, "gpp": 6.60135e-7}
    means = {name: float(station.series[name].mean()) for name in station.variables}
    assert means == pytest.approx(expected, rel=1e-6)
    assert station.notes == ()


@both
def test_quality_and_missing_values(tmp_path: Path, archive: str) -> None:
    """Quality 0 and 1 is kept, 2, 3 and -9999 are not; a mean needs 80 % of its 12 records; no flags are noted."""
    values, quality = ONES.copy(), np.tile([0.0, 1.0], 240)
    quality[12:15], values[12:15] = 2, 1e3  # 9 of 12 left: no mean
    quality[24:26], values[24:26] = 3, 1e3  # 10 of 12 left: a mean without them
    values[36:48] = np.nan
    sshf = read(tmp_path, archive, {"sshf": values}, quality).series["sshf"].values
    np.testing.assert_array_equal(np.isnan(sshf[:5]), [False, True, False, True, False])
    assert set(sshf[~np.isnan(sshf)]) == {-1.0}
    measured = read(tmp_path, archive, {"sshf": values}, quality, keep=(0,))
    assert measured.variables == []  # every second record is not enough
    assert "no quality flags, all values are kept" in read(tmp_path, archive, {"rnet": ONES}, None).notes[0]


@pytest.mark.parametrize(("archive", "name"), [("fluxnet", "LE_CORR"), ("plumber2", "Qle_cor")])
def test_corrected_fluxes(tmp_path: Path, archive: str, name: str) -> None:
    """The corrected flux has the quality of the measured one; a file without it is refused."""
    quality = np.where(np.arange(480) < 12, 3.0, 0.0)
    station = read(tmp_path, archive, {"slhf": ONES}, quality, more={name: 2 * ONES}, closure=BOWEN)
    np.testing.assert_array_equal(station.series["slhf"], np.full(39, -2.0))
    with pytest.raises(ValueError, match=rf"has no .*'{name}'.*closure: raw"):
        read(tmp_path, archive, {"slhf": ONES}, closure=BOWEN)


GROUND_NAMES = {"fluxnet": "G_F_MDS", "plumber2": "Qg"}


@both
def test_evaporative_fraction_closes_the_balance(tmp_path: Path, archive: str) -> None:
    """The turbulent fluxes share net radiation less ground heat as measured; little energy has no value."""
    day = np.where(np.arange(480) < 240, 1.0, 0.1)
    fluxes = {"slhf": 90 * day, "sshf": 30 * day, "rnet": 200 * day}
    ground = {GROUND_NAMES[archive]: 40 * day}
    station = read(tmp_path, archive, fluxes, more=ground, closure=FRACTION)
    assert set(station.variables) == {"slhf", "sshf", "rnet"}
    valid = station.series[["slhf", "sshf"]].dropna("time")
    np.testing.assert_allclose(valid["slhf"], -120.0)
    np.testing.assert_allclose(valid["sshf"], -40.0)
    assert valid.sizes["time"] == 20
    with pytest.raises(ValueError, match=r"has no \['ground heat flux'\], which `closure` needs"):
        read(tmp_path, archive, fluxes, closure=FRACTION)
    with pytest.raises(ValueError, match="`closure` is 'fraction'"):
        read(tmp_path, archive, fluxes, closure="fraction")


@both
def test_impossible_values_are_left_out(tmp_path: Path, archive: str, caplog: pytest.LogCaptureFixture) -> None:
    """A warning counts them, and they enter no mean; many are an error."""
    values = 100 * ONES
    values[60] = 977.0
    slhf = read(tmp_path, archive, {"slhf": values}).series["slhf"]
    np.testing.assert_allclose(slhf, -100.0)
    assert "1 of 480 observations of 'slhf'" in caplog.text
    assert "the worst is -977 W m-2, possible is -900 to 450 W m-2" in caplog.text
    with pytest.raises(ValueError, match="are not possible"):
        read(tmp_path, archive, {"slhf": 1e4 * ONES})


@both
def test_coverage(tmp_path: Path, archive: str) -> None:
    """Half of the records are enough for a mean where the option says so."""
    values = np.where(np.arange(480) % 2, np.nan, 1.0)
    assert read(tmp_path, archive, {"slhf": values}).variables == []
    assert read(tmp_path, archive, {"slhf": values}, coverage=0.5).series.sizes["time"] == 40
    with pytest.raises(ValueError, match="`coverage` is 80"):
        FluxOptions(coverage=80)


@both
def test_times_must_increase(tmp_path: Path, archive: str) -> None:
    """Duplicate records are refused."""
    with pytest.raises(ValueError, match=r"240 times of .* do not increase"):
        read(tmp_path, archive, {"slhf": ONES}, starts=np.repeat(STARTS[:240], 2))


def test_fluxnet_offset_comes_from_the_longitude_by_default(tmp_path: Path) -> None:
    """The result at 88 W is the same, with a note."""
    path = write_fluxnet(tmp_path / NAME, STARTS, {"LE_F_MDS": HOUR, "LE_F_MDS_QC": ZEROS})
    given, assumed = read_fluxnet(path, SITES), read_fluxnet(path, {"US-Bo1": Site(LATITUDE, LONGITUDE)})
    np.testing.assert_array_equal(given.series["slhf"], assumed.series["slhf"])
    assert "UTC-6 h taken from the longitude" in assumed.notes


def test_fluxnet_soil_state_is_taken_at_the_stamp(tmp_path: Path) -> None:
    """Of the half hours before and after the stamp, the one that ends there is used; depth gives the layer."""
    soil = {"SWC_F_MDS_1": np.arange(480.0) / 10, "TS_F_MDS_2": 12 * ONES}
    flags = {f"{name}_QC": ZEROS for name in soil}
    station = read_fluxnet(write_fluxnet(tmp_path / NAME, STARTS, {**soil, **flags}), SITES)
    at = station.series["swvl1"].sel(time=np.datetime64("1998-06-01T12:00"))  # 06:00 local: 11 ends, 12 starts
    assert float(at) == pytest.approx(0.011)
    assert float(station.series["stl2"].mean()) == pytest.approx(285.15)


def test_fluxnet_depth_is_assumed_for_the_first_sensor_only(tmp_path: Path) -> None:
    """Notes of the station give the assumption and the omission."""
    columns = {f"SWC_F_MDS_{k}": 20 * ONES for k in (1, 2)} | {f"SWC_F_MDS_{k}_QC": ZEROS for k in (1, 2)}
    station = read_fluxnet(write_fluxnet(tmp_path / NAME, STARTS, columns), {"US-Bo1": Site(40.0, -88.0, 0.0, -6.0)})
    assert station.variables == ["swvl1"]
    assert station.notes == (
        "SWC_F_MDS_1: depth not given, 0.05 m assumed", "SWC_F_MDS_2: left out, its depth is not given",
    )  # fmt: skip


def test_fluxnet_site_and_times_must_be_known(tmp_path: Path) -> None:
    """The code in the name, its coordinates in a table, times as YYYYMMDDHHMM."""
    columns = {"LE_F_MDS": ONES, "LE_F_MDS_QC": ZEROS}
    with pytest.raises(ValueError, match=r"'tower\.csv' holds no site code.*Rename"):
        read_fluxnet(write_fluxnet(tmp_path / "tower.csv", STARTS, columns), SITES)
    message = r"coordinates of the tower US-Bo1 .* unknown.*\['DE-Tha'\].*latitude"
    with pytest.raises(ValueError, match=message):
        read_fluxnet(write_fluxnet(tmp_path / NAME, STARTS, columns), {"DE-Tha": SITES["US-Bo1"]})
    with pytest.raises(ValueError, match=r"'TIMESTAMP_START'.*is not YYYYMMDDHHMM.*HH"):
        read_fluxnet(write_fluxnet(tmp_path / NAME, STARTS, columns, form="%Y-%m-%d"), SITES)


@pytest.mark.parametrize(
    ("header", "first", "expected"),
    [
        ("TIMESTAMP_START,TIMESTAMP_END,LE_F_MDS", "199801010000,199801010030,1", True),
        ("TIMESTAMP_START,TIMESTAMP_END,LE_F_MDS", "19980101,19980107,1", False),  # weekly
        ("TIMESTAMP,LE_F_MDS", "19980101,1", False),  # daily
        ("TIMESTAMP_START,TIMESTAMP_END,TA_ERA", "199801010000,199801010030,1", False),
    ],
)
def test_fluxnet_is_recognised_by_records_and_variables(
    tmp_path: Path, header: str, first: str, expected: bool
) -> None:
    """Half-hourly or hourly records with a variable that is read; not the other files of a FULLSET archive."""
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n{first}\n")
    assert is_fluxnet(path) is expected


def test_plumber2_downward_flux_keeps_its_sign(tmp_path: Path) -> None:
    """The standard name gives the direction."""
    attributes = {"standard_name": "surface_downward_latent_heat_flux"}
    path = write_plumber2(tmp_path / "a.nc", STARTS, {"Qle": (ONES, "W/m2")}, attributes=attributes)
    assert float(read_plumber2(path).series["slhf"].mean()) == 1.0


def test_netcdf_of_time_alone_with_probes_and_a_table_of_sites(tmp_path: Path) -> None:
    """PALS fluxes without a clock: the table of sites gives clock, meaning of the stamps and depths of probes."""
    ends = STARTS + np.timedelta64(30, "m")
    fields = {"Qle": ((HOUR >= 12) * 100.0, "W m-2"), "SWC1": (0.3 * ONES, "m3 m-3"), "SWC2": (0.2 * ONES, "m3 m-3")}
    data = xr.Dataset({n: ("time", v, {"units": u}) for n, (v, u) in fields.items()}, {"time": ends})
    data = data.assign(latitude=LATITUDE, longitude=LONGITUDE)
    data.to_netcdf(tmp_path / "Bondville_Flux.nc")
    sites = {"Bondville": Site(LATITUDE, LONGITUDE, utc_offset=0.0, soil_depths=(0.05, 0.2), stamp="end")}
    [given] = read_stations(tmp_path, sites=sites)
    slhf = given.series["slhf"].dropna("time")
    np.testing.assert_array_equal(slhf[:4], [0.0, 0.0, -100.0, -100.0])
    assert slhf["time"].values[0] == np.datetime64("1998-06-01T06:00")
    assert float(given.series["swvl2"].mean()) == pytest.approx(0.2)
    [alone] = read_stations(tmp_path)
    assert "SWC2: left out, its depth is not given" in alone.notes
    data["SWC2"].attrs["depth"] = 0.5
    data["time"].attrs = {"stamp": "end of the half hour", "time_zone": "local standard time, UTC+0"}
    data.to_netcdf(tmp_path / "Bondville_Flux.nc")
    [own] = read_stations(tmp_path)
    assert own.variables == ["slhf", "swvl1", "swvl3"]
    xr.testing.assert_equal(own.series["slhf"], given.series["slhf"])


def test_plumber2_standard_offset() -> None:
    """It is never daylight saving time, on both hemispheres; an unknown zone has none."""
    expected = {
        "America/Chicago": -6.0, "Australia/Sydney": 10.0, "Europe/Dublin": 0.0, "Australia/Darwin": 9.5,
        "UTC": 0.0, "UTC+2": 2.0, "UTC-03:30": -3.5, "Nowhere/City": None,
    }  # fmt: skip
    assert {zone: standard_offset(zone, 2010) for zone in expected} == expected


@pytest.mark.parametrize(("zone", "said"), [("", "not given"), ("Nowhere/City", "'Nowhere/City' is unknown")])
def test_plumber2_unknown_zone_comes_from_the_longitude(tmp_path: Path, zone: str, said: str) -> None:
    """The station has a note."""
    station = read_plumber2(write_plumber2(tmp_path / "a.nc", STARTS, {"Rnet": (ONES, "W/m2")}, zone=zone))
    assert station.notes[0] == f"time zone {said}: UTC-6 h taken from the longitude"
    assert station.series["time"].values[0] == np.datetime64("1998-06-01T12:00")


def test_plumber2_has_one_place_a_file(tmp_path: Path) -> None:
    """A gridded ALMA file is refused."""
    path = write_plumber2(tmp_path / "a.nc", STARTS, {"Qle": (ONES, "W/m2")}, n_x=2)
    with pytest.raises(ValueError, match=r"has \{'x': 2\}, so more than one place"):
        read_plumber2(path)


def test_plumber2_is_recognised_by_dimensions_and_a_flux(tmp_path: Path) -> None:
    """NetCDF of the forcing of a tower, or of points, is something else."""
    path = write_plumber2(tmp_path / "a.nc", STARTS, {"Qle": (ONES, "W/m2")})
    assert is_plumber2(path)
    assert not is_plumber2(write_plumber2(tmp_path / "b.nc", STARTS, {"Tair": (ONES, "K")}))
    with xr.open_dataset(path) as dataset:
        dataset.isel(x=0).to_netcdf(tmp_path / "c.nc")
    assert not is_plumber2(tmp_path / "c.nc")


TIMES = times_between("2020-01-01T00:00", 48)
HOURS = np.arange(48.0)


@pytest.mark.parametrize("layout", [HEADER_VALUES, CEOP])
@pytest.mark.parametrize("packed", [False, True])
def test_both_layouts_give_the_same_station(tmp_path: Path, layout: str, packed: bool) -> None:
    """From a folder or a zip: place, depth, and the hourly values at 00, 06, 12 and 18 UTC."""
    archive = tmp_path / "Data"
    write_ismn(archive, TIMES, 0.2 + HOURS / 1000, layout=layout)
    write_ismn(archive, TIMES, HOURS, layout=layout, variable="ts")
    assert is_ismn(zip_ismn(archive))
    [station] = read_ismn([zip_ismn(archive) if packed else archive])
    assert (station.name, station.network) == ("Bondville", "SCAN")
    assert (station.latitude, station.longitude, station.elevation) == (LATITUDE, LONGITUDE, ELEVATION)
    assert station.depths == {"swvl1": ((0.05, 0.05),), "stl1": ((0.05, 0.05),)}
    np.testing.assert_array_equal(station.series["time"], TIMES[::6])
    np.testing.assert_allclose(station.series["swvl1"], 0.2 + HOURS[::6] / 1000, rtol=1e-6)
    np.testing.assert_allclose(station.series["stl1"], HOURS[::6] + 273.15, rtol=1e-6)


@pytest.mark.parametrize("layout", [HEADER_VALUES, CEOP])
@pytest.mark.parametrize("first", ["C01", "D01,D02,D03"])
def test_only_good_values_are_kept(tmp_path: Path, layout: str, first: str) -> None:
    """C (out of range), D (spectrum), M (missing) and a list of flags are dropped; the next value is an hour away."""
    flags = ["G"] * 48
    for at, flag in ((0, first), (6, "D05"), (12, "M"), (18, "C01,D02")):
        flags[at] = flag
    write_ismn(tmp_path, TIMES, np.full(48, 0.3), flags=flags, layout=layout)
    [station] = read_ismn([tmp_path])
    np.testing.assert_array_equal(station.series["time"], TIMES[24::6])


def test_sensors_of_all_depths_and_snow(tmp_path: Path) -> None:
    """Depth gives the layer; snow water in mm is kg m-2; other variables are ignored."""
    for depth in (0.05, 0.2, 0.5, 1.5):
        write_ismn(tmp_path, TIMES, np.full(48, depth / 10), depth=(depth, depth))
    write_ismn(tmp_path, TIMES, np.full(48, 120.0), variable="sweq", depth=(0.0, 0.0))
    write_ismn(tmp_path, TIMES, np.full(48, 1.0), variable="p", depth=(-1.0, -1.0))
    [station] = read_ismn([tmp_path])
    means = {name: float(station.series[name].mean()) for name in station.variables}
    assert means == pytest.approx({"swvl1": 0.005, "swvl2": 0.02, "swvl3": 0.05, "swvl4": 0.15, "sd": 120.0}, rel=1e-6)


def test_single_file_and_network_with_underscore(tmp_path: Path) -> None:
    """A single file is read; the folder has the name of the network, in whose file names `_` is `-`."""
    path = write_ismn(tmp_path, TIMES, np.full(48, 0.3), network="FR_Aqui")
    [station] = read_ismn([path])
    assert station.network == "FR_Aqui"
    flat = path.rename(tmp_path / path.name)
    [station] = read_ismn([flat])
    assert station.network == "FR-Aqui"


def test_broken_file_is_an_error(tmp_path: Path) -> None:
    """The error names the file and both layouts; so does that of duplicate records."""
    path = write_ismn(tmp_path, np.repeat(TIMES[:3], 2), np.full(6, 0.3))
    with pytest.raises(ValueError, match=r"3 times of '.*\.stm' do not increase"):
        read_ismn([tmp_path])
    path.write_text("something else\nin here\n")
    with pytest.raises(ValueError, match=r"in neither of ISMN's layouts.*Download the data again"):
        read_ismn([tmp_path])


def test_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the command that installs the extra."""
    write_ismn(tmp_path, TIMES, np.full(48, 0.3))
    monkeypatch.setitem(sys.modules, "ismn.base", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "anemoi-ailand\[observations\]"'):
        read_ismn([tmp_path])
