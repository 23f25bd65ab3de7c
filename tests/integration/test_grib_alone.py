# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The trained network of the package runs from GRIB and nothing else, by the real command line."""

from __future__ import annotations

import subprocess
from datetime import datetime
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import yaml

from anemoi_ailand.support.packaged import find
from tests.support.commands import run_command
from tests.support.grib import Archive, Grid, sample, stamps

pytestmark = pytest.mark.slow

DATES = stamps(datetime(2020, 2, 1), 9)
#: GRIB has instants of what the reference layout has means of.
INSTANTS = {"avg_sp": (134, {}), "avg_u": (131, {"typeOfLevel": "hybrid", "level": 137}),
            "avg_v": (132, {"typeOfLevel": "hybrid", "level": 137})}  # fmt: skip


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Winter of the sample: analyses every 6 h, forecasts from 00 and 12 UTC with amounts since their start."""
    folder, ecland = tmp_path_factory.mktemp("archive"), sample()
    archive = Archive(folder, Grid("regular", len(ecland.point_id)))
    archive.write(ecland, DATES)
    for (_, (param, keys)), values in zip(INSTANTS.items(), ecland.read(list(INSTANTS), DATES), strict=True):
        for date, field in zip(DATES, values, strict=True):
            archive.field(f"an_{date:%Y%m%d}.grib", archive.grid.spread(field), param, date, dataType="an", **keys)
    return folder


def run(folder: Path, cwd: Path, **options: object) -> subprocess.CompletedProcess:
    """Run two days of the packaged configuration with GRIB for input."""
    config = yaml.safe_load(find("configs", "inference/rollout-files").read_text(encoding="utf-8"))
    config |= {"date": DATES[0].isoformat(), "lead_time": "2d"}
    config["input"] = {"ecland": {"path": str(folder / "*.grib"), **options}}
    config["runner"] = {config["runner"]: {"plausibility": "warn"}}  # the grid has not the places of the sunshine
    (cwd / "run.yaml").write_text(yaml.safe_dump(config))
    return run_command("anemoi.inference", "run", "run.yaml", cwd=cwd)


def test_runs_from_grib_alone(archive: Path, tmp_path: Path) -> None:
    """From step 0 of a forecast: physics gives snow cover and liquid water, the user the photosynthetic pathway."""
    done = run(archive, tmp_path, defaults={"c4": 0})
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-4000:]
    assert "filled for prognostics: slw = 0, dry snow" in said
    assert "filled for constant_forcings: c4 = 0, from `defaults`" in said
    ecland = sample()
    with netCDF4.Dataset(tmp_path / "forecast.nc") as ds:
        assert ds["t2m"].shape == (9, len(ecland.point_id))
        assert np.isfinite(np.ma.filled(ds["t2m"][1:], np.nan)).all()
        assert float(ds["sd"][0].max()) > 10.0
        assert float(ds["slw"][0].max()) == 0.0
        for name, rmse in (("stl1", 3.0), ("swvl1", 0.05)):
            error = ds[name][:] - ecland.read([name], DATES)[0]
            assert float(np.sqrt((error**2).mean())) < rmse, name
