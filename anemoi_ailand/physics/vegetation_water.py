# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Water on leaves and taken up by roots."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS

#: Coefficients a, b of root depth by vegetation type 1-20 [m-1]; zero for types without roots. Zeng et al. (1998);
#: the shares equal RootDist in ecLand's output to 1e-4.
_CROPS, _WET, _SHRUB, _MIXED = (5.558, 2.614), (7.344, 1.303), (6.326, 1.567), (4.453, 1.631)
DEPTH_COEFFICIENTS = (
    _CROPS, (10.739, 2.608), (6.706, 2.175), (7.066, 1.953), (5.990, 1.955), _WET, (8.235, 1.627), (0.0, 0.0),
    (8.992, 8.992), _CROPS, (4.372, 0.978), (0.0, 0.0), _WET, (0.0, 0.0), (0.0, 0.0), _SHRUB, _SHRUB, _MIXED, _MIXED,
    _MIXED,
)  # fmt: skip


class Canopy(NamedTuple):
    """Interception store after a step, evaporation and throughfall [kg m-2]; they sum to store and rain before."""

    src: Tensor
    evaporation: Tensor
    throughfall: Tensor


def intercept(src: Tensor, rain: Tensor, kept: Tensor, evaporation: Tensor) -> Canopy:
    """Divide store and rain into water kept on the leaves, evaporation, and throughfall, in this order.

    ``src`` is the interception store before the step, ``rain`` that over the step. The requested store ``kept`` is
    limited to 0 ... ``src + rain``; the requested ``evaporation`` is not below zero. All have the same shape [kg m-2].
    """
    available = src + rain
    store = torch.minimum(torch.relu(kept), available)
    evaporated = torch.minimum(evaporation, available - store)
    return Canopy(store, evaporated, available - store - evaporated)


def root_table(dtype: torch.dtype = torch.float32, factor: float = 1.0) -> Tensor:
    r"""Return the share of the roots in each layer, shape (21, layer), by vegetation type 0-20 [1].

    Between depths :math:`z_1` and :math:`z_2`,

    .. math:: R = \tfrac12 \bigl(e^{-a z_1} + e^{-b z_1} - e^{-a z_2} - e^{-b z_2}\bigr),

    and all deeper roots in the last layer; ``factor`` scales the coefficients a and b, below one for deeper roots. Rows
    add up to one; to zero for types without roots and for 0 (no vegetation).

    Source: Zeng et al. (1998), doi:10.1175/1520-0477(1998)079<1347:TROVIL>2.0.CO;2; ecLand, srfrootfr_mod.F90.
    """
    top = torch.cumsum(torch.tensor((0.0, *SOIL_LAYER_THICKNESS[:-1]), dtype=torch.float64), 0)
    a, b = torch.tensor(((0.0, 0.0), *DEPTH_COEFFICIENTS), dtype=torch.float64).mul(factor).unsqueeze(-1).unbind(1)
    below = 0.5 * (torch.exp(-a * top) + torch.exp(-b * top)) * (a > 0.0)
    return (below - torch.nn.functional.pad(below[:, 1:], (0, 1))).to(dtype)


def roots_of(kind: Tensor, table: Tensor) -> Tensor:
    """Look up the shares (..., layer) of vegetation types (...), 0 to 20; others count as the nearest type."""
    return table[kind.round().long().clamp(0, len(table) - 1)]
