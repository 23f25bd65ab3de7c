# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Stations are read from files of any archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anemoi_ailand.data.stations.sites import Site, read_sites
from anemoi_ailand.data.stations.station import Sensor, make_station
from anemoi_ailand.data.stations.station_reader import ARCHIVES, Archive, kind_of, read_stations
from tests.support.files import times_between, write_fluxnet, write_ismn, write_plumber2, write_sites, zip_ismn

NAME = "FLX_US-Bo1_FLUXNET2015_FULLSET_HH_1998-1998_1-3.csv"
HOURLY, HALF_HOURLY = times_between("1998-06-01", 48), times_between("1998-06-01", 96, 30)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return a folder with files of all archives, and others."""
    pytest.importorskip("ismn", reason='needs pip install "anemoi-ailand[observations]"')
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
    with pytest.raises(FileNotFoundError, match=r"There is no '.*gone'.*a\.json.*Correct"):
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


def test_other_columns_are_an_error(tmp_path: Path) -> None:
    """The error gives the columns of the file and the required ones."""
    path = tmp_path / "a.csv"
    path.write_text("name,lat,lon\nx,1,2\n")
    with pytest.raises(ValueError, match=r"has the columns \['name', 'lat', 'lon'\].*latitude.*BIF"):
        read_sites(path)


def test_number_that_cannot_be_read(tmp_path: Path) -> None:
    """The error names the file."""
    path = tmp_path / "a.csv"
    path.write_text("site,latitude,longitude\nx,north,2\n")
    with pytest.raises(ValueError, match=r"table of sites '.*a\.csv' cannot be read.*north"):
        read_sites(path)
