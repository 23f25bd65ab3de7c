# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Fine-tuning of a trained network: its weights and normalisation, and which of its weights change."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback
from torch import nn

from anemoi_ailand.hosts.anemoi_models import load_model
from anemoi_ailand.training.callbacks import VALIDATION_LOSS

LOG = logging.getLogger(__name__)

#: Presets of ``land.tune``.
HEADS, ALL, HEADS_THEN_ALL = "heads", "all", "heads-then-all"
PRESETS = (HEADS, ALL, HEADS_THEN_ALL)

#: Module of a network that all results share; the others are its heads.
BACKBONE = "trunk"


def start_from(path: str | Path, runtime: dict[str, Any]) -> Any:
    """Load a checkpoint for inference to be tuned, and take over its statistics, so that its weights mean the same.

    Parameters
    ----------
    path : str or Path
        Checkpoint whose checksum was verified.
    runtime : dict
        Arguments that anemoi-training gives to a training method; ``statistics`` and, if the checkpoint has them,
        ``statistics_tendencies`` are replaced.

    Raises
    ------
    ValueError
        The checkpoint has other variables than the training, or in another order.
    """
    base = load_model(Path(path), "cpu")
    for name, indices in runtime["data_indices"].items():
        theirs = base.data_indices[name].name_to_index if name in base.data_indices else {}
        if dict(theirs) != dict(indices.name_to_index):
            differing = sorted(set(theirs) ^ set(indices.name_to_index)) or "the same in another order"
            raise ValueError(
                f"The checkpoint '{path}' of `land.base` has other variables than the training: {differing}. Set "
                "`land.prognostic`, `land.diagnostic` and `land.forcing` to those that it was trained with."
            )
    runtime["statistics"] = base.statistics
    if getattr(base, "statistics_tendencies", None):
        runtime["statistics_tendencies"] = base.statistics_tendencies
    return base.model


def take_weights(model: nn.Module, base: nn.Module, path: str | Path) -> None:
    """Set the weights of a model to those of the ``base``.

    Raises
    ------
    ValueError
        The network has another shape.
    """
    try:
        model.load_state_dict(base.state_dict())
    except RuntimeError as error:
        raise ValueError(
            f"The network of the checkpoint '{path}' of `land.base` has another shape than `model.model` ({error}). "
            "Leave `model.model` as it is in `ailand-finetune`, which takes it from the checkpoint."
        ) from error
    LOG.info("Weights and statistics of %s", path)


class FineTuning(Callback):
    """Choose which weights of a network are trained, and say whether the result is better than the base.

    A validation before the training (``training.num_sanity_val_steps``) has the loss of the base; a training that
    does not go below it ends with a warning.

    Parameters
    ----------
    tune : {'heads', 'all', 'heads-then-all'}, optional
        ``heads`` keeps the trunk of the network, bitwise; ``heads-then-all`` does so in the first third of the epochs;
        ``all``, and none, train every weight.

    Raises
    ------
    ValueError
        An unknown preset, a network without a trunk, a step that may be compiled, or several processes with
        ``heads-then-all``.
    """

    def __init__(self, tune: str | None = None) -> None:
        if tune not in (None, *PRESETS):
            raise ValueError(f"`land.tune` is '{tune}'. Give one of {', '.join(PRESETS)}, or null.")
        self.tune = tune
        self.base_loss: float | None = None
        self._lowest = math.inf

    def state_dict(self) -> dict[str, Any]:
        """Return the loss of the base and the lowest one, for a resumed training."""
        return {"base_loss": self.base_loss, "lowest": self._lowest}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore :meth:`state_dict`."""
        self.base_loss, self._lowest = state_dict["base_loss"], state_dict["lowest"]

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Keep the loss of the base, which is validated before the first step, and the lowest one after it."""
        del pl_module
        loss = float(trainer.callback_metrics.get(VALIDATION_LOSS, math.nan))
        if not trainer.sanity_checking:
            self._lowest = min(self._lowest, loss)
        elif self.base_loss is None:
            self.base_loss = loss
            LOG.info("Validation loss before the training: %.4g", loss)

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Warn if no epoch was better than the base."""
        del pl_module
        if self.tune is None or not trainer.is_global_zero:
            return
        if self.base_loss is None:
            LOG.warning("`land.base` was not validated (`training.num_sanity_val_steps` is 0): nothing tells whether "
                        "the tuned network is better")  # fmt: skip
            return
        words = f"{self._lowest:.4g}, that of `land.base` {self.base_loss:.4g}"
        if self._lowest < self.base_loss:
            LOG.info("The lowest validation loss is %s", words)
        else:
            LOG.warning("No epoch is better than the base: the lowest validation loss is %s. Keep the base, or give "
                        "more sites, a lower `training.optimization.lr` or an anchor", words)  # fmt: skip

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Freeze the trunk before the first step, if only heads are trained."""
        del stage
        if self.tune in (None, ALL):
            return
        network = pl_module.model.model.network
        if not hasattr(network, BACKBONE):
            raise ValueError(
                f"`land.tune` is '{self.tune}', but the network {type(network).__name__} has no module `{BACKBONE}` to "
                f"keep. Set `land.tune={ALL}`."
            )
        if pl_module.execution != "plain":
            raise ValueError(
                f"`land.tune` is '{self.tune}' and `land.execution` is '{pl_module.execution}', whose code has "
                "gradients of all weights. Set `land.execution=plain`."
            )
        if self.tune == HEADS:
            self.freeze(pl_module, True)
        elif trainer.world_size > 1:
            raise ValueError(
                f"`land.tune` is '{self.tune}', which is for one process: the weights that processes share must not "
                f"change during a training. Train with {HEADS} first, then from its checkpoint with {ALL}."
            )

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Freeze or release the trunk in a training by heads first; the optimiser has all weights by now."""
        if self.tune == HEADS_THEN_ALL:
            self.freeze(pl_module, trainer.current_epoch < max(1, trainer.max_epochs // 3))

    def freeze(self, pl_module: Any, frozen: bool) -> None:
        """Take the trunk out of the training, or put it back."""
        parameters = list(getattr(pl_module.model.model.network, BACKBONE).parameters())
        if parameters[0].requires_grad == frozen:
            LOG.info("Trunk %s: %d parameters", "frozen" if frozen else "trained", sum(p.numel() for p in parameters))
        for p in parameters:
            p.requires_grad_(not frozen)
            p.grad = None
