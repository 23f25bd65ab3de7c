# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Rain within a step: all of it falls, and it is gathered as its amount and the air say."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anemoi_ailand.physics.rain import by_hour, concentration_logit, drawn_shares, peaked


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def concentration(half_hours):
    """Concentration of rain: 0 if steady, 1 if all falls within an hour; hours begin at half past."""
    shares = torch.stack(half_hours) / sum(half_hours)
    hours = shares.roll(1, 0).reshape(6, 2, -1).sum(1)
    return 1.2 * (hours.square().sum(0) - 1.0 / 6.0)


@given(st.floats(0.0, 300.0), st.floats(-20.0, 20.0))
def test_all_rain_falls(rain, logit):
    """The half hours add up to the rain, and none is below zero."""
    half_hours = peaked(numbers(rain), numbers(logit))
    assert len(half_hours) == 12 and min(v.item() for v in half_hours) >= 0.0
    assert sum(half_hours).item() == pytest.approx(rain, rel=1e-12, abs=1e-12)


def test_concentration_is_that_of_the_logit():
    """From nearly steady to nearly all within an hour."""
    logit = torch.linspace(-4.0, 4.0, 9, dtype=torch.float64)  # limited beyond
    found = concentration(peaked(torch.full_like(logit, 3.0), logit))
    torch.testing.assert_close(found, torch.sigmoid(logit))


def test_warm_showers_are_gathered_and_long_rain_is_not():
    """4 kg at 285 K is typical; warmer air gathers rain, and a larger amount spreads it; drizzle has a limit."""
    rain, air = numbers(4.0, 4.0, 40.0, 0.1, 0.0), numbers(285.0, 295.0, 285.0, 285.0, 285.0)
    typical, warm, long, drizzle, none = concentration_logit(rain, air).tolist()
    assert typical == pytest.approx(-0.6) and warm == pytest.approx(0.2) and long < typical < drizzle == none


def test_known_hours_are_taken():
    """Each hour has its share, half of it in each half hour."""
    half_hours = by_hour(numbers(6.0), numbers(0.0, 0.5, 0.1, 0.4, 0.0, 0.0))
    assert [v.item() for v in half_hours] == pytest.approx([0, 0, 1.5, 1.5, 0.3, 0.3, 1.2, 1.2, 0, 0, 0, 0])


def test_drawn_rain_is_as_concentrated_as_expected():
    """Shares add up to one; their mean concentration is that of the logit to a tenth, and no hour is preferred."""
    normal = torch.randn(20000, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for logit in (-2.5, -1.0, 0.0):
        shares = drawn_shares(torch.full((20000,), logit, dtype=torch.float64), normal)
        torch.testing.assert_close(shares.sum(-1), torch.ones(20000, dtype=torch.float64))
        found = 1.2 * (shares.square().sum(-1).mean() - 1.0 / 6.0)
        assert found.item() == pytest.approx(torch.sigmoid(torch.tensor(logit)).item(), rel=0.1)
        assert shares.mean(0).tolist() == pytest.approx([1.0 / 6.0] * 6, abs=0.01)
