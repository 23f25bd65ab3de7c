# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Simplified extended Kalman filter: one analysis per window, point by point, with a given background error."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Analysis:
    r"""Increments of an analysis, and what it knows of its errors.

    Attributes
    ----------
    increments : Tensor, shape (point, control)
        Changes of the controls, in their units.
    covariance : Tensor, shape (point, control, control)
        Error covariance of the analysis.
    signal : Tensor, shape (point,)
        Degrees of freedom for signal, :math:`\mathrm{tr}(H K)`: the number of independent pieces of information that
        the observations add, between 0 and their number.
    """

    increments: Tensor
    covariance: Tensor
    signal: Tensor


def extended_kalman_analysis(departures: Tensor, jacobian: Tensor, covariance: Tensor, variances: Tensor) -> Analysis:
    r"""Compute the analysis of all points.

    .. math:: K = B H^T (H B H^T + R)^{-1}, \quad \delta x = K d, \quad A = (I - K H) B (I - K H)^T + K R K^T

    Parameters
    ----------
    departures : Tensor, shape (point, observation)
        Observation minus its equivalent in the background, d; NaN where there is none.
    jacobian : Tensor, shape (point, observation, control)
        Jacobian H of the equivalents with respect to the controls.
    covariance : Tensor, shape (point, control, control) or (control, control)
        Error covariance B of the background.
    variances : Tensor, shape (point, observation) or (observation,)
        Error variances of the observations, the diagonal of R.

    Returns
    -------
    Analysis
        Points without observations have no increments, and B.

    Raises
    ------
    ValueError
        B is not a covariance (not symmetric, or not positive semidefinite), or a variance of R is not above zero.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand import extended_kalman_analysis
    >>> one = torch.ones(1, 1, 1)
    >>> made = extended_kalman_analysis(torch.tensor([[0.3]]), one, 0.04 * one, torch.tensor([0.04]))
    >>> round(made.increments.item(), 3), round(made.signal.item(), 3)
    (0.15, 0.5)

    Notes
    -----
    Where the Jacobian is zero, at a bound or with frozen soil, an observation has no effect. B is the same at every
    analysis, which makes the filter simplified: it has no memory of earlier observations.
    """
    missing = torch.isnan(departures)
    d = torch.where(missing, 0.0, departures)
    h = torch.where(missing[..., None], 0.0, jacobian)
    r = torch.where(missing, 1.0, variances.expand(departures.shape))
    b = covariance.expand(len(d), *covariance.shape[-2:])
    check_errors(covariance, r)
    bh = b @ h.mT
    gain = torch.linalg.solve(h @ bh + torch.diag_embed(r), bh.mT).mT
    rest = torch.eye(b.shape[-1], dtype=b.dtype, device=b.device) - gain @ h
    return Analysis(
        increments=(gain @ d[..., None])[..., 0],
        covariance=rest @ b @ rest.mT + (gain * r[:, None]) @ gain.mT,
        signal=torch.diagonal(h @ gain, dim1=-2, dim2=-1).sum(-1),
    )


def check_errors(covariance: Tensor, variances: Tensor) -> None:
    """Refuse a background error (..., control, control) that is not a covariance, and variances that are not positive.

    Of many matrices each pair of controls is checked, which costs little and finds exchanged entries, negative
    variances and correlations above one; of a single matrix, its eigenvalues too.
    """
    if not bool((variances > 0.0).all()):
        raise ValueError(
            f"An error variance of the observations is {float(variances.min()):g}. Give numbers above zero."
        )
    diagonal = torch.diagonal(covariance, dim1=-2, dim2=-1)
    scale = diagonal.clamp_min(0.0).sqrt()
    largest = scale[..., :, None] * scale[..., None, :]
    # carried covariances are rounded, those of single precision to 1e-6 of the larger entries
    rounding = 1e-6 * diagonal.abs().amax(-1, keepdim=True)
    tolerance = 1e-4 * largest + rounding[..., None]
    wrong = "is not symmetric" if bool(((covariance - covariance.mT).abs() > tolerance).any()) else ""
    if not wrong and (bool((diagonal < -rounding).any()) or bool((covariance.abs() > largest + tolerance).any())):
        wrong = "has a negative variance or a correlation above one"
    if not wrong and covariance.dim() == 2:
        values = torch.linalg.eigvalsh(covariance)
        wrong = "is not positive semidefinite" if bool(values[0] < -1e-5 * values[-1]) else ""
    if wrong or not bool(torch.isfinite(covariance).all()):
        raise ValueError(
            f"The error of the background {wrong or 'is not finite'}. Give the covariance of the controls, which is "
            "symmetric and has squares of standard deviations on the diagonal."
        )
