# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Stations are read from files of any archive, on 6-hourly stamps."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.data.stations.sampling import instants, interval_means, offset_of_longitude
from anemoi_ailand.data.stations.sites import Site, read_sites
from anemoi_ailand.data.stations.station import Sensor, Station, make_station, soil_layer
from anemoi_ailand.data.stations.station_reader import ARCHIVES, Archive, kind_of, read_stations
from tests.support.files import times_between, write_fluxnet, write_ismn, write_plumber2, write_sites, zip_ismn

NAME = "FLX_US-Bo1_FLUXNET2015_FULLSET_HH_1998-1998_1-3.csv"
HOURLY, HALF_HOURLY = times_between("1998-06-01", 48), times_between("1998-06-01", 96, 30)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return a folder with files of all archives, and others."""
    folder = tmp_path / "stations"
    write_ismn(folder / "ISMN", HOURLY, np.full(48, 0.3))
    (folder / "ISMN" / "SCAN" / "Bondville" / "SCAN_static_variables.csv").write_text("quantity_name;unit\nx;y\n")
    write_fluxnet(folder / NAME, HALF_HOURLY, {"LE_F_MDS": np.ones(96), "LE_F_MDS_QC": np.zeros(96)})
    write_sites(folder / "sites.csv")
    write_plumber2(folder / "US-Bo1_flux.nc", HALF_HOURLY, {"Qle": (np.ones(96), "W/m2")})
    (folder / "readme.txt").write_text("about the data\n")
    return folder


def test_each_file_is_recognised(archive: Path) -> None:
    """In a folder with all three archives, tables of sites are used, and other files ignored."""
    stations = read_stations(archive)
    assert [(s.network, s.variables) for s in stations] == [
        ("FLUXNET", ["slhf"]), ("PLUMBER2", ["slhf"]), ("SCAN", ["swvl1"]),
    ]  # fmt: skip


@pytest.mark.parametrize(("kind", "network"), [("ismn", "SCAN"), ("fluxnet", "FLUXNET"), ("plumber2", "PLUMBER2")])
def test_one_archive_only(archive: Path, kind: str, network: str) -> None:
    """Files of other archives in the folder are ignored."""
    assert [s.network for s in read_stations(archive, kind)] == [network]


def test_kind_follows_from_content(archive: Path) -> None:
    """Whatever the name of the file."""
    renamed = (archive / "US-Bo1_flux.nc").rename(archive / "data.bin")
    packed = zip_ismn(archive / "ISMN")
    kinds = {
        p.name: kind_of(p) for p in (archive / NAME, archive / "sites.csv", renamed, packed, archive / "readme.txt")
    }
    assert list(kinds.values()) == ["fluxnet", "sites", "plumber2", "ismn", None]


def test_given_sites_override_those_found(archive: Path) -> None:
    """As a mapping or a file."""
    [station] = read_stations(archive, "fluxnet", sites={"US-Bo1": Site(10.0, 20.0)})
    assert (station.latitude, station.longitude) == (10.0, 20.0)
    other = write_sites(archive.parent / "other.csv")
    assert read_stations([archive / NAME], sites=other)[0].latitude == pytest.approx(40.01)


def test_archive_is_added_by_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registered archive is recognised, read, and known to errors."""
    station = make_station("Hainich", "ICOS", (51.1, 10.5, 440.0), [Sensor("rnet", HOURLY[:1], np.ones(1))])
    icos = Archive(lambda path: path.suffix == ".icos", lambda paths, options: [station] * len(paths), "ICOS (.icos)")
    monkeypatch.setitem(ARCHIVES, "icos", icos)
    (tmp_path / "a.icos").write_text("x")
    assert read_stations(tmp_path) == read_stations(tmp_path, "icos") == [station]
    with pytest.raises(ValueError, match=r"ICOS \(\.icos\)"):
        read_stations(tmp_path, "ismn")


def test_paths_and_kinds_that_cannot_be_read(tmp_path: Path) -> None:
    """The error lists what is in the folder, the known archives, or the kinds; a named file is never ignored."""
    with pytest.raises(ValueError, match=r"'amerinet' is not a known archive.*'ismn'"):
        read_stations(tmp_path, "amerinet")
    path = tmp_path / "a.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"is of no known kind.*ISMN.*FLUXNET.*PLUMBER2"):
        read_stations(path)
    with pytest.raises(ValueError, match=r"No station file of kind 'auto'.*a\.json.*Give ISMN"):
        read_stations(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"There is no file or folder '.*gone'.*a\.json.*Correct"):
        read_stations(tmp_path / "gone")
    tower = write_plumber2(tmp_path / "a.nc", HALF_HOURLY, {"Qle": (np.ones(96), "W/m2")})
    with pytest.raises(ValueError, match="is of kind 'plumber2', not 'fluxnet'"):
        read_stations(tower, "fluxnet")
    tower.write_bytes(tower.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"a\.nc' \(2000 bytes\) cannot be read as NetCDF.*Download"):
        read_stations(tmp_path)


def test_station_with_bad_values_only_is_left_out(archive: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A warning gives the reason."""
    write_ismn(archive / "ISMN", HOURLY, np.full(48, 0.3), station="Champaign", flags=["D01"] * 48)
    assert len(read_stations(archive)) == 3
    assert "Champaign" in caplog.text
    assert "{'D01': 48}" in caplog.text


def test_no_good_value_at_all(tmp_path: Path) -> None:
    """The error gives the reasons."""
    bad = {"Qle": (np.ones(96), "W/m2"), "Qle_qc": (np.full(96, 3.0), "-")}
    write_plumber2(tmp_path / "a.nc", HALF_HOURLY, bad)
    with pytest.raises(
        ValueError, match=r"None of the 1 stations.*Qle: none of its 96 values has a quality of \[0, 1\]"
    ):
        read_stations(tmp_path)


def test_station_in_two_files(tmp_path: Path) -> None:
    """FULLSET and SUBSET of one tower are refused."""
    write_sites(tmp_path / "sites.csv")
    for name in (NAME, NAME.replace("FULLSET", "SUBSET")):
        write_fluxnet(tmp_path / name, HALF_HOURLY, {"LE_F_MDS": np.ones(96), "LE_F_MDS_QC": np.zeros(96)})
    with pytest.raises(ValueError, match=r"occur more than once.*'US-Bo1'.*SUBSET"):
        read_stations(tmp_path)


BIF = """SITE_ID,GROUP_ID,VARIABLE_GROUP,VARIABLE,DATAVALUE
US-Bo1,1,GRP_LOCATION,LOCATION_LAT,40.0062
US-Bo1,1,GRP_LOCATION,LOCATION_LONG,-88.2904
US-Bo1,2,GRP_UTC_OFFSET,UTC_OFFSET,-6
US-Bo1,3,GRP_TEAM_MEMBER,TEAM_MEMBER_NAME,"A, B"
US-Xxx,1,GRP_SITE_DESC,SITE_DESC,no place
"""


def test_plain_table(tmp_path: Path) -> None:
    """Elevation, clock and depths are optional."""
    path = tmp_path / "sites.csv"
    path.write_text(
        "site,latitude,longitude,elevation,utc_offset,soil_depths\nUS-Bo1,40.0,-88.3,219,-6,0.05;0.2\nXX-Yyy,1,2,,,\n"
    )
    sites = read_sites(path)
    assert sites["US-Bo1"] == Site(40.0, -88.3, 219.0, -6.0, (0.05, 0.2))
    assert np.isnan(sites["XX-Yyy"].elevation)
    assert sites["XX-Yyy"].utc_offset is None
    assert sites["XX-Yyy"].soil_depths == ()


def test_bif(tmp_path: Path) -> None:
    """In FLUXNET's own form, sites without coordinates are left out."""
    path = tmp_path / "bif.csv"
    path.write_text(BIF)
    sites = read_sites(path)
    assert set(sites) == {"US-Bo1"}
    assert (sites["US-Bo1"].latitude, sites["US-Bo1"].longitude, sites["US-Bo1"].utc_offset) == (
        40.0062,
        -88.2904,
        -6.0,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,lat,lon\nx,1,2\n", r"has the columns \['name', 'lat', 'lon'\].*latitude.*BIF"),
        ("site,latitude,longitude\nx,north,2\n", r"table of sites '.*a\.csv' cannot be read.*north"),
    ],
)
def test_broken_table_of_sites_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    """The error gives the file, or its columns and the required ones."""
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_sites(tmp_path / "a.csv")


PLACE = (40.0, -88.0, 200.0)


def sensor(
    name: str, values: list[float], depth: float | None = 0.05, first: str = "2020-01-01", label: str = ""
) -> Sensor:
    """Return a sensor with a value every 6 h."""
    times = times_between(first, len(values), 360)
    return Sensor(name, times, np.array(values), None if depth is None else (depth, depth), label)


def test_sensors_become_layers_on_one_axis() -> None:
    """Series have names of the table and NaN without a value; depths are kept."""
    sensors = [sensor("swvl", [0.1, 0.2]), sensor("stl", [280.0], 0.5, "2020-01-01T12"), sensor("slhf", [-5.0], None)]
    station = make_station("a", "n", PLACE, sensors)
    assert sorted(station.variables) == ["slhf", "stl3", "swvl1"]
    assert station.series.sizes["time"] == 3
    np.testing.assert_array_equal(station.series["swvl1"], np.float32([0.1, 0.2, np.nan]))
    assert station.series["swvl1"].attrs["units"] == "m3 m-3"
    assert station.depths == {"swvl1": ((0.05, 0.05),), "stl3": ((0.5, 0.5),)}


def test_one_sensor_a_layer_is_that_nearest_to_its_middle() -> None:
    """Of 10 and 20 cm, the second is nearer to 17.5 cm, the middle of 7-28 cm; of equals, the longer series counts."""
    station = make_station("a", "n", PLACE, [sensor("swvl", [0.1] * 4, 0.10), sensor("swvl", [0.2] * 2, 0.20)])
    np.testing.assert_allclose(station.series["swvl2"], 0.2, rtol=1e-6)
    assert station.depths["swvl2"] == ((0.2, 0.2),)
    station = make_station("a", "n", PLACE, [sensor("swvl", [0.1] * 2), sensor("swvl", [0.2] * 4)])
    np.testing.assert_allclose(station.series["swvl1"], 0.2, rtol=1e-6)


def test_mean_of_sensors_only_where_all_have_a_value() -> None:
    """So there is no jump when a sensor begins later."""
    sensors = [sensor("swvl", [0.1, 0.1, 0.1]), sensor("swvl", [0.3, 0.3], 0.02, "2020-01-01T06")]
    station = make_station("a", "n", PLACE, sensors, per_layer="mean")
    np.testing.assert_allclose(station.series["swvl1"], [0.2, 0.2], rtol=1e-6)
    assert len(station.depths["swvl1"]) == 2


def test_omissions_are_noted() -> None:
    """For a sensor without values and one below all layers."""
    sensors = [sensor("swvl", [], label="dead"), sensor("swvl", [0.1], 4.0, label="deep")]
    station = make_station("a", "n", PLACE, sensors, notes=["given"])
    assert station.variables == []
    assert station.notes == (
        "given", "dead: no good value at a 6-hourly stamp", "deep: depth (4.0, 4.0) m belongs to no soil layer",
    )  # fmt: skip


def test_unknown_way_to_use_several_sensors() -> None:
    """The error gives both ways."""
    with pytest.raises(ValueError, match=r"`per_layer` is 'median'; use 'one' or 'mean'"):
        make_station("a", "n", PLACE, [], per_layer="median")


@pytest.mark.parametrize("place", [(95.0, 0.0), (np.nan, 0.0), (0.0, 400.0)])
def test_invalid_coordinates(place: tuple[float, float]) -> None:
    """Out of range or NaN."""
    with pytest.raises(ValueError, match=r"itude' in 'here' is .* at point 0"):
        Station("a", "n", *place, elevation=0.0, series=xr.Dataset(), source="here")


def test_sensor_belongs_to_the_layer_with_most_of_it() -> None:
    """By overlap of at least half; a sensor at one depth by its place, on an interface to the layer below."""
    expected = {
        (0.05, 0.05): 1, (0.07, 0.07): 2, (0.0, 0.10): 1, (0.0, 0.30): 2, (0.10, 0.10): 2, (0.5, 0.5): 3,
        (0.0, 1.0): 3, (1.0, 1.0): 4, (2.0, 2.5): 4,
        (-2.0, -2.0): None, (3.0, 3.0): None, (2.5, 3.5): None, (-0.5, 0.3): None, (0.0, 0.50): None,
    }  # fmt: skip
    assert {depth: soil_layer(depth) for depth in expected} == expected


HALF_HOUR = np.timedelta64(30, "m")


def naive_means(starts: np.ndarray, values: np.ndarray, coverage: float) -> dict[np.datetime64, float]:
    """Return means computed minute by minute."""
    minutes: dict[np.datetime64, list[float]] = {}
    for start, value in zip(starts, values, strict=True):
        for minute in range(30):
            at = start + np.timedelta64(minute, "m")
            begin = at.astype("datetime64[h]") - np.timedelta64(int(str(at)[11:13]) % 6, "h")
            minutes.setdefault((begin + np.timedelta64(6, "h")).astype("datetime64[ns]"), []).append(value)
    means = {}
    for stamp, found in minutes.items():
        good = [v for v in found if not np.isnan(v)]
        if len(good) >= coverage * 360:
            means[stamp] = float(np.mean(good))
    return means


@pytest.mark.parametrize("offset_minutes", [0, 30, 15])
def test_interval_means_equal_a_naive_loop(offset_minutes: int) -> None:
    """With gaps, and with records that straddle the stamps as in time zones with half hours."""
    rng = np.random.default_rng(3)
    starts = times_between("2019-03-01T02:00", 480, 30) + np.timedelta64(offset_minutes, "m")
    values = rng.standard_normal(480)
    values[rng.random(480) < 0.15] = np.nan
    stamps, means = interval_means(starts, starts + HALF_HOUR, values)
    expected = naive_means(starts, values, 0.8)
    assert 5 < len(expected) < 40
    assert list(stamps) == sorted(expected)
    np.testing.assert_allclose(means, [expected[s] for s in stamps], rtol=1e-12)


@pytest.mark.parametrize(("n_bad", "n_means"), [(2, 1), (3, 0)])
def test_mean_needs_80_percent(n_bad: int, n_means: int) -> None:
    """Ten of 12 half hours are enough, nine are not."""
    starts = times_between("2019-03-01T00:00", 12, 30)
    values = np.where(np.arange(12) < n_bad, np.nan, 1.0)
    assert len(interval_means(starts, starts + HALF_HOUR, values)[0]) == n_means


def test_instant_is_the_nearest_good_value_within_half_an_hour() -> None:
    """At a tie the earlier value is used; a value more than 30 minutes away is not."""
    day = np.datetime64("2019-03-01T00:00", "ns")
    minutes = np.array([-10, 5, 6 * 60 - 15, 6 * 60 + 15, 12 * 60 + 31, 18 * 60 - 30])
    values = np.array([1.0, np.nan, 2.0, 3.0, 4.0, 5.0])
    stamps, taken = instants(day + minutes * np.timedelta64(1, "m"), values)
    assert list((stamps - day) / np.timedelta64(1, "h")) == [0.0, 6.0, 18.0]
    assert list(taken) == [1.0, 2.0, 5.0]


def test_no_good_value() -> None:
    """The result is empty."""
    times, bad = times_between("2019-03-01", 5), np.full(5, np.nan)
    assert len(instants(times, bad)[0]) == len(interval_means(times, times + HALF_HOUR, bad)[0]) == 0


@pytest.mark.parametrize(("longitude", "hours"), [(-88.3, -6.0), (11.0, 1.0), (271.7, -6.0), (0.0, 0.0), (149.0, 10.0)])
def test_offset_of_a_longitude(longitude: float, hours: float) -> None:
    """One hour for 15 degrees, positive to the east, in either convention."""
    assert offset_of_longitude(longitude) == hours
