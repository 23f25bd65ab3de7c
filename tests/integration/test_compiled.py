# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The compiled step in use: same scores, batch-invariant, kept for the next process, restarts within one execution."""

import shutil
import signal

import numpy as np
import pytest
import torch
import xarray as xr
import yaml

import anemoi_ailand as ail
from anemoi_ailand.rollout.step.compiled_step import open_step
from anemoi_ailand.rollout.step.row_blocks import BlockStep
from anemoi_ailand.support.packaged import folder as packaged
from tests.integration.test_operations import here, signalled, start

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data():
    return ail.open_data("$AILAND_SAMPLE").to_xarray("2022")


def test_it_is_taken_and_repeats_bitwise(cache, data):
    """The default takes it; rows have the same bits alone, in blocks, on threads and in another order."""
    step, plain = open_step("ailand"), open_step("ailand", execution="plain")
    assert step.execution.startswith("compiled, layers in") and plain.execution == "plain"
    assert len(list(cache.glob("*.so"))) == 2
    land = ail.load("ailand")
    state = land.initial(data)
    rows = state.columns.repeat(60, 1), land.forcing_columns(state, data).repeat(60, 1)
    whole, expected = step.of_slots(*rows), plain.of_slots(*rows)
    spread = expected.std(0).clamp_min(1e-6)
    spread[step.outputs.index("slw")] = 0.1  # kg m-2; hardly any snow is wet in January
    difference = (whole - expected) / spread
    assert difference.square().mean().sqrt() < 5e-3
    for n in (1, 15, 44, 100):
        assert torch.equal(step.of_slots(*(r[:n] for r in rows)), whole[:n])
    order = torch.randperm(len(whole))
    assert torch.equal(step.of_slots(*(r[order] for r in rows)), whole[order])
    with BlockStep(step, threads=2, block_rows=300) as blocks:
        assert torch.equal(blocks(*rows), whole)


def test_roll_outs_have_the_same_errors(cache, data):
    """Over a year, errors against ecLand are those of the plain step, and water is balanced as well."""
    runs = {how: ail.load("ailand", execution=how).run(data, progress=False) for how in ("plain", "compiled")}
    assert runs["compiled"].attrs["execution"].startswith("compiled")
    assert runs["plain"].attrs["execution"] == "plain"
    truth = data.sel(time=runs["plain"].time)
    ratios = []
    for name in ("swvl1", "swvl2", "swvl3", "stl1", "stl2", "stl3", "snowc", "t2m", "d2m", "skt", "sshf", "slhf"):
        plain, other = (np.sqrt(((run[name] - truth[name]) ** 2).mean()).item() for run in runs.values())
        ratios.append(other / plain)
        assert 0.9 < ratios[-1] < 1.1, (name, ratios[-1])
    assert abs(np.log(ratios).mean()) < 0.02


def written(folder, **runner):
    """Configuration of a run of the packaged network on the sample, in a new folder."""
    content = {
        "checkpoint": "ailand", "runner": {"land-forecaster": {"execution": "compiled", **runner}},
        "date": "2022-01-01T00:00:00", "lead_time": "40d", "input": {"ecland": {"path": str(packaged("sample"))}},
        "output": {"land-netcdf": {"path": "f.nc"}}, "verbosity": 1,
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "run.yaml").write_text(yaml.safe_dump(content))
    return folder


def test_a_run_resumes_bitwise_and_a_change_is_said(cache, tmp_path, monkeypatch, caplog):
    """A stopped compiled run resumes bitwise; if it resumes plain, a warning says that values differ."""
    whole = here(written(tmp_path / "whole"), monkeypatch)
    folder = written(tmp_path / "stopped", restart={"folder": "restarts", "every": "1d"})
    assert signalled(start(folder), folder, signal.SIGTERM, 2) == 5
    for how in ("compiled", "plain"):
        caplog.clear()
        again = here(shutil.copytree(folder, tmp_path / how), monkeypatch, f"runner.land-forecaster.execution={how}")
        warned = any("The stopped run was compiled" in r.getMessage() for r in caplog.records)
        with xr.open_dataset(whole / "f.nc") as a, xr.open_dataset(again / "f.nc") as b:
            assert a.attrs["execution"].startswith("compiled")
            assert warned == (how == "plain")
            assert a.equals(b) == (how == "compiled")


def test_a_run_stopped_plain_resumes_plain_by_default(cache, tmp_path, monkeypatch, caplog):
    """Though a compiled step has been made meanwhile: bitwise, and without a warning."""
    whole = here(written(tmp_path / "whole", execution="plain"), monkeypatch)
    folder = written(tmp_path / "stopped", execution="plain", restart={"folder": "restarts", "every": "1d"})
    assert signalled(start(folder), folder, signal.SIGTERM, 2) == 5
    assert not (folder / "f.nc").exists()
    caplog.clear()
    here(folder, monkeypatch, "runner.land-forecaster.execution=auto")
    assert not any("The stopped run was" in m for m in caplog.messages)
    with xr.open_dataset(whole / "f.nc") as a, xr.open_dataset(folder / "f.nc") as b:
        assert a.attrs["execution"] == b.attrs["execution"] == "plain"
        assert a.equals(b)
