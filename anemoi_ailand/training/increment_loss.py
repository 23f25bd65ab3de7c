# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Losses in units of the change in 6 h, and their scalers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from anemoi.training.losses.base import FunctionalLoss
from anemoi.training.losses.scalers.base_scaler import BaseScaler
from anemoi.training.utils.enums import TensorDim
from torch import Tensor

#: Name under which the configuration registers :class:`IncrementScaler`; the loss looks for it.
INCREMENT_SCALER = "increment"

#: Properties of snow, whose errors count by the snow there is, and snow with which they count half [kg m-2].
OF_SNOW, LITTLE_SNOW = ("rsn", "tsn", "asn"), 10.0


class IncrementLoss(FunctionalLoss):
    r"""Squared or Huber error of each variable in units of the standard deviation of its change over a step.

    With :math:`e = (\hat y - y) / \sigma_{\Delta y}`,

    .. math:: \ell(e) = \tfrac12 e^2 \ \text{ if } |e| < \delta,\ \text{ else }\ \delta (|e| - \tfrac12 \delta).

    Without ``delta`` it is :math:`\tfrac12 e^2`, whose minimum is the conditional mean; a robust loss on skewed
    increments is biased (Raoult et al. 2026 attribute the warm bias of aiLand v1 to it). :math:`\sigma_{\Delta y}` is
    the scaler named ``increment``, applied before the Huber function: the stock Huber loss works in units of the
    variable itself. The loss is averaged over the points of a sample; anemoi-training's losses sum over weighted grid
    nodes.

    Parameters
    ----------
    delta : float, optional
        Size of the error at which Huber's function becomes linear, in standard deviations; null for squared error.
    ignore_nans : bool
        Leave out missing targets (NaN): the loss of each variable is the mean over its valid ones, and zero without
        any. anemoi-training's own losses count a missing target as an error of zero.
    """

    name: str = "increment"

    def __init__(self, delta: float | None = None, ignore_nans: bool = False) -> None:
        super().__init__(ignore_nans=ignore_nans)
        self.delta = delta

    def calculate_difference(self, pred: Tensor, target: Tensor) -> Tensor:
        """Return the loss per element, dimensionless; all shapes (batch, time, ensemble, point, variable)."""
        if INCREMENT_SCALER not in self.scaler:
            raise ValueError(
                f"The loss needs the scaler '{INCREMENT_SCALER}'. "
                "Add it to `training.training_loss.datasets.data.scalers`."
            )
        _, scale = self.scaler.tensors[INCREMENT_SCALER]
        if not self.ignore_nans:
            return self._of_error((pred - target) * scale.to(pred))
        valid = ~target.isnan()
        error = torch.where(valid, pred - target.nan_to_num(), 0.0) * scale.to(pred)
        number = valid.sum(dim=tuple(range(valid.ndim - 1))).clamp_min(1)
        return self._of_error(error) * (valid[..., 0].numel() / number)  # its plain mean is that over valid ones

    def _of_error(self, error: Tensor) -> Tensor:
        if self.delta is None:
            return 0.5 * error.square()
        size = error.abs()
        return torch.where(size < self.delta, 0.5 * size.square(), self.delta * (size - 0.5 * self.delta))

    def mask_nans(self, pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return both as they are: :meth:`calculate_difference` leaves out missing targets."""
        return pred, target

    def reduce(self, out: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Average over points, then reduce as upstream; ``out`` (batch, time, ensemble, point, variable)."""
        return super().reduce(out / out.shape[TensorDim.GRID], *args, **kwargs)

    def scale(self, x: Tensor, subset_indices: Any = None, *, without_scalers: Any = None, **kwargs: Any) -> Tensor:
        """Apply all scalers except the increment scaler, which is part of the loss function."""
        return super().scale(x, subset_indices, without_scalers=[INCREMENT_SCALER, *(without_scalers or [])], **kwargs)


class IncrementScaler(BaseScaler):
    r"""Standard deviation of a variable over that of its change in 6 h, :math:`\sigma_y / \sigma_{\Delta y}`.

    Converts a normalised error to units of the change in 6 h, for prognostic and diagnostic variables. The stock
    tendency scalers omit diagnostics and, in anemoi-training 0.17.1, the variable at dataset index 0
    (training/losses/scalers/variable_tendency.py, ``name_to_index.get(key)`` is 0 there).

    Raises
    ------
    ValueError
        The dataset has no statistics of tendencies, or a variable never changes in 6 h.
    """

    scale_dims = (TensorDim.VARIABLE,)

    def __init__(
        self, data_indices: Any, statistics: Mapping, statistics_tendencies: Mapping | None, **_kwargs: Any
    ) -> None:
        super().__init__()
        self.data_indices, self.statistics = data_indices, statistics
        available = statistics_tendencies or {}
        lead_times = available.get("lead_times")
        if not lead_times:
            raise ValueError(
                "The dataset has no statistics of 6-hourly changes, which scale the loss. Build it with "
                "`statistics: {tendencies: [6h]}` in the recipe, as the packaged recipes do."
            )
        self.tendencies = available[lead_times[0]]

    def get_scaling_values(self, **_kwargs: Any) -> Tensor:
        """Return the ratio of every output variable, shape (output variable,), dimensionless."""
        to_data = self.data_indices.data.output.name_to_index
        names = sorted(self.data_indices.model.output.name_to_index.items(), key=lambda item: item[1])
        change = [float(self.tendencies["stdev"][to_data[n]]) for n, _ in names]
        flat = [n for (n, _), s in zip(names, change, strict=True) if not s > 0.0]
        if flat:
            raise ValueError(
                f"{flat} never change in 6 h in the training data, so their errors have no scale. "
                "Leave them out of `land`, or train on data in which they change."
            )
        stdev = [float(self.statistics["stdev"][to_data[n]]) for n, _ in names]
        return torch.tensor([a / b for a, b in zip(stdev, change, strict=True)], dtype=torch.float32)


def weigh_by_snow(predicted: Tensor, target: Tensor, sd: Tensor) -> Tensor:
    r"""Return predictions of properties of the snow whose errors count by the snow there is, :math:`S / (S + 10)`.

    Density, temperature and albedo of traces of snow are next to nothing for the land, and hardly predictable: with
    equal weights, a bias of deep snow that grows from step to step is invisible in their mean squared error. Shapes:
    predicted and target (..., property), snow mass ``sd`` of the target (...) [kg m-2]; missing snow counts as much.

    Examples
    --------
    >>> import torch
    >>> weigh_by_snow(torch.tensor([[4.0], [4.0]]), torch.tensor([[2.0], [2.0]]), torch.tensor([0.0, 1e6])).tolist()
    [[2.0], [4.0]]
    """
    share = torch.nan_to_num(torch.relu(sd) / (torch.relu(sd) + LITTLE_SNOW), nan=1.0).sqrt().unsqueeze(-1)
    return target + share * (predicted - target)


class PointScaler(BaseScaler):
    """Equal weight of every point, for samples of any block of the grid.

    anemoi-training requires a scaler over points and offers weights per grid node only; this one has size one and
    broadcasts over any block. The loss of this module averages over points.
    """

    scale_dims = (TensorDim.GRID,)

    def __init__(self, **_kwargs: Any) -> None:
        super().__init__()

    def get_scaling_values(self, **_kwargs: Any) -> Tensor:
        """Return one, shape (1,)."""
        return torch.ones(1)
