# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
r"""Jacobian of observed outputs with respect to controls by three ways, shape (point, output, control).

By the adjoint it is :func:`anemoi_ailand.rollout.step.gradients.jacobian` of a window. Finite differences see beyond
kinks of the emulator (bounds, melt, freezing), and regression over an ensemble sees its mean slope over the spread.
"""

from __future__ import annotations

import torch
from torch import Tensor

from anemoi_ailand.rollout.step.gradients import Map


def by_differences(window: Map, x: Tensor, sizes: Tensor) -> Tensor:
    """Compute centred finite differences of a window at ``x (point, control)``; ``sizes (control,)`` in its units."""
    n = x.shape[1]
    change = torch.diag(sizes).to(x)
    moved = torch.cat([x + change[:, None], x - change[:, None]]).flatten(0, 1)
    up, down = window(moved).unflatten(0, (2, n, len(x))).unbind()
    return ((up - down) / (2.0 * sizes.to(x)[:, None, None])).permute(1, 2, 0)


def by_regression(x: Tensor, y: Tensor, taper: Tensor | None = None, ridge: float = 1e-3) -> Tensor:
    r"""Estimate the Jacobian by multivariate linear regression over the members of an ensemble.

    .. math:: J = Y X^T \bigl(X X^T + \epsilon (M - 1)\, \mathrm{diag}(\sigma_x^2)\bigr)^{-1}

    with deviations X and Y from the mean of M members. A ``taper (output, control)`` between 0 and 1 damps pairs that
    are far apart, whose estimate is mostly sampling noise; the small ridge :math:`\epsilon` keeps correlated controls
    apart.

    Shapes: ``x (point, control, member), y (point, output, member)`` to ``(point, output, control)``.

    Source: the approach of ECMWF since 2019; de Rosnay et al. (2022), doi:10.5194/hess-26-1-2022 (not its formula).
    """
    dx, dy = (v - v.mean(-1, keepdim=True) for v in (x, y))
    squares = dx @ dx.mT
    variance = torch.diagonal(squares, dim1=-2, dim2=-1)
    regular = squares + torch.diag_embed(ridge * variance + torch.finfo(x.dtype).tiny)
    jacobian: Tensor = torch.linalg.solve(regular, dx @ dy.mT).mT
    return jacobian if taper is None else jacobian * taper
