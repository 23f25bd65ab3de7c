# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The emulator inside another program: the same step, any kind of array, clear errors, several threads."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
import torch
import xarray as xr

from anemoi_ailand.data.sun import COMPUTED, compute
from anemoi_ailand.rollout.step import compiled_step
from anemoi_ailand.rollout.step.pretrained import pretrained_record
from anemoi_ailand.rollout.stepper import STEP, LandStepper
from anemoi_ailand.variables import variable
from tests.support import stepper as case
from tests.support.land import CLOSED

N = 37  # no multiple of anything that libraries like


@pytest.fixture(scope="module")
def small():
    return case.stepper()


@pytest.fixture(scope="module")
def shipped():
    return LandStepper.open("ailand", threads=1)


def same(a, b):
    """States that are equal to the last bit."""
    assert a.date == b.date
    assert torch.equal(a.columns, b.columns)
    assert (a.diagnostics is None) == (b.diagnostics is None)
    assert a.diagnostics is None or torch.equal(a.diagnostics, b.diagnostics)


def checked_steps(stepper, state, forcings):
    """Make the steps; each is that of ``predict_step`` to the last bit."""
    for forcing in forcings:
        end = stepper.forcing_columns(state, forcing)
        expected = stepper._loaded(torch.stack([state.columns, end]))
        after = stepper.step(state, forcing)
        for name in after.names:
            assert torch.equal(after[name], expected[:, stepper.outputs.index(name)]), name
        state = after
    return state


def test_steps_are_those_of_the_checkpoint(small, shipped):
    """Several steps are bitwise those of the checkpoint, for a small network and the packaged one."""
    first = case.start(small, N)
    last = checked_steps(small, first, case.forcings(N, 4))
    assert last.date == case.DATE + 4 * STEP
    assert (last["stl1"] - first["stl1"]).abs().max() > 1.0
    np.testing.assert_array_equal(last["t"].numpy(), case.forcings(N, 4)[-1]["t"].astype("f4"))  # instants move on
    assert (last["avg_t"] == 0).all()  # means are not kept
    checked_steps(shipped, *case.sample_fields(shipped))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_several_steps_in_one_call(dtype):
    """Outputs and the last state are bitwise those of single steps; errors name date and shape."""
    stepper, forcings = case.stepper(dtype), case.forcings(N, 3)
    first = state = case.start(stepper, N)
    together = {name: np.stack([f[name] for f in forcings]) for name in forcings[0]}
    outputs, last = stepper.steps(first, together | {"avg_sp": 9e4}, 3)
    for forcing, out in zip(forcings, outputs, strict=True):
        state = stepper.step(state, forcing | {"avg_sp": 9e4})
        for name in state.names:
            assert torch.equal(out[:, stepper.outputs.index(name)], state[name]), name
    same(last, state)
    together["t"][1, 3] = np.nan
    with pytest.raises(ValueError, match=rf"'t' at 2022-01-01 12:00 is missing .* 1 of {N} points"):
        stepper.steps(first, together, 3)
    with pytest.raises(ValueError, match=rf"has shape \(3, {N}\), but there are 2 steps and {N} points"):
        stepper.steps(first, together, 2)
    with pytest.raises(ValueError, match=rf"has shape \({N},\), but .* these steps only, with shape \(3, {N}\), or"):
        stepper.steps(first, {name: values[0] for name, values in together.items()}, 3)


def test_several_steps_of_labelled_data(small):
    """The records of the needed dates are taken, of more dates, in any order, along any dimension; others are refused.

    Data without a time are taken in their order.
    """
    data, forcings = labelled(times=6), case.forcings(N, 4)
    first = small.step(small.initial(data), data)
    expected = small.steps(first, {name: np.stack([f[name] for f in forcings[1:]]) for name in forcings[0]}, 3)
    shuffled = data.isel(time=[4, 2, 0, 3, 1])
    along = data.assign_coords(step=("time", range(6))).swap_dims(time="step")
    for given in (data, shuffled, along, data.isel(time=slice(2, 5)), data.isel(time=slice(2, 5)).drop_vars("time")):
        outputs, last = small.steps(first, given, 3)
        assert torch.equal(outputs, expected[0])
        same(last, expected[1])
    outputs, _ = small.steps(first, data.isel(time=2), 1)
    assert torch.equal(outputs, expected[0][:1])
    for given in (data.isel(time=slice(3, 6)), data.isel(time=[1, 3, 4]), data.isel(time=0)):
        with pytest.raises(ValueError, match="no record at 2022-01-01 12:00; they have"):
            small.steps(first, given, min(3, given["time"].size))


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "3", None])
def test_number_of_steps_is_checked(small, wrong):
    """A number that is not whole or below one is an error that shows it."""
    with pytest.raises(ValueError, match=rf"`n_steps` is {re.escape(repr(wrong))}\. Give the number of steps"):
        small.steps(case.start(small, N), case.forcings(N)[0], wrong)


@pytest.mark.parametrize("kind", ["torch", "xarray", "float32", "masked"])
def test_kinds_of_fields(small, kind):
    """Tensors, an xarray dataset, single precision, masked arrays and scalars are accepted; nothing is kept of them."""
    fields, forcing = case.fields(N), case.forcings(N)[0] | {"avg_sp": np.full(N, 9e4)}
    expected = small.step(case.start(small, N), forcing)

    def turn(given):
        return {
            "torch": lambda: {k: torch.from_numpy(v) for k, v in given.items()},
            "xarray": lambda: xr.Dataset({variable(k).netcdf_name: ("point", v) for k, v in given.items()}),
            "float32": lambda: {k: v.astype("f4") for k, v in given.items()},
            "masked": lambda: {k: 9e4 if k == "avg_sp" else np.ma.masked_array(v) for k, v in given.items()},
        }[kind]()

    state = small.initial(turn(fields), case.DATE, *case.places(N))
    for values in fields.values():
        values[:] = 0.0  # a host may reuse its arrays
    same(small.step(state, turn(forcing)), expected)


def labelled(n=N, times=2):
    """Fields of the case as a dataset with a time and places."""
    steps = [case.fields(n), *case.forcings(n, times - 1)]
    data = xr.concat([xr.Dataset({variable(k).netcdf_name: ("point", v) for k, v in f.items()}) for f in steps], "time")
    latitudes, longitudes = case.places(n)
    dates = [np.datetime64(case.DATE + k * STEP, "ns") for k in range(times)]
    return data.assign_coords(time=dates, latitude=("point", latitudes), longitude=("point", longitudes))


def test_datasets_with_a_time(small):
    """Date and places come from the dataset; a date may be given in any form; the record that is needed is taken."""
    data, expected = labelled(times=3), case.start(small, N)
    for state in (
        small.initial(data),
        small.initial(data.isel(time=0)),
        small.initial(data, "2022-01-01"),
        small.initial(data, np.datetime64("2022-01-01T00")),
        small.initial(data.drop_vars("time").isel(time=0), "2022-01-01"),
        small.initial(data.rename(latitude="lat", longitude="lon")),
    ):
        same(state, expected)
        assert isinstance(state.date, datetime)
    after = small.step(expected, case.forcings(N)[0])
    same(small.step(expected, data), after)
    same(small.step(expected, data.isel(time=1)), after)
    assert small.initial(data, "2022-01-01T06").date == case.DATE + STEP
    deliberate = small.step(expected, data.isel(time=2).drop_vars("time"))
    same(deliberate, small.step(expected, case.forcings(N, 2)[1]))


def test_another_date_is_refused(small):
    """A dataset of another date is an error that says which one is needed."""
    data = labelled()
    state = small.initial(data)
    with pytest.raises(ValueError, match=r"of 2022-01-01 00:00, needed are those of 2022-01-01 06:00.*drop_vars"):
        small.step(state, data.isel(time=0))
    with pytest.raises(ValueError, match="no record at 2022-01-01 12:00; they have 2022-01-01 00:00 to 2022-01-01 06"):
        small.step(small.step(state, data), data)
    with pytest.raises(ValueError, match="no record at 2020-05-01 00:00"):
        small.initial(data, "2020-05")
    with pytest.raises(TypeError, match="The fields come first"):
        small.initial(case.DATE, *case.places(N), case.fields(N))
    with pytest.raises(TypeError, match="Fields without time and places need them"):
        small.initial(case.fields(N), case.DATE)


def test_stepper_prints_itself(shipped):
    """Variables with units, step, precision, checkpoint, checksum and origin, as text and as a table of a notebook."""
    record = pretrained_record()
    sha, training = record["sha256"][:12], record["training"]
    made = f"{training['date'][:16].replace('T', ' ')}, anemoi-ailand {training['versions']['anemoi_ailand']}"
    for text in (repr(shipped), shipped._repr_html_()):
        parts = "steps of 6 h, float32 on cpu", f"SHA-256 {sha}", made
        for part in (*parts, "2t (t2m) [K]", "swvl1 [m3 m-3]"):
            assert part in text, part
    assert "trained     unknown" in repr(case.stepper())


def test_sun_and_calendar_are_computed_or_given(small):
    """Both ways give the same bits, and the values are used."""
    forcing, places = case.forcings(N)[0], case.places(N)
    names = [n for n in small.inputs if n in COMPUTED]
    assert names
    sun = dict(zip(names, compute(names, [case.DATE + STEP], *places)[:, 0], strict=True))
    state = case.start(small, N)
    same(small.step(state, forcing | sun), small.step(state, forcing))
    other = {k: v - 0.5 for k, v in sun.items()}
    assert not torch.equal(small.step(state, forcing | other).columns, small.step(state, forcing).columns)


def test_sun_ahead_is_that_of_each_date(small):
    """Over more steps than are computed ahead, and after another state, the calendar is that of the date."""
    names = [n for n in small.layout.forcing if n in COMPUTED]
    state, other = case.start(small, 3), small.initial(case.fields(3), case.DATE + 5 * STEP / 2, *case.places(3))
    for k in range(40):
        date = state.date + STEP
        given = dict(zip(names, compute(names, [date], *case.places(3))[:, 0], strict=True))
        after = small.step(state, case.forcings(3)[0])
        same(after, small.step(state, case.forcings(3)[0] | given))
        state = after
        if k in (1, 9, 30):
            other = small.step(other, case.forcings(3)[0])
            small.step(replace(state, date=state.date - 3 * STEP), case.forcings(3)[0])


def changed(name, values):
    """Forcing of a step with other values of a variable, or without it."""
    return {k: v for k, v in (case.forcings(N)[0] | {name: values}).items() if v is not None}


def test_bad_fields_are_refused(small):
    """The error says what is missing or wrong, when and where; initial fields and places are checked like forcing."""
    state = case.start(small, N)
    for values, message in (
        (None, r"At 2022-01-01 06:00 the land also needs \['t'\] .given: .*t: air temperature \[K\]"),
        (np.zeros(N - 1), rf"'t' has shape \({N - 1},\), but there are {N} points"),
        (np.zeros((1, N)), rf"'t' has shape \(1, {N}\)"),
        (np.where(np.arange(N) == 3, np.nan, 280.0), rf"'t' at 2022-01-01 06:00 is missing .* 1 of {N} points"),
        (np.ma.masked_array(np.full(N, 280.0), np.arange(N) < 2), rf"'t' .* is missing .* at 2 of {N}"),
    ):
        with pytest.raises(ValueError, match=message):
            small.step(state, changed("t", values))
    for given in (3.0, [280.0], np.zeros(N)):
        with pytest.raises(TypeError, match=rf"The fields are a {type(given).__name__}. Give a mapping of names"):
            small.step(state, given)
    fields = case.fields(N)
    without = {k: v for k, v in fields.items() if k not in ("swvl1", "slt")}
    with pytest.raises(ValueError, match=r"At 2022-01-01 00:00 the land also needs \['swvl1', 'slt'\]"):
        case.start(small, N, given=without)
    for places in (([1.0], [2.0, 3.0]), ([91.0], [0.0]), ([0.0], [361.0]), ([], []), ([np.nan], [0.0])):
        with pytest.raises(ValueError, match="latitudes and"):
            small.initial(fields, case.DATE, *places)
    broken = case.stepper()
    with torch.no_grad():
        next(iter(broken._loaded.model.parameters())).fill_(torch.nan)
    with pytest.raises(ValueError, match=r"The step gave no finite value: '.*' at 2022-01-01 06:00 .* units there"):
        broken.step(state, case.forcings(N)[0])


def test_fields_in_another_unit_are_refused(small):
    """The error names the unit that fits, in a step, with gradients and at the start; fill values are refused too."""
    state, fields = case.start(small, N), case.fields(N)
    few = np.where(np.arange(N) == 3, -9999.0, 280.0)
    for name, values, message in (
        ("t", fields["t"] - 273.15, rf"'t' at 2022-01-01 06:00 is outside .* {N} of {N} .* unit degC.* would fit"),
        ("avg_t", np.full(N, 15.0), r"The unit degC.* would fit. Give the values in K"),
        ("avg_sp", 1013.0, r"'avg_sp' .*The unit hPa .*would fit. Give the values in Pa"),
        ("avg_q", np.full(N, 8.0), r"unit g kg-1 would fit"),
        ("avg_tprate", np.where(np.arange(N) == 3, 8.0, 0.0), r"The unit .*mm d-1 or kg m-2 over 6 h would fit"),
        (
            "avg_t",
            few,
            rf"'avg_t' .* at 1 of {N} points.*\(-9999\). Give the values in K, and leave out points of fill values",
        ),
    ):
        for advance in (small.step, small.propagate):
            with pytest.raises(ValueError, match=message):
                advance(state, changed(name, values))
    with pytest.raises(
        ValueError, match=r"'swvl1' at 2022-01-01 00:00 .*The unit % would fit. Give the values in m3 m-3"
    ):
        case.start(small, N, given=fields | {"swvl1": 100.0 * fields["swvl1"]})


def test_values_beyond_the_bounds_are_a_warning_once(caplog):
    """A value beyond its bounds passes with `plausibility: warn`, with one warning for each; good ones give none."""

    def warnings():
        found = [r.getMessage().partition(" ")[0] for r in caplog.records if r.levelname == "WARNING"]
        return [name for name in found if name in ("'avg_tprate'", "'lai_lv'")]  # the fields are random

    stepper = case.stepper(plausibility="warn")
    state = case.start(stepper, N)
    with caplog.at_level("WARNING"):
        stepper.step(state, case.forcings(N)[0])
        assert not warnings()
        rain = np.where(np.arange(N) < 2, -1e-4, 0.0)
        after = stepper.step(state, changed("avg_tprate", rain))
        stepper.step(after, changed("avg_tprate", rain))
        stepper.step(state, changed("lai_lv", 13.0))
    assert warnings() == ["'avg_tprate'", "'lai_lv'"]
    assert f"is -0.0001 kg m-2 s-1 at 2022-01-01 06:00 at 2 of {N} points" in caplog.text
    assert after["swvl1"].isfinite().all()


def test_time_zones_are_converted(small):
    """A date with a time zone is converted to UTC."""
    zoned = datetime(2022, 1, 1, 3, tzinfo=timezone(timedelta(hours=3)))
    same(small.initial(case.fields(N), zoned, *case.places(N)), case.start(small, N))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_saved_state_continues_bitwise(tmp_path, dtype, caplog):
    """A loaded state continues bitwise; the differentiable step is bitwise the fast one, also after a conversion."""
    stepper = case.stepper(dtype)
    first, second = case.forcings(N, 2)
    state = stepper.step(case.start(stepper, N), first)
    same(stepper.propagate(case.start(stepper, N), first), state)
    path = stepper.save(state, tmp_path / "land.state")
    caplog.clear()
    loaded = stepper.load(path)
    same(loaded, state)
    assert loaded.execution == "plain" and not caplog.records
    assert loaded.diagnosed == state.diagnosed
    same(stepper.step(loaded, second), stepper.step(state, second))
    if dtype == "float32":
        double = case.stepper("float64")
        assert torch.equal(double.load(path).columns.float(), state.columns)
        for given in (state, replace(loaded, inputs=loaded.inputs[::-1])):
            with pytest.raises(ValueError, match="to another checkpoint or precision"):
                double.step(given, second)


def warnings(caplog):
    """Records of the log that are warnings."""
    return [record for record in caplog.records if record.levelname == "WARNING"]


def test_state_of_another_execution_is_warned_of_once(tmp_path, caplog):
    """A state says how it was made; one at the start of a run, or of an earlier version, belongs to any execution."""
    stepper = case.stepper()
    start = case.start(stepper, N)
    state = replace(stepper.step(start, case.forcings(N)[0]), execution="compiled")  # all that older files say
    stepper.load(stepper.save(start, tmp_path / "start"))
    assert start.execution is None
    assert not warnings(caplog)
    same(stepper.load(stepper.save(state, tmp_path / "s")), state)
    (record,) = warnings(caplog)
    assert f"that saved '{tmp_path / 's'}' was compiled, and it continues plain: from here" in record.getMessage()
    stepper.run(labelled(times=4), initial=tmp_path / "s", progress=False)
    assert len(warnings(caplog)) == 2


def test_state_of_another_checkpoint_is_refused(tmp_path):
    """Checkpoints are identified by checksum, not by name."""
    steppers = []
    for name in ("one", "two"):
        path = tmp_path / name / "best.ckpt"
        path.parent.mkdir()
        path.write_text(name)
        steppers.append(LandStepper(replace(CLOSED.land_step(), path=path), threads=1, plausibility="off"))
    path = steppers[0].save(case.start(steppers[0], N), tmp_path / "land.state")
    with pytest.raises(ValueError, match="belongs to the checkpoint with SHA-256"):
        steppers[1].load(path)


def test_several_threads_and_sets_of_points():
    """Four threads with their own points give the results of sequential calls."""
    shared = case.stepper(threads=2)
    cases = [(n, seed) for seed in range(2) for n in (N, 2100)]

    def run(this, n, seed):
        state = case.start(this, n, seed)
        for forcing in case.forcings(n, 2):
            state = this.step(state, forcing)
        return state

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda c: run(shared, *c), cases))
    alone = case.stepper()
    for state, (n, seed) in zip(found, cases, strict=True):
        same(state, run(alone, n, seed))


@pytest.mark.parametrize("which", ["small", "shipped"])
def test_a_point_does_not_depend_on_the_others(small, shipped, which):
    """A point alone, among few, or in another order has the same bits."""
    stepper = {"small": small, "shipped": shipped}[which]
    state, forcings = (case.start(small, N), case.forcings(N)) if which == "small" else case.sample_fields(stepper, 1)
    whole = stepper.step(state, forcings[0])
    n = len(state.latitudes)
    for chosen in (np.arange(n)[::-1].copy(), np.array([5]), np.array([3, n - 1, 3])):
        part = replace(state, latitudes=state.latitudes[chosen], longitudes=state.longitudes[chosen],
                       columns=state.columns[torch.from_numpy(chosen)])  # fmt: skip
        found = stepper.step(part, {k: v[chosen] for k, v in forcings[0].items()})
        assert torch.equal(found.columns, whole.columns[torch.from_numpy(chosen)])


def test_gradients_pass_through_propagate():
    """Gradients with respect to state, static fields and forcing agree with finite differences over two steps."""
    stepper = case.stepper("float64")
    forcings = [case.smooth_fields(5, k) for k in (1, 2)]
    given = {k: torch.tensor(v) for k, v in forcings[0].items()}
    given["avg_t"].requires_grad_()
    fields = {k: torch.tensor(v) for k, v in case.smooth_fields(5).items()}
    for name in ("stl1", "cvl"):
        fields[name].requires_grad_()

    def warmth(fields, given):
        state = stepper.initial(fields, case.DATE, *case.places(5))
        return stepper.propagate(stepper.propagate(state, given), forcings[1])["stl1"].sum()

    warmth(fields, given).backward()
    for name, where in (("stl1", fields), ("cvl", fields), ("avg_t", given)):
        small_change = 1e-5
        up, down = ({**where, name: where[name].detach() + s * small_change} for s in (1, -1))
        pairs = [(c, given) if where is fields else (fields, c) for c in (up, down)]
        difference = (warmth(*pairs[0]) - warmth(*pairs[1])) / (2 * small_change)
        torch.testing.assert_close(where[name].grad.sum(), difference.detach(), rtol=1e-5, atol=1e-9)
        assert where[name].grad.abs().max() > 1e-4


def test_step_inside_inference_mode(small):
    """Inside inference mode a step returns ordinary tensors."""
    state, forcing = case.start(small, N), case.forcings(N)[0]
    with torch.inference_mode():
        given = {k: torch.from_numpy(v) * 1.0 for k, v in forcing.items()}
        found = small.step(small.initial(case.fields(N), case.DATE, *case.places(N)), given)
    same(found, small.step(state, forcing))
    assert not found.columns.is_inference()


def test_unknown_precision_is_refused_before_the_checkpoint_is_read():
    """The checkpoint is not opened."""
    with pytest.raises(ValueError, match=r"The precision 'half' is unknown\. Use one of \['float32', 'float64'\]"):
        LandStepper.open("no-such-file.ckpt", dtype="half")


@pytest.mark.parametrize("execution", ["auto", "compiled"])
def test_double_precision_is_not_compiled(execution, monkeypatch, caplog):
    """The compiled step is in single precision: it is not made, and a warning says so to who asked for it."""
    monkeypatch.setattr(compiled_step, "choose_execution", lambda step, execution, work: (execution, work))
    monkeypatch.setattr(compiled_step, "load_step", lambda path, device, trust: None)
    monkeypatch.setattr(LandStepper, "__init__", lambda self, step, *others: setattr(self, "chosen", step))
    assert LandStepper.open("any", dtype="float64", execution=execution, point_steps=10**9).chosen[0] == "plain"
    warned = [r.getMessage() for r in caplog.records if "single precision: in 'float64'" in r.getMessage()]
    assert len(warned) == (execution == "compiled")
    assert LandStepper.open("any", execution=execution).chosen[0] == execution
