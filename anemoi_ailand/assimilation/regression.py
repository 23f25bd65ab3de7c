# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Regression over the members of an ensemble: Jacobians, and what other variables do not explain."""

from __future__ import annotations

import torch
from torch import Tensor


def regression_jacobian(x: Tensor, y: Tensor, taper: Tensor | None = None, ridge: float = 1e-3) -> Tensor:
    r"""Estimate the Jacobian by multivariate linear regression over the members of an ensemble.

    .. math:: J = Y X^T \bigl(X X^T + \epsilon (M - 1)\, \mathrm{diag}(\sigma_x^2)\bigr)^{-1}

    with deviations X and Y from the mean of M members. A ``taper (output, control)`` between 0 and 1 damps pairs that
    are far apart, whose estimate is mostly sampling noise; the small ridge :math:`\epsilon` keeps correlated controls
    apart.

    Shapes: ``x (point, control, member), y (point, output, member)`` to ``(point, output, control)``.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand import regression_jacobian
    >>> x = torch.randn(1, 2, 50, dtype=torch.float64)
    >>> regression_jacobian(x, 3.0 * x[:, :1] + 2.0 * x[:, 1:], ridge=1e-9).round(decimals=4).tolist()
    [[[3.0, 2.0]]]

    Source: the approach of ECMWF since 2019; de Rosnay et al. (2022), doi:10.5194/hess-26-1-2022 (not its formula).
    """
    dx, dy = (v - v.mean(-1, keepdim=True) for v in (x, y))
    squares = dx @ dx.mT
    variance = torch.diagonal(squares, dim1=-2, dim2=-1)
    regular = squares + torch.diag_embed(ridge * variance + torch.finfo(x.dtype).tiny)
    jacobian: Tensor = torch.linalg.solve(regular, dx @ dy.mT).mT
    return jacobian if taper is None else jacobian * taper


def unexplained(y: Tensor, z: Tensor) -> Tensor:
    r"""Remove from members what linear regression on other variables explains; the mean stays.

    .. math:: Y' = Y - Y Z^T (Z Z^T)^{-1} Z

    with deviations Y and Z from the mean of the members. The temperature of the air at 2 m differs between members
    mostly as the weather above does. In a small ensemble this is related by chance to soil water, and would be taken
    for information on it; without that part, what is left is that of the ground. The error of the observation must
    then include that of the weather.

    Shapes: ``y (point, output, member), z (point, variable, member)`` to ``(point, output, member)``.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand import unexplained
    >>> weather = torch.randn(1, 1, 50, dtype=torch.float64)  # (point, variable, member)
    >>> bool(unexplained(3.0 * weather, weather).std() < 1e-9)
    True
    """
    mean = y.mean(-1, keepdim=True)
    dy, dz = y - mean, z - z.mean(-1, keepdim=True)
    basis = torch.linalg.svd(dz, full_matrices=False)
    known = basis.S[..., None] > torch.finfo(z.dtype).eps * basis.S.amax(-1)[..., None, None] * z.shape[-1]
    v = basis.Vh * known
    return mean + dy - dy @ v.mT @ v
