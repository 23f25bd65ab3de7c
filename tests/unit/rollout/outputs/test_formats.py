# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""NetCDF and zarr of a roll-out: content and parts of restarts; common behaviour is in test_land_output.py."""

import json

import numpy as np
import pytest
import xarray as xr
import zarr

from anemoi_ailand.evaluation.fields.fields import open_fields
from anemoi_ailand.rollout.outputs import output_frame
from anemoi_ailand.rollout.outputs.output_frame import CHUNK_TIMES
from anemoi_ailand.support.netcdf_writer import variable_attributes
from anemoi_ailand.variables import VARIABLES, variable
from tests.support.outputs import (
    N_POINTS,
    NAMES,
    PROGNOSTIC,
    START,
    assert_same,
    begun,
    die,
    killed,
    made,
    resumed,
    state,
    whole,
    write_steps,
)  # fmt: skip  # fmt: skip


@pytest.mark.parametrize("n_steps", [1, CHUNK_TIMES - 1, CHUNK_TIMES, 2 * CHUNK_TIMES + 5])
def test_values_are_those_of_the_run(tmp_path, n_steps, monkeypatch):
    """Values are bitwise those of the states, whether the last block is full or not; no diagnostics at the start."""
    monkeypatch.setattr(output_frame, "LEAST_BYTES", 0)
    with xr.open_dataset(whole(tmp_path / "f.nc", n_steps)) as run:
        assert run.sizes == {"time": n_steps + 1, "point": N_POINTS, "bnds": 2}
        for name in NAMES:
            found = run[variable(name).netcdf_name].values
            expected = np.stack([state(k)["fields"][name] for k in range(1, n_steps + 1)])
            np.testing.assert_array_equal(found[1:], expected)
            assert np.isfinite(found[0]).all() == (name in PROGNOSTIC)
        np.testing.assert_array_equal(run.stl1.values[0], state(0)["fields"]["stl1"])


def test_cf_reader_finds_times_and_places(tmp_path):
    """Stamps, the interval that ends at each, the start of the forecast and coordinates decode."""
    with xr.open_dataset(whole(tmp_path / "f.nc", 3)) as run:
        stamps = np.datetime64(START, "ns") + np.arange(4) * np.timedelta64(6, "h")
        np.testing.assert_array_equal(run.time, stamps)
        np.testing.assert_array_equal(run.time_bnds[:, 1], stamps)
        np.testing.assert_array_equal(run.time_bnds[:, 0], stamps - np.timedelta64(6, "h"))
        assert run.forecast_reference_time.values == stamps[0]
        assert {"latitude", "longitude", "time"} <= set(run.swvl1.coords)
        np.testing.assert_array_equal(run.latitude, state(0)["latitudes"])


def test_attributes_are_those_of_the_table(tmp_path):
    """Variables have the attributes of the table and their role."""
    with xr.open_dataset(whole(tmp_path / "f.nc", 1), decode_times=False) as run:
        assert set(run.data_vars) == {"swvl1", "stl1", "t2m", "slhf", "time_bnds", "forecast_reference_time"}
        for name in NAMES:
            role = "prognostic" if name in PROGNOSTIC else "diagnostic"
            assert run[VARIABLES[name].netcdf_name].attrs.items() >= variable_attributes(name, role=role).items()


def test_provenance(tmp_path):
    """Global attributes give convention, checkpoint with checksum, start and versions."""
    (tmp_path / "best.ckpt").write_bytes(b"abc")
    with xr.open_dataset(whole(tmp_path / "f.nc", 1)) as run:
        assert run.attrs["Conventions"] == "CF-1.11"
        assert run.attrs["checkpoint"] == "best.ckpt"
        assert run.attrs["checkpoint_sha256"].startswith("ba7816bf")  # of "abc", FIPS 180-2
        assert run.attrs["initial_date"] == "2022-01-01T00:00:00"
        assert run.attrs["history"].endswith("Z anemoi-inference run")
        assert "anemoi-ailand" in run.attrs["versions"]


def test_every_restart_is_a_complete_file(tmp_path):
    """The parts can be read during the run, under the name of their number."""
    begun(tmp_path / "f.nc", 9, every=4)
    parts = tmp_path / "f.nc.parts"
    assert sorted(p.name for p in parts.iterdir()) == ["000001.nc", "000002.nc", "run.npz"]
    with xr.open_dataset(parts / "000002.nc") as part:
        np.testing.assert_array_equal(part.swvl1[-1], state(8)["fields"]["swvl1"])
        assert part.sizes["time"] == 4


def test_parts_are_kept_as_the_result(tmp_path):
    """With `keep_parts` the result is a folder that xarray reads as one dataset, without a joined file."""
    whole(tmp_path / "f.nc", 30, every=8, keep_parts=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.nc.parts", "restart.json"]
    joined = whole(tmp_path / "joined.nc", 30)
    with (
        xr.open_mfdataset(str(tmp_path / "f.nc.parts" / "*.nc"), data_vars="minimal") as run,
        xr.open_dataset(joined) as one,
    ):
        for name in ("swvl1", "t2m", "slhf", "time", "time_bnds"):
            np.testing.assert_array_equal(run[name].values, one[name].values)
        assert run.sizes["time"] == 31


def test_parts_without_restarts_are_refused(tmp_path):
    """`keep_parts` without restarts is an error on opening."""
    output = made(tmp_path / "f.nc", keep_parts=True)
    with pytest.raises(ValueError, match="needs a run with restarts"):
        output.open(state(0))


def test_killed_while_parts_are_joined(tmp_path):
    """The parts exist until the joined file has its name."""
    path = tmp_path / "f.nc"

    def end(output):
        output._complete = die
        output.close()

    killed(path, 13, None, 5, end)
    assert (tmp_path / "f.nc.partial").is_file()
    resumed(path, 13, None, 5)
    assert_same(path, whole(tmp_path / "undisturbed.nc", 13))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.nc", "restart.json", "undisturbed.nc"]


@pytest.mark.parametrize("damage", ["missing", "cut off", "of another run", "without a variable"])
def test_resume_refuses_damaged_parts(tmp_path, damage):
    """The error names the part."""
    path = tmp_path / "f.nc"
    killed(path, 12, None, 5)
    part = tmp_path / "f.nc.parts" / "000002.nc"
    if damage == "missing":
        part.unlink()
    elif damage == "cut off":
        part.write_bytes(part.read_bytes()[:2000])
    elif damage == "without a variable":
        part.write_bytes(whole(tmp_path / "other.nc", 4, variables=["stl1"]).read_bytes())
    else:
        part.write_bytes((tmp_path / "f.nc.parts" / "000001.nc").read_bytes())  # six times, not five
    with pytest.raises((FileNotFoundError, ValueError), match=r"000002.nc"):
        resumed(path, 20, None, 5)


def test_resume_without_further_restarts(tmp_path):
    """The parts of the stopped run are joined with the rest."""
    path = tmp_path / "f.nc"
    killed(path, 12, None, 5)
    output, restart = made(path), json.loads((tmp_path / "restart.json").read_text())
    output.resume(state(10), restart["progress"])
    write_steps(output, 11, 20, None, None)
    output.close()
    assert_same(path, whole(tmp_path / "undisturbed.nc", 20))


def test_required_space_of_a_run_with_restarts(tmp_path):
    """NetCDF needs room for parts and joined file, zarr for a block for each of the last three restarts."""
    for name, n_times, low, high in (("f.nc", 1000, 2, 3), ("f.zarr", 10**6, 4, 4)):
        output = made(tmp_path / name)
        alone = output.required_bytes(n_times, N_POINTS)
        output.restart_every = 10
        assert low * alone <= output.required_bytes(n_times, N_POINTS) <= high * alone
    assert made(tmp_path / "f.nc").required_bytes(1000, N_POINTS) >= 1000 * N_POINTS * len(NAMES) * 4


def test_evaluation_reads_the_mean_of_an_ensemble(tmp_path):
    """The mean over members is read as the variable itself, and the members are not a field (time, point)."""
    run = whole(tmp_path / "f.nc", 4, ensemble=3, members=True, statistics=["mean", "spread"])
    assert set(open_fields(run).units) == {*NAMES, "swvl1_spread", "stl1_spread", "t2m_spread", "slhf_spread"}


@pytest.mark.parametrize("n_steps", [1, 64, 133])
def test_same_data_and_attributes_as_netcdf(tmp_path, n_steps):
    """Xarray reads the store, with consolidated metadata, as the NetCDF file."""
    with (
        xr.open_zarr(whole(tmp_path / "f.zarr", n_steps), consolidated=True, decode_times=False) as one,
        xr.open_dataset(whole(tmp_path / "f.nc", n_steps), decode_times=False) as two,
    ):
        one, two = one.load(), two.load()
    one.attrs.pop("history")
    two.attrs.pop("history")
    xr.testing.assert_identical(one, two)


def test_a_chunk_is_written_once(tmp_path):
    """Restarts do not rewrite chunks of fields."""
    output = made(tmp_path / "f.zarr", chunks={"time": 4, "point": 5})
    output.restart_every = 3
    output.open(state(0, PROGNOSTIC))
    seen: dict = {}
    for k in range(1, 31):
        output.write_state(state(k))
        if k % 3 == 0:
            output.make_durable()
            now = {p: p.stat().st_mtime_ns for p in (tmp_path / "f.zarr.partial" / "swvl1").glob("[0-9]*")}
            assert len(now) == k // 4
            assert {p: now[p] for p in seen} == seen
            seen = now
    output.close()
    assert zarr.open(str(tmp_path / "f.zarr"))["swvl1"].shape == (30, N_POINTS)


def test_killed_at_the_end(tmp_path):
    """A run can resume when the last chunk is written but the store is not renamed."""
    path = tmp_path / "f.zarr"

    def end(output):
        zarr.consolidate_metadata = die  # in the child process only
        output.close()

    killed(path, 13, None, 5, end)
    resumed(path, 13, None, 5)
    assert_same(path, whole(tmp_path / "undisturbed.zarr", 13))


def test_interrupted_chunk_is_removed(tmp_path):
    """The temporary file of an interrupted chunk does not stay in the store."""
    path = tmp_path / "f.zarr"
    killed(path, 12, None, 5)
    half = tmp_path / "f.zarr.partial" / "swvl1" / "0.0.abc.partial"
    half.write_bytes(b"half")
    resumed(path, 13, None, 5)
    assert not list(path.rglob("*.partial"))


@pytest.mark.parametrize("damage", ["store", "variable"])
def test_resume_refuses_a_damaged_store(tmp_path, damage):
    """The error says what is missing."""
    path, chunks = tmp_path / "f.zarr", {"time": 4, "point": 5}
    killed(path, 12, None, 5, chunks=chunks)
    partial = tmp_path / "f.zarr.partial"
    if damage == "store":
        partial.rename(tmp_path / "elsewhere")
    else:
        zarr.open(str(partial), mode="r+")["stl1"].resize(4, N_POINTS)
    named = "There is no '.*f.zarr.partial'" if damage == "store" else "has 4 times of 'stl1', fewer than the 8"
    with pytest.raises((FileNotFoundError, ValueError), match=named):
        resumed(path, 20, None, 5, chunks=chunks)


def test_resume_refuses_missing_waiting_values(tmp_path):
    """Times that did not fill a chunk are in a separate file, which is named if it is missing."""
    path = tmp_path / "f.zarr"
    killed(path, 12, None, 5)
    waits = json.loads((tmp_path / "restart.json").read_text())["progress"]["waits"]
    (tmp_path / "f.zarr.parts" / waits).unlink()
    with pytest.raises(FileNotFoundError, match=waits):
        resumed(path, 20, None, 5)
