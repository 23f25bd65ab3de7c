# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Physical bounds from the table of variables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anemoi_ailand.variables import variable


def limits(names: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return lower and upper bounds (variable,) in the units of the table; infinite where it has none."""
    pairs = [variable(name).bounds for name in names]
    lower = np.array([-np.inf if low is None else low for low, _ in pairs])
    upper = np.array([np.inf if high is None else high for _, high in pairs])
    return lower, upper


def clamp(x: Tensor, lower: Tensor, upper: Tensor, *, straight_through: bool = False) -> Tensor:
    r"""Limit ``x`` to ``[lower, upper]``.

    With ``straight_through`` the gradient ignores the limit, :math:`\partial y / \partial x = 1`: in training a snow
    cover predicted below zero must still learn to rise. Shapes: ``x`` (..., variable), bounds (variable,).
    """
    limited = torch.minimum(torch.maximum(x, lower), upper)
    return x + (limited - x).detach() if straight_through else limited
