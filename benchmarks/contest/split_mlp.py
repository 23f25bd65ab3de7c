# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Network of the 2024 prototype: static fields on a separate branch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anemoi_ailand.model.pointwise_mlp import check_sizes, zero_head
from anemoi_ailand.model.precision import Exact


class SplitMLP(nn.Module):
    r"""Two branches, static and other inputs, that meet in the second layer.

    .. math::
        a = \mathrm{ReLU}(A s), \quad b = \mathrm{ReLU}(B (u, x)), \quad c = \ell(C (a, b)), \quad
        \delta = P\,\ell(P_2\,\ell(P_1 c)), \quad d = D\,\ell(D_1 c)

    with static fields :math:`s`, forcing and state :math:`u, x`, affine maps in capitals and the leaky ReLU
    :math:`\ell`; no layer norm. The prognostic head starts at zero, so that an untrained network is persistence, unlike
    the prototype.

    Parameters
    ----------
    n_in, n_prognostic, n_diagnostic : int
        Input columns, predicted increments and predicted diagnostics.
    static : tuple of int
        Input columns of static fields.
    width : int
        Channels of every hidden layer; 172 is 157,000 parameters with the variables of the prototype.

    Raises
    ------
    ValueError
        A size that is not positive, or no static field.

    Shapes: ``(..., point, n_in) -> (..., point, n_prognostic), (..., point, n_diagnostic)``, normalised, no unit.
    Source: github.com/da-ewanp/ai-land (2024), which has a form with three branches (static, meteorology, state), too.
    """

    _static: Tensor
    _moving: Tensor

    def __init__(
        self, n_in: int, n_prognostic: int, n_diagnostic: int, static: tuple[int, ...], *, width: int = 172
    ) -> None:
        super().__init__()
        moving = [i for i in range(n_in) if i not in set(static)]
        check_sizes(n_prognostic=n_prognostic, width=width, static=len(static), moving=len(moving))
        self.n_in, self.n_prognostic, self.n_diagnostic = n_in, n_prognostic, n_diagnostic
        self.register_buffer("_static", torch.tensor(static), persistent=False)
        self.register_buffer("_moving", torch.tensor(moving), persistent=False)
        self.static_branch = nn.Sequential(Exact(len(static), width), nn.ReLU())
        self.moving_branch = nn.Sequential(Exact(len(moving), width), nn.ReLU())
        self.joined = _leaky(2 * width, width)
        self.prognostic_layers = nn.Sequential(_leaky(width, width), _leaky(width, width))
        self.prognostic_head = zero_head(width, n_prognostic)
        if n_diagnostic:
            self.diagnostic_layer = _leaky(width, width)
            self.diagnostic_head = Exact(width, n_diagnostic)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return normalised increments and diagnostics for normalised inputs ``z`` of shape ``(..., n_in)``."""
        branches = [self.static_branch(z[..., self._static]), self.moving_branch(z[..., self._moving])]
        c = self.joined(torch.cat(branches, dim=-1))
        increments = self.prognostic_head(self.prognostic_layers(c))
        if not self.n_diagnostic:
            return increments, z.new_zeros((*z.shape[:-1], 0))
        return increments, self.diagnostic_head(self.diagnostic_layer(c))


def _leaky(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, n_out), nn.LeakyReLU())
