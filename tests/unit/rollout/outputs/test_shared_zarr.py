# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A zarr of a roll-out that several shards write, each with the states of its own points."""

from datetime import timedelta

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.rollout.outputs.zarr_output import SharedPart
from anemoi_ailand.rollout.outputs.zarr_store import CompleteError
from anemoi_ailand.support.shards import Shard
from tests.support import outputs as case

N_STEPS = 10


def part_of(shard, **identity):
    whole = case.state(0)
    return SharedPart(shard, whole["latitudes"], whole["longitudes"], N_STEPS, {"date": "2022-01-01", **identity})


def state(part, k, members):
    """The state after k steps at the points of a shard."""
    whole = case.state(k, case.NAMES if k else case.PROGNOSTIC, members)
    n, own = members or 1, part.points

    def cut(values):
        return values.reshape(n, case.N_POINTS)[:, own].ravel()

    fields = {name: cut(values) for name, values in whole["fields"].items()}
    return {**whole, "fields": fields, **{name: cut(whole[name]) for name in ("latitudes", "longitudes")}}


def begun(path, shard, last=N_STEPS, members=None, every=None, identity=None, **options):
    """Write the states of a shard up to a step; return the output and its last restart."""
    output, part = case.made(path, lead=N_STEPS * case.STEP, **options), part_of(shard, **(identity or {}))
    output.share(part)
    output.restart_every = every
    output.open(state(part, 0, members))
    output.write_initial_state(state(part, 0, members))
    return output, written(output, part, 1, last, members, every)


def written(output, part, first, last, members, every):
    progress = None
    for k in range(first, last + 1):
        output.write_state(state(part, k, members))
        if every and k % every == 0:
            progress = output.make_durable()
    return progress


@pytest.mark.parametrize("options", [{}, {"means": "day"}, {"output_frequency": "12h"}, {"variables": ["stl1"]}])
@pytest.mark.parametrize("members", [None, 2])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_store_is_that_of_one_process(tmp_path, count, members, options):
    """Times, members and values, in whatever order the shards come."""
    whole = case.whole(tmp_path / "whole.zarr", N_STEPS, members, **options)
    for number in reversed(range(count)):
        assert not (tmp_path / "f.zarr").exists()
        begun(tmp_path / "f.zarr", Shard(number, count), members=members, **options)[0].close()
    with case.opened(whole) as a, case.opened(tmp_path / "f.zarr") as b:
        assert set(a.variables) == set(b.variables)
        for name in a.variables:
            np.testing.assert_array_equal(b[name].values, a[name].values, err_msg=name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.zarr", "whole.zarr"]


def test_a_stopped_shard_resumes_where_it_was(tmp_path):
    """From its own files, after the other shard has ended; a complete one does nothing."""
    path = tmp_path / "f.zarr"
    stopped, progress = begun(path, Shard(0, 2), last=7, every=3)
    begun(path, Shard(1, 2), every=3)[0].close()
    stopped._held.pop_all()  # the process is killed: nothing is closed, and the system drops the lock
    again, part = case.made(path, lead=N_STEPS * case.STEP), part_of(Shard(0, 2))
    again.share(part)
    again.resume(state(part, 6, None), progress)
    written(again, part, 7, N_STEPS, None, 3)
    again.close()
    with case.opened(case.whole(tmp_path / "whole.zarr", N_STEPS)) as a, case.opened(path) as b:
        for name in a.variables:
            np.testing.assert_array_equal(b[name].values, a[name].values, err_msg=name)
    with pytest.raises(CompleteError, match=r"shard 1 of 2 of '.*f.zarr' is complete"):
        begun(path, Shard(1, 2))
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith(".")) == ["f.zarr", "whole.zarr"]


def test_shards_that_do_not_fit_are_refused(tmp_path):
    """Another run, other options, and choices that a divided run has not."""
    path = tmp_path / "f.zarr"
    begun(path, Shard(0, 2))[0].close()
    for options, message in (
        ({"identity": {"date": "2023-01-01"}}, r"'date': \('2022-01-01', '2023-01-01'\)"),
        ({"variables": ["stl1"]}, "'variables'"),
        ({"means": "day"}, "'means'"),
        ({"layout": "series"}, "Leave out `points`, `layout` and `chunks`"),
        ({"points": {"indices": [0]}}, "a chunk has the points of one"),
    ):
        with pytest.raises(ValueError, match=message):
            begun(path, Shard(1, 2), **options)


def test_times_that_were_not_planned_are_an_error(tmp_path):
    """A chunk of another time is never written over."""
    output, part = case.made(tmp_path / "f.zarr", lead=N_STEPS * case.STEP), part_of(Shard(0, 2))
    output.share(part)
    output.open(state(part, 0, None))
    output.write_state({**state(part, 1, None), "date": case.START + timedelta(days=30)})
    with pytest.raises((ValueError, OSError), match="not those that were laid out"):
        output.close()
    assert isinstance(xr.open_zarr(tmp_path / "f.zarr.partial"), xr.Dataset)
