# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Fields of layers: (..., layer), each layer contiguous in memory, or one tensor (...) a layer; tridiagonal systems.

Where layers act on each other they are kept apart, so that compiled code holds all of a point's layers in registers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS

#: A named tuple of tensors.
_Constants = TypeVar("_Constants", bound=tuple)


def layer_thickness(like: Tensor) -> Tensor:
    """Return the thickness of the soil layers [m], shape (layer,), in the precision and on the device of a tensor."""
    return by_layer(SOIL_LAYER_THICKNESS, like)


def by_layer(values: Sequence[float], like: Tensor) -> Tensor:
    """Return constants of the layers, shape (layer,), in the precision of a tensor; made on its device, not copied."""
    zero = like.new_zeros(())  # to which a number is added in full precision also in an exported graph
    return torch.stack([zero + value for value in values])


def stack_layers(layers: Sequence[Tensor]) -> Tensor:
    """Stack single layers (...) to (..., layer)."""
    return torch.stack(list(layers)).movedim(0, -1)


def join_layers(parts: Sequence[Tensor]) -> Tensor:
    """Concatenate groups of layers (..., layers) to (..., layer)."""
    return torch.cat([part.movedim(-1, 0) for part in parts]).movedim(0, -1)


def each_layer(
    function: Callable[[Tensor, _Constants], tuple[Tensor, ...]], layers: Sequence[Tensor], constants: _Constants
) -> list[list[Tensor]]:
    """Apply an element-wise function with several results to every layer; return each result by layer.

    ``constants`` of a point have shape (..., 1). Interpreted, all layers are one call; compiled, each is code of its
    own.
    """
    if torch.compiler.is_compiling():
        rows = type(constants)(*(v.squeeze(-1) for v in constants))
        return [list(result) for result in zip(*(function(layer, rows) for layer in layers), strict=True)]
    return [list(result.unbind(-1)) for result in function(stack_layers(layers), constants)]


def solve_tridiagonal(
    lower: Sequence[Tensor], diagonal: Sequence[Tensor], upper: Sequence[Tensor], rhs: Sequence[Tensor]
) -> list[Tensor]:
    r"""Solve :math:`l_k x_{k-1} + d_k x_k + u_k x_{k+1} = r_k` by elimination, without pivoting.

    Thomas's algorithm, safe for the diagonally dominant systems of implicit diffusion only. Sequences hold one tensor
    (...) a row; the off-diagonals have one less, and belong to rows ``k + 1`` (``lower[k]``) and ``k`` (``upper[k]``).
    """
    inverse = 1.0 / diagonal[0]
    ratios, values = [], [rhs[0] * inverse]
    for low, up, d, r in zip(lower, upper, diagonal[1:], rhs[1:], strict=True):
        ratios.append(up * inverse)
        inverse = 1.0 / (d - low * ratios[-1])
        values.append((r - low * values[-1]) * inverse)
    for k in reversed(range(len(ratios))):
        values[k] = values[k] - ratios[k] * values[k + 1]
    return values
