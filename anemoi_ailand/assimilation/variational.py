# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Variational analysis of a window, point by point: 4D-Var by Gauss-Newton with the explicit Jacobian."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from anemoi_ailand.assimilation.extended_kalman_filter import Analysis, extended_kalman_analysis

#: Halvings of a Gauss-Newton step that does not lower the cost.
HALVINGS = 4


def variational_analysis(
    observe: Callable[[Tensor], Tensor],
    jacobian: Callable[[Tensor], Tensor],
    background: Tensor,
    observed: Tensor,
    covariance: Tensor,
    variances: Tensor,
    *,
    iterations: int = 4,
) -> Analysis:
    r"""Minimise the cost of all points over the window.

    .. math:: J(x) = \tfrac12 (x - x_b)^T B^{-1} (x - x_b) + \tfrac12 (y - h(x))^T R^{-1} (y - h(x))

    by Gauss-Newton: with the Jacobian :math:`H_k` at :math:`x_k`,

    .. math:: x_{k+1} = x_b + B H_k^T (H_k B H_k^T + R)^{-1} \bigl(y - h(x_k) + H_k (x_k - x_b)\bigr)

    The first iteration is the extended Kalman filter, so that one iteration is the SEKF. A column has few controls, for
    which the explicit Jacobian is exact and cheaper than descents with an adjoint. A point keeps a step only if it
    lowers its cost, else half of it, and so on.

    Parameters
    ----------
    observe : callable
        Equivalents h of the observations, (row, control) to (row, observation).
    jacobian : callable
        Their Jacobian, (point, control) to (point, observation, control).
    background : Tensor, shape (point, control)
        Background of the controls.
    observed : Tensor, shape (point, observation)
        Observations y; NaN where there is none.
    covariance : Tensor, shape (point, control, control) or (control, control)
        Error covariance B of the background.
    variances : Tensor, shape (point, observation) or (observation,)
        Error variances of the observations, the diagonal of R.
    iterations : int
        Gauss-Newton iterations, at least one.

    Returns
    -------
    Analysis
        Increments, with covariance and degrees of freedom for signal of the last linearisation.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand import variational_analysis
    >>> one = torch.ones(1, 1)
    >>> made = variational_analysis(
    ...     lambda x: x**2, lambda x: (2 * x)[:, None], one, 4 * one, one, torch.tensor([1e-6]), iterations=8
    ... )
    >>> round(1 + made.increments.item(), 3)
    2.0
    """
    x, b = background, covariance.expand(len(background), *covariance.shape[-2:])
    predicted = observe(x)
    cost = _cost(observed - predicted, x - background, b, variances)
    made: Analysis | None = None
    for _ in range(iterations):
        h = jacobian(x)
        departures = observed - predicted + (h @ (x - background)[..., None])[..., 0]
        made = extended_kalman_analysis(departures, h, b, variances)
        step = made.increments - (x - background)
        if iterations == 1:  # the extended Kalman filter, without a look at the cost
            return made
        for _halving in range(HALVINGS):
            tried = observe(x + step)
            found = _cost(observed - tried, x + step - background, b, variances)
            worse = found > cost
            if not worse.any():
                break
            step = torch.where(worse[:, None], 0.5 * step, step)
        better = ~(found > cost)
        x = torch.where(better[:, None], x + step, x)
        predicted, cost = torch.where(better[:, None], tried, predicted), torch.where(better, found, cost)
    assert made is not None
    return Analysis(x - background, made.covariance, made.signal)


def _cost(departures: Tensor, change: Tensor, covariance: Tensor, variances: Tensor) -> Tensor:
    """Return twice the cost of each point."""
    of_background = (change * torch.linalg.solve(covariance, change[..., None])[..., 0]).sum(-1)
    return of_background + (departures.square() / variances.expand(departures.shape)).nansum(-1)
