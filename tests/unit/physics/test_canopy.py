# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Rain on leaves."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anemoi_ailand.physics.canopy import intercept

AMOUNT = st.floats(0.0, 300.0)


def kg(*values):
    return torch.tensor(values, dtype=torch.float64)


@settings(derandomize=True)
@given(AMOUNT, AMOUNT, st.floats(-50.0, 50.0), AMOUNT)
def test_water_on_leaves_is_closed(src, rain, kept, evaporation):
    """Store, evaporation and throughfall sum to store and rain before, and none is below zero."""
    result = intercept(kg(src), kg(rain), kg(kept), kg(evaporation))
    assert all((part >= 0).all() for part in result)
    assert sum(result).item() == pytest.approx(src + rain, abs=1e-11)


@pytest.mark.parametrize(
    ("kept", "evaporation", "expected"),
    [
        (0.5, 0.2, (0.5, 0.2, 1.3)),  # as asked for
        (5.0, 0.2, (2.0, 0.0, 0.0)),  # no more than there is
        (-1.0, 0.2, (0.0, 0.2, 1.8)),  # no store below zero
        (0.5, 9.0, (0.5, 1.5, 0.0)),  # what is kept does not evaporate
    ],
)
def test_by_hand(kept, evaporation, expected):
    """Half a kg on the leaves, one and a half falling: the store first, then evaporation, then the ground."""
    result = intercept(kg(0.5), kg(1.5), kg(kept), kg(evaporation))
    assert [part.item() for part in result] == pytest.approx(expected, abs=1e-12)


def test_dry_leaves_in_dry_weather_give_nothing():
    """Without store and rain nothing is kept, evaporates or falls, exactly."""
    assert [part.item() for part in intercept(kg(0.0), kg(0.0), kg(1.0), kg(1.0))] == [0.0, 0.0, 0.0]
