# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Stability: the run is judged and written as a whole."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from anemoi_ailand.workflows import stability as module
from anemoi_ailand.workflows.stability import stability
from tests.support.results import CYCLE, changed, years


class Cycle:
    n_years = CYCLE
    dates = np.array(["2018-01-02", "2019-01-02", "2020-01-02"], dtype="datetime64[s]")


class Run:
    """Stand-in for the result of :func:`anemoi_ailand.rollout.reforecast.cyclic_run.setting`."""

    cycle, identity = Cycle(), {"checkpoint_sha256": "abc"}
    step = type("Step", (), {"path": "best.ckpt"})()

    def executed(self, *how):
        self.asked = how
        return self


@pytest.fixture
def fake(monkeypatch):
    """A roll-out of 12 years that takes no time."""

    def write(path, dataset):
        path.parent.mkdir(exist_ok=True)
        dataset.to_netcdf(path)
        return path

    run = changed(years(12), "stl2_mean", 0, 284.0 + 0.1 * np.arange(12))
    opened = Run()
    monkeypatch.setattr(module, "setting", lambda *_: opened)
    monkeypatch.setattr(module, "ecland_years", lambda _, path: write(path, years(CYCLE)))
    monkeypatch.setattr(module, "run_years", lambda _, path, years, progress: write(path, run))
    return opened


def test_everything_is_written(fake, tmp_path):
    """Table, points, figures and summary of the years asked for; the whole run is kept."""
    folder = stability("best.ckpt", "d.zarr", tmp_path / "out", years=10)
    assert sorted(p.name for p in folder.iterdir()) == [
        "points.csv", "stability.json", "storage.png", "table.md", "temperature.png",
    ]  # fmt: skip
    record = json.loads((folder / "stability.json").read_text())
    assert (record["years"], record["years_of_forcing"], record["points"], record["steps"]) == (10, 2, 4, 14600)
    assert (record["passed"], record["checkpoint_sha256"]) == (False, "abc")
    assert [c["name"] for c in record["criteria"] if not c["passed"]] == ["temperature"]
    heading = "10 years from one start at 4 points, forcing of 2018-01-02 to 2020-01-02 repeated, 14600 steps."
    assert (folder / "table.md").read_text().startswith(heading)
    np.testing.assert_allclose(pd.read_csv(folder / "points.csv")["stl2_trend"], [1.0, 0, 0, 0], atol=1e-6)
    with xr.open_dataset(tmp_path / "out-years" / "emulator.nc") as kept:
        assert kept.sizes["year"] == 12
    assert fake.asked == ("auto", 10, tmp_path / "out-years" / "emulator.nc")


def test_too_few_years_are_refused_before_the_roll_out(fake, tmp_path):
    with pytest.raises(ValueError, match="Give 8 years or more"):
        stability("best.ckpt", "d.zarr", tmp_path / "out", years=7)
    assert list(tmp_path.iterdir()) == []
