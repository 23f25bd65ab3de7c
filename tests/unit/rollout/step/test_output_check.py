# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The budget of water over the steps of one call."""

import re
from datetime import datetime, timedelta

import numpy as np
import pytest
import torch

from anemoi_ailand.constants import STEP_SECONDS
from anemoi_ailand.data.plausibility.checker import Checker, Implausible
from anemoi_ailand.rollout.step.advance import StepLayout
from anemoi_ailand.rollout.step.output_check import WaterBudget
from tests.faults.faults import words

STATE = ("swvl1", "swvl2", "swvl3", "swvl4", "sd", "src")
INPUTS, OUTPUTS = (*STATE, "avg_tprate", "cl"), (*STATE, "evap", "sro", "ssro")
N_STEPS, N_POINTS = 3, 4
DATES = [datetime(2020, 1, 1) + (k + 1) * timedelta(hours=6) for k in range(N_STEPS)]
WHERE = np.arange(4.0), np.arange(4.0)


def steps(rain=2.0, lost=0.0):
    """Start, forcing and outputs where rain [kg m-2] wets the skin, half of it runs off, and some is lost."""
    start = torch.zeros((N_POINTS, len(INPUTS)))
    start[:, :4], start[:, 4] = 0.3, 10.0
    ends = torch.full((N_STEPS, N_POINTS, 1), rain / STEP_SECONDS)
    out = torch.zeros((N_STEPS, N_POINTS, len(OUTPUTS)))
    out[..., :4], out[..., 4] = 0.3, 10.0
    out[..., 5] = (0.5 * rain - lost) * torch.arange(1, N_STEPS + 1)[:, None]
    out[..., 7] = 0.5 * rain / STEP_SECONDS
    return start, ends, out


def check(start, ends, out, inputs=INPUTS, outputs=OUTPUTS):
    """Warnings of a call."""
    checker, budget = Checker("error"), WaterBudget(StepLayout(inputs, outputs))
    budget.check(checker, budget.begin(checker, start), ends, out, DATES, WHERE)
    return [str(found) for found in checker.take()]


def test_a_closed_budget_passes():
    """To rounding, whatever the rain."""
    assert check(*steps()) == []
    assert check(*steps(rain=200.0)) == []


def test_lost_water_is_a_warning_and_a_flood_an_error():
    """With date, place and amount a step; points with a lake have other water."""
    (said,) = check(*steps(lost=1.0))
    assert "at 2020-01-01 18:00 at 4 of 4 points" in said and "does not keep its water" in said
    assert re.search(words("a network that loses water"), said)
    with pytest.raises(Implausible, match=words("a network that creates floods")):
        check(*steps(lost=-50.0))
    start, ends, out = steps(lost=1.0)
    start[:3, 7] = 0.2
    (said,) = check(start, ends, out)
    assert "1 of 4 points, the first at latitude 3.000" in said


def test_a_network_that_predicts_no_runoff_has_no_budget():
    """Nothing can be said then."""
    start, ends, out = steps(lost=1.0)
    assert check(start, ends, out[..., :8], outputs=OUTPUTS[:-1]) == []
