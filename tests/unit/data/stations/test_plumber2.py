# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reader of PLUMBER2 NetCDF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.data.stations.plumber2 import is_plumber2, read_plumber2, standard_offset
from tests.support.files import ELEVATION, LATITUDE, LONGITUDE, times_between, write_plumber2

STARTS = times_between("1998-06-01T00:00", 480, 30)
ONES, ZEROS = np.ones(480), np.zeros(480)


def test_diurnal_peak_falls_on_the_right_utc_hours(tmp_path: Path) -> None:
    """Standard time of the zone, also in June: 12-18 at UTC-6 is the mean stamped 00 UTC."""
    hour = (STARTS - STARTS.astype("datetime64[D]")) / np.timedelta64(1, "h")
    path = write_plumber2(
        tmp_path / "a.nc", STARTS, {"Qle": (((hour >= 12) & (hour < 18)) * 100.0, "W/m2"), "Qle_qc": (ZEROS, "-")}
    )
    slhf = read_plumber2(path).series["slhf"]
    at_midnight = slhf["time"].dt.hour.values == 0
    np.testing.assert_allclose(slhf.values[at_midnight], -100.0)
    np.testing.assert_allclose(slhf.values[~at_midnight], 0.0, atol=1e-6)


def test_place_names_signs_and_units(tmp_path: Path) -> None:
    """All variables are in units of the table; one without quality has a note."""
    variables = {
        "Qle": (80 * ONES, "W/m2"), "Qh": (40 * ONES, "W m-2"), "Rnet": (130 * ONES, "W/m2"),
        "NEE": (-10 * ONES, "umol/m2/s"), "GPP": (15 * ONES, "umol/m2/s"), "Qg": (5 * ONES, "W/m2"),
        **{f"{n}_qc": (ZEROS, "-") for n in ("Qle", "Qh", "NEE", "GPP")},
    }  # fmt: skip
    station = read_plumber2(write_plumber2(tmp_path / "a.nc", STARTS, variables))
    assert (station.name, station.network) == ("US-Bo1", "PLUMBER2")
    assert (station.latitude, station.longitude, station.elevation) == pytest.approx((LATITUDE, LONGITUDE, ELEVATION))
    means = {name: float(station.series[name].mean()) for name in station.variables}
    expected = {"slhf": -80.0, "sshf": -40.0, "rnet": 130.0, "nee": -4.4009e-7, "gpp": 6.60135e-7}
    assert means == pytest.approx(expected, rel=1e-6)
    assert station.notes == ("Rnet: no quality flags, all values are kept",)


def test_quality_and_fill_value(tmp_path: Path) -> None:
    """Medium gap-filling and fill values leave gaps."""
    values, quality = ONES.copy(), np.tile([0.0, 1.0], 240)
    quality[:12], values[12:24] = 2, np.nan
    path = write_plumber2(tmp_path / "a.nc", STARTS, {"Qh": (values, "W/m2"), "Qh_qc": (quality, "-")})
    sshf = read_plumber2(path).series["sshf"]
    assert sshf["time"].values[0] == np.datetime64("1998-06-02T00:00")  # 12 h local + 6 h zone + end of the mean
    np.testing.assert_array_equal(sshf, np.full(38, -1.0))


def test_corrected_flux_has_the_quality_of_the_measured(tmp_path: Path) -> None:
    """A file without the corrected flux is refused."""
    quality = ZEROS.copy()
    quality[:12] = 3
    variables = {"Qle": (ONES, "W/m2"), "Qle_cor": (2 * ONES, "W/m2"), "Qle_qc": (quality, "-")}
    slhf = read_plumber2(write_plumber2(tmp_path / "a.nc", STARTS, variables), corrected=True).series["slhf"]
    np.testing.assert_array_equal(slhf, np.full(39, -2.0))
    del variables["Qle_cor"]
    with pytest.raises(ValueError, match=r"has no 'Qle_cor'.*corrected=False"):
        read_plumber2(write_plumber2(tmp_path / "b.nc", STARTS, variables), corrected=True)


def test_downward_flux_keeps_its_sign(tmp_path: Path) -> None:
    """The standard name gives the direction."""
    attributes = {"standard_name": "surface_downward_latent_heat_flux"}
    path = write_plumber2(tmp_path / "a.nc", STARTS, {"Qle": (ONES, "W/m2")}, attributes=attributes)
    assert float(read_plumber2(path).series["slhf"].mean()) == 1.0


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        ("America/Chicago", -6.0), ("Australia/Sydney", 10.0), ("Europe/Dublin", 0.0), ("Australia/Darwin", 9.5),
        ("UTC", 0.0), ("UTC+2", 2.0), ("UTC-03:30", -3.5), ("Nowhere/City", None),
    ],
)  # fmt: skip
def test_standard_offset(zone: str, hours: float | None) -> None:
    """It is never daylight saving time, on both hemispheres."""
    assert standard_offset(zone, 2010) == hours


@pytest.mark.parametrize(("zone", "said"), [("", "not given"), ("Nowhere/City", "'Nowhere/City' is unknown")])
def test_unknown_zone_comes_from_the_longitude(tmp_path: Path, zone: str, said: str) -> None:
    """The station has a note."""
    station = read_plumber2(write_plumber2(tmp_path / "a.nc", STARTS, {"Rnet": (ONES, "W/m2")}, zone=zone))
    assert station.notes[0] == f"time zone {said}: UTC-6 h taken from the longitude"
    assert station.series["time"].values[0] == np.datetime64("1998-06-01T12:00")


def test_several_places_in_a_file(tmp_path: Path) -> None:
    """A gridded ALMA file is refused."""
    path = write_plumber2(tmp_path / "a.nc", STARTS, {"Qle": (ONES, "W/m2")}, n_x=2)
    with pytest.raises(ValueError, match=r"has \{'x': 2\}, so more than one place"):
        read_plumber2(path)


def test_times_that_do_not_increase(tmp_path: Path) -> None:
    """Duplicate records are refused."""
    path = write_plumber2(tmp_path / "a.nc", np.repeat(STARTS[:240], 2), {"Qle": (ONES, "W/m2")})
    with pytest.raises(ValueError, match=r"240 times of .* are not after"):
        read_plumber2(path)


def test_recognised_by_dimensions_and_a_flux(tmp_path: Path) -> None:
    """NetCDF of the forcing of a tower, or of points, is something else."""
    path = write_plumber2(tmp_path / "a.nc", STARTS, {"Qle": (ONES, "W/m2")})
    assert is_plumber2(path)
    assert not is_plumber2(write_plumber2(tmp_path / "b.nc", STARTS, {"Tair": (ONES, "K")}))
    with xr.open_dataset(path) as dataset:
        dataset.isel(x=0).to_netcdf(tmp_path / "c.nc")
    assert not is_plumber2(tmp_path / "c.nc")
