# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Snow cover is ecLand's; snow on the ground over one step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anemoi_ailand.constants import SNOW_DENSITY_HIGHEST, SNOW_DENSITY_LOWEST, SNOW_DENSITY_MIN
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import STEP
from anemoi_ailand.physics import snow_pack
from anemoi_ailand.physics.snow import snow_cover, where_no_snow
from anemoi_ailand.physics.snow_pack import (
    NO_SNOW,
    SNOW_PROPERTIES,
    bare_density,
    snow_density,
    snow_mass,
    snow_property,
)


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


def kg(*values):
    return torch.tensor(values, dtype=torch.float64)


@settings(derandomize=True)
@given(st.floats(0.0, 1000.0), st.floats(-20.0, 50.0), st.floats(0.0, 200.0))
def test_snow_is_closed(available, sublimation, melt):
    """Snow, sublimation and melt sum to the available mass, and none is negative."""
    result = snow_mass(kg(available), kg(sublimation), kg(melt))
    assert (result.sd >= 0).all() and (result.melt >= 0).all() and (result.sublimation <= max(available, 0.0)).all()
    assert sum(result).item() == pytest.approx(available, abs=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_snow_melts_to_exactly_nothing(dtype):
    """Snow that melts completely is exactly zero."""
    available = torch.linspace(0.01, 500.0, 997, dtype=dtype)
    assert torch.equal(snow_mass(available, 0.0037 * available, 2 * available).sd, torch.zeros_like(available))


def test_fluxes_are_as_asked_for_where_there_is_snow():
    """Of ten kg one sublimates and two melt; hoar frost adds mass."""
    assert [v.item() for v in snow_mass(kg(10.0), kg(1.0), kg(2.0))] == [7.0, 1.0, 2.0]
    assert [v.item() for v in snow_mass(kg(10.0), kg(-1.0), kg(2.0))] == [9.0, -1.0, 2.0]


def test_cover_is_that_of_the_arrays():
    """Tensor and NumPy formulas of snow cover agree for all depths and densities."""
    sd, rsn = np.meshgrid([0.0, 1e-3, 0.1, 1.0, 5.0, 10.0, 300.0], np.linspace(50.0, 500.0, 19))
    cover = snow_pack.snow_cover(torch.from_numpy(sd), torch.from_numpy(rsn)).numpy()
    np.testing.assert_allclose(cover, snow_cover(sd, rsn), rtol=1e-12, atol=0.0)
    assert {0.0, 1.0} <= set(cover.flat) and ((cover > 0.1) & (cover < 0.9)).any()


def test_mixed_density_is_between_old_and_fresh():
    """The density is weighted by mass, unchanged without snowfall, that of fresh snow on bare ground, within bounds."""
    fresh = torch.linspace(0.0, 50.0, 51, dtype=torch.float64)
    old, new = torch.full_like(fresh, 300.0), torch.full_like(fresh, 80.0)
    mixed = snow_density(torch.full_like(fresh, 10.0), old, fresh, new, torch.zeros_like(fresh))
    assert mixed[0].item() == pytest.approx(300.0)
    assert (mixed[1:] < 300.0).all() and (mixed > 80.0).all() and (mixed.diff() < 0).all()
    assert mixed[10].item() == pytest.approx(190.0, abs=0.02)
    first = snow_density(kg(0.0), kg(100.0), kg(5.0), kg(250.0), kg(0.0))
    assert first.item() == pytest.approx(250.0, rel=1e-3)
    for change, limit in ((1e4, SNOW_DENSITY_HIGHEST), (-1e4, SNOW_DENSITY_LOWEST)):
        assert snow_density(kg(10.0), kg(300.0), kg(1.0), kg(80.0), kg(change)).item() == limit


def test_bare_ground_has_the_density_of_none():
    """The density is 100 kg m-3 without snow or with a trace of it."""
    density = bare_density(kg(0.0, NO_SNOW, 2 * NO_SNOW), kg(333.0, 333.0, 333.0))
    assert density.tolist() == [SNOW_DENSITY_MIN, SNOW_DENSITY_MIN, 333.0]


@pytest.mark.parametrize(("name", "without"), [("tsn", 273.16), ("asn", 0.85), ("slw", 0.0)])
def test_properties_are_those_of_none_without_snow(name, without):
    """Properties without snow are reset for any input; with snow they stay within their range."""
    said, sd = kg(-1e3, 0.6, 250.0, 1e4), kg(0.0, 0.0, 0.0, NO_SNOW)
    assert torch.equal(snow_property(name, said, sd), kg(*[without] * 4))
    _, lowest, highest = SNOW_PROPERTIES[name]
    with_snow = snow_property(name, said, kg(*[10.0] * 4))
    assert with_snow.min() >= lowest and with_snow.max() <= highest
    assert name != "slw" or with_snow.max() == 10.0
