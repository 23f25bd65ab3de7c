# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Forcing from a dataset of forecasts that Anemoi made (``use_trajectories``), by the real command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml

import anemoi_ailand as ail
from anemoi_ailand.support.packaged import find
from tests.integration.forecast_dataset import START
from tests.support.commands import run_command

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def forecasts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a dataset of forecasts from 1 and 2 May."""
    path = tmp_path_factory.mktemp("forecasts") / "forecasts.zarr"
    command = [sys.executable, Path(__file__).with_name("forecast_dataset.py"), path, "0h", "48h"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return path


def run(cwd: Path, output: str, dataset: Path | None, **options: Any) -> str:
    """Roll out from the sample, forcing from the sample or from a dataset of forecasts; return code and output."""
    config = yaml.safe_load(find("configs", "inference/rollout-files").read_text(encoding="utf-8"))
    config |= {"date": START.isoformat(), "lead_time": "48h", "output": {"land-netcdf": {"path": output}}}
    if dataset is not None:
        config["dynamic_forcings"] = {"dataset": {"dataset": str(dataset), "use_trajectories": True}}
    (cwd / "run.yaml").write_text(yaml.safe_dump(config | options))
    done = run_command("anemoi.inference", "run", "run.yaml", cwd=cwd)
    return f"{done.returncode}\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """Run the land with the weather of the sample."""
    folder = tmp_path_factory.mktemp("plain")
    assert run(folder, "plain.nc", None).startswith("0")
    with xr.open_dataset(folder / "plain.nc") as found:
        assert np.ptp(found.stl1.values, axis=0).min() > 0.0
        return found.load()


def same(path: Path, plain: xr.Dataset) -> None:
    """Every step is bitwise that of the plain run."""
    with xr.open_dataset(path) as forecast:
        for name in ("stl1", "swvl1", "t2m", "slhf"):
            np.testing.assert_array_equal(plain[name].values[1:], forecast[name].values[1:], err_msg=name)


def test_forcing_is_that_of_the_forecast_from_the_start(forecasts: Path, plain: xr.Dataset, tmp_path: Path) -> None:
    """The run is bitwise equal to that with the same weather from files; values are stored at the end of a step."""
    said = run(tmp_path, "forecast.nc", forecasts)
    assert said.startswith("0"), said[-3000:]
    same(tmp_path / "forecast.nc", plain)


def test_forecast_in_the_place_of_an_atmosphere(forecasts: Path, plain: xr.Dataset, tmp_path: Path) -> None:
    """The land of a coupling with the stored forecast is bitwise that of the run."""
    land = ail.load("ailand", threads=1)
    land.save(land.initial(ail.open_data("$AILAND_SAMPLE").to_xarray(START)), tmp_path / "first.state")
    tasks = {
        "atmosphere": {"stored-atmosphere": {"dataset": str(forecasts), "use_trajectories": True}},
        "land": {"land": {"initial": {"state": "first.state"}, "output": "land.nc"}},
    }
    config = {"transport": "land-threads", "date": START.isoformat(), "lead_time": "48h", "tasks": tasks}
    (tmp_path / "couple.yaml").write_text(yaml.safe_dump(config | {"couplings": []}))
    done = run_command("anemoi.inference", "couple", "couple.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    same(tmp_path / "land.nc", plain)


def test_forecast_shorter_than_the_run(forecasts: Path, tmp_path: Path) -> None:
    """It is refused before the first step, although later forecasts exist."""
    said = run(tmp_path, "no.nc", forecasts, date="2020-05-01T00:00:00", lead_time="54h")
    assert "needs forcing at 2020-05-03T06:00:00 (1 of 9 stamps are missing)" in said
    assert not list(tmp_path.glob("*.nc*"))
