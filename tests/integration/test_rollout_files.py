# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Roll-outs from GRIB, from NetCDF and from an earlier roll-out, and errors of their inputs."""

from __future__ import annotations

import re
import shutil
from datetime import datetime
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr
import yaml
from anemoi.utils.checkpoints import load_metadata, replace_metadata

from anemoi_ailand.data.land_data import open_data
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import Reader
from anemoi_ailand.rollout.run.launch import Failure, launch
from anemoi_ailand.rollout.stepper import load
from anemoi_ailand.support.packaged import find
from anemoi_ailand.variables import START, VARIABLES, Time
from tests.support.commands import run_command
from tests.support.documents import ROOT
from tests.support.files import write_land
from tests.support.grib import Archive, Grid, sample, stamps

pytestmark = pytest.mark.slow

DATES = stamps(datetime(2020, 5, 1), 9)
#: GRIB has instants of what the reference layout has means of; any values do.
INSTANTS = {"avg_sp": (134, {}), "avg_u": (131, {"typeOfLevel": "hybrid", "level": 137}),
            "avg_v": (132, {"typeOfLevel": "hybrid", "level": 137})}  # fmt: skip


def write_archive(folder: Path) -> None:
    """The sample as GRIB of forecasts: at the first date there are no means. NetCDF holds the rest."""
    ecland = sample()
    archive = Archive(folder, Grid("unstructured", len(ecland.point_id)))
    archive.write(ecland, DATES)
    for (_, (param, keys)), values in zip(INSTANTS.items(), ecland.read(list(INSTANTS), DATES), strict=True):
        for date, field in zip(DATES, values, strict=True):
            archive.field(f"an_{date:%Y%m%d}.grib", field.astype("f8"), param, date, dataType="an", **keys)
    c4 = ecland.read(["c4"], DATES[:1])[0, 0]
    place_at(write_land(folder / "beside.nc", {"c4": c4}, DATES[:1]), ecland)


def place_at(path: Path, reader: Reader) -> Path:
    """Give a file the coordinates and identities of a reader."""
    with netCDF4.Dataset(path, "a") as ds:
        for name, values in (("latitude", reader.latitudes), ("longitude", reader.longitudes),
                             ("point_id", reader.point_id)):  # fmt: skip
            ds[name][:] = values
    return path


def write_as_land(path: Path, reader: Reader) -> Path:
    """All that a reader gives, as NetCDF under the names of the table; missing where it has nothing."""
    values = {}
    for name in reader.variables:
        row = VARIABLES[name]
        there = DATES if START in row.taken else DATES[1:]
        found = reader.read([name], there)[0]
        padded = np.concatenate([np.full_like(found[: len(DATES) - len(there)], np.nan), found])
        values[row.netcdf_name] = padded[0] if row.time is Time.CONSTANT else padded
    units = {VARIABLES[n].netcdf_name: VARIABLES[n].units for n in reader.variables}
    return place_at(write_land(path, values, DATES, units), reader)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    write_archive(folder)
    return folder


@pytest.fixture(scope="module")
def land(archive, tmp_path_factory):
    """NetCDF with exactly what the archive gives."""
    reader = open_reader(str(archive / "*.grib"), str(archive / "beside.nc"))
    assert reader.coverage.first == DATES[1]
    return write_as_land(tmp_path_factory.mktemp("land") / "land.nc", reader)


def run(chain, output, path, *options):
    """Roll out two days from the start of the archive, in this process."""
    given = [f"checkpoint={chain.checkpoint}", f"output.land-netcdf.path={output}", "date=2020-05-01T00:00:00",
             f"input.ecland.path={path}", "lead_time=2d", *options]  # fmt: skip
    launch("inference/rollout-files", given)


def same_values(found, expected):
    """Every variable equal to the last bit, missing at the same places."""
    assert set(found.data_vars) == set(expected.data_vars)
    for name in found.data_vars:
        np.testing.assert_array_equal(found[name].values, expected[name].values, err_msg=name)


def test_grib_gives_the_run_of_netcdf(chain, archive, land, tmp_path):
    """A run from step 0 of a forecast, where there are no means yet, to the end of the files."""
    run(chain, tmp_path / "grib.nc", archive / "*.grib", f"input.ecland.static={archive / 'beside.nc'}")
    run(chain, tmp_path / "land.nc", land)
    with xr.open_dataset(tmp_path / "grib.nc") as grib, xr.open_dataset(tmp_path / "land.nc") as netcdf:
        assert grib.sizes["time"] == 9
        assert np.isfinite(grib.t2m.values[1:]).all()
        assert np.ptp(grib.stl1.values, axis=0).min() > 0
        same_values(grib, netcdf)


@pytest.mark.parametrize("source", ["files", "dataset"])
def test_run_from_python_is_the_operational_run(source, small_dataset, tmp_path):
    """``land.run`` gives the file of ``anemoi-ailand run`` to the last bit, from files and from a dataset."""
    options = ["date=2020-05-01", "lead_time=2d", f"output.land-netcdf.path={tmp_path / 'run.nc'}"]
    if source == "files":
        launch("inference/rollout-files", options)
    else:
        launch("inference/rollout", [*options, f"input.dataset={small_dataset}"])
    data = open_data("$AILAND_SAMPLE" if source == "files" else small_dataset)
    found = load("ailand").run(data, start="2020-05-01", lead_time="2d")
    with xr.open_dataset(tmp_path / "run.nc", drop_variables="time_bnds") as expected:
        assert set(found) == set(expected) - {"forecast_reference_time"}
        for name in found:
            np.testing.assert_array_equal(found[name], expected[name], name)
            assert found[name].attrs == expected[name].attrs


@pytest.mark.parametrize("page", ["output", "grib-output"])
def test_outputs_are_read_back_as_the_guide_says(page, tmp_path):
    """The code of *Read it back* runs on the output of a run, and gives its values."""
    config = yaml.safe_load(find("configs", "inference/rollout-files").read_text(encoding="utf-8"))
    kind, name = {"output": ("land-netcdf", "forecast.nc"), "grib-output": ("land-grib", "forecast.grib")}[page]
    config["output"] = {kind: {"path": name}}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    guide = (ROOT / "docs" / "guide" / f"{page}.md").read_text(encoding="utf-8")
    section = guide.partition("## Read it back")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```python\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    results = {
        "output": "assert run.stl1.shape == (9, 44) and day.shape == (44,) and len(sites) == 18\n"
        "assert heat.notnull().all() and run.slhf[0].isnull().all()\n",
        "grib-output": "assert soil.vsw.shape == (9, 4, 44) and run.avg_slhtf.shape == (8, 44)\n"
        "assert points.sizes == {'point': 44} and (name, valid, len(values)) == ('fco2nee', 20220103, 44)\n",
    }
    (tmp_path / "read.py").write_text("\n".join([*blocks, results[page]]), encoding="utf-8")
    for script in (["anemoi_ailand", "run", "run.yaml", "lead_time=2d"], ["read.py"]):
        done = run_command(*script, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]


def test_earlier_rollout_is_continued(chain, forecast, tmp_path):
    """The state of a roll-out, with static fields and forcing of the dataset, gives the second half of the run."""
    data = [f"{kind}.dataset={chain.dataset}" for kind in ("constant_forcings", "dynamic_forcings")]
    run(chain, tmp_path / "second.nc", forecast, *data, "date=2020-05-06T00:00:00", "lead_time=5d")
    with xr.open_dataset(tmp_path / "second.nc") as second, xr.open_dataset(forecast) as whole:
        later = whole.isel(time=slice(20, None))
        np.testing.assert_array_equal(second.time, later.time)
        for name in ("swvl1", "stl3", "snowc", "t2m", "slhf"):
            np.testing.assert_array_equal(second[name].values[1:], later[name].values[1:], err_msg=name)
        np.testing.assert_array_equal(second.swvl1.values[0], later.swvl1.values[0])


def test_statics_on_other_points_stop_the_run(chain, land, tmp_path):
    """Points in another order are an error before the first step, which names both inputs."""
    turned = Path(shutil.copy(land, tmp_path / "turned.nc"))
    with netCDF4.Dataset(turned, "a") as ds:
        for name in ("latitude", "longitude", "point_id"):
            ds[name][:] = ds[name][::-1].copy()
    both = (
        rf"EcLandInput\(constant_forcings from {turned}\) and EcLandInput\(prognostics from {land}\) are on different"
    )
    with pytest.raises(Failure, match=rf"{both} points: .*\(the same points in another order\)") as caught:
        run(chain, tmp_path / "no.nc", land, f"constant_forcings.ecland.path={turned}")
    assert caught.value.what == "input"
    assert list(tmp_path.iterdir()) == [turned]


def test_checkpoint_of_another_task_stops_the_run(chain, land, tmp_path):
    """The error names the task; nothing is written."""
    other = Path(shutil.copy(chain.checkpoint, tmp_path / "other.ckpt"))
    metadata = load_metadata(str(other))
    metadata["metadata_inference"]["task"] = "forecaster"
    replace_metadata(str(other), metadata)
    with pytest.raises(Failure, match=f"{other} is of task 'forecaster', not 'land-forecaster'"):
        run(chain, tmp_path / "no.nc", land, f"checkpoint={other}")
    assert not list(tmp_path.glob("*.nc*"))
