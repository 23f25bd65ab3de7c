# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Network of the emulator in pure torch, usable without Anemoi."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from anemoi_ailand.model.precision import Exact, PartlyExact

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU}


class PointwiseMLP(nn.Module):
    r"""Point-wise multilayer perceptron for the change of the land state over one step, and for diagnostics.

    .. math::
        h = T_\theta(z), \qquad
        \delta = P_\theta(h, z), \qquad
        d = D_\theta\bigl(B_\theta(h, z), z\bigr), \qquad
        x_{t+1} = x_t + \sigma_{\Delta x}\,\delta

    with the normalised inputs :math:`z` (state, forcing of the step, static fields), a trunk :math:`T` of ``depth``
    blocks (linear, layer norm, activation), a linear prognostic head :math:`P` for increments in units of their
    standard deviation :math:`\sigma_{\Delta x}` over 6 h, and a diagnostic head :math:`D` behind its own block
    :math:`B`. Both heads also read the inputs: the heat flux between soil layers is linear in their temperatures, and 2
    m temperature is close to the air temperature at the end of the step; neither needs the trunk. The prognostic head
    starts at zero, so that an untrained network is persistence. The call returns :math:`(\delta, d)` only; time
    stepping and bounds are outside.

    Static columns enter the first layer with the others, which costs less than 5 % of the operations; a separate branch
    would keep soil and vegetation from acting on the fluxes multiplicatively below the second layer.

    Without ``skip`` it is the network of aiLand v1: the prognostic head reads the trunk alone, the diagnostic head its
    block alone, which reads the inputs,

    .. math:: \delta = P_\theta(h), \qquad d = D_\theta\bigl(B_\theta(h, z)\bigr).

    Points do not interact, so the Jacobian is one small block per point, and one set of weights runs on any points.

    Parameters
    ----------
    n_in, n_prognostic, n_diagnostic : int
        Input columns, predicted increments and diagnostics.
    width, depth : int
        Channels of a hidden layer; number of hidden layers of the trunk (``depth=0`` is linear).
    activation : {'relu', 'silu', 'gelu'}
        Non-linearity after each layer norm.
    skip : bool
        Let the heads also read the inputs.

    Raises
    ------
    ValueError
        Unknown activation, or a size that is not positive.

    Shapes: ``(..., point, n_in) -> (..., point, n_prognostic), (..., point, n_diagnostic)``, normalised, no unit.
    Source: trunk after aiLand v1 (Raoult et al. 2026, doi:10.5194/egusphere-2026-3620) and Wesselkamp et al.
    (2025), doi:10.5194/gmd-18-921-2025.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand import PointwiseMLP
    >>> network = PointwiseMLP(n_in=56, n_prognostic=15, n_diagnostic=10, width=32, depth=2)
    >>> increments, diagnostics = network(torch.zeros(44, 56))
    >>> increments.shape, diagnostics.shape
    (torch.Size([44, 15]), torch.Size([44, 10]))
    """

    #: Checkpoints older than the option lack this attribute; the heads of their networks read the inputs.
    skip: bool = True

    def __init__(
        self,
        n_in: int,
        n_prognostic: int,
        n_diagnostic: int,
        *,
        width: int = 512,
        depth: int = 6,
        activation: str = "silu",
        skip: bool = True,
    ) -> None:
        super().__init__()
        check_sizes(n_in=n_in, n_prognostic=n_prognostic, width=width)
        self.n_in, self.n_prognostic, self.n_diagnostic = n_in, n_prognostic, n_diagnostic
        self.skip = skip
        widths = [n_in] + [width] * depth
        seen = n_in if skip else 0
        linears = [(nn.Linear if k else Exact)(a, b) for k, (a, b) in enumerate(itertools.pairwise(widths))]
        self.trunk = nn.Sequential(*(block(layer, activation) for layer in linears))
        self.prognostic_head = zero_head(widths[-1] + seen, n_prognostic)
        if n_diagnostic:
            first = PartlyExact(width, n_in, width) if depth else Exact(2 * n_in, width)
            self.diagnostic_block = block(first, activation)
            self.diagnostic_head = Exact(width + seen, n_diagnostic)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return normalised increments and diagnostics for normalised inputs ``z`` of shape ``(..., n_in)``."""
        h = self.trunk(z)
        both = torch.cat([h, z], dim=-1)
        increments = self.prognostic_head(both if self.skip else h)
        if not self.n_diagnostic:
            return increments, z.new_zeros((*z.shape[:-1], 0))
        b = self.diagnostic_block(both)
        return increments, self.diagnostic_head(torch.cat([b, z], dim=-1) if self.skip else b)


def block(layer: nn.Linear, activation: str) -> nn.Sequential:
    """Build a block of a point-wise network: linear, layer norm, activation."""
    return nn.Sequential(layer, nn.LayerNorm(layer.out_features), activation_of(activation)())


def activation_of(name: str) -> type[nn.Module]:
    """Look up a non-linearity by name."""
    if name not in ACTIVATIONS:
        raise ValueError(f"Activation '{name}' is unknown. Use one of {sorted(ACTIVATIONS)}.")
    return ACTIVATIONS[name]


def zero_head(n_in: int, n_out: int) -> Exact:
    """Build a linear layer of zeros, so that an untrained network is persistence."""
    head = Exact(n_in, n_out)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def check_sizes(**sizes: int) -> None:
    """Refuse layers without channels, given as ``name=size``."""
    wrong = {name: size for name, size in sizes.items() if size < 1}
    if wrong:
        raise ValueError(f"Sizes of the network must be at least 1, but got {wrong}. Check variables and model config.")
