# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Forcing of a land step from the steps of an atmosphere."""

import numpy as np
import pytest
import torch

from anemoi_ailand.coupling.crossing import ForcingField
from anemoi_ailand.coupling.step_forcing import StepForcing

RAIN = ForcingField("avg_tprate", "tp", 1000.0, 3600.0, 1.0)
MEAN = ForcingField("avg_t", "mt", 1.0, 1.0, 1.0)
LATE = ForcingField("late_sdswrf", "ssr", 1.0, 1.0, 1.0)
ENDS = ForcingField("avg_q", "q", 1.0, 1.0, 1.0, instants=True)
INSTANT = ForcingField("t", "2t", 1.0, 1.0, 0.0)


def hourly(n=6):
    rng = np.random.default_rng(0)
    return {f: torch.from_numpy(rng.random((n, 4)).astype("f4")) for f in ("tp", "mt", "ssr", "q", "2t")}


def test_hourly_steps_become_means_over_the_step():
    """Amounts, means, late means, trapezoids of instants and instants agree with numpy."""
    x, start = hourly(), torch.full((4,), 0.5)
    forcing = StepForcing([RAIN, MEAN, LATE, ENDS, INSTANT], 1.0)
    forcing.start({"avg_q": start, "avg_t": start})
    for k in range(6):
        assert not forcing.complete
        forcing.add({f: v[k] for f, v in x.items()})
    assert forcing.complete
    found = {k: v.numpy() for k, v in forcing.take().items()}
    y = {f: v.double().numpy() for f, v in x.items()}
    ends = np.concatenate([np.full((1, 4), 0.5), y["q"]])
    expected = {
        "avg_tprate": y["tp"].sum(0) * 1000.0 / 21600.0,
        "avg_t": y["mt"].mean(0),
        "late_sdswrf": y["ssr"][3:].mean(0),
        "avg_q": 0.5 * (ends[1:] + ends[:-1]).mean(0),
        "t": y["2t"][-1],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-7, err_msg=name)
        assert found[name].dtype == np.float32
    assert not forcing.complete


def test_second_step_is_independent_of_the_first():
    """After a step nothing is kept except the last instant."""
    x, forcing = hourly(12), StepForcing([MEAN, ENDS], 1.0)
    for k in range(12):
        forcing.add({f: v[k] for f, v in x.items()})
        if k == 5:
            forcing.take()
    found = forcing.take()
    np.testing.assert_allclose(found["avg_t"], x["mt"][6:].double().mean(0), rtol=1e-7)
    q = x["q"].double()
    np.testing.assert_allclose(found["avg_q"], 0.5 * (q[6:] + q[5:-1]).mean(0), rtol=1e-7)


@pytest.mark.parametrize("value", [0.1, 1e-8, 287.123])
def test_one_value_for_the_whole_step_is_unchanged(value):
    """A constant value is returned bitwise, at steps of 6 h and of 1 h."""
    x = torch.full((3,), value)
    for hours in (6.0, 1.0):
        forcing = StepForcing([ForcingField("avg_t", "mt", 1.0, 1.0, hours)], hours)
        while not forcing.complete:
            forcing.add({"mt": x})
        assert torch.equal(forcing.take()["avg_t"], x)


def test_a_field_that_covers_the_step_is_taken_at_its_end():
    """A field that covers the window is taken at the end of the step, whatever came before."""
    forcing = StepForcing([ForcingField("avg_t", "mt", 1.0, 1.0, 6.0)], 3.0)
    forcing.add({"mt": torch.zeros(2)})
    forcing.add({"mt": torch.ones(2)})
    assert torch.equal(forcing.take()["avg_t"], torch.ones(2))


def test_first_instant_replaces_a_missing_start():
    """Without an instant at the start, the first one replaces it."""
    forcing = StepForcing([ForcingField("avg_sp", "sp", 1.0, 1.0, 6.0, instants=True)], 6.0)
    forcing.add({"sp": torch.full((2,), 9e4)})
    assert torch.equal(forcing.take()["avg_sp"], torch.full((2,), 9e4))


@pytest.mark.parametrize("hours", [12.0, 4.0, 0.0])
def test_steps_that_do_not_divide_the_lands_are_refused(hours):
    """A step that does not divide 6 h is refused."""
    with pytest.raises(ValueError, match=f"The atmosphere makes steps of {hours:g} h"):
        StepForcing([MEAN], hours)
