# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page on observed fluxes: daily means on common days, benchmarks, anomalies of soil moisture, absent data."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.support.worlds import six_hourly
from tools.results.observed_towers import Tower, daily, faults_of, flux_table, renew, soil_table, stations_of
from tools.results.steps import Inputs

TIMES = six_hourly("2005-01-01T06", "2005-12-31T00")
N = len(TIMES)


def tower(name: str, place: tuple[float, float], bias: float) -> Tower:
    """Return a tower whose latent heat follows the sun, with a model of known bias and a gap of 10 days."""
    rng = np.random.default_rng(len(name))
    sun = np.maximum(0.0, 400.0 * np.sin(np.arange(N) * np.pi / 2)) * (0.5 + rng.random(N))
    weather = np.stack([sun, *(np.full(N, v) for v in (285.0, 0.7, 3.0, 0.0, 300.0))], -1)
    flux = 0.2 * sun + 10.0
    soil = 0.3 + 0.05 * np.convolve(rng.standard_normal(N + 19), np.ones(20) / 20, "valid")
    seen = np.where(np.arange(N) < 40, np.nan, flux)
    both = {"slhf": flux + bias, "sshf": flux, "swvl1": soil + bias, "swvl2": -soil}
    return Tower(name, place, {"slhf": seen, "sshf": seen, "swvl1": soil, "swvl2": soil},
                 {"ecLand": both, "ailand": both}, weather, TIMES, 3)  # fmt: skip


def test_tables_of_fluxes_and_soil():
    """Bias and RMSE are those of the model; the regression of the other tower is right here; soil has its anomalies."""
    towers = [tower("Loobos", (52.0, 5.7), 5.0), tower("Amplero", (41.9, 13.6), -7.0)]
    rows = [line.split(" | ") for line in flux_table(towers, "slhf").splitlines()]
    assert [c.strip("| ") for c in rows[0][3:]] == [
        "ecLand", "`ailand`", "1lin", "3km27", "6km729", "1lin, own site", "3km27, own site", "6km729, own site",
    ]  # fmt: skip
    assert rows[2][3] == rows[2][4] == "5.0 (+5.0)"
    assert rows[3][3] == "7.0 (-7.0)"
    assert rows[2][5] == "0.0 (+0.0)" or rows[2][5] == "0.0 (-0.0)"
    assert rows[2][1] == str((N - 40) // 4)
    assert "weather not trained on" in rows[3][0]
    soil = [line.split(" | ") for line in soil_table(towers).splitlines()]
    assert soil[2][2:6] == ["1.00", "1.00", "-1.00", "-1.00"]
    assert soil[2][6].startswith("3")


def test_days_end_at_midnight_and_are_whole():
    """The stamp of midnight ends the day; a day with three values has no mean."""
    times = six_hourly("2005-01-01T06", "2005-01-02T18")
    np.testing.assert_array_equal(daily(np.arange(7.0), times), [1.5, np.nan])


def test_observations_are_read_with_their_clock_and_faults_are_counted(tmp_path: Path):
    """Stamps are ends in UTC; impossible half hours are counted; without the folder there is no page."""
    folder = tmp_path / "observations"
    folder.mkdir()
    ends = np.datetime64("2005-01-01T00:30", "ns") + np.arange(960) * np.timedelta64(30, "m")
    values = {"Qle": np.full(960, 50.0), "Qh": np.full(960, 20.0), "SWC1": np.full(960, 0.3), "SWC2": np.full(960, 0.2)}
    values["Qle"][100], values["SWC1"][5] = 977.0, 0.99
    data = xr.Dataset({n: ("time", v, {"units": "m3 m-3" if n[0] == "S" else "W m-2"}) for n, v in values.items()})
    data = data.assign_coords(time=ends).assign(latitude=52.0, longitude=5.7)
    data.to_netcdf(folder / "Loobos_Flux.nc")
    [station] = stations_of(folder)
    assert station.variables == ["slhf", "sshf", "swvl1", "swvl2"]
    assert float(station.series["slhf"].min()) == pytest.approx(-50.0)
    assert faults_of(folder / "Loobos_Flux.nc") == 2
    assert renew(Inputs(reference=None, towers=tmp_path / "none", real=None, folder=tmp_path)) == {}
