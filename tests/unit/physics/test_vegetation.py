# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Vegetation: ecLand's parameters of types, leaf area, roots, and water on leaves."""

from __future__ import annotations

from datetime import datetime

import netCDF4
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anemoi_ailand.physics.vegetation import VEGETATION_DENSITY, leaf_area, vegetation_parameters
from anemoi_ailand.physics.vegetation_water import intercept, root_table, roots_of
from anemoi_ailand.support.packaged import folder


@pytest.fixture
def static() -> dict[str, np.ndarray]:
    with netCDF4.Dataset(folder("sample") / "static.nc") as ds:
        return {n: np.asarray(v[:]) for n, v in ds.variables.items()}


@pytest.mark.parametrize("cover", ["l", "h"])
def test_vegetation_is_that_of_ecland(static, cover):
    """Parameters equal those of the reference set for all types of the sample."""
    ours = vegetation_parameters(static[f"clim_tv{cover}"])
    for values, name in zip(ours, ("covX", "z0mX", "rsminX"), strict=True):
        np.testing.assert_allclose(values, static[f"clim_veg_{name.replace('X', cover)}"], rtol=1e-6)
    assert len(np.unique(static[f"clim_tv{cover}"])) > 4


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (datetime(2021, 1, 15, 18), 1.0),
        (datetime(2021, 2, 15), 2.0),
        (datetime(2021, 2, 1), 1.0 + 17 / 31),  # 17 of the 31 days from 15 January
        (datetime(2020, 2, 29), 2.0 + 14 / 29),  # a leap year has 29 from 15 February
        (datetime(2021, 1, 1), 12.0 - 11.0 * 17 / 31),  # from December of the year before
        (datetime(2021, 12, 31), 12.0 - 11.0 * 16 / 31),
    ],
)
def test_leaf_area_between_the_15th_of_months(date, expected):
    """Leaf area is linear between the 15th of the months."""
    monthly = np.arange(1.0, 13.0)[:, None]
    assert leaf_area(monthly, date)[0] == pytest.approx(expected, rel=1e-12)
    assert leaf_area(monthly, date.replace(hour=23))[0] == leaf_area(monthly, date)[0]


AMOUNT = st.floats(0.0, 300.0)

#: RootDist of ecLand 50R1 (o_fix) at points with one kind of vegetation, by type.
ECLAND = {
    1: (0.2448, 0.4093, 0.3074, 0.0385), 2: (0.3477, 0.3867, 0.2288, 0.0369), 5: (0.2352, 0.3821, 0.3106, 0.0720),
    6: (0.2446, 0.3443, 0.2749, 0.1362), 9: (0.4671, 0.4523, 0.0805, 0.0001), 17: (0.2308, 0.3617, 0.3022, 0.1052),
    19: (0.1878, 0.3518, 0.3567, 0.1037),
}  # fmt: skip


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
    """Water fills the store first, then evaporates, then falls through."""
    result = intercept(kg(0.5), kg(1.5), kg(kept), kg(evaporation))
    assert [part.item() for part in result] == pytest.approx(expected, abs=1e-12)
    assert [part.item() for part in intercept(kg(0.0), kg(0.0), kg(abs(kept)), kg(evaporation))] == [0.0, 0.0, 0.0]


def test_shares_are_those_of_ecland():
    """Root shares equal ecLand's to the given digits, and add up to one for types with vegetation, else to zero."""
    table = root_table(torch.float64)
    np.testing.assert_allclose(table[list(ECLAND)], list(ECLAND.values()), atol=6e-5)
    vegetated = np.array(VEGETATION_DENSITY) > 0
    np.testing.assert_allclose(table.sum(-1), vegetated.astype(float), atol=1e-12)


def test_types_are_looked_up():
    """Types of any shape are looked up; unknown ones count as the nearest."""
    table = root_table()
    found = roots_of(torch.tensor([[1.0, 19.0], [-3.0, 99.0]]), table)
    assert found.shape == (2, 2, 4)
    assert torch.equal(found, table[torch.tensor([[1, 19], [0, 20]])])
