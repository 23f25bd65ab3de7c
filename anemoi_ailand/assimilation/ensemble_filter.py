# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Ensemble transform Kalman filter in the column: each point has its own analysis."""

from __future__ import annotations

import torch
from torch import Tensor


def ensemble_analysis(
    members: Tensor, predicted: Tensor, observed: Tensor, variances: Tensor, *, to_spread: float = 0.0,
    to_prior: float = 0.0,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    r"""Compute the analysis ensemble of all points, and its degrees of freedom for signal.

    With deviations X of the members from their mean, those of predicted observations Y, and
    :math:`S = R^{-1/2} Y / \sqrt{M - 1} = U \Sigma V^T`,

    .. math:: \bar x_a = \bar x + \tfrac{1}{\sqrt{M - 1}} X V \frac{\Sigma}{1 + \Sigma^2} U^T R^{-1/2} d, \qquad
              X_a = X \Bigl(I + V \bigl((1 + \Sigma^2)^{-1/2} - 1\bigr) V^T\Bigr)

    which is the symmetric transform of Hunt et al. (2007), doi:10.1016/j.physd.2006.11.008. Constant inflation at every
    update would blow up layers that are not observed; instead the deviations are relaxed where observations have shrunk
    them: :math:`X_a \leftarrow (1 - p) X_a + p X` by ``to_prior`` p (Zhang et al., 2004), then
    :math:`X_a \leftarrow X_a (1 + q (\sigma - \sigma_a) / \sigma_a)` by ``to_spread`` q (Whitaker and Hamill, 2012).

    Parameters
    ----------
    members : Tensor, shape (point, control, member)
        Background ensemble of the controls.
    predicted : Tensor, shape (point, observation, member)
        Equivalents of the observations in the members.
    observed : Tensor, shape (point, observation)
        Observations; NaN where there is none.
    variances : Tensor, shape (point, observation) or (observation,)
        Error variances of the observations.
    to_spread, to_prior : float
        Relaxations, between 0 (none) and 1 (the spread stays that of the background).

    Returns
    -------
    Tensor, shape (point, control, member)
        Analysis ensemble; points without observations keep their background.
    Tensor, shape (point,)
        Degrees of freedom for signal, :math:`\sum \Sigma^2 / (1 + \Sigma^2)`.

    Raises
    ------
    ValueError
        A relaxation is not between 0 and 1, there is one member only, or an error variance is not above zero.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand import ensemble_analysis
    >>> members = torch.tensor([[[0.1, 0.2, 0.3]]], dtype=torch.float64)  # (point, control, member)
    >>> observed, variance = torch.tensor([[0.3]], dtype=torch.float64), torch.tensor([0.01], dtype=torch.float64)
    >>> made, signal = ensemble_analysis(members, members, observed, variance)
    >>> round(made.mean().item(), 3), round(made.std().item(), 4), round(signal.item(), 3)
    (0.25, 0.0707, 0.5)
    """
    for name, value in (("to_spread", to_spread), ("to_prior", to_prior)):
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"`{name}` is {value}. Give a number between 0 and 1.")
    if members.shape[-1] < 2:
        raise ValueError(f"The ensemble has {members.shape[-1]} member. Give at least two, which differ.")
    scale = (members.shape[-1] - 1) ** -0.5
    mean = members.mean(-1, keepdim=True)
    x, expected = members - mean, predicted.mean(-1)
    missing = torch.isnan(observed)
    if not bool((missing | (variances > 0.0)).all()):
        raise ValueError(
            f"An error variance of the observations is {float(variances.min()):g}. Give numbers above zero."
        )
    weight = torch.where(missing, 0.0, variances.expand(observed.shape).rsqrt())
    d = torch.where(missing, 0.0, observed - expected) * weight
    s = (predicted - expected[..., None]) * weight[..., None] * scale
    u, sigma, vt = torch.linalg.svd(s, full_matrices=False)
    square = sigma.square()
    xv = x @ vt.mT
    shift = scale * xv @ ((sigma / (1.0 + square))[..., None] * (u.mT @ d[..., None]))
    made = x + (xv * ((1.0 + square).rsqrt() - 1.0)[:, None]) @ vt
    made = (1.0 - to_prior) * made + to_prior * x
    before, after = (v.square().mean(-1, keepdim=True).sqrt() for v in (x, made))
    made = made * (1.0 + to_spread * (before - after) / after.clamp_min(torch.finfo(x.dtype).tiny))
    signal = (square / (1.0 + square)).sum(-1)
    changed = ~missing.all(-1)[:, None, None]
    return torch.where(changed, mean + shift + made, members), signal
