# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Loss that weights every variable equally, by the errors measured in training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from anemoi_ailand.training.increment_loss import IncrementLoss

#: Names of the measured errors in a checkpoint.
_MEASURED = ("running", "yardstick")


class BalancedLoss(IncrementLoss):
    r"""Squared error of each variable in units of its recent mean squared error.

    With :math:`e_v` the error of variable v in units of its change in 6 h and :math:`E_v` a running mean of
    :math:`e_v^2` over points, windows and steps of the roll-out, of all training processes together,

    .. math:: \ell = \tfrac12 \sum_v w_v\, \frac{e_v^2}{E_v},

    with the gradient of :math:`\tfrac12 \sum_v w_v \ln \overline{e_v^2}`, the likelihood of errors with one variance
    per variable. With weights from the change in 6 h alone, hardly predictable variables (density of a trace of snow,
    runoff) would dominate the loss, and 2 m temperature, known to a twentieth of its change, would not count. The
    minimum of each variable is still the conditional mean, so the weights add no bias.

    Validation keeps the :math:`E_v` of the first one, so that epochs are comparable. With ``ignore_nans``, a validation
    before the training, that of a network to be tuned, takes them from its first batch.

    Parameters
    ----------
    rate : float
        Weight of a new value in the running mean; the first ``1 / rate`` values have equal weight.
    floor : float
        Smallest :math:`E_v`, so that an exactly known variable does not dominate.
    ignore_nans : bool
        Leave out missing targets, as :class:`IncrementLoss`; :math:`E_v` is the mean over batches with valid ones.

    Source: Kendall et al. (2018), doi:10.1109/CVPR.2018.00781, with the variances in closed form.
    """

    name: str = "balanced"

    count: Tensor
    running: Tensor
    yardstick: Tensor

    def __init__(self, rate: float = 0.01, floor: float = 1.0e-4, ignore_nans: bool = False) -> None:
        super().__init__(delta=None, ignore_nans=ignore_nans)
        if not 0.0 < rate <= 1.0 or not floor > 0.0:
            raise ValueError(f"`rate` is {rate}, `floor` is {floor}. Give a rate in (0, 1] and a floor above 0.")
        self.rate, self.floor = rate, floor
        self.register_buffer("count", torch.zeros(()))
        for name in _MEASURED:
            self.register_buffer(name, torch.empty(0))

    def calculate_difference(self, pred: Tensor, target: Tensor) -> Tensor:
        """Return the loss per element, dimensionless; all shapes (batch, time, ensemble, point, variable)."""
        loss = super().calculate_difference(pred, target)
        if self.training:
            self._measure(2.0 * loss.detach(), ~target.isnan() if self.ignore_nans else None)
            return loss / self.running.clamp_min(self.floor)
        if not self.yardstick.numel() and self.running.numel():
            self.yardstick = self.running.clone()
        elif not self.yardstick.numel() and self.ignore_nans:
            self.yardstick = (2.0 * loss.detach()).nanmean(dim=tuple(range(loss.ndim - 1))).nan_to_num(1.0)
        return loss / self.yardstick.clamp_min(self.floor) if self.yardstick.numel() else loss

    def _measure(self, squares: Tensor, valid: Tensor | None = None) -> None:
        dims = tuple(range(squares.ndim - 1))
        new = squares.nanmean(dim=dims)
        if valid is None:
            new, seen = _mean_over_processes(new), new.new_ones(())
        else:  # a variable without valid targets in a batch keeps its error
            present = valid.any(dim=dims).to(new)
            new, share = _mean_over_processes(torch.stack([new, present]))
            new, seen = new / torch.where(share > 0.0, share, 1.0), (share > 0.0).to(new)
        if not self.running.numel():
            self.running = torch.zeros_like(new)
        self.count = self.count + seen
        weight = torch.clamp_min(1.0 / self.count.clamp_min(1.0), self.rate)
        self.running = self.running.lerp(new, weight * seen)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        """Load measured errors of any number of variables; a checkpoint of another loss has none."""
        for name in (*_MEASURED, "count"):
            value = state_dict.setdefault(prefix + name, getattr(self, name))
            setattr(self, name, torch.empty_like(value))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _mean_over_processes(values: Tensor) -> Tensor:
    """Return the mean over the processes of a data-parallel training, the same in all, so that they weigh alike."""
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized()) or distributed.get_world_size() == 1:
        return values
    together = values.clone()
    distributed.all_reduce(together)
    return together / distributed.get_world_size()
