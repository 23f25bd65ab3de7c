# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Truncated back-propagation of a linear recursion, against numbers made by hand."""

import pytest
import torch

from anemoi_ailand.training.truncated import truncated_loss


def linear(theta):
    """The state x becomes theta x; the loss of a step is its x."""

    def piece(state, first, last):
        x, total = state["x"], torch.zeros(1)
        for _ in range(first, last):
            x = theta * x
            total = total + x
        return total, {"x": x}

    return piece


@pytest.mark.parametrize(
    ("size", "gradient"), [(1, 1.0 + 3.0 + 9.0 + 27.0), (2, (1 + 6) + 9 * (1 + 6)), (3, 1 + 6 + 27 + 27)]
)
def test_gradient_stops_at_the_pieces(size, gradient):
    """x0 = 1, theta = 3, four steps: every piece begins at 3 ** k as if that were a constant."""
    theta = torch.tensor(3.0, requires_grad=True)
    loss = truncated_loss(linear(theta), {"x": torch.ones(1)}, 4, size, [theta])
    (2.0 * loss.sum()).backward()
    assert float(loss) == 3.0 + 9.0 + 27.0 + 81.0
    assert float(theta.grad) == pytest.approx(2.0 * gradient)
    with torch.no_grad():
        assert torch.equal(truncated_loss(linear(theta), {"x": torch.ones(1)}, 4, size, [theta]), loss)


def test_parameters_that_have_no_part_get_no_gradient():
    """A frozen parameter, and one that the loss does not use."""
    theta, unused = (torch.tensor(3.0, requires_grad=True) for _ in range(2))
    frozen = torch.tensor(1.0)
    truncated_loss(linear(theta), {"x": torch.ones(1)}, 2, 1, [frozen, theta, unused]).sum().backward()
    assert (theta.grad is not None, unused.grad, frozen.grad) == (True, None, None)


def test_only_one_piece_is_held_in_memory():
    """The graph of a piece is freed before the next begins."""
    theta = torch.tensor(1.0, requires_grad=True)
    alive, most = [0], [0]

    class Counted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, theta):
            ctx.save_for_backward(x, theta)
            alive[0] += 1
            most[0] = max(most[0], alive[0])
            return x * theta

        @staticmethod
        def backward(ctx, g):
            x, theta = ctx.saved_tensors
            alive[0] -= 1
            return g * theta, (g * x).sum()

    def piece(state, first, last):
        x, total = state["x"], torch.zeros(1)
        for _ in range(first, last):
            x = Counted.apply(x, theta)
            total = total + x
        return total, {"x": x}

    truncated_loss(piece, {"x": torch.ones(1)}, 40, 4, [theta]).sum().backward()
    assert most[0] == 4
