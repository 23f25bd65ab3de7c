# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Soil parameters of each point as tensors, and the frozen fraction of soil water."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.constants import FREEZING_END, FREEZING_START
from anemoi_ailand.physics import soil_types

#: Angle per kelvin and middle of the range in which soil water freezes.
_ANGLE = math.pi / (FREEZING_START - FREEZING_END)
_MIDDLE = 0.5 * (FREEZING_START + FREEZING_END)


class Soil(NamedTuple):
    """Soil parameters of each point, shape (..., 1), to broadcast over fields (..., layer).

    ``alpha`` [m-1], ``exponent`` n [1], ``saturated``, ``residual``, ``capacity`` (field capacity) and ``wilting``
    point [m3 m-3], ``conductivity`` at saturation [m s-1], Mualem's ``mualem`` [1].
    """

    alpha: Tensor
    exponent: Tensor
    saturated: Tensor
    residual: Tensor
    conductivity: Tensor
    mualem: Tensor
    capacity: Tensor
    wilting: Tensor


def soil_table(dtype: torch.dtype = torch.float32) -> Tensor:
    """Return the parameters of all soil types in the order and units of :class:`Soil`, shape (type, parameter).

    Row 0 is water, rows 1 to 7 are the soil types of ecLand. Source: ecLand, sussoil_mod.F90; IFS Documentation CY49R1,
    Part IV, table 8.9.

    Examples
    --------
    >>> from anemoi_ailand import soil_table
    >>> soil_table().shape
    torch.Size([8, 8])
    """
    capacity, wilting, _ = soil_types.soil_parameters(np.arange(len(soil_types.SATURATED)))
    columns = (
        soil_types.ALPHA, soil_types.EXPONENT, soil_types.SATURATED, soil_types.RESIDUAL, soil_types.CONDUCTIVITY,
        soil_types.MUALEM, capacity, wilting,
    )  # fmt: skip
    return torch.as_tensor(np.array(columns).T, dtype=dtype)


def soil_of(slt: Tensor, table: Tensor) -> Soil:
    """Look up the soil parameters of each point.

    Parameters
    ----------
    slt : Tensor, shape (...)
        Soil type, a whole number from 1 to 7; 0 (water) and other numbers count as the nearest soil.
    table : Tensor, shape (type, parameter)
        From :func:`soil_table`.

    Returns
    -------
    Soil
        Parameters, each of shape (..., 1).

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand import soil_of, soil_table
    >>> soil = soil_of(torch.tensor([1.0, 6.0]), soil_table())  # coarse, organic
    >>> soil.saturated.squeeze(-1)  # m3 m-3
    tensor([0.4030, 0.7660])
    """
    index = slt.round().long().clamp(1, len(table) - 1)
    return Soil(*table[index].unsqueeze(-2).unbind(-1))


def frozen_fraction(temperature: Tensor) -> Tensor:
    r"""Return the frozen share of soil water, :math:`f = \tfrac12 (1 - \sin(\pi (T - T_m) / (T_1 - T_2)))`.

    One below :math:`T_2` = 272.16 K, zero above :math:`T_1` = 274.16 K, with :math:`T_m` the middle of the two.
    Source: ecLand, sussoil_mod.F90 (RTF1, RTF2); IFS Documentation CY49R1, Part IV, section 8.5.
    """
    inside = temperature.clamp(FREEZING_END, FREEZING_START)
    return 0.5 * (1.0 - torch.sin(_ANGLE * (inside - _MIDDLE)))


def frozen_slope(temperature: Tensor) -> Tensor:
    r"""Return :math:`-\mathrm{d} f / \mathrm{d} T` [K-1] of :func:`frozen_fraction`, zero where nothing freezes."""
    inside = temperature.clamp(FREEZING_END, FREEZING_START)
    return 0.5 * _ANGLE * torch.cos(_ANGLE * (inside - _MIDDLE))
