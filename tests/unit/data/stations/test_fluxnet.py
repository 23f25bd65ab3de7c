# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reader of FLUXNET CSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anemoi_ailand.data.stations.fluxnet import is_fluxnet, read_fluxnet
from anemoi_ailand.data.stations.sites import Site
from tests.support.files import LATITUDE, LONGITUDE, UTC_OFFSET, times_between, write_fluxnet

NAME = "FLX_US-Bo1_FLUXNET2015_FULLSET_HH_1998-1998_1-3.csv"
STARTS = times_between("1998-06-01T00:00", 480, 30)
ONES, ZEROS = np.ones(480), np.zeros(480)
SITES = {"US-Bo1": Site(LATITUDE, LONGITUDE, 219.0, UTC_OFFSET, (0.05, 0.2))}


def local_hour(times: np.ndarray) -> np.ndarray:
    """Return the hour of the day."""
    return (times - times.astype("datetime64[D]")) / np.timedelta64(1, "h")


def test_diurnal_peak_falls_on_the_right_utc_hours(tmp_path: Path) -> None:
    """A flux between 12 and 18 local standard time at UTC-6 lies in 18-24 UTC, the mean stamped 00 UTC."""
    afternoon = ((local_hour(STARTS) >= 12) & (local_hour(STARTS) < 18)) * 100.0
    path = write_fluxnet(tmp_path / NAME, STARTS, {"LE_F_MDS": afternoon, "LE_F_MDS_QC": ZEROS})
    slhf = read_fluxnet(path, SITES).series["slhf"]
    at_midnight = slhf["time"].dt.hour.values == 0
    np.testing.assert_allclose(slhf.values[at_midnight], -100.0)
    np.testing.assert_allclose(slhf.values[~at_midnight], 0.0, atol=1e-6)


def test_default_offset_comes_from_the_longitude(tmp_path: Path) -> None:
    """The result at 88 W is the same, with a note."""
    path = write_fluxnet(tmp_path / NAME, STARTS, {"LE_F_MDS": local_hour(STARTS), "LE_F_MDS_QC": ZEROS})
    given = read_fluxnet(path, SITES)
    assumed = read_fluxnet(path, {"US-Bo1": Site(LATITUDE, LONGITUDE)})
    np.testing.assert_array_equal(given.series["slhf"], assumed.series["slhf"])
    assert "UTC-6 h taken from the longitude" in assumed.notes
    assert given.notes == ()


def test_signs_and_units_become_those_of_the_table(tmp_path: Path) -> None:
    """Upward fluxes become negative; %, degC and umol of CO2 are converted; soil variables get a layer."""
    columns = {
        "LE_F_MDS": 80 * ONES, "LE_F_MDS_QC": ZEROS, "H_F_MDS": 40 * ONES, "H_F_MDS_QC": ZEROS, "NETRAD": 130 * ONES,
        "NEE_VUT_REF": -10 * ONES, "NEE_VUT_REF_QC": ZEROS, "GPP_NT_VUT_REF": 15 * ONES,
        "SWC_F_MDS_1": 30 * ONES, "SWC_F_MDS_1_QC": ZEROS, "TS_F_MDS_2": 12 * ONES, "TS_F_MDS_2_QC": ZEROS,
    }  # fmt: skip
    station = read_fluxnet(write_fluxnet(tmp_path / NAME, STARTS, columns), SITES)
    means = {name: float(station.series[name].mean()) for name in station.variables}
    expected = {
        "slhf": -80.0, "sshf": -40.0, "rnet": 130.0, "nee": -4.4009e-7, "gpp": 6.60135e-7, "swvl1": 0.3, "stl2": 285.15,
    }  # fmt: skip
    assert means == pytest.approx(expected, rel=1e-6)
    assert station.notes == ("NETRAD: no quality flags, all values are kept",)


def test_quality_and_missing_values(tmp_path: Path) -> None:
    """Quality 0 and 1 is kept, 2, 3 and -9999 are not; a mean needs 80 % of its 12 records."""
    quality = np.tile([0.0, 1.0], 240)
    values = ONES.copy()
    quality[12:15], values[12:15] = 2, 1e3  # 9 of 12 left: no mean
    quality[24:26], values[24:26] = 3, 1e3  # 10 of 12 left: a mean without them
    values[36:48] = np.nan
    path = write_fluxnet(tmp_path / NAME, STARTS, {"H_F_MDS": values, "H_F_MDS_QC": quality})
    sshf = read_fluxnet(path, SITES).series["sshf"].values
    np.testing.assert_array_equal(np.isnan(sshf[:5]), [False, True, False, True, False])
    assert set(sshf[~np.isnan(sshf)]) == {-1.0}
    measured = read_fluxnet(path, SITES, quality=(0,))
    assert measured.variables == []  # every second record is not enough


def test_corrected_fluxes(tmp_path: Path) -> None:
    """LE_CORR has the quality of LE_F_MDS; a file without it is refused."""
    quality = ZEROS.copy()
    quality[:12] = 3
    columns = {"LE_F_MDS": ONES, "LE_CORR": 2 * ONES, "LE_F_MDS_QC": quality}
    path = write_fluxnet(tmp_path / NAME, STARTS, columns)
    slhf = read_fluxnet(path, SITES, corrected=True).series["slhf"]
    np.testing.assert_array_equal(slhf, np.full(39, -2.0))
    del columns["LE_CORR"]
    with pytest.raises(ValueError, match=r"has no \['LE_CORR'\].*corrected=False"):
        read_fluxnet(write_fluxnet(path, STARTS, columns), SITES, corrected=True)


def test_soil_state_is_taken_at_the_stamp(tmp_path: Path) -> None:
    """Of the half hours before and after the stamp, the one that ends there is used."""
    path = write_fluxnet(tmp_path / NAME, STARTS, {"SWC_F_MDS_1": np.arange(480.0) / 10, "SWC_F_MDS_1_QC": ZEROS})
    swvl = read_fluxnet(path, SITES).series["swvl1"]
    at = swvl.sel(time=np.datetime64("1998-06-01T12:00"))  # 06:00 local: record 11 ends, record 12 starts
    assert float(at) == pytest.approx(0.011)


def test_depth_is_assumed_for_the_first_sensor_only(tmp_path: Path) -> None:
    """Notes of the station give the assumption and the omission."""
    columns = {f"SWC_F_MDS_{k}": 20 * ONES for k in (1, 2)} | {f"SWC_F_MDS_{k}_QC": ZEROS for k in (1, 2)}
    station = read_fluxnet(write_fluxnet(tmp_path / NAME, STARTS, columns), {"US-Bo1": Site(40.0, -88.0, 0.0, -6.0)})
    assert station.variables == ["swvl1"]
    assert station.notes == (
        "SWC_F_MDS_1: depth not given, 0.05 m assumed", "SWC_F_MDS_2: left out, its depth is not given",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "sites", "message"),
    [
        ("tower.csv", SITES, r"'tower\.csv' holds no site code.*Rename"),
        (NAME, {"DE-Tha": SITES["US-Bo1"]}, r"coordinates of the tower US-Bo1 .* unknown.*\['DE-Tha'\].*latitude"),
    ],
)
def test_site_must_be_known(tmp_path: Path, name: str, sites: dict[str, Site], message: str) -> None:
    """The data do not have the coordinates of the tower."""
    path = write_fluxnet(tmp_path / name, STARTS, {"LE_F_MDS": ONES, "LE_F_MDS_QC": ZEROS})
    with pytest.raises(ValueError, match=message):
        read_fluxnet(path, sites)


def test_times_must_be_readable_and_increase(tmp_path: Path) -> None:
    """Another form of the times and duplicate records are refused."""
    columns = {"LE_F_MDS": ONES, "LE_F_MDS_QC": ZEROS}
    with pytest.raises(ValueError, match=r"'TIMESTAMP_START'.*is not YYYYMMDDHHMM.*HH"):
        read_fluxnet(write_fluxnet(tmp_path / NAME, STARTS, columns, form="%Y-%m-%d"), SITES)
    with pytest.raises(ValueError, match="are not after the one before"):
        read_fluxnet(write_fluxnet(tmp_path / NAME, np.sort(np.tile(STARTS[:240], 2)), columns), SITES)


@pytest.mark.parametrize(
    ("header", "first", "expected"),
    [
        ("TIMESTAMP_START,TIMESTAMP_END,LE_F_MDS", "199801010000,199801010030,1", True),
        ("TIMESTAMP_START,TIMESTAMP_END,LE_F_MDS", "19980101,19980107,1", False),  # weekly
        ("TIMESTAMP,LE_F_MDS", "19980101,1", False),  # daily
        ("TIMESTAMP_START,TIMESTAMP_END,TA_ERA", "199801010000,199801010030,1", False),
    ],
)
def test_recognised_by_records_and_variables(tmp_path: Path, header: str, first: str, expected: bool) -> None:
    """Half-hourly or hourly records with a variable that is read; not the other files of a FULLSET archive."""
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n{first}\n")
    assert is_fluxnet(path) is expected
