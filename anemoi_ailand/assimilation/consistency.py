# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Consistency of departures with the error statistics of an assimilation: each number is near 1 if these are right."""

from __future__ import annotations

from torch import Tensor


def chi_square(departures: Tensor, expected: Tensor) -> float:
    """Compute the mean square of departures over their expected variance; NaN is left out.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand import chi_square
    >>> chi_square(torch.tensor([1.0, -1.0]), torch.tensor([2.0, 2.0]))
    0.5
    """
    return float((departures.square() / expected).nanmean())


def desroziers(departures: Tensor, residuals: Tensor, background: Tensor, variances: Tensor) -> tuple[float, float]:
    r"""Estimate the error variances of background and observations, each over the assumed one.

    .. math:: \frac{\langle (d_b - d_a)\, d_b \rangle}{\langle H B H^T \rangle}, \qquad
              \frac{\langle d_a d_b \rangle}{\langle R \rangle}

    Parameters
    ----------
    departures, residuals : Tensor
        Observation minus background, and minus analysis; NaN where there is none.
    background, variances : Tensor
        Assumed error variances of the equivalents in the background, and of the observations, of the same shape.

    Source: Desroziers et al. (2005), doi:10.1256/qj.05.108.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand import desroziers
    >>> departures = torch.tensor([2.0, -2.0])
    >>> desroziers(departures, 0.5 * departures, torch.tensor([1.0, 1.0]), torch.tensor([2.0, 2.0]))
    (2.0, 1.0)
    """
    known = ~(departures + residuals).isnan()
    d, rest, b, r = (v.expand(departures.shape)[known] for v in (departures, residuals, background, variances))
    return float(((d - rest) * d).mean() / b.mean()), float((rest * d).mean() / r.mean())
