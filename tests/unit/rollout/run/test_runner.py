# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The runner: what it adds to the stock one. Whole runs are in tests/integration/test_operations.py."""

import time
from datetime import datetime, timedelta
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import xarray as xr
from anemoi.inference.forcings import ComputedForcings
from anemoi.inference.runners import create_runner

from anemoi_ailand.data.sun import COMPUTED
from anemoi_ailand.rollout.forcing.state_input import LandStateInput
from anemoi_ailand.rollout.run import runner as module
from anemoi_ailand.rollout.run.launch import launch, read_run
from anemoi_ailand.rollout.run.options import run_options
from anemoi_ailand.rollout.run.restart import Restart, Restarts
from anemoi_ailand.rollout.run.runner import FIRST_DATES, LandForecasterRunner, _NoOutput, _read
from anemoi_ailand.rollout.run.tensor_handler import LandMetadata, LandTensorHandler, SunForcings
from tests.support.land import OPEN

DATE = datetime(2022, 1, 1)


class Config(SimpleNamespace):
    """Options of a run that are read, with their defaults; a mapping of those given."""

    lead_time, trace_path, predict_kwargs, precision = "1d", None, {}, None

    def __iter__(self):
        return iter(self.__dict__.items())


class PrinterOutput:
    """Keeps nothing."""


def runner(config=None, options=None, **attributes):
    """A runner without a checkpoint around it."""
    out = LandForecasterRunner.__new__(LandForecasterRunner)
    out._checkpoint = SimpleNamespace(timestep=timedelta(hours=6), path="nowhere.ckpt")
    given = {
        "config": Config(**(config or {})), "options": run_options(options or {}), "reference_date": DATE,
        "tensor_handlers": {"data": None}, "outputs": {"data": PrinterOutput()}, "dynamic_forcings_inputs": {},
        "constant_forcings_inputs": {}, "prognostics_inputs": {},
        "_restarts": None, "_resumed": None, "_writers": [],
    }  # fmt: skip
    for name, value in {**given, **attributes}.items():
        setattr(out, name, value)
    return out


def state(name, latitudes):
    return {
        "date": DATE,
        "latitudes": np.array(latitudes),
        "longitudes": np.zeros(2),
        "fields": {name: np.zeros((1, 2))},
        "_input": name,
    }


def test_start_of_the_files_is_checked_when_no_date_is_given():
    """The period to cover begins at the first state of the input."""
    stamps = np.datetime64("2022-01-01T00", "s") + np.arange(3) * np.timedelta64(6, "h")
    r = runner(
        reference_date=None,
        prognostics_inputs={"data": SimpleNamespace(default_initial_date=lambda: DATE)},
        dynamic_forcings_inputs={"data": SimpleNamespace(available_dates=stamps)},
    )
    with pytest.raises(ValueError, match="needs forcing at 2022-01-01T18:00:00"):
        r.execute()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"lead_time": "7h"}, "not a positive multiple of 6 h"),
        ({"trace_path": "t"}, "`trace_path` is not supported for the land"),
        ({"precision": "bf16"}, "`precision` is bf16, but the land is stepped in float32"),
    ],
)
def test_options_without_effect_or_sense_are_refused(config, message):
    """The error comes before anything is read."""
    with pytest.raises(ValueError, match=message):
        runner(config).execute()
    runner({"precision": "32"})._check()


def test_a_dry_run_has_no_outputs():
    """Outputs are checked and then replaced by one that does nothing."""
    r = runner(options={"dry_run": True})
    r._check()
    assert isinstance(r._writers[0], PrinterOutput)
    nothing = r.outputs["data"]
    assert isinstance(nothing, _NoOutput)
    for call in (nothing.open, nothing.write_initial_state, nothing.write_state):
        assert call({}) is None
    assert nothing.close() is None


def keeping(tmp_path, config=None, **options):
    return runner({"input": "a.zarr", **(config or {})}, {"restart": {"folder": str(tmp_path)}, **options})


@pytest.fixture
def kept(tmp_path):
    """A folder with the restart file of a run."""
    first = keeping(tmp_path, {"lead_time": "5d"})
    first._check()
    restart = Restart(DATE + timedelta(days=1), 4, {"state": np.zeros((2, 3))}, [])
    Restarts(tmp_path, first._identity(), "unknown").write(restart)
    return tmp_path


def test_run_resumes_where_it_stopped(kept):
    """Length, threads and verbosity may differ in a resumed run."""
    same = keeping(kept, {"lead_time": "9d", "verbosity": 1}, threads=2, final_state="x.state")
    same._check()
    assert (same._resumed.number, same._resumed.date) == (4, DATE + timedelta(days=1))


def test_calibration_of_the_model_error_is_part_of_a_run(tmp_path, monkeypatch):
    """A missing one is an error before the first step, another one is another run; without it nothing is stated."""
    asked = {"ensemble": {"members": 2, "initial": {}, "model_error": "calibrated"}}
    monkeypatch.setattr(module, "checkpoint_path", lambda _: tmp_path / "a.ckpt")
    with pytest.raises(FileNotFoundError, match=r"no file '.*a\.model-error\.json'"):
        keeping(tmp_path, **asked)._check()
    found = []
    for content in ("{}", "{ }"):
        (tmp_path / "a.model-error.json").write_text(content)
        found.append(keeping(tmp_path, **asked)._identity())
    assert found[0] != found[1]
    without = keeping(tmp_path, ensemble={"members": 2, "initial": {}})._identity()
    assert "model_error" not in str(without)  # as in older restart files


@pytest.mark.parametrize(
    ("stopped", "option", "asked", "warned"),
    [
        ("plain", "auto", "plain", False),
        ("plain", "compiled", "compiled", True),
        ("compiled, x", "auto", "auto", False),
        ("compiled", "auto", "auto", True),
        ("compiled, y", "auto", "auto", True),
        (None, "auto", "auto", False),
    ],
)
def test_execution_of_a_resumed_run(monkeypatch, caplog, stopped, option, asked, warned):
    """A run stopped plain resumes plain under auto; another execution than that of the file is warned of once."""
    found = []

    def opens(path, device, execution, work, precipitation, trust, model_error):
        found.append((execution, work))
        return SimpleNamespace(execution="plain" if execution == "plain" else "compiled, x")

    monkeypatch.setattr("anemoi_ailand.rollout.run.runner.open_step", opens)
    restart = None if stopped is None else Restart(DATE, 1, {}, [], stopped)
    r = runner({"lead_time": "2d"}, {"execution": option}, _resumed=restart, _steps_opened=[], device="cpu",
               prognostics_inputs={"data": None})  # fmt: skip
    assert len(r._networks(5)) == len(r._networks(5)) == 1
    assert found == [(asked, 5 * 8)]
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert [f"The stopped run was {stopped}, and it continues" in m for m in warnings] == [True] * warned


@pytest.mark.parametrize(("made", "warned"), [(None, False), ("plain", False), ("compiled, x", True)])
def test_start_from_a_state_of_another_execution_is_warned_of(monkeypatch, caplog, made, warned):
    """The states that a run or a stepper saves say how they were made."""
    monkeypatch.setattr("anemoi_ailand.rollout.run.runner.open_step", lambda *_: SimpleNamespace(execution="plain"))
    start = LandStateInput.__new__(LandStateInput)
    start.path, start.state = "land.state", SimpleNamespace(execution=made)
    runner(_steps_opened=[], device="cpu", prognostics_inputs={"data": start})._networks(5)
    assert ["The run that saved 'land.state' was compiled, x" in m for m in caplog.messages] == [True] * warned


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        ({"input": "b.zarr"}, {}, r"input: a.zarr \(file\), b.zarr \(run\)"),
        ({"lead_time": "1d"}, {}, "is of step 4, but `lead_time` 1d is 4 steps. Give a longer one"),
        ({}, {"bad_forcing": "hold"}, "bad_forcing: error .file., hold"),
        ({}, {"ensemble": {"members": 2, "initial": {}}}, "ensemble: None .file., {'members': 2"),
        ({}, {"ensemble": {"members": 2, "checkpoints": ["x.ckpt"]}}, r"further: \[\] .file., \['unknown'\]"),
    ],
)
def test_other_run_does_not_resume(kept, config, options, message):
    """The error lists the differences."""
    with pytest.raises(ValueError, match=message):
        keeping(kept, {"lead_time": "5d", **config}, **options)._check()


def test_date_chosen_by_the_input_is_part_of_the_run(kept):
    """Another start is another run."""
    other = keeping(kept, {"lead_time": "5d"})
    other.reference_date = None
    other.prognostics_inputs = {"data": SimpleNamespace(default_initial_date=lambda: DATE + timedelta(days=1))}
    with pytest.raises(ValueError, match=r"date: 2022-01-01 00:00:00 \(file\), 2022-01-02 00:00:00 \(run\)"):
        other._check()


def test_damaged_forcing_is_a_failure_to_read():
    """A RuntimeError of a library becomes an OSError; other errors keep their type."""
    for kind, raised in ((RuntimeError, OSError), (ValueError, ValueError)):
        forcing = Mock(several=Mock(side_effect=kind("blosc: -1")))
        with pytest.raises(raised, match="blosc: -1"):
            _read(forcing, DATE, 3)
        forcing.several.assert_called_once_with(DATE, 3)


@pytest.mark.parametrize(("read_ahead", "blocks"), [(True, 2), (False, 1)])
def test_input_that_does_not_read_ahead_is_not_read_ahead(read_ahead, blocks):
    """Without `read_ahead` the runner asks for a block of forcing when its first date is due."""
    asked = []

    def load(dates, state):
        asked.append(dates)
        return np.zeros((1, len(dates), 2), "f4")

    provider = SimpleNamespace(input=SimpleNamespace(read_ahead=read_ahead), mask=[0], load_forcings_array=load)
    handler = SimpleNamespace(dynamic_forcings_providers=[provider], input_names=lambda: ["t"])
    r = runner(tensor_handlers={"data": handler})
    dates = [DATE + k * timedelta(hours=6) for k in range(2 * FIRST_DATES)]
    with r._forcing(dates, (np.zeros(2), np.zeros(2))) as forcing:
        forcing.get(dates[0])
        time.sleep(0.2)
        assert len(asked) == blocks


def test_states_can_be_run_without_outputs(tmp_path):
    """``run`` called from a script gives the values of a whole run, with its own lead time."""
    options = [f"output.land-netcdf.path={tmp_path / 'f.nc'}", "lead_time=1d"]
    launch("inference/rollout-files", options)
    alone = create_runner(read_run("inference/rollout-files", options))
    inputs = alone.prognostics_inputs, alone.constant_forcings_inputs, alone.dynamic_forcings_inputs
    start = alone._combine_states(*(of["data"].create_input_state(dates=[DATE]) for of in inputs))
    with xr.open_dataset(tmp_path / "f.nc") as whole:
        for k, states in enumerate(alone.run(input_states={"data": start}, lead_time="12h"), start=1):
            fields = states["data"]["fields"]
            for name in ("stl1", "swvl2", "slhf"):
                np.testing.assert_array_equal(fields[name], whole[name].values[k])
    assert k == 2
    assert states["data"]["date"] == DATE + timedelta(hours=12)


def test_inputs_with_rounded_coordinates_are_combined():
    """Upstream requires bitwise equal coordinates; rounding is accepted here, other points are not."""
    combined = runner()._combine_states(state("swvl1", [50.0, 60.0]), state("z", [50.0, 60.0001]))
    assert set(combined["fields"]) == {"swvl1", "z"}
    np.testing.assert_array_equal(combined["latitudes"], [50.0, 60.0])
    with pytest.raises(ValueError, match="z and swvl1 are on different points: 1 of 2 differ"):
        runner()._combine_states(state("swvl1", [50.0, 60.0]), state("z", [50.0, 61.0]))


WHERE = (np.array([50.7, 60.0]), np.array([7.1, 25.0]))
NAMES = sorted([*OPEN.forcing, *OPEN.prognostic])
DYNAMIC = ["avg_tprate", "cos_julian_day", "lai_lv", "t"]


class Provider:
    """Forcing whose value is the hour of the stamp."""

    kinds: dict = {}
    variables = DYNAMIC
    mask = tuple(NAMES.index(n) for n in DYNAMIC)

    def load_forcings_array(self, dates, state):
        hours = np.array([(d - DATE) / timedelta(hours=1) for d in dates], dtype=np.float32)
        return np.broadcast_to(hours[None, :, None], (len(DYNAMIC), len(dates), 2)).copy()


def handler():
    """A handler with metadata and providers made by hand, without a run around it."""
    out = LandTensorHandler.__new__(LandTensorHandler)
    out.metadata = SimpleNamespace(
        variable_to_input_tensor_index={n: i for i, n in enumerate(NAMES)},
        timestep=timedelta(hours=6),
        lagged=[timedelta(0)],
        dataset_name="data",
    )
    out.constant_forcings_providers, out.dynamic_forcings_providers = [], [Provider()]
    out._input_kinds, out.trace, out.context = {}, None, SimpleNamespace(device="cpu")
    return out


def first_state(**changes):
    fields = {n: np.full((1, 2), 5.0, dtype=np.float32) for n in NAMES if n not in DYNAMIC}
    fields.update(changes)
    return {"date": DATE, "latitudes": WHERE[0], "longitudes": WHERE[1], "fields": fields}


def test_first_input_has_state_static_fields_and_forcing_at_the_start():
    """The first input is one slot, in the order of the model's inputs."""
    tensor = handler().prepare_input_tensor(first_state())
    assert tensor.shape == (1, len(NAMES), 2)
    assert [tensor[0, NAMES.index(n), 0] for n in ("t", "swvl1", "z")] == [0.0, 5.0, 5.0]


def test_missing_forcing_of_the_first_step_is_refused(monkeypatch):
    """The forcing of the first step is checked, but not means before the start, which no step reads."""
    load = Provider.load_forcings_array

    def broken(hour):
        def read(self, dates, state):
            values = load(self, dates, state)
            values[DYNAMIC.index("avg_tprate"), [d == DATE + timedelta(hours=hour) for d in dates], 1] = np.nan
            return values

        monkeypatch.setattr(Provider, "load_forcings_array", read)

    broken(hour=0)
    handler().prepare_input_tensor(first_state())
    broken(hour=6)
    with pytest.raises(ValueError, match=r"'avg_tprate' at 2022-01-01 06:00 .* at 1 of 2 points.*60\.000"):
        handler().prepare_input_tensor(first_state())


def test_incomplete_input_is_refused():
    """A missing value, a missing variable and another number of points are errors."""
    for name in ("swvl1", "z"):
        field = np.array([[1.0, np.nan]], dtype=np.float32)
        with pytest.raises(ValueError, match=rf"'{name}' at 2022-01-01 00:00 .* at 1 of 2 points.*60\.000"):
            handler().prepare_input_tensor(first_state(**{name: field}))
    with pytest.raises(ValueError, match="3 points, but the initial state has 2"):
        handler().prepare_input_tensor(first_state(z=np.zeros((1, 3), dtype=np.float32)))
    incomplete = first_state()
    del incomplete["fields"]["theta_sat"]
    with pytest.raises(ValueError, match="theta_sat: static"):
        handler().prepare_input_tensor(incomplete)


def test_metadata_forget_the_training_points():
    """Supporting arrays of the training points are left out, others kept."""
    arrays = {"latitudes": np.zeros(3), "longitudes": np.zeros(3), "grid_indices": np.zeros(3), "other": np.ones(2)}
    assert set(LandMetadata({}, arrays).supporting_arrays) == {"other"}


def test_sun_and_calendar_are_those_of_anemoi():
    """Values are bitwise equal, in the order of the checkpoint, also just after a new year."""
    names, places = sorted(COMPUTED, reverse=True), {"latitudes": WHERE[0], "longitudes": np.array([-120.0, 359.0])}
    dates = [DATE, DATE + timedelta(hours=6), datetime(2024, 2, 29, 18), datetime(2024, 3, 1, 18)]
    ours, theirs = (kind(None, names, range(len(names))) for kind in (SunForcings, ComputedForcings))
    for where in (places, {**places, "longitudes": np.array([3.0, -70.0])}):  # places may change
        found, expected = (provider.load_forcings_array(dates, where) for provider in (ours, theirs))
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_other_computed_forcing_is_left_to_anemoi():
    """Computed variables unknown to this package keep Anemoi's provider."""
    h = handler()
    assert type(h.create_dynamic_computed_forcings(["cos_julian_day"], [0])[0]) is SunForcings
    assert type(h.create_dynamic_computed_forcings(["cos_julian_day", "cos_latitude"], [0, 1])[0]) is ComputedForcings
