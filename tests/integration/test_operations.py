# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Runs in operations with a trained checkpoint: killed, stopped, out of space, with bad forcing, with members."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pytest
import xarray as xr
import yaml
import zarr
from anemoi.datasets import open_dataset

from anemoi_ailand.rollout.run.launch import launch
from anemoi_ailand.rollout.step.land_state import LandState

pytestmark = pytest.mark.slow

#: All paths are relative: a folder with a run that was stopped can be copied, and the run resumes in the copy.
NETCDF = {"land-netcdf": {"path": "f.nc"}}
DAILY = {"land-zarr": {"path": "f.zarr", "means": "day"}}
ENSEMBLE = {"members": 3, "seed": 4, "initial": {"stl": 1.0}, "forcing": {"precipitation": 0.7}}
STATISTICS = {"land-netcdf": {"path": "f.nc", "members": True, "statistics": ["mean", "spread"]}}
RESTART = {"folder": "restarts", "every": "1d"}


def write(folder, chain, output=NETCDF, lead="30d", runner=None, **others):
    """A configuration ``run.yaml``; returns the folder, which is made."""
    content = {
        "checkpoint": str(chain.checkpoint), "runner": {"land-forecaster": runner or {}}, "date": "2020-05-01T00:00:00",
        "lead_time": lead, "input": {"dataset": str(chain.dataset)}, "output": output, "verbosity": 1,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    given = {k: v for k, v in {**content, **others}.items() if v is not None}
    (folder / "run.yaml").write_text(yaml.safe_dump(given, sort_keys=False))
    return folder


def here(folder, monkeypatch, *options):
    """Run in this process."""
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        launch("run.yaml", options)
    return folder


def start(folder, *options, **others):
    """Start the command; its messages go to a file."""
    command = [sys.executable, "-m", "anemoi_ailand", "run", "run.yaml", *options]
    with (folder / "log.txt").open("a") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True, **others)


def ended(process):
    """Return the code of a command that ends by itself, and its largest memory [bytes]."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, 1024 * usage.ru_maxrss


@pytest.mark.parametrize("count", [1, 2, 3])
def test_shards_of_an_ensemble_write_one_store(chain, tmp_path, monkeypatch, count):
    """Whatever their number, it is bitwise that of one process; the last shard gives it its name."""
    output = {"land-zarr": {"path": "f.zarr", "statistics": ["mean"], "members": True}}
    whole = here(write(tmp_path / "whole", chain, output, "5d", {"ensemble": ENSEMBLE}), monkeypatch)
    runner = {"ensemble": ENSEMBLE, "restart": RESTART, "shards": count}
    folder = write(tmp_path / "shards", chain, output, "5d", runner)
    for number in range(count):
        assert not (folder / "f.zarr").exists()
        here(folder, monkeypatch, f"runner.land-forecaster.shard={number}")
    with xr.open_zarr(whole / "f.zarr") as a, xr.open_zarr(folder / "f.zarr") as b:
        for name in a.variables:
            np.testing.assert_array_equal(b[name].values, a[name].values, err_msg=name)


def signalled(process, folder, number, after=1):
    """Send a signal once there are so many restart files, and return the code."""
    end = time.monotonic() + 100.0
    while len(list((folder / "restarts").glob("step-*.restart"))) < after and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.001)
    process.send_signal(number)
    code = process.wait(100.0)
    with suppress(ProcessLookupError):  # the helper of anemoi-datasets, which is left by SIGKILL
        os.killpg(process.pid, signal.SIGKILL)
    return code


def opened(path):
    engine = "zarr" if path.is_dir() else "netcdf4"
    with xr.open_dataset(path, engine=engine, decode_times=False, mask_and_scale=False) as found:
        return found.load()


def same_runs(one, two):
    """All outputs and last states of two folders are the same; of attributes only the history may differ."""
    names = sorted(p.name for p in one.iterdir() if p.name not in ("run.yaml", "log.txt"))
    assert names == sorted(p.name for p in two.iterdir() if p.name not in ("run.yaml", "log.txt"))
    assert names
    for name in names:
        first, second = one / name, two / name
        if name in ("f.nc", "f.zarr"):
            a, b = opened(first), opened(second)
            assert a.attrs.pop("history") != b.attrs.pop("history")
            xr.testing.assert_identical(a, b)
            assert all(a[n].values.tobytes() == b[n].values.tobytes() for n in a.variables)
            assert sum(np.isfinite(v).any() for v in a.values()) > 20
        else:
            assert first.read_bytes() == second.read_bytes()


CASES = {
    "two outputs": {"output": {"tee": {"outputs": [NETCDF, DAILY]}}, "runner": {"final_state": "end.state"}},
    "grib": {"output": {"land-grib": {"path": "f.grib"}}},
    "ensemble": {"output": STATISTICS, "runner": {"ensemble": ENSEMBLE, "bad_forcing": "hold"}},
    "daily ensemble": {"output": DAILY, "runner": {"ensemble": ENSEMBLE, "final_state": "end-{member}.state"}},
}


def test_packaged_runs_with_restarts_and_members(small_dataset, tmp_path, monkeypatch):
    """The packaged configurations run as they are; the one with restarts leaves its last state, and no restart file."""
    monkeypatch.chdir(tmp_path)
    given = [f"input.dataset={small_dataset}", "date=2020-05-01", "lead_time=1d"]
    launch("inference/rollout-restart", [*given, "runner.land-forecaster.restart.every=6h"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["end.state", "forecast.nc"]
    launch("inference/rollout-ensemble", [*given, "runner.land-forecaster.ensemble.members=3"])
    with xr.open_dataset("forecast.nc") as single, xr.open_dataset("ensemble.nc") as ensemble:
        assert {"swvl1_mean", "swvl1_spread", "swvl1_q10", "swvl1_q90"} <= set(ensemble)
        assert np.abs(ensemble.swvl1_mean - single.swvl1).max() < 0.1
        assert ensemble.swvl1_spread.max() > 0


@pytest.fixture(scope="module")
def whole(chain, tmp_path_factory):
    """Folder with the result of a case that was never stopped."""
    made = {}

    def make(name):
        if name not in made:
            case = CASES[name]
            runner = {**case.get("runner", {}), "restart": RESTART}
            folder = write(tmp_path_factory.mktemp("whole"), chain, output=case["output"], runner=runner)
            with pytest.MonkeyPatch.context() as patch:
                made[name] = here(folder, patch)
        return made[name]

    return make


@pytest.mark.parametrize(("name", "after"), [("two outputs", 1), ("daily ensemble", 2)])
def test_killed_run_resumes_to_the_same_end(chain, whole, tmp_path, monkeypatch, name, after):
    """After SIGKILL the same command gives every value and attribute of an uninterrupted run."""
    runner = {**CASES[name].get("runner", {}), "restart": RESTART}
    folder = write(tmp_path / "run", chain, output=CASES[name]["output"], runner=runner)
    assert signalled(start(folder), folder, signal.SIGKILL, after) == -signal.SIGKILL
    assert not [p for p in ("f.nc", "f.zarr") if (folder / p).exists()]
    if name == "two outputs":
        assert ended(start(folder))[0] == 0
        assert "The run resumes after step" in (folder / "log.txt").read_text()
    else:
        here(folder, monkeypatch)
    same_runs(folder, whole(name))


def test_run_is_that_of_anemoi_inference(whole, forecast):
    """The stock command without restarts gives the same bits."""
    found, stock = opened(whole("two outputs") / "f.nc"), opened(forecast)
    assert stock.sizes["time"] == 41
    for name in set(stock.data_vars) - {"time_bnds", "forecast_reference_time"}:
        np.testing.assert_array_equal(found[name][:41], stock[name], err_msg=name)
        for attribute in ("units", "long_name", "cell_methods", "short_name"):
            assert found[name].attrs.get(attribute) == stock[name].attrs.get(attribute)


@pytest.fixture(scope="module")
def stopped(chain, tmp_path_factory):
    """Folder of a run that SIGTERM has stopped; to be copied."""
    runner = {**CASES["two outputs"]["runner"], "restart": RESTART}
    folder = write(tmp_path_factory.mktemp("stopped"), chain, output=CASES["two outputs"]["output"], runner=runner)
    assert signalled(start(folder), folder, signal.SIGTERM, 2) == 5
    said = (folder / "log.txt").read_text()
    assert "anemoi-ailand run: stopped: The run was stopped on request after 2020-05-0" in said
    assert "Traceback" not in said
    return folder


@pytest.mark.parametrize("damaged", [False, True])
def test_stopped_run_resumes_to_the_same_end(stopped, whole, tmp_path, monkeypatch, damaged):
    """A run resumes from the step at which SIGTERM came, or from the file before if the newest is damaged."""
    folder = shutil.copytree(stopped, tmp_path / "run")
    files = sorted((folder / "restarts").iterdir())
    if damaged:
        files[-1].write_bytes(files[-1].read_bytes()[:-9])
    same_runs(here(folder, monkeypatch), whole("two outputs"))


@pytest.mark.parametrize(
    ("name", "n_bytes", "message"),
    [
        ("grib", 300_000, r"No space left to write 'f.grib' .*Make room and resume from the last restart"),
        ("ensemble", 800_000, r"'f.nc' could not be written \(NetCDF: HDF error\); .* bytes are free there"),
    ],
)
def test_run_resumes_after_a_full_disk(chain, whole, tmp_path, monkeypatch, name, n_bytes, message):
    """A full disk, in the middle or when parts are joined, is code 4; with room, the run ends like any other."""
    runner = {**CASES[name].get("runner", {}), "restart": RESTART}
    folder = write(tmp_path / "run", chain, output=CASES[name]["output"], runner=runner)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))

    assert ended(start(folder, preexec_fn=limit))[0] == 4
    said = (folder / "log.txt").read_text()
    assert re.search(rf"anemoi-ailand run: failed: \[Errno [0-9]+\] {message}", said)
    assert "Traceback" not in said
    assert list((folder / "restarts").glob("step-*.restart"))
    same_runs(here(folder, monkeypatch), whole(name))


@pytest.fixture(scope="module")
def four(chain, tmp_path_factory):
    """Three days of four members."""
    with pytest.MonkeyPatch.context() as patch:
        return here(write(tmp_path_factory.mktemp("four"), chain, lead="3d", runner=of_members(4)), patch)


def of_members(members, first=0, **options):
    return {"ensemble": {**ENSEMBLE, "members": members, "first": first}, **options}


def test_members_are_the_same_in_one_run_and_in_two(chain, four, tmp_path, monkeypatch):
    """Members are bitwise independent of threads, blocks and other members; no two are alike."""
    expected = opened(four / "f.nc")
    assert expected.sizes["member"] == 4
    for first in (0, 2):
        options = {"threads": 2 - first // 2, "block_rows": 50}
        folder = write(tmp_path / str(first), chain, lead="3d", runner=of_members(2, first, **options))
        found = opened(here(folder, monkeypatch) / "f.nc")
        for name in ("stl1", "swvl2", "sd", "t2m", "slhf"):
            np.testing.assert_array_equal(found[name], expected[name][:, first : first + 2], err_msg=name)
    for name in ("stl1", "t2m"):
        last = expected[name].values[-1]
        assert min(np.abs(last[i] - last[j]).max() for i in range(4) for j in range(i)) > 0.1


def test_control_is_the_run_without_members(four, forecast):
    """The first member equals the run without members from the initial state on."""
    control, plain = opened(four / "f.nc"), opened(forecast)
    for name in set(plain.data_vars) - {"time_bnds", "forecast_reference_time"}:
        np.testing.assert_array_equal(control[name][:, 0], plain[name][:13], err_msg=name)


@pytest.mark.parametrize("ensemble", [None, {"members": 2, "initial": {"stl": 2.0}}])
def test_run_from_the_last_state_is_the_continuation(chain, tmp_path, monkeypatch, ensemble):
    """A run from the last state of another, or of each member, continues it bitwise."""
    of = {"ensemble": ensemble} if ensemble else {}
    end = "end-{member}.state" if ensemble else "end.state"
    whole = here(write(tmp_path / "whole", chain, lead="4d", runner=of), monkeypatch)
    here(write(tmp_path / "first", chain, lead="2d", runner={**of, "final_state": end}), monkeypatch)
    states = [tmp_path / "first" / end.format(member=m) for m in range(2 if ensemble else 1)]
    if ensemble:
        of = {"ensemble": {"members": 2, "initial_files": str(tmp_path / "first" / end)}}
    second = write(
        tmp_path / "second", chain, lead="2d", runner=of, input={"land-state": {"path": str(states[0])}}, date=None,
        dynamic_forcings={"dataset": str(chain.dataset)},
    )  # fmt: skip
    found, expected = opened(here(second, monkeypatch) / "f.nc"), opened(whole / "f.nc")
    assert [LandState.load(s, None).date.isoformat() for s in states] == ["2020-05-03T00:00:00"] * len(states)
    np.testing.assert_array_equal(found.time, expected.time[8:])
    for name in set(expected.data_vars) - {"time_bnds", "forecast_reference_time"}:
        later = expected[name].values[8:]
        np.testing.assert_array_equal(found[name].values[1:], later[1:], err_msg=name)
        if name in ("stl1", "swvl4", "sd"):
            np.testing.assert_array_equal(found[name].values[0], later[0], err_msg=name)


@pytest.fixture(scope="module")
def broken(small_dataset, tmp_path_factory):
    """The dataset with rain missing at two points at one date in the middle, and where the first of them is."""
    path = shutil.copytree(small_dataset, tmp_path_factory.mktemp("broken") / "broken.zarr")
    data = open_dataset(str(path))
    date = int(np.flatnonzero(data.dates == np.datetime64("2020-05-03T06"))[0])
    zarr.open(str(path), mode="r+")["data"][date, data.name_to_index["avg_tprate"], 0, [3, 7]] = np.nan
    return path, f"latitude {data.latitudes[3]:.3f}, longitude {data.longitudes[3]:.3f}"


def test_missing_forcing_in_the_middle_stops_the_run(chain, broken, tmp_path, monkeypatch):
    """Missing forcing is code 4 with date, variable, number and place; a run that holds the last value completes."""
    path, place = broken
    folder = write(tmp_path / "run", chain, lead="4d", input={"dataset": str(path)}, runner={"restart": RESTART})
    assert ended(start(folder))[0] == 4
    said = (folder / "log.txt").read_text()
    message = f"'avg_tprate' at 2020-05-03 06:00 is missing or infinite at 2 of 44 points, the first at {place}"
    assert f"anemoi-ailand run: failed: {message}" in said
    assert sorted(p.name for p in (folder / "restarts").iterdir())[-1] == "step-0000000008.restart"
    options = {"bad_forcing": "hold"}
    held = here(write(tmp_path / "held", chain, lead="4d", input={"dataset": str(path)}, runner=options), monkeypatch)
    good = here(write(tmp_path / "good", chain, lead="4d"), monkeypatch)
    found, expected = opened(held / "f.nc"), opened(good / "f.nc")
    others = [i for i in range(44) if i not in (3, 7)]
    assert np.isfinite(found.swvl1).all()
    np.testing.assert_array_equal(found.swvl1[:, others], expected.swvl1[:, others])
    np.testing.assert_array_equal(found.swvl1[:9], expected.swvl1[:9])


def test_memory_is_flat(chain, tmp_path):
    """Three times the steps of 50 members, with restarts, take a few MB more at most; kept, outputs were 30 MB."""
    running = {}
    for days in (30, 90):  # blocks of forcing have their full size within a month
        # the network of a short training leaves what is possible
        runner = {**of_members(50), "restart": {"folder": "restarts", "every": "5d"}, "plausibility": "off"}
        folder = write(tmp_path / str(days), chain, lead=f"{days}d", runner=runner, date="2020-03-02T00:00:00")
        running[folder] = start(folder)
    short, long = (ended(process) for process in running.values())
    for (code, _), folder in zip((short, long), running, strict=True):
        assert code == 0, (folder / "log.txt").read_text()[-3000:]
    assert long[1] - short[1] < 20e6
