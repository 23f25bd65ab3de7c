# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Loss in units of the change in 6 h, and its scalers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from anemoi.training.losses.base import FunctionalLoss
from anemoi.training.losses.scalers.base_scaler import BaseScaler
from anemoi.training.utils.enums import TensorDim
from torch import Tensor

LOG = logging.getLogger(__name__)

#: Name under which the configuration registers :class:`IncrementScaler`; the loss looks for it.
INCREMENT_SCALER = "increment"


class PointMeanLoss(FunctionalLoss):
    """A loss that is the mean over the points of a sample; anemoi-training's own sum over weighted grid nodes."""

    def reduce(self, out: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Mean over points, then as upstream; ``out`` (batch, time, ensemble, point, variable)."""
        return super().reduce(out / out.shape[TensorDim.GRID], *args, **kwargs)


class MeanSquaredError(PointMeanLoss):
    """Mean squared error, as a validation metric in physical units."""

    name: str = "mse"

    def calculate_difference(self, pred: Tensor, target: Tensor) -> Tensor:
        """Squared difference, all shapes (batch, time, ensemble, point, variable)."""
        return (pred - target).square()


class IncrementLoss(PointMeanLoss):
    r"""Error of each variable in units of its standard deviation over a step, squared or by Huber's function.

    With :math:`e = (\hat y - y) / \sigma_{\Delta y}`,

    .. math:: \ell(e) = \tfrac12 e^2 \ \text{ if } |e| < \delta,\ \text{ else }\ \delta (|e| - \tfrac12 \delta).

    Without ``delta`` it is :math:`\tfrac12 e^2` everywhere: then the minimum is the conditional mean, while a robust
    loss on skewed increments is biased (Raoult et al. 2026 put the warm bias of aiLand v1 down to it).
    :math:`\sigma_{\Delta y}` comes from the scaler named ``increment`` and is applied before the function, not after:
    the stock Huber loss is quadratic or linear in units of the variable itself.

    Parameters
    ----------
    delta : float, optional
        Where Huber's function turns linear, in units of the standard deviation; ``null`` for squared error.
    ignore_nans : bool
        As in anemoi-training.
    """

    name: str = "increment"

    def __init__(self, delta: float | None = None, ignore_nans: bool = False) -> None:
        super().__init__(ignore_nans=ignore_nans)
        self.delta = delta

    def calculate_difference(self, pred: Tensor, target: Tensor) -> Tensor:
        """Loss per element; all shapes (batch, time, ensemble, point, variable), no unit."""
        if INCREMENT_SCALER not in self.scaler:
            raise ValueError(
                f"The loss needs the scaler '{INCREMENT_SCALER}'. "
                "Add it to `training.training_loss.datasets.data.scalers`."
            )
        _, scale = self.scaler.tensors[INCREMENT_SCALER]
        error = (pred - target) * scale.to(pred)
        if self.delta is None:
            return 0.5 * error.square()
        size = error.abs()
        return torch.where(size < self.delta, 0.5 * size.square(), self.delta * (size - 0.5 * self.delta))

    def scale(self, x: Tensor, subset_indices: Any = None, *, without_scalers: Any = None, **kwargs: Any) -> Tensor:
        """Apply all scalers but the increment's, which is inside the loss function."""
        return super().scale(x, subset_indices, without_scalers=[INCREMENT_SCALER, *(without_scalers or [])], **kwargs)


class IncrementScaler(BaseScaler):
    r"""Standard deviation of a variable over that of its change in 6 h, :math:`\sigma_y / \sigma_{\Delta y}`.

    It turns a normalised error into units of the change in 6 h, for prognostic and diagnostic variables alike.
    The stock tendency scalers leave out diagnostics and, in anemoi-training 0.17.1, silently the variable at dataset
    index 0 (training/losses/scalers/variable_tendency.py, ``name_to_index.get(key)`` is 0 there).

    Raises
    ------
    ValueError
        The dataset has no statistics of tendencies, or a variable whose change in 6 h is always zero.
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
        """Ratio for every output variable, shape (output variable,), no unit."""
        to_data = self.data_indices.data.output.name_to_index
        names = sorted(self.data_indices.model.output.name_to_index.items(), key=lambda item: item[1])
        change = [float(self.tendencies["stdev"][to_data[n]]) for n, _ in names]
        flat = [n for (n, _), s in zip(names, change, strict=True) if not s > 0.0]
        if flat:
            raise ValueError(
                f"{flat} never change in 6 h in the training data, so their errors have no scale. "
                "Leave them out of `select`, or train on data in which they change."
            )
        stdev = [float(self.statistics["stdev"][to_data[n]]) for n, _ in names]
        return torch.tensor([a / b for a, b in zip(stdev, change, strict=True)], dtype=torch.float32)


class PointScaler(BaseScaler):
    """Equal weight for every point, whatever block of the grid a sample is.

    anemoi-training demands a scaler over points and has only weights per grid node; a block is a part of the grid,
    so this one has size one and is broadcast. The mean over points is taken by the losses of this module.
    """

    scale_dims = (TensorDim.GRID,)

    def __init__(self, **_kwargs: Any) -> None:
        super().__init__()

    def get_scaling_values(self, **_kwargs: Any) -> Tensor:
        """One, shape (1,)."""
        return torch.ones(1)
