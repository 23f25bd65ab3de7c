# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Parameters of ecLand's soil types: van Genuchten's, and soil water at characteristic suctions. NumPy."""

from __future__ import annotations

import numpy as np

#: Soil types 1 to 7. IFS Documentation CY49R1, Part IV, chapter 8.
SOIL_TYPES = ("coarse", "medium", "medium fine", "fine", "very fine", "organic", "tropical organic")

#: Inverse length of van Genuchten's curve by soil type 0-7 [m-1]; type 0 is water.
#: Source of this table and the next five: ecLand, sussoil_mod.F90; IFS Documentation CY49R1, Part IV, table 8.9.
ALPHA = (0.0, 3.83, 3.14, 0.83, 3.67, 2.65, 1.3, 3.14)

#: Exponent n of van Genuchten's curve [1].
EXPONENT = (1.0, 1.3774, 1.1804, 1.2539, 1.1012, 1.1033, 1.2039, 1.1804)

#: Saturated and residual water [m3 m-3].
SATURATED = (0.0, 0.403, 0.439, 0.430, 0.520, 0.614, 0.766, 0.439)
RESIDUAL = (0.0, 0.025, 0.010, 0.010, 0.010, 0.010, 0.010, 0.010)

#: Hydraulic conductivity at saturation [m s-1].
CONDUCTIVITY = (0.0, 6.94e-6, 1.16e-6, 2.63e-7, 2.87e-6, 1.74e-6, 0.93e-6, 1.16e-6)

#: Exponent lambda of Mualem's conductivity [1].
MUALEM = (0.0, 1.25, -2.3421, -0.5884, -1.9772, 2.5, 0.4, -2.3421)

#: Suction in metres of water per bar [m bar-1]. ecLand, sussoil_mod.F90: 100 / 9.8.
_METRES_PER_BAR = 100.0 / 9.8

#: Suction at field capacity and at permanent wilting point [bar]. IFS Documentation CY49R1, Part IV, section 8.6.
_FIELD_CAPACITY, _WILTING_POINT = 0.1, 15.0


def whole_types(kind: np.ndarray, largest: int, what: str) -> np.ndarray:
    """Return types as stored in a file as integers, valid indices of a table.

    Raises
    ------
    ValueError
        A type of ``what`` is not a whole number from 0 to ``largest``, e.g. because types were interpolated.
    """
    kind = np.asarray(kind, float)
    index = np.nan_to_num(kind, nan=-1.0).round().astype(int)
    bad = (index != kind) | (index < 0) | (index > largest)
    if bad.any():
        raise ValueError(
            f"{bad.sum()} {what} types are not whole numbers from 0 to {largest}, e.g. {kind[bad].flat[0]}. "
            "Types are categories: take them from the original file, or interpolate by nearest neighbour."
        )
    return index


def soil_parameters(kind: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Return the water of soil types at field capacity, at permanent wilting point and at saturation [m3 m-3].

    :math:`\theta(h) = \theta_r + (\theta_s - \theta_r)\,(1 + |\alpha h|^n)^{-(1 - 1/n)}` (van Genuchten) at suctions
    of 0.1 and 15 bar. Source: ecLand, sussoil_mod.F90; IFS Documentation CY49R1, Part IV, section 8.6.
    """
    index = whole_types(kind, len(SATURATED) - 1, "soil")
    alpha, n, sat, res = (np.array(t)[index] for t in (ALPHA, EXPONENT, SATURATED, RESIDUAL))

    def water(suction: float) -> np.ndarray:
        return res + (sat - res) * (1.0 + np.abs(alpha * suction * _METRES_PER_BAR) ** n) ** -(1.0 - 1.0 / n)

    return water(_FIELD_CAPACITY), water(_WILTING_POINT), sat
