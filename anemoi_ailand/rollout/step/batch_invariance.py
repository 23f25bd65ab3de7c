# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A point has the same result to the last bit whatever other points are computed with it, and in whatever order.

Libraries of linear algebra and vector functions treat what is left over at the end of an array otherwise than the rest,
in another order of summation. With numbers of rows and of outputs that fill their units there is nothing left over, so
that a member of an ensemble, a part of a grid or a single site repeats the run of the whole.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

#: Rows and outputs are filled up to multiples of these on a processor: four registers of 16 values, and one.
ROWS, OUTPUTS = 64, 16


class SteadyLinear(nn.Module):
    """A linear layer with the weights of another, whose outputs are computed with others beside them that are zero.

    Parameters
    ----------
    layer : torch.nn.Linear
        Its parameters are shared.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.in_features, self.out_features = layer.in_features, layer.out_features

    def forward(self, x: Tensor) -> Tensor:
        """As :class:`torch.nn.Linear`, shape ``(..., in)`` to ``(..., out)``."""
        more = -self.out_features % OUTPUTS
        bias = None if self.bias is None else pad(self.bias, (0, more))
        return linear(x, pad(self.weight, (0, 0, 0, more)), bias)[..., : self.out_features]


def make_steady(network: nn.Module) -> nn.Module:
    """Replace the linear layers of a network, in place, whose outputs do not fill the units; return it."""
    for name, child in network.named_children():
        if isinstance(child, nn.Linear):
            if child.out_features % OUTPUTS:
                setattr(network, name, SteadyLinear(child))
        else:
            make_steady(child)
    return network


def filled_rows(x: Tensor) -> Tensor:
    """Rows (..., row, variable) up to the next multiple of :data:`ROWS` on a processor, the last one repeated.

    On an accelerator, where work is divided otherwise, ``x`` as it is.
    """
    more = -x.shape[-2] % ROWS
    if x.device.type != "cpu" or not more or not x.shape[-2]:
        return x
    return torch.cat([x, x[..., -1:, :].expand(*x.shape[:-2], more, x.shape[-1])], dim=-2)
