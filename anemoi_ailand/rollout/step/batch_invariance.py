# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Batch invariance: the output at a point is bitwise independent of the other points in the batch and of their order.

Libraries of linear algebra and vector functions treat the remainder at the end of an array differently, in another
order of summation. With rows and outputs padded to full vector units there is no remainder, so that a member of an
ensemble, a part of a grid or a single site reproduces the run of the whole.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

#: Rows of the plain and of the compiled step, and outputs of a layer, are padded to multiples of these on a CPU: four
#: registers of 16 values, and one.
ROWS, ROWS_COMPILED, OUTPUTS = 64, 16, 16


class BatchInvariantLinear(nn.Module):
    """Linear layer with the parameters of another, whose outputs are padded to a multiple of :data:`OUTPUTS`."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.in_features, self.out_features = layer.in_features, layer.out_features

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer, shape ``(..., in)`` to ``(..., out)``."""
        more = -self.out_features % OUTPUTS
        bias = None if self.bias is None else pad(self.bias, (0, more))
        return linear(x, pad(self.weight, (0, 0, 0, more)), bias)[..., : self.out_features]


def make_batch_invariant(network: nn.Module) -> nn.Module:
    """Replace in place the linear layers whose outputs do not fill the units; return the network."""
    for name, child in network.named_children():
        if isinstance(child, nn.Linear):
            if child.out_features % OUTPUTS:
                setattr(network, name, BatchInvariantLinear(child))
        else:
            make_batch_invariant(child)
    return network


def padded_rows(x: Tensor) -> Tensor:
    """Pad rows (..., row, variable) to a multiple of :data:`ROWS` by repeating the last one.

    Only on a CPU: accelerators divide work differently, so ``x`` is returned unchanged.
    """
    more = -x.shape[-2] % ROWS
    if x.device.type != "cpu" or not more or not x.shape[-2]:
        return x
    return torch.cat([x, x[..., -1:, :].expand(*x.shape[:-2], more, x.shape[-1])], dim=-2)
