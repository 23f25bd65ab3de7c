# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Truncated back-propagation through time with one piece of the roll-out in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

State = dict[str, Tensor]

#: Loss of steps ``first`` to ``last - 1`` from a state, and the state after them.
Piece = Callable[[State, int, int], tuple[Tensor, State]]


def truncated_loss(piece: Piece, state: State, n_steps: int, size: int, parameters: Sequence[Tensor]) -> Tensor:
    r"""Return the loss of a roll-out whose gradient stops after every ``size`` steps.

    .. math:: L = \sum_k L_k(\theta, \mathrm{stop}(x_k)), \qquad x_{k+1} = M_\theta(x_k)

    with pieces :math:`k` of ``size`` steps. The gradient of a piece is computed when the piece is complete, and its
    graph is freed before the next begins, so that memory does not grow with ``n_steps``; the backward pass of the
    returned loss only returns the accumulated sums.

    ``piece`` is differentiable; ``parameters`` are the trained ones, :math:`\theta`. The loss has the shape of that of
    a piece.
    """
    return _Truncated.apply(piece, state, n_steps, size, *parameters)


class _Truncated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, piece: Piece, state: State, n_steps: int, size: int, *parameters: Tensor) -> Tensor:
        wanted = [p for p in parameters if p.requires_grad]
        differentiate = bool(wanted) and any(ctx.needs_input_grad)
        sums: list[Tensor | None] = [None] * len(wanted)
        losses = []
        for first in range(0, n_steps, size):
            with torch.set_grad_enabled(differentiate):
                loss, state = piece(state, first, min(first + size, n_steps))
                scalar = loss.sum()
            if differentiate:
                grads = torch.autograd.grad(scalar, wanted, allow_unused=True)
                sums = [_add(a, b) for a, b in zip(sums, grads, strict=True)]
            state = {name: x.detach() for name, x in state.items()}
            losses.append(loss.detach())
        ctx.sums = sums
        ctx.wanted = [p.requires_grad for p in parameters]
        return sum(losses[1:], losses[0])

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple:
        scale = outer[0].sum() / outer[0].numel()
        grads = iter([None if g is None else g * scale for g in ctx.sums])
        return (None, None, None, None, *(next(grads) if w else None for w in ctx.wanted))


def _add(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    if a is None or b is None:
        return a if b is None else b
    return a.add_(b)
