# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Boosted trees (XGBoost) with the interface of a network."""

from __future__ import annotations

import logging
import time
import zlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anemoi_ailand.model.pointwise_mlp import check_sizes

LOG = logging.getLogger(__name__)

#: Boosting rounds between two lines of the log.
LOG_EVERY = 16


class Trees(nn.Module):
    r"""Predict increments and diagnostics by sums of regression trees, one sum for each output.

    .. math:: y_j = y_j^0 + \eta \sum_{k=1}^{K} T_{jk}(z)

    The callback :class:`~benchmarks.contest.fit_trees.FitTrees` fits the trees (:meth:`fit`); they have no gradient.
    Before a fit, increments and diagnostics are zero. Checkpoints hold fitted trees as compressed bytes. The only torch
    parameter is an unused zero, because a trainer stops without parameters.

    Parameters
    ----------
    n_in, n_prognostic, n_diagnostic : int
        Input columns, predicted increments and predicted diagnostics.
    trees : int
        Trees per output, :math:`K`.
    depth : int
        Largest number of comparisons from root to leaf.
    rate : float
        Learning rate, :math:`\eta`.
    subsample : float
        Fraction of the samples that each tree is fitted to.

    Raises
    ------
    ImportError
        xgboost is not installed.
    ValueError
        A size that is not positive.

    Shapes: ``(..., point, n_in) -> (..., point, n_prognostic), (..., point, n_diagnostic)``, normalised, no unit.
    Source: Wesselkamp et al. (2025), doi:10.5194/gmd-18-921-2025, with its 256 trees of depth 10, rate 0.15, subsample
    0.7, and histograms; doi:10.1145/2939672.2939785 for the method.
    """

    #: Trees have no operators in the tensor set of ONNX.
    exportable = False

    def __init__(
        self,
        n_in: int,
        n_prognostic: int,
        n_diagnostic: int,
        *,
        trees: int = 256,
        depth: int = 10,
        rate: float = 0.15,
        subsample: float = 0.7,
    ) -> None:
        super().__init__()
        check_sizes(n_in=n_in, n_prognostic=n_prognostic, trees=trees, depth=depth)
        _xgboost()
        self.n_in, self.n_prognostic, self.n_diagnostic = n_in, n_prognostic, n_diagnostic
        self.trees, self.depth, self.rate, self.subsample = trees, depth, rate, subsample
        self.unused = nn.Parameter(torch.zeros(()))
        self.n_parameters = 0
        self._stored = b""
        self._booster: Any = None

    @property
    def fitted(self) -> bool:
        """Return whether the trees are fitted."""
        return bool(self._stored)

    @property
    def flops_per_point(self) -> int:
        """Upper limit of comparisons for one point and step."""
        return self.trees * self.depth * (self.n_prognostic + self.n_diagnostic)

    def fit(self, inputs: NDArray[np.float32], targets: NDArray[np.float32], threads: int = 1) -> None:
        """Fit trees to samples, replacing those of an earlier fit.

        Parameters
        ----------
        inputs : numpy.ndarray, shape (sample, n_in)
            Inputs of the network, normalised.
        targets : numpy.ndarray, shape (sample, n_prognostic + n_diagnostic)
            Increments and diagnostics, normalised.
        threads : int
            Processor threads.
        """
        xgboost = _xgboost()
        options = {
            "objective": "reg:squarederror", "tree_method": "hist", "max_depth": self.depth,
            "learning_rate": self.rate, "subsample": self.subsample, "nthread": threads,
        }  # fmt: skip
        data = xgboost.QuantileDMatrix(inputs, targets, nthread=threads)
        booster = xgboost.Booster(options, [data])
        began = time.monotonic()
        for k in range(self.trees):
            booster.update(data, k)
            if (k + 1) % LOG_EVERY == 0 or k + 1 == self.trees:
                seconds = time.monotonic() - began
                left = seconds / (k + 1) * (self.trees - k - 1)
                LOG.info("Trees: %d of %d in %.0f s, %.0f s to go", k + 1, self.trees, seconds, left)
        self.n_parameters = _n_numbers(booster)
        self._keep(zlib.compress(bytes(booster.save_raw("ubj"))))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return normalised increments and diagnostics for normalised inputs ``z`` of shape ``(..., n_in)``.

        Raises
        ------
        ValueError
            The gradient with respect to ``z`` is requested.
        """
        if torch.is_grad_enabled() and z.requires_grad:
            raise ValueError(
                "Trees have no gradient, hence no roll-outs of several steps in training, no tangent and no adjoint. "
                "Train with `task.rollout.steps=[1]`, or choose another `model.model.network`."
            )
        n_out = self.n_prognostic + self.n_diagnostic
        y = z.new_zeros((*z.shape[:-1], n_out))
        if self.fitted:
            rows = np.ascontiguousarray(z.detach().reshape(-1, self.n_in).float().cpu().numpy())
            y = torch.from_numpy(self._predict(rows)).to(z).reshape(y.shape)
        y = y + 0.0 * self.unused
        return y[..., : self.n_prognostic], y[..., self.n_prognostic :]

    def _predict(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._booster is None:
            xgboost = _xgboost()
            self._booster = xgboost.Booster({"nthread": torch.get_num_threads()})
            self._booster.load_model(bytearray(zlib.decompress(self._stored)))
        return self._booster.inplace_predict(rows)

    def _keep(self, stored: bytes) -> None:
        self._stored, self._booster = stored, None

    def get_extra_state(self) -> dict[str, Any]:
        """Store the trees among the weights of a checkpoint."""
        return {"stored": torch.frombuffer(bytearray(self._stored or b"\0"), dtype=torch.uint8),
                "fitted": self.fitted, "n_parameters": self.n_parameters}  # fmt: skip

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Load the trees of a checkpoint."""
        self.n_parameters = state["n_parameters"]
        self._keep(state["stored"].cpu().numpy().tobytes() if state["fitted"] else b"")

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the booster, which follows from the bytes."""
        return {**self.__dict__, "_booster": None}


def _n_numbers(booster: Any) -> int:
    """Count fitted numbers: a value per leaf, a column and a threshold per comparison."""
    found = 0
    for k in range(booster.num_boosted_rounds()):
        for tree in booster[k : k + 1].get_dump():
            leaves = tree.count("leaf=")
            found += leaves + 2 * (leaves - 1)
    return found


def _xgboost() -> Any:
    try:
        import xgboost
    except ImportError as error:
        raise ImportError(
            "Boosted trees need xgboost, which is not installed. Install it: pip install xgboost-cpu"
        ) from error
    return xgboost
