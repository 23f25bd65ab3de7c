# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Roots are where ecLand has them."""

import numpy as np
import pytest
import torch

from anemoi_ailand.physics.roots import root_table, roots_of
from anemoi_ailand.physics.vegetation import VEGETATION_DENSITY

#: RootDist of ecLand 50R1 (o_fix) at points with one kind of vegetation, by type.
ECLAND = {
    1: (0.2448, 0.4093, 0.3074, 0.0385), 2: (0.3477, 0.3867, 0.2288, 0.0369), 5: (0.2352, 0.3821, 0.3106, 0.0720),
    6: (0.2446, 0.3443, 0.2749, 0.1362), 9: (0.4671, 0.4523, 0.0805, 0.0001), 17: (0.2308, 0.3617, 0.3022, 0.1052),
    19: (0.1878, 0.3518, 0.3567, 0.1037),
}  # fmt: skip


@pytest.mark.parametrize("kind", ECLAND)
def test_shares_are_those_of_ecland(kind):
    """To the digits that are given."""
    np.testing.assert_allclose(root_table(torch.float64)[kind], ECLAND[kind], atol=6e-5)


def test_every_vegetation_has_all_its_roots_somewhere():
    """Shares add up to one where vegetation covers ground, and to zero where there is none."""
    total = root_table(torch.float64).sum(-1).numpy()
    vegetated = np.array(VEGETATION_DENSITY) > 0
    np.testing.assert_allclose(total, vegetated.astype(float), atol=1e-12)


def test_types_are_looked_up():
    """Whole numbers, any shape; what is no type is the nearest one."""
    table = root_table()
    found = roots_of(torch.tensor([[1.0, 19.0], [-3.0, 99.0]]), table)
    assert found.shape == (2, 2, 4)
    assert torch.equal(found, table[torch.tensor([[1, 19], [0, 20]])])
