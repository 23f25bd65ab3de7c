# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Exchange of fields between the points of the land and those of an atmosphere."""

from __future__ import annotations

from copy import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anemoi_ailand.coupling.weights import Weights


class WeightedMean:
    r"""Means of a field over the points that belong to each target, in double precision.

    .. math:: y_i = \frac{\sum_j w_{ij} x_j}{\sum_j w_{ij}}

    A target with one point has its value bitwise, and one without points is zero. Differentiable.
    """

    def __init__(self, weights: Weights, n_targets: int) -> None:
        counts = np.bincount(weights.rows, minlength=n_targets)
        sums = np.bincount(weights.rows, weights=weights.values, minlength=n_targets)
        self._columns = torch.from_numpy(weights.columns)
        self._values = torch.from_numpy(weights.values / sums[weights.rows])  # one point has exactly 1
        self._lengths = None if (counts == 1).all() else torch.from_numpy(counts)

    def to(self, device: torch.device | str) -> WeightedMean:
        """Return the means with their weights on a device."""
        moved = copy(self)
        moved._columns, moved._values = self._columns.to(device), self._values.to(device)
        moved._lengths = None if self._lengths is None else self._lengths.to(device)
        return moved

    def __call__(self, field: Tensor) -> Tensor:
        """Return the means (target,) of a field (point,) of any device, on that of the weights."""
        values = field.to(self._columns.device).double()[self._columns]
        if self._lengths is None:
            return values
        # checks of the lengths would wait for an accelerator
        return torch.segment_reduce(values * self._values, "sum", lengths=self._lengths, initial=0.0, unsafe=True)


class Exchange:
    r"""Read fields of the atmosphere at the points of the land, and write fields of the land into it.

    One matrix :math:`B_{ij}` of the areas in which point i of the atmosphere and point j of the land exchange serves
    both directions, so that what one side gives, the other receives:

    .. math:: \bar u_j = \frac{\sum_i B_{ij} u_i}{\sum_i B_{ij}}, \qquad
              \bar x_i = \frac{\sum_j B_{ij} x_j}{\sum_j B_{ij}}, \qquad
              \sum_j \Big(\sum_i B_{ij}\Big) \bar u_j = \sum_i \Big(\sum_j B_{ij}\Big) u_i

    for fluxes and amounts :math:`u` of the atmosphere and all fields :math:`x` of the land. Instants of the
    atmosphere are interpolated with weights of their own. Where the land has a share :math:`f` of a point, a field is
    written as :math:`f \bar x + (1 - f) x`.

    The weights are in the memory of the CPU, or of the ``device`` to which :meth:`to` has moved them; fields may be
    anywhere. What is read is on the device of the weights, what is written on that of the field.

    Parameters
    ----------
    areas : Weights
        Rows are points of the land, columns those of the atmosphere.
    n_land, n_points : int
        Number of points of land and atmosphere.
    states, amounts : Weights, optional
        Weights of what is read: instants, and fluxes and amounts; by default ``areas``.
    share : array, shape (n_points,), optional
        Share of the land in each point of the atmosphere, by default 1; used only where the land has points.
    """

    def __init__(
        self,
        areas: Weights,
        n_land: int,
        n_points: int,
        *,
        states: Weights | None = None,
        amounts: Weights | None = None,
        share: NDArray[np.float64] | None = None,
    ) -> None:
        self.n_land, self.n_points, self.device = n_land, n_points, torch.device("cpu")
        self._amounts = WeightedMean(areas if amounts is None else amounts, n_land)
        self._states = self._amounts if states is None else WeightedMean(states, n_land)
        targets, position = np.unique(areas.columns, return_inverse=True)
        order = np.lexsort((areas.rows, position))
        back = Weights(position[order].astype(np.int64), areas.rows[order], areas.values[order])
        self._back = WeightedMean(back, targets.size)
        self.targets = torch.from_numpy(targets.astype(np.int64))
        self._share = None if share is None or (share[targets] >= 1.0).all() else torch.from_numpy(share[targets])
        self.land_areas = torch.from_numpy(np.bincount(areas.rows, weights=areas.values, minlength=n_land))
        self.target_areas = torch.from_numpy(np.bincount(position, weights=areas.values, minlength=targets.size))

    @classmethod
    def from_index(cls, index: NDArray[np.int64], n_points: int) -> Exchange:
        """Make the exchange of points of the land that each have the position ``index`` in the atmosphere's fields."""
        if index.ndim != 1 or not np.issubdtype(index.dtype, np.integer):
            raise ValueError(
                f"The index has shape {index.shape} and type {index.dtype}. Give one integer per land point."
            )
        if not index.size or index.min() < 0 or index.max() >= n_points:
            raise ValueError(
                f"The index has {index.size} positions from {index.min(initial=0)} to {index.max(initial=0)}; the "
                f"atmosphere has points 0 to {n_points - 1}. Create it for this grid."
            )
        points = Weights(np.arange(index.size), index.astype(np.int64), np.ones(index.size))
        return cls(points, index.size, n_points)

    def to(self, device: torch.device | str) -> Exchange:
        """Return the exchange with its weights on a device, where fields are read and written without a copy."""
        moved = copy(self)
        moved.device = torch.device(device)
        moved._amounts, moved._back = self._amounts.to(device), self._back.to(device)
        moved._states = moved._amounts if self._states is self._amounts else self._states.to(device)
        moved._share = None if self._share is None else self._share.to(device)
        moved.targets = self.targets.to(device)
        moved.land_areas, moved.target_areas = self.land_areas.to(device), self.target_areas.to(device)
        return moved

    def at_targets(self, field: Tensor) -> Tensor:
        """Return a field (point,) of the atmosphere where it exchanges with land (target,), in double precision."""
        return field.to(self.device)[self.targets].double()

    def read(self, field: Tensor, *, amount: bool = False) -> Tensor:
        """Return the values (land point,) of a field (point,) of the atmosphere, in double precision.

        ``amount`` is for fluxes and amounts, which are conserved.
        """
        return (self._amounts if amount else self._states)(field)

    def write(self, field: Tensor, values: Tensor, *, land_only: bool = False) -> Tensor:
        """Return a copy of a field of the atmosphere with ``values`` (land point,) in the share of the land.

        ``land_only`` is for fields that describe the land alone, such as soil moisture: they are replaced wherever the
        land has a share.
        """
        out, mean = field.clone(), self._back(values)
        if self._share is not None and not land_only:
            mean = self._share * mean + (1.0 - self._share) * self.at_targets(field)
        out[self.targets.to(field.device)] = mean.to(field)
        return out
