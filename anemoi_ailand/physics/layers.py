# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Fields of layers (..., layer), each layer contiguous in memory, and tridiagonal systems over the layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS


def layer_thickness(like: Tensor) -> Tensor:
    """Return the thickness of the soil layers [m], shape (layer,), in the precision and on the device of a tensor."""
    return torch.as_tensor(SOIL_LAYER_THICKNESS, dtype=like.dtype, device=like.device)


def stack_layers(layers: Sequence[Tensor]) -> Tensor:
    """Stack single layers (...) to (..., layer)."""
    return torch.stack(list(layers)).movedim(0, -1)


def join_layers(parts: Sequence[Tensor]) -> Tensor:
    """Concatenate groups of layers (..., layers) to (..., layer)."""
    return torch.cat([part.movedim(-1, 0) for part in parts]).movedim(0, -1)


def solve_tridiagonal(lower: Tensor, diagonal: Tensor, upper: Tensor, rhs: Tensor) -> Tensor:
    r"""Solve :math:`l_k x_{k-1} + d_k x_k + u_k x_{k+1} = r_k` by elimination, without pivoting.

    Thomas's algorithm, safe for the diagonally dominant systems of implicit diffusion only. ``diagonal`` and ``rhs``
    have shape (..., layer); the off-diagonals (..., layer - 1) belong to rows ``k + 1`` (``lower[..., k]``) and ``k``
    (``upper[..., k]``).
    """
    low, up = lower.unbind(-1), upper.unbind(-1)
    rows = list(zip(diagonal.unbind(-1), rhs.unbind(-1), strict=True))
    pivot, value = rows[0]
    ratios, values = [], [value / pivot]
    for k, (d, r) in enumerate(rows[1:]):
        ratios.append(up[k] / pivot)
        pivot = d - low[k] * ratios[k]
        values.append((r - low[k] * values[k]) / pivot)
    for k in reversed(range(len(ratios))):
        values[k] = values[k] - ratios[k] * values[k + 1]
    return stack_layers(values)
