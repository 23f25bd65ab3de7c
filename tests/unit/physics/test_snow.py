# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Snow cover is ecLand's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import STEP
from anemoi_ailand.physics.snow import snow_cover, where_no_snow


@pytest.mark.parametrize(
    ("sd", "rsn", "expected"),
    [
        (0.0, 100.0, 0.0),
        (1.0, 100.0, np.tanh(0.4)),  # 1 cm of fresh snow
        (1.0, 400.0, np.tanh(0.025)),
        (1.0, 500.0, np.tanh(4000.0 / 500.0 / 400.0)),  # the density in the formula ends at 400, not that of the depth
        (1.0, 50.0, np.tanh(4000.0 / 50.0 / 100.0)),
        (10.0, 100.0, 1.0),  # 0.9993, set to 1
        (0.0, 0.0, 0.0),
        (np.nan, 100.0, np.nan),
    ],
)
def test_by_hand(sd, rsn, expected):
    """Snow cover is tanh(4000 d / clip(rho, 100, 400)); a missing value stays missing."""
    assert snow_cover(np.array(sd), np.array(rsn)) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(st.floats(0, 500), st.floats(60, 600), st.floats(1.0, 2.0))
def test_is_a_fraction_that_grows_with_snow(sd, rsn, factor):
    """Cover is between 0 and 1 and never decreases with mass at the same density."""
    less, more = snow_cover(np.array([sd, sd * factor]), np.array([rsn, rsn]))
    assert 0.0 <= less <= more <= 1.0


def test_is_that_of_the_reference_set():
    """Cover follows from ecLand's stored mass and density within their rounding."""
    reader = open_reader("$AILAND_SAMPLE")
    dates = [reader.coverage.first + i * STEP for i in range(0, 1400, 7)]
    sd, rsn, snowc = reader.read(["sd", "rsn", "snowc"], dates).astype(float)
    deep = sd > 0.5
    assert 0.05 < deep.mean() < 0.6
    np.testing.assert_allclose(snow_cover(sd, rsn)[deep], snowc[deep], atol=3e-3)


def test_leftovers_are_replaced_at_snow_free_points():
    """Values without snow are replaced, and no others."""
    tsn, rsn = where_no_snow(np.array([0.0, 2.0]), np.array([250.0, 260.0]), np.array([310.0, 320.0]))
    assert tsn.tolist() == [273.16, 260.0] and rsn.tolist() == [100.0, 320.0]
