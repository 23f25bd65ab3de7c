# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Roll-out with forcing in memory: equal to a loop over the step; spin-up equal to running the years one by one."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
import torch

from anemoi_ailand.data.reader import Coverage
from anemoi_ailand.data.sun import COMPUTED, compute
from anemoi_ailand.rollout.reforecast import point_run
from anemoi_ailand.rollout.reforecast.point_run import PointRun
from anemoi_ailand.variables import Time, variable
from tests.support.land import OPEN

FIRST, STEP = datetime(2021, 3, 1), timedelta(hours=6)


class Weather:
    """Made-up fields at two points; all but the static ones differ at every date."""

    latitudes, longitudes, name = np.array([50.0, -20.0]), np.array([8.0, 130.0]), "made-up weather"
    coverage = Coverage(FIRST, FIRST + 99 * STEP)

    def __init__(self, missing=()):
        self.variables = tuple(n for n in OPEN.variables if n not in missing)

    def read(self, names, dates):
        hours = np.array([(d - FIRST) / timedelta(hours=1) for d in dates])
        wave = np.sin(hours[:, None] / np.array([31.0, 47.0]))
        moments = [(OPEN.mean.get(n, OPEN.default[0]), OPEN.stdev.get(n, OPEN.default[1])) for n in names]
        static = [0.0 if variable(n).time is Time.CONSTANT else 0.3 for n in names]
        values = [m + share * s * wave for (m, s), share in zip(moments, static, strict=True)]
        return np.array(values, np.float32).reshape(len(names), len(dates), 2)


@pytest.fixture
def step():
    return OPEN.land_step()


def made(step, n_steps, reader=None):
    """A run and an initial state."""
    run = PointRun(step, reader or Weather(), [FIRST + i * STEP for i in range(n_steps + 1)])
    fields = dict(zip(step.prognostic, Weather().read(step.prognostic, [FIRST])[:, 0], strict=True))
    return run, run.state(fields)


def by_hand(step, state, begin, n_steps):
    """Step by step from both slots; shape (step, point, output)."""
    weather, out = Weather(), []
    for i in range(begin, begin + n_steps):
        dates = [FIRST + i * STEP, FIRST + (i + 1) * STEP]
        sun = dict(zip(COMPUTED, compute(COMPUTED, dates, weather.latitudes, weather.longitudes), strict=True))
        slots = np.stack(
            [sun[n] if n in sun else weather.read([n], dates)[0] for n in step.inputs], axis=-1
        ).astype(np.float32)  # fmt: skip
        slots = torch.from_numpy(slots)
        slots[..., [step.inputs.index(n) for n in step.prognostic]] = state
        out.append(step(slots))
        state = out[-1][:, [step.outputs.index(n) for n in step.prognostic]]
    return torch.stack(out), state


def test_run_is_the_loop_over_the_step(step):
    """Bitwise, at both points."""
    run, state = made(step, 9)
    expected, _ = by_hand(step, state, 0, 9)
    found = run.run(state, progress=False)
    np.testing.assert_array_equal(found, expected.numpy())
    assert np.abs(np.diff(found, axis=0)).max() > 0.0
    np.testing.assert_array_equal(run.run(state, 4, progress=False), found[:4])


def test_spin_up_is_the_years_before_the_start(monkeypatch, step):
    """After k iterations the state is that of the last k years of the period; here of 21 steps, the last of 18."""
    monkeypatch.setattr(point_run, "_YEAR", 5.25)
    monkeypatch.setattr(point_run, "_LACKING", 1)
    run, state = made(step, 61)
    assert run._years() == (3, 21, 18)
    found = run.spin_up(state, 2, progress=False)
    _, middle = by_hand(step, state, 21, 21)
    _, expected = by_hand(step, middle, 42, 18)
    assert torch.equal(found.state, expected)
    assert found.years == 2


def test_spin_up_ends_when_nothing_changes(monkeypatch, step, caplog):
    """It stops at the tolerance, or warns; the description says which."""
    monkeypatch.setattr(point_run, "_YEAR", 5.25)
    run, state = made(step, 42)
    caplog.set_level("INFO", point_run.__name__)
    found = run.spin_up(state, 3, progress=False)
    assert not found.converged
    assert "3 years (not converged)" in str(found)
    (line,) = [r.getMessage() for r in caplog.records if "pin-up" in r.getMessage()]  # one for all years
    assert "has not converged" in line
    monkeypatch.setattr(point_run, "TOLERANCE", {"swvl": 10.0, "stl": 1e4})
    found = run.spin_up(state, 9, progress=False)
    assert (found.years, found.converged) == (1, True)


def test_period_shorter_than_a_year_cannot_be_repeated(step):
    """The error says what else to do."""
    run, state = made(step, 8)
    with pytest.raises(ValueError, match="shorter than a year"):
        run.spin_up(state, 1, progress=False)


def test_missing_variable_or_value_is_an_error(step):
    """Before the first step, with name and date."""
    with pytest.raises(ValueError, match=r"made-up weather has no \['avg_tprate'\]"):
        made(step, 3, Weather(missing=("avg_tprate",)))
    broken = Weather()
    broken.read = lambda names, dates: np.full((len(names), len(dates), 2), np.nan, np.float32)
    with pytest.raises(ValueError, match="at 2021-03-01 00:00 is missing"):
        made(step, 3, broken)
