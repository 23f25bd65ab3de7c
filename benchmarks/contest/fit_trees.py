# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Callback that fits boosted trees to samples of the training data."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback
from torch import Tensor

from anemoi_ailand.model.land_model import LandModel
from benchmarks.contest.trees import Trees

LOG = logging.getLogger(__name__)

#: Windows read and normalised together.
WINDOWS = 64


class FitTrees(Callback):
    """Fit a network of trees to single steps of the training data, before the first training step.

    The readers of the training provide the samples (its period, points and blocks), in the columns and targets of the
    model, so that a checkpoint of trees is rolled out and evaluated as any other. With
    ``training.max_steps: 1`` the training then validates, writes its checkpoints and ends. Trees loaded from a
    checkpoint are kept.

    Parameters
    ----------
    samples : int, optional
        Number of samples, steps of single points; every window once if not given or if there are fewer.
    seed : int
        Seed of the choice of windows.

    Raises
    ------
    ValueError
        The network is not of trees, the roll-out has several steps, the step is closed, or ``samples`` is not positive.
    """

    def __init__(self, samples: int | None = None, seed: int = 1) -> None:
        if samples is not None and samples < 1:
            raise ValueError(f"`samples` is {samples}. Give at least 1, or null for all.")
        self.samples, self.seed = samples, seed

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Read samples and fit."""
        network = pl_module.model.model.network
        if not isinstance(network, Trees):
            raise ValueError(
                f"The network is {type(network).__name__}, which is not fitted but trained. "
                "Set `model.model.network: benchmarks.contest.trees.Trees`, or remove FitTrees from "
                "`diagnostics.callbacks`."
            )
        if pl_module.task.rollout.maximum > 1:
            raise ValueError(
                f"`task.rollout` has {pl_module.task.rollout.maximum} steps, but trees are fitted to single steps and "
                "have no gradient. Set `task.rollout.steps=[1]`."
            )
        if pl_module.model.model.closed is not None:
            raise ValueError(
                "`model.model.step` is 'closed', in which outputs of the network do not follow from the state. "
                "Set it to 'increments'."
            )
        if network.fitted:
            LOG.info("The trees of the checkpoint are kept")
            return
        inputs, targets = gather(trainer.datamodule.ds_train, pl_module, self.samples, self.seed)
        LOG.info("Fitting %d trees for each of %d outputs to %d samples of %d columns",
                 network.trees, targets.shape[1], *inputs.shape)  # fmt: skip
        network.fit(inputs, targets, threads=torch.get_num_threads())


def gather(
    dataset: Any, pl_module: Any, samples: int | None, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Collect normalised inputs (sample, column) and targets (sample, increment or diagnostic) of single steps.

    One block of points of every window of ``dataset`` in random order, until there are enough ``samples``.
    """
    model: LandModel = pl_module.model.model
    name = model.dataset_name
    indices = pl_module.data_indices[name]
    inputs: list[Tensor] = []
    targets: list[Tensor] = []
    for batch in _batches(dataset, name, seed):
        normalised = pl_module.model.pre_processors[name](batch.to(pl_module.device), in_place=False)
        ends = pl_module.task.get_inputs({name: normalised}, data_indices=pl_module.data_indices)[name]
        start, end = ends[:, 0], ends[:, 1]
        after = normalised[:, 1][..., indices.data.output.full.to(normalised.device)]
        inputs.append(model.read(start, end).flatten(0, -2).cpu())
        targets.append(_targets(model, start, after).flatten(0, -2).cpu())
        if samples is not None and sum(len(rows) for rows in inputs) >= samples:
            break
    found = sum(len(rows) for rows in inputs)
    if samples is not None and found < samples:
        LOG.info("There are %d samples, not %d: all are taken", found, samples)
    return torch.cat(inputs)[:samples].numpy(), torch.cat(targets)[:samples].numpy()


def _targets(model: LandModel, start: Tensor, after: Tensor) -> Tensor:
    """Invert :meth:`LandModel.advance`: increments in units of ``increment_scale``, and normalised diagnostics."""
    columns = model.columns
    change = after[..., list(columns.prognostic_out)] - start[..., list(columns.prognostic_in)]
    return torch.cat([change / model.increment_scale, after[..., list(columns.diagnostic_out)]], dim=-1)


def _batches(dataset: Any, name: str, seed: int) -> Iterator[Tensor]:
    """Read windows of one step in random order, shape (window, 2, ensemble, point, variable), not normalised."""
    order = np.random.default_rng(seed).permutation(dataset.valid_date_indices)
    for first in range(0, len(order), WINDOWS):
        yield torch.stack([dataset.get_sample(int(i))[name][:2] for i in order[first : first + WINDOWS]])
