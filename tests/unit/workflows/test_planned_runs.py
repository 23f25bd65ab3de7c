# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Plans are checked by headers alone, and a kept rollout is reused only if it is the planned one."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.support.checksum import ROLL_OUT, loaded_sha256
from anemoi_ailand.workflows import planned_runs as module
from anemoi_ailand.workflows.planned_runs import Job, check_jobs, check_stations, is_current, planned, protocol_of
from tests.support import worlds as world

LONG = {"first": np.array(["2022-01-02"], "datetime64[ns]"), "leads": np.arange(6, 241, 6)}


def job(**changes):
    """Protocol A on the reference of the small world."""
    plain = Job("A", "A", Path("reference"), world.starts(), world.DAYS_1_2_7, None)
    return replace(plain, **changes)


def long_job(**changes):
    return job(name="B", protocol="B", starts=LONG["first"], leads=LONG["leads"], **changes)


def station(latitude=None, first="2022-01-05"):
    """Station at the third point, or at another latitude, with ten days of data."""
    reference = world.reference()
    times = np.datetime64(first, "ns") + np.arange(40) * np.timedelta64(6, "h")
    return SimpleNamespace(
        name="Bondville", network="SCAN", longitude=float(reference.longitude[2]),
        latitude=float(reference.latitude[2]) if latitude is None else latitude,
        series=xr.Dataset(coords={"time": times}),
    )  # fmt: skip


def test_protocol_of_a_forecast():
    """One start with every step is protocol B; many starts, some days or daily values are protocol A."""
    daily = {**LONG, "leads": np.arange(24, 241, 24)}
    runs = [{}, LONG, {"first": LONG["first"]}, daily]
    assert [protocol_of(world.reforecast(**run)) for run in runs] == ["A", "B", "A", "A"]


def test_files_of_jobs_differ():
    """A dataset of protocol C named B has another file than protocol B."""
    assert job().file("my model") == "A-my-model.nc"
    assert job(name="B", protocol="C").file("x") == "C-B-x.nc" != long_job().file("x")


def test_planned_has_dates_and_points_but_no_values():
    """Dates and points are in the order of the job."""
    plan = planned(job(points=(7, 2)), world.reference())
    np.testing.assert_array_equal(plan.latitude, world.reference().latitude[[7, 2]])
    np.testing.assert_array_equal(plan.valid_times, world.reforecast().valid_times)
    with pytest.raises(NotImplementedError):
        plan.read("swvl1")


@pytest.fixture
def kept(tmp_path):
    """A kept rollout, its job and its checkpoint."""
    reference = world.write_reference(tmp_path / "reference.nc")
    checkpoint = world.checkpoint(tmp_path / "a.ckpt")
    sha = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    code = loaded_sha256(ROLL_OUT)
    attributes = {"checkpoint_sha256": sha, "code_sha256": code, "dataset": str(reference)}
    path = world.write_run(tmp_path / "run.nc", lambda run: run.assign_attrs(attributes).isel(point=[7, 2]))
    return path, job(dataset=reference, points=(7, 2)), checkpoint


def test_roll_out_of_the_same_job_is_taken(kept, tmp_path, monkeypatch):
    """Not one of other points, order, starts, leads, checkpoint or code, and none that is broken or missing."""
    path, planned_job, checkpoint = kept
    assert is_current(path, planned_job, checkpoint)
    folder = planned_job.dataset.parent
    assert is_current(path, replace(planned_job, dataset=folder / ".." / folder.name / "reference.nc"), checkpoint)
    changes = [
        {"points": (2, 7)}, {"points": (7, 3)}, {"points": None}, {"starts": world.starts(11)},
        {"leads": world.DAYS_1_2_7[:-1]},
    ]  # fmt: skip
    assert [c for c in changes if is_current(path, replace(planned_job, **c), checkpoint)] == []
    assert not is_current(tmp_path / "none.nc", planned_job, checkpoint)
    assert not is_current(path, planned_job, world.checkpoint(tmp_path / "b.ckpt", "other weights"))
    broken = tmp_path / "broken.nc"
    broken.write_bytes(path.read_bytes()[:9000])
    assert not is_current(broken, planned_job, checkpoint)
    monkeypatch.setattr(module, "loaded_sha256", lambda places: "other")
    assert not is_current(path, planned_job, checkpoint)


def test_roll_out_older_than_its_dataset_is_not_taken(kept):
    path, planned_job, checkpoint = kept
    later = path.stat().st_mtime + 1
    os.utime(planned_job.dataset, (later, later))
    assert not is_current(path, planned_job, checkpoint)


def test_jobs_are_checked_by_headers_alone():
    """Valid settings pass without reading a value; forecasts without a common lead time are refused."""
    silent = replace(world.reforecast(), reader=None)
    check_jobs([job(), long_job()], ["A", "B"], {"mine": silent}, world.reference())
    run = {"mine": world.reforecast(leads=np.arange(54, 73, 6))}
    with pytest.raises(ValueError, match="no lead time in common"):
        check_jobs([job()], ["A"], run, world.reference())


def test_stations_need_a_long_run_near_them_in_time_and_place():
    """A missing long run, a distant station, other points and another period are refused."""
    check_stations([station()], [job(), long_job()], world.reference())
    for place, run, message in (
        (station(), job(), "Observations are made from the long run, and there is none. Set protocol_b"),
        (station(latitude=-80.0), long_job(), "No point of the model is near"),
        (station(), long_job(points=(8, 9)), "No point of the model is near"),
        (station(first="2022-02-01"), long_job(), "protocol B, 2022-01-02T00:00 to 2022-01-12T00:00; .* 2022-02-01"),
    ):
        with pytest.raises(ValueError, match=message):
            check_stations([place], [run], world.reference())
