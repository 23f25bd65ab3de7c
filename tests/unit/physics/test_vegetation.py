# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Types become the parameters that ecLand derives from them."""

from __future__ import annotations

from datetime import datetime

import netCDF4
import numpy as np
import pytest

from anemoi_ailand.physics.vegetation import leaf_area, seasonal_leaf_area, vegetation_parameters
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


def test_leaf_area_of_the_season():
    """Largest in July, in the south in January; in winter a third (low) or half (high), at the equator 0.8 of it."""
    low, high, south, equator = (
        seasonal_leaf_area(3.0, latitude, high=tall)
        for latitude, tall in ((48.0, False), (48.0, True), (-48.0, False), (2.0, False))
    )
    assert [int(a.argmax()) for a in (low, high, south)] == [6, 6, 0]
    for found, winter in ((low, 1 / 3), (high, 0.5), (south, 1 / 3), (equator, 0.8)):
        assert found.max() == pytest.approx(3.0, rel=0.01)
        assert found.min() == pytest.approx(3.0 * winter, rel=0.02)
