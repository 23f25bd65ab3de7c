# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Terms of the loss of a fine-tuning: an anchor to the network that is tuned, and the evaporative fraction."""

from __future__ import annotations

from torch import Tensor

#: Least sum of the turbulent fluxes, upward, for a known fraction [W m-2].
LEAST_ENERGY = 50.0

#: Error of an evaporative fraction that counts as much as a change of 6 h of another variable [1].
FRACTION_UNIT = 0.2


def anchor_loss(predicted: Tensor, base: Tensor, target: Tensor, scale: Tensor) -> Tensor:
    r"""Return the departure from the base network in the variables without observations.

    .. math:: \tfrac12 \sum_v \overline{\left(\frac{\hat y_v - \hat y^b_v}{\sigma_{\Delta y_v}}\right)^2}

    over the variables :math:`v` that have no valid target in the batch.

    Parameters
    ----------
    predicted, base : Tensor, shape (batch, step, ensemble, point, output)
        Normalised predictions of both networks from the same state.
    target : Tensor, shape (batch, step, ensemble, point, output)
        Targets, NaN where there is none.
    scale : Tensor, shape (output,)
        Normalised error to error in units of the change in 6 h.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand.training.tuning_terms import anchor_loss
    >>> y, seen = torch.ones(1, 1, 1, 3, 2), torch.tensor([float("nan"), 0.0])
    >>> anchor_loss(y, 0.0 * y, seen.expand_as(y), torch.tensor([2.0, 2.0]))
    tensor(2.)
    """
    dims = tuple(range(target.ndim - 1))
    free = target.isnan().all(dim=dims)
    return 0.5 * ((predicted - base) * scale).square().mean(dim=dims)[free].sum()


def fraction_loss(latent: Tensor, sensible: Tensor, seen: tuple[Tensor, Tensor]) -> Tensor:
    r"""Return the error of the evaporative fraction, in units of :data:`FRACTION_UNIT`.

    .. math:: f = \frac{LE}{\max(LE + H, 50\,\mathrm{W\,m^{-2}})}

    over the observations with :math:`LE + H` above :data:`LEAST_ENERGY`; zero without any. The fraction says how energy
    is divided also where a tower misses part of it.

    Parameters
    ----------
    latent, sensible : Tensor
        Predicted fluxes in W m-2, positive downward, of one shape.
    seen : pair of Tensor
        The observed ones, NaN where there is none.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand.training.tuning_terms import fraction_loss
    >>> low, high = torch.tensor([-60.0]), torch.tensor([-40.0])
    >>> fraction_loss(low, high, (high, low)).round(decimals=3)
    tensor(0.5000)
    """
    total = -(seen[0] + seen[1])
    valid = total > LEAST_ENERGY  # false of NaN
    if not valid.any():
        return latent.new_zeros(())
    own = -(latent + sensible)[valid]
    error = -latent[valid] / own.clamp_min(LEAST_ENERGY) + seen[0][valid] / total[valid]
    return 0.5 * (error / FRACTION_UNIT).square().mean()
