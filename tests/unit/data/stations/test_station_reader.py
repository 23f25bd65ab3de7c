# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reading stations of any kind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from anemoi_ailand.data.stations.sites import Site
from anemoi_ailand.data.stations.station_reader import kind_of, read_stations
from tests.support.files import times_between, write_fluxnet, write_ismn, write_plumber2, write_sites, zip_ismn

NAME = "FLX_US-Bo1_FLUXNET2015_FULLSET_HH_1998-1998_1-3.csv"
HOURLY, HALF_HOURLY = times_between("1998-06-01", 48), times_between("1998-06-01", 96, 30)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return a folder with all kinds of files, and others."""
    pytest.importorskip("ismn", reason='needs pip install "anemoi-ailand[observations]"')
    folder = tmp_path / "stations"
    write_ismn(folder / "ISMN", HOURLY, np.full(48, 0.3))
    (folder / "ISMN" / "SCAN" / "Bondville" / "SCAN_static_variables.csv").write_text("quantity_name;unit\nx;y\n")
    write_fluxnet(folder / NAME, HALF_HOURLY, {"LE_F_MDS": np.ones(96), "LE_F_MDS_QC": np.zeros(96)})
    write_sites(folder / "sites.csv")
    write_plumber2(folder / "US-Bo1_flux.nc", HALF_HOURLY, {"Qle": (np.ones(96), "W/m2")})
    (folder / "readme.txt").write_text("about the data\n")
    return folder


def test_each_file_is_taken_for_what_it_is(archive: Path) -> None:
    """One folder with all three; tables of sites are used, other files passed over."""
    stations = read_stations(archive)
    assert [(s.network, s.variables) for s in stations] == [
        ("FLUXNET", ["slhf"]), ("PLUMBER2", ["slhf"]), ("SCAN", ["swvl1"]),
    ]  # fmt: skip


@pytest.mark.parametrize(("kind", "network"), [("ismn", "SCAN"), ("fluxnet", "FLUXNET"), ("plumber2", "PLUMBER2")])
def test_one_kind_only(archive: Path, kind: str, network: str) -> None:
    """The others in the folder are not read."""
    assert [s.network for s in read_stations(archive, kind)] == [network]


def test_kinds(archive: Path) -> None:
    """By content, whatever the name."""
    renamed = (archive / "US-Bo1_flux.nc").rename(archive / "data.bin")
    packed = zip_ismn(archive / "ISMN")
    kinds = {
        p.name: kind_of(p) for p in (archive / NAME, archive / "sites.csv", renamed, packed, archive / "readme.txt")
    }
    assert list(kinds.values()) == ["fluxnet", "sites", "plumber2", "ismn", None]


def test_sites_given_win_over_those_found(archive: Path) -> None:
    """A mapping or a file."""
    [station] = read_stations(archive, "fluxnet", sites={"US-Bo1": Site(10.0, 20.0)})
    assert (station.latitude, station.longitude) == (10.0, 20.0)
    other = write_sites(archive.parent / "other.csv")
    assert read_stations([archive / NAME], sites=other)[0].latitude == pytest.approx(40.01)


def test_nothing_at_the_path(tmp_path: Path) -> None:
    """The message lists what is beside it."""
    (tmp_path / "here.csv").write_text("")
    with pytest.raises(FileNotFoundError, match=r"There is no '.*gone'.*here\.csv.*Correct"):
        read_stations(tmp_path / "gone")


def test_unknown_file_given_by_name(tmp_path: Path) -> None:
    """An explicit file is never passed over."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps({}))
    with pytest.raises(ValueError, match=r"is of no known kind.*ISMN.*FLUXNET.*PLUMBER2"):
        read_stations(path)


def test_file_of_another_kind_given_by_name(archive: Path) -> None:
    """The message says what it is."""
    with pytest.raises(ValueError, match="is of kind 'fluxnet', not 'plumber2'"):
        read_stations(archive / NAME, "plumber2")


def test_folder_without_a_station(tmp_path: Path) -> None:
    """The message says what was passed over."""
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(ValueError, match=r"No station file of kind 'auto'.*notes\.md.*Give ISMN"):
        read_stations(tmp_path)


def test_unknown_kind(tmp_path: Path) -> None:
    """The message lists the kinds."""
    with pytest.raises(ValueError, match=r"'icos' is no kind.*'ismn'"):
        read_stations(tmp_path, "icos")


def test_truncated_netcdf(tmp_path: Path) -> None:
    """A download cut short is named, with its size."""
    path = write_plumber2(tmp_path / "a.nc", HALF_HOURLY, {"Qle": (np.ones(96), "W/m2")})
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"a\.nc' \(2000 bytes\) cannot be read as NetCDF.*Download"):
        read_stations(tmp_path)


def test_station_with_bad_values_only_is_left_out(archive: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With a warning that says why; the others are returned."""
    write_ismn(archive / "ISMN", HOURLY, np.full(48, 0.3), station="Champaign", flags=["D01"] * 48)
    assert len(read_stations(archive)) == 3
    assert "Champaign" in caplog.text
    assert "{'D01': 48}" in caplog.text


def test_all_flagged_bad(tmp_path: Path) -> None:
    """No station left is an error with the reasons."""
    bad = {"Qle": (np.ones(96), "W/m2"), "Qle_qc": (np.full(96, 3.0), "-")}
    write_plumber2(tmp_path / "a.nc", HALF_HOURLY, bad)
    with pytest.raises(
        ValueError, match=r"None of the 1 stations.*Qle: none of its 96 values has a quality of \[0, 1\]"
    ):
        read_stations(tmp_path)


def test_station_in_two_files(tmp_path: Path) -> None:
    """FULLSET and SUBSET of one tower would count twice."""
    write_sites(tmp_path / "sites.csv")
    for name in (NAME, NAME.replace("FULLSET", "SUBSET")):
        write_fluxnet(tmp_path / name, HALF_HOURLY, {"LE_F_MDS": np.ones(96), "LE_F_MDS_QC": np.zeros(96)})
    with pytest.raises(ValueError, match=r"occur more than once.*'US-Bo1'.*SUBSET"):
        read_stations(tmp_path)
