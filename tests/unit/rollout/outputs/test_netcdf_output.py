# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""CF NetCDF of a roll-out."""

import json
import os
import signal
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.constants import TASK_NAME
from anemoi_ailand.rollout.outputs import output_chunks
from anemoi_ailand.rollout.outputs.netcdf_output import LandNetCDFOutput
from anemoi_ailand.rollout.outputs.output_chunks import CHUNK_TIMES
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


def write(path, n_steps, **options):
    """A whole run; returns the path."""
    follow(made(path, **options), n_steps)
    return path


def follow(output, n_steps):
    """What the runner does with an output."""
    output.open(state(0, PROGNOSTIC))
    output.write_initial_state(state(0, PROGNOSTIC))
    for k in range(1, n_steps + 1):
        output.write_state(state(k))
    output.close()


@pytest.mark.parametrize("n_steps", [1, CHUNK_TIMES - 1, CHUNK_TIMES, 2 * CHUNK_TIMES + 5])
def test_values_are_those_of_the_run(tmp_path, n_steps):
    """To the last bit, whether the last block of times is full or not."""
    with xr.open_dataset(write(tmp_path / "f.nc", n_steps)) as run:
        assert run.sizes == {"time": n_steps + 1, "point": N_POINTS, "bnds": 2}
        for name in NAMES:
            found = run[variable(name).netcdf_name].values
            expected = np.stack([state(k)["fields"][name] for k in range(1, n_steps + 1)])
            np.testing.assert_array_equal(found[1:], expected)


def test_values_are_copied(tmp_path):
    """A runner may use its arrays again for the next step."""
    output, moving = made(tmp_path / "f.nc"), state(1)
    output.open(moving)
    output.write_state(moving)
    for values in moving["fields"].values():
        values[:] = -1.0
    output.close()
    with xr.open_dataset(tmp_path / "f.nc") as run:
        np.testing.assert_array_equal(run.swvl1.values[0], state(1)["fields"]["swvl1"])


def test_start_has_the_state_and_no_diagnostics(tmp_path):
    """What no network has predicted is missing."""
    with xr.open_dataset(write(tmp_path / "f.nc", 2)) as run:
        np.testing.assert_array_equal(run.stl1.values[0], state(0)["fields"]["stl1"])
        assert np.isnan(run.t2m.values[0]).all()
        assert np.isnan(run.slhf.values[0]).all()
        assert np.isfinite(run.t2m.values[1:]).all()


def test_initial_state_can_be_left_out(tmp_path):
    """The first time is then the end of the first step."""
    with xr.open_dataset(write(tmp_path / "f.nc", 2, write_initial_state=False)) as run:
        assert run.time.values[0] == np.datetime64(START + STEP)


def test_times_bounds_and_start_decode(tmp_path):
    """A CF reader finds stamps, the interval that ends at each, and the start of the forecast."""
    with xr.open_dataset(write(tmp_path / "f.nc", 3)) as run:
        stamps = np.datetime64(START, "ns") + np.arange(4) * np.timedelta64(6, "h")
        np.testing.assert_array_equal(run.time, stamps)
        np.testing.assert_array_equal(run.time_bnds[:, 1], stamps)
        np.testing.assert_array_equal(run.time_bnds[:, 0], stamps - np.timedelta64(6, "h"))
        assert run.forecast_reference_time.values == stamps[0]


def test_attributes_are_those_of_the_table(tmp_path):
    """Names, units, cell methods, role; only names that CF has."""
    with xr.open_dataset(write(tmp_path / "f.nc", 1), decode_times=False) as run:
        assert set(run.data_vars) == {"swvl1", "stl1", "t2m", "slhf", "time_bnds", "forecast_reference_time"}
        for name in NAMES:
            row, attrs = VARIABLES[name], run[VARIABLES[name].netcdf_name].attrs
            found = (attrs["long_name"], attrs["units"], attrs["cell_methods"], attrs["short_name"])
            assert found == (row.long_name, row.units, row.cell_methods, name)
            assert attrs.get("standard_name") == row.standard_name
            assert attrs["role"] == ("prognostic" if name in PROGNOSTIC else "diagnostic")
        assert (run.time.attrs["bounds"], run.time.attrs["calendar"]) == ("time_bnds", "standard")
        assert (run.latitude.attrs["units"], run.longitude.attrs["units"]) == ("degrees_north", "degrees_east")


def test_coordinates_are_found_by_a_cf_reader(tmp_path):
    """Latitude and longitude become coordinates of the variables."""
    with xr.open_dataset(write(tmp_path / "f.nc", 1)) as run:
        assert {"latitude", "longitude", "time"} <= set(run.swvl1.coords)
        np.testing.assert_array_equal(run.latitude, state(0)["latitudes"])


def test_provenance(tmp_path):
    """Convention, checkpoint and its hash, start, versions."""
    (tmp_path / "best.ckpt").write_bytes(b"abc")
    with xr.open_dataset(write(tmp_path / "f.nc", 1)) as run:
        assert run.attrs["Conventions"] == "CF-1.11"
        assert run.attrs["checkpoint"] == "best.ckpt"
        assert run.attrs["checkpoint_sha256"].startswith("ba7816bf")  # of "abc", FIPS 180-2
        assert run.attrs["initial_date"] == "2022-01-01T00:00:00"
        assert "anemoi-ailand" in run.attrs["versions"]


def test_nothing_under_the_final_name_before_the_end(tmp_path):
    """The file grows under another name, in a folder that is made."""
    path = tmp_path / "new" / "f.nc"
    output = made(path)
    output.open(state(0, PROGNOSTIC))
    for k in range(1, CHUNK_TIMES + 2):
        output.write_state(state(k))
    assert [p.name for p in path.parent.iterdir()] == ["f.nc.partial"]
    output.close()
    assert [p.name for p in path.parent.iterdir()] == ["f.nc"]


def test_failed_run_leaves_an_earlier_file_alone(tmp_path):
    """It stays as it was; the next run, even of the same process, replaces it and what the failed one left."""
    path = write(tmp_path / "f.nc", 1)
    before = path.read_bytes()
    output = made(path)
    output.open(state(0, PROGNOSTIC))
    output.write_state(state(1))
    assert path.read_bytes() == before
    assert (tmp_path / "f.nc.partial").is_file()
    with xr.open_dataset(write(path, 3)) as run:
        assert run.sizes["time"] == 4
    assert list(tmp_path.iterdir()) == [path]


def test_close_without_open_does_nothing(tmp_path):
    """A run that failed before its first state."""
    made(tmp_path / "f.nc").close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variables", "expected"),
    [(["swvl*"], {"swvl1"}), ("2t", {"t2m"}), ({"drop": ["slhf", "2t"]}, {"swvl1", "stl1"})],
)
def test_variables_are_chosen(tmp_path, variables, expected):
    """By name or pattern; the rest is not in the file."""
    with xr.open_dataset(write(tmp_path / "f.nc", 1, variables=variables)) as run:
        assert set(run.data_vars) - {"time_bnds", "forecast_reference_time"} == expected


@pytest.mark.parametrize("variables", [["swvl1", "swvl9"], {"drop": ["tp"]}, {"drop": ["*"]}])
def test_choice_that_the_model_does_not_predict_is_refused(tmp_path, variables):
    """Before the run, with what is there."""
    with pytest.raises(ValueError, match=r"the model predicts \['swvl1', 'stl1', '2t', 'slhf'\]"):
        made(tmp_path / "f.nc", variables=variables)


@pytest.mark.parametrize("where", ["output", "runner"])
def test_output_frequency(tmp_path, where):
    """Every other step, asked for in the output or in the run."""
    output = made(tmp_path / "f.nc", **({"output_frequency": "12h"} if where == "output" else {}))
    output.context.output_frequency = "12h" if where == "runner" else None
    follow(output, 5)
    with xr.open_dataset(tmp_path / "f.nc") as run:
        hours = (run.time.values - np.datetime64(START)) / np.timedelta64(1, "h")
        np.testing.assert_array_equal(hours, [0.0, 12.0, 24.0])


@pytest.mark.parametrize("compression", [0, 9])
def test_compression(tmp_path, compression):
    """None at all, or the most; the values are the same."""
    path = write(tmp_path / "f.nc", 3, compression=compression)
    with netCDF4.Dataset(path) as ds:
        filters = ds["swvl1"].filters()
        np.testing.assert_array_equal(ds["swvl1"][2], state(2)["fields"]["swvl1"])
    assert (filters["zlib"], filters["complevel"]) == (compression > 0, compression)


@pytest.mark.parametrize("compression", [10, -1, 2.5, "high", None])
def test_wrong_compression_is_refused(tmp_path, compression):
    """The error says what is allowed."""
    with pytest.raises(ValueError, match=f"`compression` is {compression}. Give a zlib level from 0 to 9"):
        made(tmp_path / "f.nc", compression=compression)


def test_unknown_option_is_named(tmp_path):
    """A misspelt option is not skipped."""
    with pytest.raises(TypeError, match="compresion"):
        made(tmp_path / "f.nc", compresion=4)


@pytest.mark.parametrize("task", ["forecaster", None])
def test_checkpoint_of_another_task_is_refused(tmp_path, task):
    """`runner: auto` would run it with the runner of that task."""
    with pytest.raises(ValueError, match=f"best.ckpt is of task '{task}', not '{TASK_NAME}'"):
        made(tmp_path / "f.nc", task=task)


@pytest.mark.parametrize(("limit", "expected"), [(1, 1), (3 * 4 * N_POINTS * len(NAMES), 3), (2**28, CHUNK_TIMES)])
def test_gathered_times_are_bounded_in_memory(tmp_path, monkeypatch, limit, expected):
    """A large grid is written every few steps."""
    monkeypatch.setattr(output_chunks, "GATHERED_BYTES", limit)
    with netCDF4.Dataset(write(tmp_path / "f.nc", 7)) as ds:
        assert ds["swvl1"].chunking() == [expected, N_POINTS]
        np.testing.assert_array_equal(ds["stl1"][7], state(7)["fields"]["stl1"])


def test_name_of_the_output_says_where_it_goes(tmp_path):
    """It stands in the log."""
    assert repr(made(Path(tmp_path) / "f.nc")) == f"LandNetCDFOutput({tmp_path / 'f.nc'})"


def test_path_alone_is_enough(tmp_path):
    """`output: {land-netcdf: forecast.nc}`."""
    like = made(tmp_path / "f.nc")
    assert LandNetCDFOutput(like.context, like.metadata, "other.nc").path == Path("other.nc")


def test_every_restart_is_a_complete_file(tmp_path):
    """Readable while the run goes on, under the name of its number; nothing else but what waits."""
    output = made(tmp_path / "f.nc")
    output.restart_every = 4
    output.open(state(0, PROGNOSTIC))
    output.write_initial_state(state(0, PROGNOSTIC))
    go_on(output, 1, 9, None, 4)
    parts = tmp_path / "f.nc.parts"
    assert sorted(p.name for p in parts.iterdir()) == ["000001.nc", "000002.nc", "run.npz"]
    with xr.open_dataset(parts / "000002.nc") as part:
        np.testing.assert_array_equal(part.swvl1[-1], state(8)["fields"]["swvl1"])
        assert part.sizes["time"] == 4


def test_parts_are_kept_as_the_result(tmp_path):
    """A folder that xarray reads as one; there is no joined file."""
    whole(tmp_path / "f.nc", 30, every=8, keep_parts=True)
    assert [p.name for p in tmp_path.iterdir()] == ["f.nc.parts"]
    joined = whole(tmp_path / "joined.nc", 30)
    with (
        xr.open_mfdataset(str(tmp_path / "f.nc.parts" / "*.nc"), data_vars="minimal") as run,
        xr.open_dataset(joined) as one,
    ):
        for name in ("swvl1", "t2m", "slhf", "time", "time_bnds"):
            np.testing.assert_array_equal(run[name].values, one[name].values)
        assert run.sizes["time"] == 31


def test_parts_without_restarts_are_refused(tmp_path):
    """There would be none."""
    output = made(tmp_path / "f.nc", keep_parts=True)
    with pytest.raises(ValueError, match="needs a run with restarts"):
        output.open(state(0))


def test_killed_while_parts_are_joined(tmp_path):
    """The parts are there until the joined file has its name."""
    path = tmp_path / "f.nc"
    child = os.fork()
    if child == 0:
        try:
            output = made(path)
            output.restart_every = 5
            output.open(state(0, PROGNOSTIC))
            output.write_initial_state(state(0, PROGNOSTIC))
            go_on(output, 1, 13, None, 5, lambda k, progress: remember(path, k, progress))
            output._complete = lambda: os.kill(os.getpid(), signal.SIGKILL)
            output.close()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert (tmp_path / "f.nc.partial").is_file()
    resumed(path, 13, None, 5)
    assert_same(path, whole(tmp_path / "undisturbed.nc", 13))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.nc", "restart.json", "undisturbed.nc"]


@pytest.mark.parametrize("damage", ["gone", "cut off", "of another run"])
def test_resume_refuses_damaged_parts(tmp_path, damage):
    """The error names the part."""
    path = tmp_path / "f.nc"
    killed(path, 12, None, 5)
    part = tmp_path / "f.nc.parts" / "000002.nc"
    if damage == "gone":
        part.unlink()
    elif damage == "cut off":
        part.write_bytes(part.read_bytes()[:2000])
    else:
        part.write_bytes((tmp_path / "f.nc.parts" / "000001.nc").read_bytes())  # six times, not five
    with pytest.raises((FileNotFoundError, ValueError), match=r"000002.nc"):
        resumed(path, 20, None, 5)


def test_resume_without_further_restarts(tmp_path):
    """What is there is joined with the rest all the same."""
    path = tmp_path / "f.nc"
    killed(path, 12, None, 5)
    output, restart = made(path), json.loads((tmp_path / "restart.json").read_text())
    output.resume(state(10), restart["progress"])
    go_on(output, 11, 20, None, None)
    output.close()
    assert_same(path, whole(tmp_path / "undisturbed.nc", 20))


@pytest.mark.parametrize(
    ("options", "chunk"),
    [({"layout": "map"}, [64, 5]), ({"layout": "series"}, [1460, 5]), ({"chunks": {"time": 7, "point": 2}}, [7, 2])],
)
def test_chunks_in_the_file(tmp_path, options, chunk):
    """Those that were asked for, with and without restarts."""
    for every in (None, 6):
        with netCDF4.Dataset(whole(tmp_path / "f.nc", 20, every=every, **options)) as ds:
            assert ds["swvl1"].chunking() == chunk
            np.testing.assert_array_equal(ds["swvl1"][20], state(20)["fields"]["swvl1"])


def test_joining_takes_twice_the_room(tmp_path):
    """Parts and joined file are there at the same time."""
    output = made(tmp_path / "f.nc")
    alone = output.required_bytes(1000, N_POINTS)
    output.restart_every = 10
    assert output.required_bytes(1000, N_POINTS) >= 2 * alone
    assert alone >= 1000 * N_POINTS * len(NAMES) * 4


def test_members_of_the_evaluation(tmp_path):
    """The mean of an ensemble is read as the variable itself, and the members are no field (time, point)."""
    from anemoi_ailand.evaluation.fields.fields import open_fields

    run = whole(tmp_path / "f.nc", 4, ensemble=3, members=True, statistics=["mean", "spread"])
    fields = open_fields(run)
    assert set(fields.units) == {*NAMES, "swvl1_spread", "stl1_spread", "t2m_spread", "slhf_spread"}
