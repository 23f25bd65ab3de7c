# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""CF NetCDF of a roll-out."""

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import netCDF4
import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.constants import TASK_NAME
from anemoi_ailand.rollout import output as under_test
from anemoi_ailand.rollout.output import CHUNK_TIMES, LandNetCDFOutput
from anemoi_ailand.variables import VARIABLES, variable

START, STEP = datetime(2022, 1, 1), timedelta(hours=6)
PROGNOSTIC, DIAGNOSTIC = ["swvl1", "stl1"], ["2t", "slhf"]
NAMES = [*PROGNOSTIC, *DIAGNOSTIC]
N_POINTS = 5


def made(path, task=TASK_NAME, **options):
    """An output with metadata and runner made by hand."""
    checkpoint = SimpleNamespace(task=task, path=str(path.parent / "best.ckpt"))
    context = SimpleNamespace(
        reference_date=START, typed_variables={}, checkpoint=checkpoint, lead_time=timedelta(days=1),
        write_initial_state=True, output_frequency=None,
    )  # fmt: skip
    order = {n: i for i, n in enumerate(NAMES)}
    metadata = SimpleNamespace(dataset_name="data", typed_variables={}, variable_to_output_tensor_index=order)
    return LandNetCDFOutput(context, metadata, path=str(path), **options)


def state(k, names=NAMES):
    values = np.random.default_rng(k).normal(size=(len(NAMES), N_POINTS)).astype("f4")
    return {
        "date": START + k * STEP,
        "step": k * STEP,
        "latitudes": np.linspace(-60.0, 70.0, N_POINTS),
        "longitudes": np.linspace(0.0, 350.0, N_POINTS),
        "fields": {n: values[NAMES.index(n)] for n in names},
    }


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
    monkeypatch.setattr(under_test, "GATHERED_BYTES", limit)
    with netCDF4.Dataset(write(tmp_path / "f.nc", 7)) as ds:
        assert ds["swvl1"].chunking() == [expected, N_POINTS]
        np.testing.assert_array_equal(ds["stl1"][7], state(7)["fields"]["stl1"])


def test_name_of_the_output_says_where_it_goes(tmp_path):
    """It stands in the log."""
    assert repr(made(Path(tmp_path) / "f.nc")) == f"LandNetCDFOutput({tmp_path / 'f.nc'})"
