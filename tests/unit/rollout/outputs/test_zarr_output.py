# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Zarr of a roll-out: the content of the NetCDF file, chunks written once; see also test_land_output.py."""

import json

import pytest
import xarray as xr
import zarr

from tests.support.outputs import (
    N_POINTS,
    PROGNOSTIC,
    assert_same,
    die,
    killed,
    made,
    resumed,
    state,
    whole,
)  # fmt: skip


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


def test_space_for_waiting_values(tmp_path):
    """The required space counts a block for each of the last three restarts."""
    output = made(tmp_path / "f.zarr")
    alone = output.required_bytes(10**6, N_POINTS)
    output.restart_every = 10
    assert output.required_bytes(10**6, N_POINTS) - alone == 3 * alone
