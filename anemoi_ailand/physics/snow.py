# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Snow cover from mass and density, and values without snow, as in ecLand. NumPy; for tensors see ``snow_pack``."""

from __future__ import annotations

import numpy as np

from anemoi_ailand.constants import (
    SNOW_COVER_DENSITY_MAX,
    SNOW_COVER_FULL,
    SNOW_COVER_SLOPE,
    SNOW_DENSITY_MIN,
    TRIPLE_POINT,
)


def snow_cover(sd: np.ndarray, rsn: np.ndarray) -> np.ndarray:
    r"""Return the snow cover fraction from snow mass and density.

    :math:`c = \tanh\left(4000\, d / \mathrm{clip}(\rho, 100, 400)\right)` with depth :math:`d = S / \rho`; 1 above
    0.99, 0 without snow.

    Shapes: snow mass :math:`S` [kg m-2] and density :math:`\rho` [kg m-3] of the same shape -> fraction [1].
    Source: ecLand 50R1, snow scheme; IFS Documentation CY49R1, Part IV.
    """
    snow = sd > 0.0
    density = np.where(snow, rsn, SNOW_DENSITY_MIN)
    depth = np.where(snow, sd, 0.0) / density
    cover = np.tanh(SNOW_COVER_SLOPE * depth / np.clip(density, SNOW_DENSITY_MIN, SNOW_COVER_DENSITY_MAX))
    return np.where(np.isnan(sd), np.nan, np.where(cover >= SNOW_COVER_FULL, 1.0, cover))


def where_no_snow(sd: np.ndarray, tsn: np.ndarray, rsn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Replace temperature and density without snow, meaningless in files, by ecLand's 273.16 K and 100 kg m-3."""
    bare = sd <= 0.0
    return np.where(bare, TRIPLE_POINT, tsn), np.where(bare, SNOW_DENSITY_MIN, rsn)
