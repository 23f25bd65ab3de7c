# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Surface runoff with an infiltration capacity that varies within the grid box."""

from __future__ import annotations

import torch
from torch import Tensor

from anemoi_ailand.physics.elementary import expm1

#: Depth of soil whose water controls surface runoff [m]. ecLand, sussoil_mod.F90: RSRDEP.
DECIDING_DEPTH = 0.5

#: Water that sealed ground in towns can hold [m3 m-3]. ecLand, susurb_mod.F90: RURBSAT.
URBAN_SATURATED = 0.15

#: Standard deviation of the orography at which the exponent begins to grow, and scale of its growth [m]. ecLand,
#: sussoil_mod.F90: RSIGORMIN, RSIGORMAX.
_OROGRAPHY_LEAST, _OROGRAPHY_HALF = 100.0, 1000.0

#: Range of the exponent of the distribution of capacities [1]. ecLand, srfwexc_vg_mod.F90.
_EXPONENT_RANGE = (0.01, 0.5)

#: Smallest unsaturated share of the ground; its power has a derivative there.
_LEAST = 1.0e-6

#: Water that counts as rain in half an hour [m], and relative excess over capacity that it carries away [1].
_RAIN, _EXCESS_LOST = 1.0e-6, 0.1

#: Smallest water for which the share is computed [m]; less has the same share.
_LEAST_WATER = 1.0e-9


def capacity_exponent(sdor: Tensor) -> Tensor:
    r"""Return the exponent of capacities, :math:`b = (\sigma - 100)/(\sigma + 1000)` within 0.01 ... 0.5.

    ``sdor`` is the standard deviation of the orography within the grid box [m]. Source: ecLand, srfwexc_vg_mod.F90.
    """
    return ((sdor - _OROGRAPHY_LEAST) / (sdor + _OROGRAPHY_HALF)).clamp(*_EXPONENT_RANGE)


def surface_runoff(
    reaching: Tensor, held: Tensor, capacity: Tensor, exponent: Tensor, odds: Tensor | None = None
) -> Tensor:
    r"""Return the surface runoff [m] of the water that reaches the ground, and of the excess in overfull ground.

    With water :math:`P`, held water :math:`W` of at most :math:`W_m`, exponent b,

    .. math:: V = (1 - W/W_m)^{1/(1+b)} - \frac{P}{(1+b) W_m}, \qquad
              R = P - (W_m - W) + W_m \max(V, 0)^{1+b} \quad\text{within } 0 \dots P.

    The odds of the share :math:`R/P` may be scaled, which keeps 0 and 1. Ground that holds up to a tenth more than
    its capacity, which sealed ground in towns lowers, also loses the excess when it rains, as in ecLand.

    Parameters
    ----------
    reaching : Tensor
        Throughfall and melt over a step [m].
    held, capacity : Tensor
        Water down to :data:`DECIDING_DEPTH`, and its maximum [m].
    exponent : Tensor
        :func:`capacity_exponent` [1].
    odds : Tensor, optional
        Factor of the odds [1].

    All have the same shape. Source: variable infiltration capacity, Duemenil and Todini (1992); Balsamo et al. (2009),
    doi:10.1175/2008JHM1068.1; ecLand, srfwexc_vg_mod.F90.
    """
    power, water = 1.0 + exponent, reaching.clamp_min(_LEAST_WATER)
    dry = (1.0 - held / capacity).clamp(_LEAST, 1.0)
    root = torch.exp(torch.log(dry) / power)
    taken = (water / (power * capacity * root)).clamp_max(1.0 - _LEAST)
    # dry (1 - V^(1+b) / dry), without the difference of two numbers that are nearly one
    share = 1.0 + dry * capacity / water * expm1(power * torch.log1p(-taken))
    share = share.clamp(0.0, 1.0)
    excess = torch.relu(held - capacity)
    lost = (reaching > _RAIN) & (excess <= _EXCESS_LOST * capacity)
    if odds is not None:
        share = share * odds / (1.0 + share * (odds - 1.0))
    return reaching * share + torch.where(lost, excess, torch.zeros_like(excess))
