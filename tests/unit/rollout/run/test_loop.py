# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The roll-out in memory is a loop by hand, also after a restart, with members and with several networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from anemoi_ailand.rollout.run.loop import Rollout
from anemoi_ailand.rollout.step.row_blocks import BlockStep
from tests.support import loop as case
from tests.support.land import CLOSED

FORCING = {"precipitation": 0.5, "temperature": 1.5}


def same(found, expected):
    assert len(found) == len(expected) > 0
    for one, two in zip(found, expected, strict=True):
        assert torch.equal(one, two)


def test_steps_are_those_of_a_loop_by_hand():
    """Steps are bitwise those of a plain loop, with dates and numbers."""
    roll = case.roll_out()
    found = case.run(roll, 6)
    same(found, case.by_hand(case.land_step(), 6))
    assert (found[-1] - found[0]).abs().max() > 0.01
    assert (roll.number, roll.date) == (6, case.DATE + 6 * case.STEP)


@pytest.mark.parametrize(
    "options", [{"policy": "hold"}, {"members": 3, "initial": {"stl": 2.0}, "forcing": FORCING, "seed": 5}]
)
def test_restored_is_never_stopped(options):
    """A roll-out restored from the progress of another continues bitwise, with held forcing; the progress is a copy."""
    whole = case.roll_out(**options)
    case.run(whole, 3)
    kept = whole.progress()
    rest = case.run(whole, 4, first=4)
    other = case.roll_out(**options)
    other.restore(kept, case.DATE + 3 * case.STEP, 3)
    same(case.run(other, 4, first=4), rest)
    assert other.date == whole.date
    if "policy" in options:
        first, second = (case.roll_out(**options) for _ in range(2))
        for roll in (first, second):
            roll.restore(kept, case.DATE + 3 * case.STEP, 3)
        bad = broken(case.land_step(), "t", np.nan)
        same(first.steps(bad[:, None].copy()), second.steps(bad[:, None].copy()))
    assert not np.array_equal(kept["state"], whole.progress()["state"])


@pytest.mark.parametrize("options", [{}, {"policy": "hold"}, {"members": 3, "initial": {}, "forcing": FORCING}])
def test_steps_in_one_call_are_those_one_by_one(options):
    """Outputs and all that a restart needs are bitwise the same, and the next call continues."""
    single, several = case.roll_out(**options), case.roll_out(**options)
    expected = case.run(single, 7)
    same(case.run(several, 7, at_once=4), expected)
    found, kept = several.progress(), single.progress()
    assert kept.keys() == found.keys() and (several.date, several.number) == (single.date, single.number)
    for name, values in kept.items():
        np.testing.assert_array_equal(found[name], values, name)


def test_two_networks_make_several_steps_at_once():
    """Members with networks of their own give the same in one call."""
    steps = [case.land_step(), case.land_step(1)]
    expected = case.run(case.roll_out(steps=steps, members=3, initial={}), 4)
    same(case.run(case.roll_out(steps=steps, members=3, initial={}), 4, at_once=4), expected)


@pytest.mark.parametrize("policy", ["error", "clip"])
def test_bad_forcing_within_a_call_has_its_date(policy):
    """The error names the date of the first bad value; a value is clipped at its date only."""
    names = case.forcing_names(case.land_step())
    values = np.stack(case.forcings(case.land_step(), 4), axis=1)
    values[names.index("avg_tprate"), 2, 3] = -5.0
    roll = case.roll_out(policy=policy)
    if policy == "error":
        with pytest.raises(ValueError, match=r"'avg_tprate' at 2022-01-01 18:00 is outside its bounds"):
            roll.steps(values)
        return
    expected = case.roll_out(policy=policy)
    same(roll.steps(values), [expected.steps(values[:, k : k + 1])[0] for k in range(4)])


def test_an_unperturbed_member_is_the_run_alone():
    """The control of an ensemble equals the single run."""
    found = case.run(case.roll_out(members=3, initial={}, forcing=FORCING), 4)
    same([out[: case.N] for out in found], case.by_hand(case.land_step(), 4))
    assert not torch.equal(found[-1][: case.N], found[-1][case.N : 2 * case.N])


def test_networks_are_taken_in_turn():
    """Member n uses network n modulo their number, whatever the first member."""
    steps = [case.land_step(), CLOSED.land_step(seed=1)]
    found = case.run(case.roll_out(steps=steps, members=3, first=1, checkpoints=("b.ckpt",)), 4)
    alone = [case.by_hand(step, 4) for step in steps]
    for member, number in enumerate([1, 0, 1]):
        same([out[member * case.N : (member + 1) * case.N] for out in found], alone[number])
    assert not torch.equal(alone[0][0], alone[1][0])


def test_networks_of_other_variables_are_refused():
    """The error names the variables that differ."""
    step = case.land_step()
    with pytest.raises(ValueError, match=r"read or predict different variables: \['gpp2'\]. Give networks of the same"):
        case.roll_out(steps=[step, replace(step, outputs=(*step.outputs, "gpp2"))], members=2, checkpoints=("b",))


def test_forcing_that_was_constant_in_training_is_kept():
    """Forcing that Anemoi counts among the constant fields keeps its initial value."""
    step, constant = case.land_step(), "lai_lv"
    names = case.forcing_names(step)
    roll = case.roll_out()
    others = [n for n in names if n != constant]
    start = case.inputs(step, 0)
    roll = Rollout(roll.networks, roll.ensemble, start, others, case.DATE, roll.where)
    values = dict(zip(names, case.forcings(step, 1)[0], strict=True))
    found = roll.steps(np.stack([values[n] for n in others])[:, None])[0]
    ends = torch.from_numpy(np.stack([case.inputs(step, k).T for k in (0, 1)]))
    assert torch.equal(found, step(ends))
    ends[0, :, step.inputs.index(constant)] = 0.0
    assert not torch.equal(found, step(ends))


def broken(step, name, value, point=3):
    """The forcing of one step with one bad value."""
    (values,) = case.forcings(step, 1, first=3)
    values[case.forcing_names(step).index(name), point] = value
    return values


@pytest.mark.parametrize(("policy", "value"), [("error", np.nan), ("hold", np.nan), ("clip", -5.0)])
def test_bad_forcing_stops_is_held_or_clipped(policy, value):
    """The error has date and place; else the step equals that with the last good value, or the bound, in its place."""
    step, name = case.land_step(), "avg_tprate"
    row = case.forcing_names(step).index(name)
    found, bad = case.roll_out(policy=policy), broken(step, name, value)
    case.run(found, 2)
    before = bad.copy()
    if policy == "error":
        with pytest.raises(ValueError, match=rf"'{name}' at 2022-01-01 18:00 is missing .* {found.where[0][3]:.3f}"):
            found.steps(bad[:, None])
        return
    out = found.steps(bad[:, None])
    np.testing.assert_array_equal(bad, before)  # it may be a view
    good = case.forcings(step, 2)[1][row, 3] if policy == "hold" else 0.0
    expected = case.roll_out()
    case.run(expected, 2)
    assert torch.equal(out, expected.steps(broken(step, name, good)[:, None]))


def test_result_that_is_not_finite_stops(monkeypatch):
    """The error has date, variable and place of the row of a member."""
    roll = case.roll_out(members=2, initial={})
    computed = roll.computed

    def fails(ends):
        out = computed(ends)
        out[1, case.N + 4, 2] = np.nan
        return out

    monkeypatch.setattr(roll, "computed", fails)
    name, latitude = roll.outputs[2], roll.where[0][4]
    with pytest.raises(ValueError, match=rf"'{name}' at 2022-01-01 12:00 .* 1 of 40 points.* latitude {latitude:.3f}"):
        case.run(roll, 3, at_once=3)


def test_bad_state_at_the_start_stops():
    """A missing initial value is an error before any step."""
    step = case.land_step()
    start = case.inputs(step, 0)
    start[step.inputs.index("stl2"), 5] = np.nan
    roll = case.roll_out()
    with pytest.raises(ValueError, match="'stl2' at 2022-01-01 00:00 is missing or infinite at 1 of 20 points"):
        Rollout(roll.networks, roll.ensemble, start, case.forcing_names(step), case.DATE, roll.where)


def test_state_in_another_unit_at_the_start_stops():
    """A run refuses a state that is in another unit before any step, and names the unit that fits."""
    step, roll = case.land_step(), case.roll_out()
    start = case.inputs(step, 0)
    start[step.inputs.index("stl1")] -= 273.15
    with pytest.raises(ValueError, match=r"'stl1' at 2022-01-01 00:00 is outside .* The unit degC .*would fit. Give"):
        Rollout(roll.networks, roll.ensemble, start, case.forcing_names(step), case.DATE, roll.where)


def test_columns_are_a_state_for_another_run():
    """Columns hold state, static fields and instants, and zero where the model reads the end; the state can be set."""
    step, roll = case.land_step(), case.roll_out()
    out = case.run(roll, 2)[-1]
    columns, last = roll.columns(), case.inputs(step, 2)
    for i, name in enumerate(step.inputs):
        if name in step.prognostic:
            assert torch.equal(columns[:, i], out[:, step.outputs.index(name)])
        elif name in ("avg_tprate", "avg_t", "cos_julian_day"):
            assert not columns[:, i].any()
        elif name in ("t", "q", "lai_lv", "theta_sat", "slt"):
            np.testing.assert_array_equal(columns[:, i], last[i])
    other = torch.rand(case.N, len(roll.outputs))
    roll.set_state(other)
    for name in roll.prognostic:
        assert torch.equal(roll.columns()[:, roll.inputs.index(name)], other[:, roll.outputs.index(name)])


def test_finish_ends_the_threads_and_logs_replaced_values(caplog):
    """The replacements of the last day are logged, and the threads end."""
    roll = case.roll_out(policy="clip")
    roll.steps(broken(case.land_step(), "avg_tprate", -5.0)[:, None])
    roll.networks = [BlockStep(case.land_step(), 1)]  # the other is shared with other tests
    roll.finish()
    assert "values replaced (clip): {'avg_tprate': 1}" in caplog.text
    with pytest.raises(RuntimeError, match="shutdown"):
        roll.networks[0]._pool.submit(print)
