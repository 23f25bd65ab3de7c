# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A run is checked and started; errors are classified: configuration, input, in the middle, asked to stop."""

import errno
import logging
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from anemoi.datasets.usage.dataset import Dataset

from anemoi_ailand.hosts.anemoi_inference import has_single_dates
from anemoi_ailand.rollout.forcing.common_points import on_same_points
from anemoi_ailand.rollout.run import launch as under_test
from anemoi_ailand.rollout.run import preflight
from anemoi_ailand.rollout.run.launch import Failure, launch
from anemoi_ailand.rollout.run.preflight import (
    available_dates,
    check_coverage,
    check_outputs,
    check_room,
    check_stated_units,
    cost,
    leaves,
    seconds_per_step,
)
from anemoi_ailand.rollout.run.restart import Stopped
from anemoi_ailand.rollout.step import compiled_step
from tests.faults.faults import words
from tests.support import loop as case
from tests.support.outputs import N_POINTS, NAMES, made

FILES = "inference/rollout-files"


@pytest.fixture
def calls(monkeypatch):
    """Configurations with which runners are made; ``make`` and ``execute`` are what may go wrong."""
    made = SimpleNamespace(configs=[], make=None, execute=None, under_way=False)

    def create(config):
        made.configs.append(config)
        if made.make:
            raise made.make
        return SimpleNamespace(execute=execute, under_way=made.under_way)

    def execute():
        if made.execute:
            raise made.execute

    monkeypatch.setattr(under_test, "create_runner", create)
    return made


def test_runner_of_the_configuration_is_executed(calls):
    """The runner gets its options; ``auto`` is the land runner."""
    launch(FILES, ["lead_time=1d", "runner.land-forecaster.threads=2"])
    launch(FILES, ["runner=auto"])
    launch(FILES, dry_run=True)
    assert [c.runner for c in calls.configs] == [
        {"land-forecaster": {"threads": 2}}, "land-forecaster", {"land-forecaster": {"dry_run": True}},
    ]  # fmt: skip
    assert calls.configs[0].lead_time == "1d"


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("inference/nowhere", [], "no configuration 'inference/nowhere'"),
        (FILES, ["lead_tme=1d"], "Nearest: .'lead_time'."),
        (FILES, ["runner.land-forecaster.threds=1"], "(?s)`runner: land-forecaster` has 1 mistake.*'threads'"),
        (FILES, ["runner.land-forecaster.ensemble.members=2"], "all members would be the same"),
    ],
)
def test_a_wrong_configuration_makes_no_runner(calls, path, options, message):
    """Options of the runner are checked before it is created."""
    with pytest.raises(Failure, match=message) as caught:
        launch(path, options)
    assert caught.value.what == "configuration"
    assert calls.configs == []


@pytest.mark.parametrize(
    ("made", "executed", "under_way", "what"),
    [
        (TypeError("LandNetCDFOutput has no option 'pth'"), None, False, "configuration"),
        (FileNotFoundError("no dataset"), None, False, "input"),
        (None, ValueError("no forcing"), False, "input"),
        (None, OSError(errno.ENOSPC, "full"), True, "failed"),
        (None, Stopped("on request"), True, "stopped"),
    ],
)
def test_failures_are_classified(calls, made, executed, under_way, what):
    """An unknown option, a missing input, a failure before or after the first step, and a stop are distinguished."""
    calls.make, calls.execute, calls.under_way = made, executed, under_way
    with pytest.raises(Failure) as caught:
        launch(FILES)
    assert (caught.value.what, str(caught.value)) == (what, str(made or executed))
    assert caught.value.__cause__ is (made or executed)


def test_a_dataset_without_an_input_gets_the_remedy(calls):
    """Anemoi names the variable and lists the others; what to do comes first. The message is the one it raises."""
    with pytest.raises(ValueError, match="unknown variable") as stock:
        Dataset._select_to_columns(SimpleNamespace(name_to_index={"swvl1": 0}), ["al"])
    calls.execute = stock.value
    with pytest.raises(Failure, match=r"has no 'al', which the network reads. Create it again .*\['swvl1'\]"):
        launch(FILES)


def test_other_errors_keep_their_traceback(calls):
    """A defect of the program is not a failure of a run."""
    calls.execute = KeyError("no idea")
    with pytest.raises(KeyError, match="no idea"):
        launch(FILES)


def test_network_of_the_package_on_its_sample(tmp_path, caplog, monkeypatch):
    """A real dry run compiles nothing, leaves no files and reports the cost; a real day is then run."""
    options = ["lead_time=1d", f"output.land-netcdf.path={tmp_path / 'out' / 'f.nc'}"]
    caplog.set_level(logging.INFO, logger="anemoi_ailand")
    monkeypatch.setenv(compiled_step.CACHE, str(tmp_path / "none"))
    monkeypatch.setattr(compiled_step, "make_compiled", lambda step, whole: pytest.fail("compiled"))
    launch(FILES, [*options, "runner={land-forecaster: {execution: compiled}}"], dry_run=True)
    assert "ms a step, plain), at most" in caplog.text
    assert "2022-01-01 00:00 to 2022-01-02 00:00: 4 steps x 44 points, about 0:00:0" in caplog.text
    assert list(tmp_path.iterdir()) == []
    launch(FILES, options)
    with xr.open_dataset(tmp_path / "out" / "f.nc") as found:
        assert found.sizes == {"time": 5, "point": 44, "bnds": 2}
        assert np.isfinite(found.stl1).all()
        assert np.ptp(found.stl1.values, axis=0).min() > 0.0


@pytest.mark.parametrize(
    ("options", "what", "message"),
    [
        (["output.land-netcdf.pth=x"], "configuration", "LandNetCDFOutput has no option 'pth'. Nearest: .*'path'"),
        (["checkpoint={sample}"], "input", "not an inference checkpoint .File is not a zip file"),
        (["lead_time=3650d"], "input", r"needs forcing at 2023-01-01T00:00:00 .* Shorten `lead_time`"),
        (["output.land-netcdf.path={sample}/f.nc"], "input", "cannot be written to the folder"),
    ],
)
def test_errors_before_the_first_step(tmp_path, options, what, message):
    """Real mistakes are classified, and nothing is written."""
    (tmp_path / "sample.nc").write_text("no checkpoint, and no folder")
    given = [f"output.land-netcdf.path={tmp_path / 'f.nc'}", *options]
    with pytest.raises(Failure, match=message) as caught:
        launch(FILES, [option.format(sample=tmp_path / "sample.nc") for option in given])
    assert caught.value.what == what
    assert [p.name for p in tmp_path.iterdir()] == ["sample.nc"]


def test_no_room_on_the_disk(tmp_path, monkeypatch):
    """A full disk is reported before an output is opened."""
    monkeypatch.setattr(preflight, "free_bytes", lambda _folder: 10_000)
    with pytest.raises(Failure, match=r"The outputs take at least .* GB are free. Write with") as caught:
        launch(FILES, [f"output.land-netcdf.path={tmp_path / 'f.nc'}"])
    assert caught.value.what == "input"
    assert list(tmp_path.iterdir()) == []


class PrinterOutput:
    """Output with a name of anemoi-inference, without a file."""


class GribFileOutput:
    """Output with a name of anemoi-inference, which cannot be resumed."""

    def __repr__(self):
        return "GribFileOutput(a.grib)"


def test_outputs_that_write_are_found_below_those_that_hand_on():
    """Outputs are found below nested tees and forwarding outputs."""
    a, b, c = PrinterOutput(), GribFileOutput(), PrinterOutput()
    inner = SimpleNamespace(outputs=[a, SimpleNamespace(output=b)])
    assert list(leaves(SimpleNamespace(outputs=[inner, c]))) == [a, b, c]
    assert list(leaves(a)) == [a]


def test_outputs_must_be_writable_and_resumable(tmp_path):
    """The test of our outputs leaves no files; others are refused in a run with restart files only."""
    check_outputs([made(tmp_path / "f.nc"), GribFileOutput()], restart=False)
    with pytest.raises(ValueError, match=r"GribFileOutput\(a.grib\) cannot be resumed.* Use land-netcdf"):
        check_outputs([made(tmp_path / "f.nc"), GribFileOutput()], restart=True)
    check_outputs([made(tmp_path / "new" / "f.nc"), PrinterOutput()], restart=True)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written to the folder"):
        check_outputs([made(tmp_path / "file" / "f.nc")], restart=False)


def test_room_is_the_sum_of_the_outputs(tmp_path):
    """The size is that of outputs and restart files; the free space that of the disk."""
    outputs = [made(tmp_path / "f.nc"), PrinterOutput(), made(tmp_path / "f.zarr")]
    needed, free = check_room(outputs, 41, N_POINTS, 1, 5000)
    assert needed == 5000 + sum(o.required_bytes(41, N_POINTS, 1) for o in outputs if o is not outputs[1])
    assert needed > 2 * 41 * N_POINTS * len(NAMES) * 4
    assert 0 < free < 2**60
    assert check_room([PrinterOutput()], 41, N_POINTS, 1, 5000) == (5000, 0)


def test_a_disk_that_is_too_small_is_an_error(tmp_path, monkeypatch):
    """The limit is the size, or an eighth of it if it is compressed, as compression saves no more."""
    for level, share in ((0, 1), (1, 8)):
        outputs = [made(tmp_path / "f.nc", compression=level)]
        needed, _ = check_room(outputs, 10**4, 10**4, 1, 0)
        monkeypatch.setattr(preflight, "free_bytes", lambda _folder, size=needed // share: size + 1)
        check_room(outputs, 10**4, 10**4, 1, 0)
        monkeypatch.setattr(preflight, "free_bytes", lambda _folder, size=needed // share: size - 1)
        size = f"{needed / share / 1e9:.3g}"
        with pytest.raises(OSError, match=f"take at least {size} GB, but {size} GB are free. Write with"):
            check_room(outputs, 10**4, 10**4, 1, 0)
        monkeypatch.undo()


@pytest.mark.parametrize("members", [1, 3])
def test_cost_of_a_run(members):
    """Timing a step leaves the roll-out unchanged; the text has period, size, time, disk and memory."""
    options = {"members": members, "initial": {}} if members > 1 else {}
    roll, other = case.roll_out(**options), case.roll_out(**options)
    assert 1e-5 < seconds_per_step(roll) < 5.0
    text = cost(roll, 1460, 0.05, 9 * 10**9, 70 * 10**9)
    assert text.startswith("2022-01-01 00:00 to 2023-01-01 00:00: 1460 steps x 20 points")
    assert (" x 3 members" in text) == (members == 3)
    memory = 4e-9 * members * case.N * (2 * len(roll.inputs) + len(roll.outputs))
    for part in ("about 0:01:13", "(50 ms a step, plain)", "9 GB of disk (70 GB free)", f"{memory:.3g} GB of memory"):
        assert part in text
    assert (case.run(roll, 1)[0] == case.run(other, 1)[0]).all()


START = datetime(2022, 1, 1)
DATES = np.datetime64("2022-01-01T00", "s") + np.arange(9) * np.timedelta64(6, "h")


def test_forcing_must_hold_the_end_of_every_step():
    """The last step needs the forcing stored at its end; an error gives the first missing date; all dates are UTC."""
    check_coverage(DATES, START, timedelta(days=2))
    with pytest.raises(ValueError, match=r"2022-01-03T06:00:00 \(1 of 9 stamps.*2022-01-03T00:00:00, 9 stamps"):
        check_coverage(DATES, START, timedelta(hours=54))
    with pytest.raises(ValueError, match="2022-01-01T18:00:00"):
        check_coverage(np.delete(DATES, 3), START, timedelta(days=1))
    start = START.replace(tzinfo=timezone(timedelta(hours=2)))
    with pytest.raises(ValueError, match=r"`date` is 2022-01-01 00:00:00\+02:00, with a time zone"):
        check_coverage(None, start, timedelta(hours=6))


@pytest.mark.parametrize(("chunks", "single"), [((1, 7, 1, 9), True), ((4, 7, 1, 9), False), (None, False)])
def test_a_chunk_for_each_date_is_recognised(chunks, single):
    """Chunks are those of the stored dataset below any selection; unknown ones and other inputs are read in blocks."""
    stored = SimpleNamespace(chunks=chunks) if chunks else SimpleNamespace()
    selected = SimpleNamespace(forward=SimpleNamespace(forward=stored))
    assert has_single_dates(SimpleNamespace(open_dataset_args=(), ds=selected)) is single
    assert not has_single_dates(SimpleNamespace(ds=selected)) and not has_single_dates(None)


def test_dates_of_files_datasets_and_other_inputs():
    """Files and datasets report their dates; inputs that cannot, such as MARS, are not checked."""
    files = SimpleNamespace(available_dates=DATES)
    dataset = SimpleNamespace(open_dataset_args=(), ds_dates=DATES.astype("datetime64[ns]"))
    np.testing.assert_array_equal(available_dates(files), available_dates(dataset))
    assert available_dates(SimpleNamespace()) is None
    check_coverage(None, START, timedelta(days=1))


def forecasts(steps, start):
    """An input of a dataset with forecasts from two dates."""
    bases = np.array(["2022-01-01", "2022-01-02"], "datetime64[s]")
    ds = SimpleNamespace(base_dates=bases, steps=np.array(steps, "timedelta64[h]"))
    return SimpleNamespace(ds=ds, ds_dates=bases, use_trajectories=True, open_dataset_args=(), reference_date=start)


def test_dates_of_a_dataset_of_forecasts():
    """Dates are those of the forecast that starts with the run, with steps from 0 on, every 6 h, without a gap."""
    expected = np.datetime64("2022-01-02", "s") + np.array([0, 6, 12], "timedelta64[h]")
    np.testing.assert_array_equal(available_dates(forecasts([0, 6, 12], datetime(2022, 1, 2))), expected)
    with pytest.raises(ValueError, match=r"starts at 2022-01-02 06:00; there are 2, from 2022-01-01T00:00:00 to 2022"):
        available_dates(forecasts([0, 6], datetime(2022, 1, 2, 6)))
    for steps in ([6, 12, 18], [0, 3, 6], [0, 6, 18]):  # Anemoi would miscount them
        with pytest.raises(ValueError, match=r"steps from 0 on, every 6 h, are needed"):
            available_dates(forecasts(steps, START))


def state(latitudes, longitudes, name="forcing"):
    return {"latitudes": np.array(latitudes), "longitudes": np.array(longitudes), "_input": name}


LAND = state([50.0, 60.0, 70.0], [10.0, 20.0, 350.0], "state")


def test_rounding_and_branch_of_coordinates_do_not_matter():
    """Float32 coordinates and longitudes from -180 to 180 count as the same points; an input may have none."""
    rounded = state(np.float32([50.0004, 60.0, 70.0]), [10.0, 20.0, -10.0])
    for got in on_same_points([LAND, rounded]):
        assert got["latitudes"] is LAND["latitudes"]
        assert got["longitudes"] is LAND["longitudes"]
    empty = {"fields": {}}
    assert on_same_points([empty]) == [empty]
    assert on_same_points([empty, LAND]) == [empty, LAND]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (state([50.0, 60.0], [10.0, 20.0]), "forcing and state are on different points: 2 and 3"),
        (state([50.0, 61.0, 70.0], [10.0, 20.0, 350.0]), r"1 of 3 differ, the first at latitude 61\.000, .* 60\.000"),
        (state([50.0, 60.0, 70.0], [10.0, 20.0, 351.0]), r"1 of 3 differ, .*longitude 351\.000"),
        (state([60.0, 50.0, 70.0], [20.0, 10.0, 350.0]), r"2 of 3 differ \(the same points in another order\)"),
    ],
)
def test_other_points_are_refused(other, message):
    """Another number, place or order of points is an error that names both inputs."""
    with pytest.raises(ValueError, match=message):
        on_same_points([LAND, other])


def test_a_dataset_in_other_units_is_refused():
    """Variables that the network reads need the units of the table, or state none; types and others may have any."""
    units = {"stl1": "K", "avg_t": None, "slt": "~", "2t": "degC", "insolation": "degree"}
    data = SimpleNamespace(
        name_to_index=dict.fromkeys(units, 0), variables_metadata={n: {"units": u} for n, u in units.items()}
    )
    source = SimpleNamespace(ds=data, open_dataset_args=(), open_dataset_kwargs={"dataset": "d.zarr"})
    read = dict.fromkeys(["stl1", "avg_t", "slt", "insolation"], 0)
    handler = SimpleNamespace(metadata=SimpleNamespace(variable_to_input_tensor_index=read))
    check_stated_units(source, handler)
    check_stated_units(SimpleNamespace(), handler)
    data.variables_metadata["stl1"]["units"] = "degC"
    with pytest.raises(ValueError, match=words("a dataset in other units as the input of a run")):
        check_stated_units(source, handler)
