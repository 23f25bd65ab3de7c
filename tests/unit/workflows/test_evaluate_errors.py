# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Inputs that do not fit are refused before any rollout, with the repair, and leave no output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.workflows import evaluate as module
from anemoi_ailand.workflows.evaluate import evaluate
from tests.support import worlds as world


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Reference and checkpoints, which no test changes."""
    return world.write_files(tmp_path_factory.mktemp("files"))


@pytest.fixture
def roll_out(monkeypatch):
    """A rollout that takes no time, and no figures."""
    monkeypatch.setattr(module, "write_figures", lambda found, folder: [])
    return world.FakeRollOut(monkeypatch)


def left(folder):
    """Names in a folder, hidden ones too."""
    return sorted(p.name for p in folder.iterdir())


def shifted(**by):
    """Change of a coordinate of a run."""
    return lambda run: run.assign_coords({name: run[name] + step for name, step in by.items()})


def in_celsius(run):
    return run.assign(stl1=run["stl1"].assign_attrs(units="degC"))


BAD_FORECASTS = {
    "time": (shifted(start=np.timedelta64(900, "D")), "do not overlap in time: 12 of 12 runs of '.*run.nc'"),
    "starts": (shifted(start=np.timedelta64(6, "h")), "no initial date in common. Make them with the same starts"),
    "points": (shifted(latitude=1.0), "10 of the 10 points of the forecast '.*run.nc' are not among the 10 points"),
    "units": (in_celsius, "unit of 'stl1' is 'degC' in '.*run.nc', the table of variables has 'K'. Convert"),
    "variables": (lambda run: xr.Dataset({"x": run["stl1"].assign_attrs(short_name="x")}), "No prognostic or diag"),
}


@pytest.mark.parametrize("what", BAD_FORECASTS)
def test_forecast_that_does_not_fit_is_an_error_before_any_roll_out(files, tmp_path, roll_out, what):
    """A forecast without common times, starts, points, units or variables is refused."""
    change, message = BAD_FORECASTS[what]
    path = world.write_run(tmp_path / "run.nc", change)
    with pytest.raises(ValueError, match=message):
        evaluate(world.settings(files, tmp_path / "e", forecasts={"mine": path}))
    assert (roll_out.made, left(tmp_path)) == ([], ["run.nc"])


BAD_SETTINGS = {
    "missing dataset": ({"dataset": "no.zarr"}, "There is no 'no.zarr'"),
    "missing forecast": ({"forecasts": {"mine": "no.nc"}}, "There is no 'no.nc'"),
    "missing checkpoint": ({"checkpoints": {"A": "no.ckpt"}}, "There is no checkpoint 'no.ckpt'"),
    "missing stations": ({"observations": ["no_stations"]}, "no_stations"),
    "name of a baseline": ({"forecasts": {"persistence": "run.nc"}}, "cannot be labels of a forecast"),
    "points outside": ({"points": [3, 10]}, r"Points \[10\] are not in .*reference.nc', which has 10 \(0 to 9\)"),
    "points twice": ({"points": [3, 3]}, "distinct indices"),
    "no points": ({"points": []}, "distinct indices"),
    "year of protocol A": ({"protocol_a": {"year": 2030}}, "No integration of 90 days fits into 2030"),
    "start of protocol B": ({"protocol_b": {"start": "2019-05-01"}}, "from 2019-05-01 to .* has 2020-01-01T00:00 to"),
    "end of protocol B": ({"protocol_b": {"start": "2022-05-01", "end": "2023-02-01"}}, "Change protocol_b, or give"),
    "short climatology": ({"climatology": {"start": "2021-06-01"}}, "climatology needs at least one year"),
    "climatology of the test": ({"climatology": {"end": "2022-06-01"}}, "contains dates of the forecast"),
    "no years before": ({"protocol_a": {"year": 2020}}, "climatology needs at least one year"),
    "short second dataset": ({"protocol_c": {"datasets": {"north": "short.nc"}}}, "needs at least one year"),
    "products of short years": (
        {"products": True, "climatology": {"start": "2020-12-31"}}, "at least 2 years, and 2020-12-31T00:00 to"),
    "products of the test": (
        {"products": True, "climatology": {"end": "2022-06-01", "overlap": True}}, "contains dates of the run from"),
    "products without a run": ({"products": True, "protocol_b": None}, "Products are made from the long run"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_SETTINGS)
def test_settings_that_do_not_fit_are_an_error_before_any_roll_out(files, tmp_path, roll_out, monkeypatch, what):
    """Missing files, wrong labels, points, dates and years are refused."""
    monkeypatch.chdir(tmp_path)
    world.write_run(tmp_path / "run.nc")
    world.write_reference(tmp_path / "short.nc", lambda r: r.sel(time=slice("2022-01-01", "2022-12-31")))
    if what == "missing checkpoint":
        monkeypatch.undo()
        monkeypatch.chdir(tmp_path)
    changes, message = BAD_SETTINGS[what]
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        evaluate(world.settings(files, tmp_path / "e", **changes))
    assert (roll_out.made, left(tmp_path)) == ([], ["run.nc", "short.nc"])


def test_truncated_forecast_is_an_error_before_any_roll_out(files, tmp_path, roll_out):
    """The error names the size of the file."""
    path = world.write_run(tmp_path / "run.nc")
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(ValueError, match=r"'.*run.nc' \(20000 bytes\) cannot be read as NetCDF"):
        evaluate(world.settings(files, tmp_path / "e", forecasts={"mine": path}))
    assert (roll_out.made, left(tmp_path)) == ([], ["run.nc"])


def test_nan_in_a_forecast_is_an_error_and_leaves_no_report(files, tmp_path, roll_out):
    """The error names variable, run and place."""

    def broken(run):
        run["t2m"][3, 2, 1] = np.nan
        return run

    path = world.write_run(tmp_path / "run.nc", broken)
    with pytest.raises(ValueError, match=r"'2t' of '.*run.nc' has 1 values .* NaN or infinite, first in the run from"):
        evaluate(world.settings(files, tmp_path / "e", checkpoints=None, forecasts={"mine": path}))
    assert not (tmp_path / "e").exists()


def test_checkpoint_that_cannot_run_on_the_dataset_is_found_before_any_roll_out(files, tmp_path, roll_out, monkeypatch):
    """The second of two checkpoints is checked before the first one runs."""

    def needs(path, names):
        if "swvl9" in names:
            raise ValueError(f"The model needs {list(names)}, which dataset '{path}' does not have")

    inputs = {"A.ckpt": ("swvl1",), "B.ckpt": ("swvl9",)}
    monkeypatch.setattr(module, "load_step", lambda p: type("Step", (), {"inputs": inputs[Path(p).name]}))
    monkeypatch.setattr(module, "StoredFields", needs)
    both = {label: files / f"{label}.ckpt" for label in "AB"}
    with pytest.raises(ValueError, match=r"The model needs .'swvl9'., which dataset '.*reference.nc'"):
        evaluate(world.settings(files, tmp_path / "e", checkpoints=both))
    assert (roll_out.made, left(tmp_path)) == ([], [])
