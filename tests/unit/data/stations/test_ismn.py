# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reader of ISMN files in both layouts."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from anemoi_ailand.data.stations.ismn import is_ismn, read_ismn
from tests.support.files import CEOP, ELEVATION, HEADER_VALUES, LATITUDE, LONGITUDE, times_between, write_ismn, zip_ismn

pytest.importorskip("ismn", reason='needs pip install "anemoi-ailand[observations]"')

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


def test_station_without_a_good_value(tmp_path: Path) -> None:
    """It has no series, and a note with its flags."""
    write_ismn(tmp_path, TIMES, np.full(48, 0.3), flags=["C01"] * 48)
    [station] = read_ismn([tmp_path])
    assert station.variables == []
    assert "none of its 48 values has the flag G; it has {'C01': 48}" in station.notes[0]


def test_broken_file_is_an_error(tmp_path: Path) -> None:
    """The error names the file and both layouts; so does that of duplicate records."""
    path = write_ismn(tmp_path, np.repeat(TIMES[:3], 2), np.full(6, 0.3))
    with pytest.raises(ValueError, match=r"3 times of '.*\.stm' are not after"):
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
