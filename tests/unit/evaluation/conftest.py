# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A small world in closed form: two years of a reference and a run in the year after, as fields and as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.variables import VARIABLES

STEP = np.timedelta64(6, "h")


def dates(start: str, end: str) -> np.ndarray:
    """6-hourly dates, both ends included."""
    return np.arange(np.datetime64(start, "h"), np.datetime64(end, "h") + STEP, STEP).astype("datetime64[ns]")


@pytest.fixture
def make_dates() -> Callable[[str, str], np.ndarray]:
    """Function ``(start, end) -> 6-hourly dates``."""
    return dates


@pytest.fixture
def make_fields() -> Callable[..., Fields]:
    """Function that makes fields in memory from arrays ``(time, point)`` by name."""

    def make(times: np.ndarray, values: dict[str, np.ndarray], units: dict | None = None, **kwargs: Any) -> Fields:
        n_points = next(iter(values.values())).shape[1]
        table = {name: VARIABLES[name].units if name in VARIABLES else "1" for name in values}
        place = {"latitude": np.linspace(-50.0, 70.0, n_points), "longitude": np.linspace(-170.0, 170.0, n_points)}

        def read(names: list[str], first: int, last: int) -> np.ndarray:
            return np.stack([values[name][first:last] for name in names], axis=1)

        arguments = {"path": Path("memory"), **place, **kwargs}
        return Fields(times=times, units={**table, **(units or {})}, reader=read, **arguments)

    return make


@pytest.fixture(scope="session")
def truth() -> xr.Dataset:
    """Reference 2020-2022, 10 points: seasonal waves with weather; snow at every other point."""
    times, points = dates("2020-01-01T00", "2022-12-31T18"), np.arange(10)
    rng = np.random.default_rng(0)
    day = ((times - times[0]) / np.timedelta64(1, "D"))[:, None]
    season = np.cos(2 * np.pi * day / 365.25)
    weather = rng.standard_normal((len(times), 10)).cumsum(0) * 0.01
    weather -= weather.mean(0)
    fields = {
        "swvl1": 0.3 + 0.05 * season + 0.02 * np.tanh(weather) + 0.005 * points,
        "stl1": 285.0 - 12.0 * season + 2.0 * np.tanh(weather),
        "snowc": np.clip(season - 0.3, 0, 1) * (points % 2),
        "2t": 285.0 - 15.0 * season + 3.0 * np.tanh(weather),
    }
    return xr.Dataset(
        {name: (("time", "point"), v.astype(np.float32), _attributes(name)) for name, v in fields.items()},
        coords={
            "time": times,
            "latitude": ("point", np.linspace(-40.0, 65.0, 10)),
            "longitude": ("point", np.linspace(-100.0, 140.0, 10)),
            "point_id": ("point", points),
        },
    )


def _attributes(name: str) -> dict[str, str]:
    return {"units": VARIABLES[name].units, "short_name": name, "standard_name": VARIABLES[name].standard_name or ""}


@pytest.fixture(scope="session")
def reference_file(truth: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference as a NetCDF file."""
    path = tmp_path_factory.mktemp("world") / "reference.nc"
    truth.rename({"2t": "t2m"}).to_netcdf(path)
    return path


@pytest.fixture
def write_forecast(truth: xr.Dataset, tmp_path: Path) -> Callable[..., Path]:
    """Function that writes a forecast of 60 days in 2022, the truth plus ``bias`` after the initial date.

    ``change`` may alter the Dataset before it is written.
    """

    def write(bias: float = 0.01, change: Callable[[xr.Dataset], xr.Dataset] | None = None) -> Path:
        run = truth.sel(time=slice("2022-01-01", "2022-03-01T18")).drop_vars("point_id").copy(deep=True)
        for name in run.data_vars:
            run[name][1:] += np.float32(bias)
        run["2t"][0] = np.nan  # a diagnostic has no value at lead 0
        run = run.rename({"2t": "t2m"}).assign_attrs(checkpoint="inference.ckpt", initial_date="2022-01-01T00:00:00")
        path = tmp_path / "forecast.nc"
        (change(run) if change else run).to_netcdf(path)
        return path

    return write
