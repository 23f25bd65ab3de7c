# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The land inside a run of an atmosphere by the real command line: forced and coupled are the same land."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from anemoi.datasets import open_dataset
from anemoi.inference.config.run import RunConfiguration
from anemoi.inference.runners import create_runner

from anemoi_ailand.coupling.coupled_land import initial_state
from anemoi_ailand.rollout.forcing.dataset_fields import StoredFields
from anemoi_ailand.rollout.run.launch import launch
from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.rollout.stepper import LandStepper
from anemoi_ailand.support.packaged import find
from anemoi_ailand.variables import variable
from tests.support import atmosphere as toy
from tests.support.commands import run_command

pytestmark = pytest.mark.slow

#: Needs mpi4py and its library, which the others do without.
#: That of the environment, even if it is not active, or of the machine.
MPIRUN = shutil.which("mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
MPI = pytest.mark.skipif(not (find_spec("mpi4py") and MPIRUN), reason="mpi4py or mpirun is not installed")

DATE = datetime(2020, 5, 1)
FEEDBACK = {"skt": "skt", "stl1": "stl1", "swvl1": "swvl1", "sd": "sd", "snow": "sd"}


@pytest.fixture(scope="module")
def stepper():
    return LandStepper.open("ailand", threads=1)


@pytest.fixture(scope="module")
def first(stepper, small_dataset):
    return initial_state({"dataset": str(small_dataset)}, stepper, DATE)


def run(folder, dataset, *, lead="2d", **land):
    """Run ``anemoi-inference run`` of the toy with the land in it."""
    opened = open_dataset(str(dataset), start="2020-05-01", end="2020-05-04")
    options = {"initial": {"dataset": str(dataset)}, "forcing": toy.FORCING, "output": str(folder / "land.nc"), **land}
    config = {
        "checkpoint": str(toy.write_checkpoint(folder / "toy.ckpt", opened, hours=6)), "device": "cpu",
        "date": f"{DATE:%Y-%m-%dT%H:%M:%S}", "lead_time": lead, "input": {"dataset": str(dataset)},
        "output": {"netcdf": {"path": str(folder / "atmosphere.nc")}}, "mid_processors": [{"land-model": options}],
    }  # fmt: skip
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    done = run_command("anemoi.inference", "run", "run.yaml", cwd=folder)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def couple(folder, dataset, transport, *, atmosphere=None, date=DATE, lead="2d", dies=None, **land):
    """Run ``anemoi-inference couple`` of the toy and the land by the packaged configuration."""
    weather = open_dataset(str(dataset), start="2020-05-01", end="2020-05-04")
    runner = {
        "checkpoint": str(toy.write_checkpoint(folder / "toy.ckpt", weather, dies=dies)), "device": "cpu",
        "input": {"dataset": str(dataset)}, **(atmosphere or {}),
    }  # fmt: skip
    config = yaml.safe_load(find("configs", "coupling/couple").read_text(encoding="utf-8"))
    options = {**config["tasks"]["land"]["land"], "mapping": None, "points": "same", "save": str(folder / "end.state"),
               "initial": {"dataset": str(dataset)}, "forcing": toy.FORCING, **land}  # fmt: skip
    config |= {"transport": transport, "date": f"{date:%Y-%m-%dT%H:%M:%S}", "lead_time": lead}
    runner = config["tasks"]["atmosphere"]["runner"]["config"] | runner
    config["tasks"] = {"atmosphere": {"runner": {"config": runner}}, "land": {"land": options}}
    (folder / "couple.yaml").write_text(yaml.safe_dump(config))
    if transport == "land-mpi":
        command = [MPIRUN, "--oversubscribe", "-n", "2", sys.executable, "-m", "anemoi.inference", "couple"]
        root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}  # in a container
        return subprocess.run([*command, "couple.yaml"], cwd=folder, env=os.environ | root, capture_output=True,
                              text=True, check=False, timeout=240.0)  # fmt: skip
    return run_command("anemoi.inference", "couple", "couple.yaml", cwd=folder, timeout=120.0)


def opened(path):
    with xr.open_dataset(path) as ds:
        return ds.load()


def _step(stepper, state, atmosphere, k, lai_hv):
    fields = {n: atmosphere[n].values[k] for n in toy.OUTPUT}
    given = {n: v for n, v in fields.items() if n in stepper.needs["forcing"]}
    given["avg_sdswrf"] = (fields["ssrd"].astype("f8") / 21600.0).astype("f4")
    given["avg_tprate"] = (fields["tp"].astype("f8") * 1000.0 / 21600.0).astype("f4")
    return stepper.step(state, {**given, "lai_hv": lai_hv, "al": state["al"]})  # the albedo is held


def stand_alone(stepper, state, atmosphere, points=slice(None)):
    """The land on its own, forced by what the atmosphere's file holds; states after each step."""
    out = []
    for k in range(1, atmosphere.sizes["time"]):
        state = _step(stepper, state, atmosphere.isel(values=points), k, state["lai_hv"])
        out.append(state)
    return out


def same_land(land, states):
    """Every variable at every time to the last bit."""
    for k, state in enumerate(states, start=1):
        for name, values in state.numpy().items():
            np.testing.assert_array_equal(land[variable(name).netcdf_name].values[k], values, err_msg=name)


@pytest.fixture(scope="module")
def coupled(tmp_path_factory, small_dataset):
    folder = tmp_path_factory.mktemp("coupled")
    run(folder, small_dataset, feedback=FEEDBACK, save=str(folder / "end.state"))
    return folder


def test_forced_is_coupled_to_the_last_bit(stepper, first, coupled):
    """The land on its own with the recorded weather repeats the coupled land bitwise."""
    states = stand_alone(stepper, first, opened(coupled / "atmosphere.nc"))
    assert len(states) == 8
    same_land(opened(coupled / "land.nc"), states)
    assert stepper.load(coupled / "end.state").columns.equal(states[-1].columns)


def test_forced_is_coupled_within_the_compiled_step(cache, stepper, first, tmp_path, small_dataset):
    """The same for the compiled land, whose file and saved state say what it was; the plain land differs."""
    run(tmp_path, small_dataset, feedback=FEEDBACK, save=str(tmp_path / "end.state"), execution="compiled")
    atmosphere, land = opened(tmp_path / "atmosphere.nc"), opened(tmp_path / "land.nc")
    alone = LandStepper.open("ailand", threads=1, execution="compiled")
    states = stand_alone(alone, first, atmosphere)
    same_land(land, states)
    saved = alone.load(tmp_path / "end.state")
    assert saved.columns.equal(states[-1].columns)
    assert land.attrs["execution"] == saved.execution == alone.execution != stepper.execution == "plain"
    with pytest.raises(AssertionError, match="not equal"):
        same_land(land, stand_alone(stepper, first, atmosphere))


def test_atmosphere_continues_from_the_land(coupled, tmp_path, small_dataset):
    """Its fields are the land's, its next step received them, and its air answers; without feedback it does not."""
    atmosphere, land = opened(coupled / "atmosphere.nc"), opened(coupled / "land.nc")
    for field in ("skt", "stl1", "swvl1", "sd"):
        np.testing.assert_array_equal(atmosphere[field].values[1:], land[field].values[1:], err_msg=field)
    np.testing.assert_array_equal(
        atmosphere["snow"].values[1:], (land["sd"].values[1:].astype("f8") * 1e-3).astype("f4")
    )
    np.testing.assert_array_equal(atmosphere["seen_skt"].values[2:], land["skt"].values[1:-1])
    run(tmp_path, small_dataset)
    forced = opened(tmp_path / "atmosphere.nc")
    np.testing.assert_array_equal(forced["seen_skt"].values[2:], forced["skt"].values[1:-1])
    np.testing.assert_array_equal(forced["t"].values[1], atmosphere["t"].values[1])
    assert np.abs(forced["t"].values[2:] - atmosphere["t"].values[2:]).max() > 0.05
    assert np.abs(opened(tmp_path / "land.nc")["stl1"].values - land["stl1"].values).max() > 1e-3


@pytest.mark.parametrize("transport", ["land-threads", "land-processes", pytest.param("land-mpi", marks=MPI)])
def test_component_is_the_mid_processor(coupled, tmp_path, small_dataset, transport):
    """The land of another task gives the same files and the same saved state, bitwise."""
    done = couple(tmp_path, small_dataset, transport, feedback=FEEDBACK)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    for name in ("atmosphere.nc", "land.nc"):
        xr.testing.assert_equal(opened(tmp_path / name), opened(coupled / name))
    first, second = (LandState.load(folder / "end.state", None) for folder in (coupled, tmp_path))
    assert first.columns.equal(second.columns)
    assert "<h1>Coupled run</h1>" in (tmp_path / "coupling.html").read_text()


def test_a_killed_coupling_is_run_again(coupled, tmp_path, small_dataset):
    """A killed atmosphere ends the run with its name and no process left; run again, it is the run in one piece."""
    one, two, half = tmp_path / "one", tmp_path / "two", DATE + timedelta(days=1)
    one.mkdir()
    two.mkdir()
    exact = {"output": {"netcdf": {"path": str(one / "atmosphere.nc"), "float_size": "f8"}}}
    done = couple(one, small_dataset, "land-processes", atmosphere=exact, lead="1d", feedback=FEEDBACK,
                  save=str(one / "half.state"))  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    following = {
        "date": half, "lead": "1d", "feedback": FEEDBACK, "initial": {"state": str(one / "half.state")},
        "atmosphere": {"input": {"netcdf": str(one / "atmosphere.nc")}},
    }  # fmt: skip
    killed = couple(two, small_dataset, "land-processes", dies=half + timedelta(hours=18), **following)
    assert killed.returncode == 1
    assert "The task 'atmosphere' failed: its process was killed by SIGKILL. ['land'] ended with it" in killed.stderr
    assert not (two / "land.nc").exists()
    assert working_in(two) == []
    again = couple(two, small_dataset, "land-processes", **following)
    assert again.returncode == 0, (again.stdout + again.stderr)[-3000:]
    for name in ("atmosphere.nc", "land.nc"):
        whole, second = opened(coupled / name), opened(two / name)
        for field in ("stl1", "skt", "sd", "swvl1"):
            np.testing.assert_array_equal(second[field].values[1:], whole[field].values[5:], err_msg=field)
    first, second = (LandState.load(folder / "end.state", None) for folder in (coupled, two))
    assert first.columns.equal(second.columns)


@MPI
@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"dies": DATE + timedelta(hours=18)}, "signal 9"),
        (
            {"points": {"nearst": 3}},
            r"'land' failed: UnknownOption: `points` .* \['atmosphere'\] ended with it",
        ),
    ],
)
def test_ranks_end_together(tmp_path, small_dataset, options, cause):
    """A rank that is killed, or fails, ends the other; the exit code is not zero, and no process is left."""
    done = couple(tmp_path, small_dataset, "land-mpi", **options)
    assert done.returncode != 0
    assert re.search(cause, done.stdout + done.stderr), (done.stdout + done.stderr)[-3000:]
    assert not (tmp_path / "land.nc").exists()
    assert working_in(tmp_path) == []


def working_in(folder):
    """Numbers of the processes whose working folder is this one after at most 10 s; none is gone at once."""
    until = time.monotonic() + 10.0
    while True:
        found = []
        for link in Path("/proc").glob("[0-9]*/cwd"):
            with suppress(OSError):  # it has ended, or belongs to another user
                found += [link.parent.name] if link.resolve() == folder.resolve() else []
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.1)


def test_first_run_of_the_guide(tmp_path, small_dataset, repository, monkeypatch):
    """The guide's configuration runs with the stand-in: its skin is the land's, and its air answers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(repository / "docs" / "examples"))
    import_module("stand_in_atmosphere").write(str(small_dataset), "atmosphere.ckpt")
    text = (repository / "docs" / "guide" / "coupling.md").read_text(encoding="utf-8")
    config = text.partition("# first.yaml\n")[2].partition("```")[0].replace("sample.zarr", str(small_dataset))
    Path("first.yaml").write_text(config)
    create_runner(RunConfiguration.load("first.yaml", ["lead_time=1d", "device=cpu"])).execute()
    atmosphere, land = opened("atmosphere.nc"), opened("land.nc")
    np.testing.assert_array_equal(atmosphere["skt"].values[1:], land["skt"].values[1:])
    stored = StoredFields(small_dataset, ["t"])
    i = int(np.flatnonzero(stored.dates == np.datetime64(DATE, "s"))[0])
    replayed = stored.read(i, i + 5, np.arange(stored.latitudes.size))[..., 0]
    answer = atmosphere["t"].values[2:] - replayed[2:]
    gap = land["skt"].values[1:-1] - atmosphere["t"].values[1:-1]
    np.testing.assert_allclose(answer, 0.02 * gap, atol=1e-3)
    assert np.abs(gap).max() > 1.0


#: The configuration of an ensemble in the guide, with the toy for the atmosphere.
_MEMBER = """
checkpoint: toy.ckpt
device: cpu
date: ${oc.env:START}
lead_time: ${oc.env:LEAD}
input: ${oc.decode:${oc.env:INPUT}}
output: {netcdf: {path: "${oc.env:PART}-${oc.env:MEMBER}.nc", float_size: f8}}
mid_processors:
- land-model:
    initial: {state: "${oc.env:FROM}-${oc.env:MEMBER}.state"}
    forcing: FORCING
    feedback: {skt: skt, stl1: stl1, swvl1: swvl1, sd: sd}
    output: ${oc.env:PART}-land-${oc.env:MEMBER}.nc
    save: ${oc.env:PART}-${oc.env:MEMBER}.state
"""


def test_members_are_runs_of_one_configuration(stepper, first, tmp_path, small_dataset, monkeypatch):
    """Members differ, and each is bitwise the same in one piece alone, and restarted in another order."""
    monkeypatch.chdir(tmp_path)
    toy.write_checkpoint(tmp_path / "toy.ckpt", open_dataset(str(small_dataset), start="2020-05-01", end="2020-05-04"))
    (tmp_path / "member.yaml").write_text(_MEMBER.replace("FORCING", str(toy.FORCING).replace("True", "true")))
    for member in (0, 1):
        stepper.save(first.changed({"swvl1": first["swvl1"] * (1.0 - 0.1 * member)}), f"start-{member}.state")

    def run_member(member, part, before, start=DATE, lead="12h", source=f"{{dataset: {small_dataset}}}"):
        about = {"MEMBER": member, "PART": part, "FROM": before, "START": start.isoformat(), "LEAD": lead,
                 "INPUT": source}  # fmt: skip
        for name, value in about.items():
            monkeypatch.setenv(name, str(value))
        create_runner(RunConfiguration.load("member.yaml")).execute()

    half = DATE + timedelta(hours=12)
    run_member(0, "one", "start")
    run_member(1, "one", "start")
    for member in (1, 0):
        run_member(member, "two", "one", half, source=f"{{netcdf: one-{member}.nc}}")
    run_member(1, "whole", "start", lead="1d")
    ends = [LandState.load(f"two-{member}.state", None).columns for member in (0, 1)]
    assert LandState.load("whole-1.state", None).columns.equal(ends[1])
    assert not ends[0].equal(ends[1])
    whole, second = opened("whole-1.nc"), opened("two-1.nc")
    for field in ("t", "skt", "swvl1", "sd"):
        np.testing.assert_array_equal(second[field].values[1:], whole[field].values[3:], err_msg=field)
    assert np.abs(opened("two-0.nc")["t"].values - second["t"].values).max() > 1e-3


def test_another_grid_by_an_index(stepper, first, tmp_path, small_dataset):
    """Few points of land in another order: they are coupled, all others of the atmosphere are left alone."""
    index = np.array([17, 3, 40, 8, 21])
    fields = {n: first[n][index] for n in stepper.inputs}
    part = stepper.initial(fields, DATE, first.latitudes[index], first.longitudes[index])
    stepper.save(part, tmp_path / "part.state")
    np.save(tmp_path / "index.npy", index)
    run(tmp_path, small_dataset, initial={"state": str(tmp_path / "part.state")},
        points={"index": str(tmp_path / "index.npy")}, feedback=FEEDBACK)  # fmt: skip
    atmosphere, land = opened(tmp_path / "atmosphere.nc"), opened(tmp_path / "land.nc")
    assert land.sizes["point"] == len(index)
    same_land(land, stand_alone(stepper, part, atmosphere, index))
    np.testing.assert_array_equal(atmosphere["skt"].values[1:, index], land["skt"].values[1:])
    others = np.setdiff1d(np.arange(atmosphere.sizes["values"]), index)
    skt = atmosphere["skt"].values[:, others]
    np.testing.assert_array_equal(skt[2:], skt[1:-1] + np.float32(0.5))


def test_vegetation_from_a_dataset(first, stepper, tmp_path, small_dataset):
    """Forcing that no atmosphere has, at the date of each step."""
    run(tmp_path, small_dataset, lead="1d", forcing=toy.FORCING | {"lai_hv": {"dataset": str(small_dataset)}})
    run_held = opened(tmp_path / "land.nc")
    stored = StoredFields(small_dataset, ["lai_hv"])
    i = int(np.flatnonzero(stored.dates == np.datetime64(DATE, "s"))[0])
    values = stored.read(i, i + 5, np.arange(stored.latitudes.size))[..., 0]
    atmosphere, state = opened(tmp_path / "atmosphere.nc"), first
    for k in range(1, 5):
        state = _step(stepper, state, atmosphere, k, values[k])
        np.testing.assert_array_equal(run_held["stl1"].values[k], state["stl1"].numpy())


def test_stepper_is_the_run_of_the_land(stepper, first, tmp_path, small_dataset):
    """A run of the land from a dataset is bitwise that by hand with the stepper."""
    launch("inference/rollout", [
        "checkpoint=ailand", f"input.dataset={small_dataset}", f"output.land-netcdf.path={tmp_path / 'land.nc'}",
        "date=2020-05-01T00:00:00", "lead_time=2d",
    ])  # fmt: skip
    stored = StoredFields(small_dataset, stepper.inputs)
    i = int(np.flatnonzero(stored.dates == np.datetime64(DATE, "s"))[0])
    land, state = opened(tmp_path / "land.nc"), first
    states = []
    for k in range(1, 9):
        values = stored.read(i + k, i + k + 1, np.arange(stored.latitudes.size))[0]
        fields = dict(zip(stepper.inputs, values.T, strict=True))
        state = stepper.step(state, {n: fields[n] for n in stepper.needs["forcing"]})
        states.append(state)
    same_land(land, states)
    assert states[-1].date == DATE + timedelta(days=2)
