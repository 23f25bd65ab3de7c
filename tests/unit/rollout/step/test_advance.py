# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Columns of a step: the kernel of stepper, runner, re-forecasts, cyclic runs and export."""

import pytest
import torch

from anemoi_ailand.rollout.step.advance import StepLayout, advance
from anemoi_ailand.variables import END, START, variable
from tests.support import loop as case

INPUTS = ("avg_tprate", "lai_lv", "stl1", "swvl1", "t", "theta_sat")
OUTPUTS = ("2t", "swvl1", "stl1")


@pytest.fixture
def layout():
    return StepLayout(INPUTS, OUTPUTS)


def slots(n=3):
    """Two slots of different values, and outputs."""
    values = torch.arange(2.0 * n * len(INPUTS)).reshape(2, n, len(INPUTS))
    return *values, 100.0 + torch.arange(float(n * len(OUTPUTS))).reshape(n, len(OUTPUTS))


def test_roles_follow_from_the_table(layout):
    """State is input and output; forcing varies in time; the table tells at which end it is read."""
    assert (layout.prognostic, layout.diagnostic) == (("swvl1", "stl1"), ("2t",))
    assert (layout.static, layout.forcing) == (("theta_sat",), ("avg_tprate", "lai_lv", "t"))
    assert (layout.forcing_start, layout.forcing_end) == (("lai_lv", "t"), ("avg_tprate", "t"))
    assert all(START in variable(n).taken for n in layout.fields_start)
    assert all(END in variable(n).taken for n in layout.forcing_end)
    given = StepLayout(INPUTS, OUTPUTS, forcing=["t", "avg_tprate"])  # lai_lv was constant in training
    assert (given.static, given.forcing) == (("lai_lv", "theta_sat"), ("t", "avg_tprate"))


def test_next_start_takes_state_from_outputs_and_forcing_from_the_end(layout):
    """Static fields and forcing that is read at the end only stay; in place gives the same."""
    start, end, outputs = slots()
    found = dict(zip(INPUTS, layout.next_start(start, end, outputs).unbind(-1), strict=True))
    assert torch.equal(found["swvl1"], outputs[:, 1])
    assert torch.equal(found["stl1"], outputs[:, 2])
    for name, source in (("lai_lv", end), ("t", end), ("theta_sat", start), ("avg_tprate", start)):
        assert torch.equal(found[name], source[:, INPUTS.index(name)]), name
    copy = start.clone()
    layout.next_start_(copy, end, outputs)
    assert torch.equal(copy, torch.stack(list(found.values()), dim=-1))


def test_columns_that_are_not_read_may_hold_any_value():
    """The state at the end, and forcing where the table does not say that it is read, have no effect on a step."""
    step = case.land_step()
    layout = StepLayout(step.inputs, step.outputs)
    start, end = (torch.from_numpy(case.inputs(step, k).T.copy()) for k in (0, 1))
    expected = advance(step.of_slots, layout, start, end)
    assert torch.isfinite(expected).all()
    for slot, read in ((start, (*layout.prognostic, *layout.fields_start)), (end, layout.forcing_end)):
        slot[:, layout.columns([n for n in step.inputs if n not in read])] = 7.0
    assert torch.equal(advance(step.of_slots, layout, start, end), expected)
