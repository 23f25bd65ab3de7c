# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Zarr of a roll-out; what it shares with NetCDF is in test_land_output.py."""

import json
import os
import signal

import numpy as np
import pytest
import xarray as xr
import zarr

from anemoi_ailand.variables import VARIABLES, variable
from tests.support.outputs import (
    N_POINTS,
    NAMES,
    PROGNOSTIC,
    START,
    STEP,
    assert_same,
    go_on,
    killed,
    made,
    remember,
    resumed,
    state,
    whole,
)  # fmt: skip


@pytest.mark.parametrize("n_steps", [1, 63, 64, 133])
def test_values_are_those_of_the_run(tmp_path, n_steps):
    """To the last bit, with stamps and bounds that decode, read by xarray with consolidated metadata."""
    with xr.open_zarr(whole(tmp_path / "f.zarr", n_steps), consolidated=True) as run:
        assert dict(run.sizes) == {"time": n_steps + 1, "point": N_POINTS, "bnds": 2}
        for name in NAMES:
            expected = np.stack([state(k)["fields"][name] for k in range(1, n_steps + 1)])
            np.testing.assert_array_equal(run[variable(name).netcdf_name].values[1:], expected)
        assert np.isnan(run.t2m.values[0]).all()
        stamps = np.datetime64(START, "ns") + np.arange(n_steps + 1) * np.timedelta64(6, "h")
        np.testing.assert_array_equal(run.time, stamps)
        np.testing.assert_array_equal(run.time_bnds[:, 0], stamps - np.timedelta64(STEP))
        assert {"latitude", "longitude"} <= set(run.swvl1.coords)


def test_same_data_and_attributes_as_netcdf(tmp_path):
    """One description of the variables for both."""
    with (
        xr.open_zarr(whole(tmp_path / "f.zarr", 9), decode_times=False) as one,
        xr.open_dataset(whole(tmp_path / "f.nc", 9), decode_times=False) as two,
    ):
        one, two = one.load(), two.load()
    one.attrs.pop("history")
    two.attrs.pop("history")
    xr.testing.assert_identical(one, two)
    assert one.t2m.attrs["units"] == VARIABLES["2t"].units


def test_a_chunk_is_written_once(tmp_path):
    """Restarts do not touch chunks of fields that are there: their files stay as they were."""
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


@pytest.mark.parametrize(
    ("options", "chunk"),
    [({"layout": "map"}, (64, 5)), ({"layout": "series"}, (1460, 5)), ({"chunks": {"time": 7, "point": 2}}, (7, 2))],
)
def test_chunks_in_the_store(tmp_path, options, chunk):
    """Those that were asked for."""
    assert zarr.open(str(whole(tmp_path / "f.zarr", 3, **options)))["t2m"].chunks == chunk


@pytest.mark.parametrize("compression", [0, 9])
def test_compression(tmp_path, compression):
    """None at all, or the most."""
    array = zarr.open(str(whole(tmp_path / "f.zarr", 3, compression=compression)))["swvl1"]
    assert (array.compressor and array.compressor.clevel) == (compression or None)
    np.testing.assert_array_equal(array[2], state(2)["fields"]["swvl1"])


@pytest.mark.parametrize("compression", [10, -1, 2.5, None])
def test_wrong_compression_is_refused(tmp_path, compression):
    """The error says what is allowed."""
    with pytest.raises(ValueError, match=f"`compression` is {compression}. Give a level from 0 to 9"):
        made(tmp_path / "f.zarr", compression=compression)


def test_earlier_store_stays_until_the_new_one_is_complete(tmp_path):
    """Then it is replaced, whatever was in it."""
    path = whole(tmp_path / "f.zarr", 5, points={"indices": [0]})
    output = made(path)
    output.open(state(0))
    output.write_state(state(1))
    assert zarr.open(str(path))["swvl1"].shape == (6, 1)
    output.close()
    assert zarr.open(str(path))["swvl1"].shape == (1, N_POINTS)
    assert [p.name for p in tmp_path.iterdir()] == ["f.zarr"]


def test_killed_at_the_end(tmp_path):
    """When the last chunk was written already, but the store had not its name."""
    path = tmp_path / "f.zarr"
    child = os.fork()
    if child == 0:
        try:
            output = made(path)
            output.restart_every = 5
            output.open(state(0, PROGNOSTIC))
            output.write_initial_state(state(0, PROGNOSTIC))
            go_on(output, 1, 13, None, 5, lambda k, progress: remember(path, k, progress))
            zarr.consolidate_metadata = lambda store: os.kill(os.getpid(), signal.SIGKILL)
            output.close()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    resumed(path, 13, None, 5)
    assert_same(path, whole(tmp_path / "undisturbed.zarr", 13))


def test_chunk_that_was_being_written_is_removed(tmp_path):
    """Zarr leaves its temporary file in the store."""
    path = tmp_path / "f.zarr"
    killed(path, 12, None, 5)
    half = tmp_path / "f.zarr.partial" / "swvl1" / "0.0.abc.partial"
    half.write_bytes(b"half")
    resumed(path, 13, None, 5)
    assert not list(path.rglob("*.partial"))


@pytest.mark.parametrize("damage", ["store", "variable"])
def test_resume_refuses_a_damaged_store(tmp_path, damage):
    """The error says what is gone."""
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


def test_resume_refuses_what_waited_and_is_gone(tmp_path):
    """Times that did not fill a chunk are in a file of their own."""
    path = tmp_path / "f.zarr"
    killed(path, 12, None, 5)
    waits = json.loads((tmp_path / "restart.json").read_text())["progress"]["waits"]
    (tmp_path / "f.zarr.parts" / waits).unlink()
    with pytest.raises(FileNotFoundError, match=waits):
        resumed(path, 20, None, 5)


def test_room_for_what_waits(tmp_path):
    """At a restart, a block of each of the last three."""
    output = made(tmp_path / "f.zarr")
    alone = output.required_bytes(10**6, N_POINTS)
    output.restart_every = 10
    assert output.required_bytes(10**6, N_POINTS) - alone == 3 * alone
