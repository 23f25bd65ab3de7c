# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Layers are last by their shape and first in memory; tridiagonal systems are solved point by point."""

import pytest
import torch

from anemoi_ailand.physics.layers import join_layers, solve_tridiagonal, stack_layers


def test_stacked_and_joined_layers_are_those_given():
    """Layers keep their order in the last dimension, and each is contiguous."""
    layers = [torch.randn(3, 5) for _ in range(4)]
    stacked, joined = stack_layers(layers), join_layers([stack_layers(layers[:3]), stack_layers(layers[3:])])
    for found in (stacked, joined):
        assert torch.equal(found, torch.stack(layers, dim=-1))
    for found in (stacked, 2.0 * joined):
        assert all(layer.is_contiguous() for layer in found.unbind(-1))


def system(n, shape=(5,), seed=0):
    """Off-diagonals, dominant diagonal and right-hand side of random systems."""
    g = torch.Generator().manual_seed(seed)
    lower, upper = (-torch.rand(*shape, n - 1, generator=g, dtype=torch.float64) for _ in range(2))
    diagonal = 2.1 + torch.rand(*shape, n, generator=g, dtype=torch.float64)
    return lower, diagonal, upper, torch.randn(*shape, n, generator=g, dtype=torch.float64)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 9])
def test_equals_the_dense_solution(n):
    """The solution equals that of torch.linalg.solve to rounding."""
    lower, diagonal, upper, rhs = system(n)
    matrix = torch.diag_embed(diagonal) + torch.diag_embed(lower, -1) + torch.diag_embed(upper, 1)
    torch.testing.assert_close(
        solve_tridiagonal(lower, diagonal, upper, rhs), torch.linalg.solve(matrix, rhs), rtol=1e-12, atol=1e-13
    )


def test_points_are_independent_systems():
    """Batch dimensions are kept, and the solution is bitwise independent of other points."""
    parts = system(4, shape=(2, 3, 5))
    full = solve_tridiagonal(*parts)
    assert full.shape == (2, 3, 5, 4)
    assert torch.equal(solve_tridiagonal(*(p[1, :, 2:4] for p in parts)), full[1, :, 2:4])


@pytest.mark.parametrize("n", [2, 4])
def test_gradient_is_that_of_differences(n):
    """Gradients of all three diagonals and the right-hand side equal finite differences."""
    parts = [p.requires_grad_() for p in system(n, shape=(2,))]
    assert torch.autograd.gradcheck(solve_tridiagonal, parts)


def test_stiff_system_keeps_its_digits():
    """In float32 an exchange of 1000 brings two layers to their mean."""
    strong = torch.tensor([[1e3]])
    solution = solve_tridiagonal(-strong, 1.0 + strong.expand(1, 2), -strong, torch.tensor([[1.0, 3.0]]))
    torch.testing.assert_close(solution, torch.full((1, 2), 2.0), rtol=1e-3, atol=0.0)
