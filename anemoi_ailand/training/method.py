# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Training method: roll-outs of any length at the cost of the network, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from anemoi.training.train.methods import SingleTraining
from anemoi.training.train.step_output import TrainingStepOutput
from anemoi.training.utils.index_space import IndexSpace
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from anemoi_ailand.hosts.anemoi_training import TrainingHooks, accept_missing
from anemoi_ailand.support.options import check_execution
from anemoi_ailand.training.callbacks import batches_of_epoch
from anemoi_ailand.training.compiled_step import CompiledStep, n_rows, open_step
from anemoi_ailand.training.datasets import include_others
from anemoi_ailand.training.fine_tuning import start_from, take_weights
from anemoi_ailand.training.increment_loss import INCREMENT_SCALER, OF_SNOW, weigh_by_snow
from anemoi_ailand.training.jacobian_term import JacobianTerm, options_of, read_differences, single_precision
from anemoi_ailand.training.log import RMSE
from anemoi_ailand.training.throughput import planned_rollouts
from anemoi_ailand.training.truncated import truncated_loss
from anemoi_ailand.training.tuning_terms import anchor_loss, fraction_loss

#: Batches between two logged values of the loss; each costs as much as a small layer.
SHOW_EVERY = 5

#: Latent and sensible heat flux.
TURBULENT = ("slhf", "sshf")

Fields = dict[str, Tensor]


class LandTraining(TrainingHooks, SingleTraining):
    r"""Deterministic training as :class:`SingleTraining`, with loss and metrics over a whole roll-out at once.

    The stock method computes the loss of each step separately and twice (it is checkpointed), and in validation each
    metric of each variable and step: with 20 variables and 20 steps, validation takes longer than training. Here
    predictions are collected, and

    .. math:: L = \tfrac1R \sum_{r=1}^{R} \ell(\hat y_r, y_r)

    is one call with the same value. In validation the mean squared errors of all variables are one tensor per batch;
    the root of their mean over the epoch is logged once, as ``val_rmse/<name>``. Metrics under
    ``training.validation_metrics`` are computed over the whole roll-out, once per variable.

    Points do not interact and a model is on one device, so fields are never sharded.

    Parameters
    ----------
    detach_every : int, optional
        Truncated back-propagation: the gradient stops at the state after every ``detach_every`` steps, and each piece
        is differentiated when it is complete, so that memory holds only one piece, however long the roll-out. The
        gradient is biased: errors are traced back ``detach_every`` steps at most.
    checkpoint_every : int, optional
        Store only every ``checkpoint_every``-th state and recompute the steps between in the backward pass: the exact
        gradient for about a third more time.

    execution : {'auto', 'plain', 'compiled'}
        Step of the training batches; see :func:`~anemoi_ailand.training.compiled_step.open_step`. Validation, and a
        last batch that is not whole, are plain.
    jacobian : dict, optional
        Term on finite differences of the physical model, as
        :class:`~anemoi_ailand.training.jacobian_term.JacobianOptions`; no ``path``, no term.
    others : list of dict, optional
        Further datasets to draw samples from; see :func:`~anemoi_ailand.training.datasets.open_others`. Normalisation
        and loss then use the statistics of all.
    base : str, optional
        Checkpoint for inference that the training starts from, with its weights and its statistics.
    observed : dict, optional
        Observations as targets; see :func:`~anemoi_ailand.training.observations.open_observed`.

    anchor : float, optional
        Weight of the departure from ``base`` in variables without observations; see
        :mod:`~anemoi_ailand.training.tuning_terms`.
    fraction : float, optional
        Weight of the evaporative fraction of observed fluxes.

    Options are read from ``config.training.method``, because a warm start would restore those of its checkpoint.

    Raises
    ------
    ValueError
        An option below 1.
    """

    def __init__(self, *, config: Any, detach_every: int | None = None, checkpoint_every: int | None = None,
                 execution: str | None = None, jacobian: Any = None, others: Any = None,
                 base: str | None = None, observed: Any = None, anchor: float = 0.0,
                 fraction: float = 0.0, **runtime: Any) -> None:  # fmt: skip
        include_others(runtime, config)
        path = config.training.method.get("base")
        start = start_from(path, runtime) if path else None
        super().__init__(config=config, **runtime)
        if start is not None:
            take_weights(self.model.model, start, path)
        if (config.training.method.get("observed") or {}).get("dataset") is not None:
            accept_missing(self.model)
        self.anchor, self.fraction = (float(config.training.method.get(n) or 0.0) for n in ("anchor", "fraction"))
        if self.anchor and start is None:
            raise ValueError("`land.anchor` needs the network that it anchors to. Give it as `land.base`, or set 0.")
        self._base = [start]  # in a list, which keeps it out of the checkpoint
        del detach_every, checkpoint_every, execution, jacobian, others, base, observed, anchor, fraction
        self.detach_every = _positive("detach_every", config)
        self.checkpoint_every = _positive("checkpoint_every", config)
        self.execution = config.training.method.get("execution") or "auto"
        check_execution(self.execution)
        self.jacobian = options_of(config.training.method.get("jacobian"))
        self._term: JacobianTerm | None = None
        self._compiled: CompiledStep | None = None
        self._chosen = False
        self._squares: dict[str, tuple[Tensor, Tensor]] = {}
        self._losses: tuple[Tensor | float, int] = (0.0, 0)

    def on_train_epoch_start(self) -> None:
        """Reset the losses of the last epoch."""
        super().on_train_epoch_start()
        self._losses = (0.0, 0)

    def training_step(self, batch: Fields, batch_idx: int) -> Tensor:
        """Return the loss of one batch; the mean over the epoch is logged at its end, under anemoi-training's names."""
        if not self._chosen:
            self.choose_step(batch)
        loss = self.batch_step(batch).loss
        if self._term is not None and batch_idx % self.jacobian.every == 0:
            loss = loss + self._jacobian_loss(self._term)
        size = len(next(iter(batch.values())))
        total, samples = self._losses
        self._losses = total + size * loss.detach().mean(), samples + size
        if batch_idx % SHOW_EVERY == 0:
            name = f"train_{self.loss_name}_loss_step"
            self.log(name, loss.detach(), prog_bar=True, logger=self.logger_enabled, batch_size=size)
        return loss

    def choose_step(self, batch: Fields) -> None:
        """Choose between the plain and the compiled step for the whole training, by the first of its batches."""
        x = self.task.get_inputs(batch, data_indices=self.data_indices)
        land: Any = self.model.model
        self._compiled = open_step(land, x, self.execution, self._planned_steps() * n_rows(x))
        self._chosen = True
        if self.jacobian.path is not None:
            self._term = self._open_term(self.jacobian.path)

    def _open_term(self, path: Path) -> JacobianTerm:
        trainer: Any = self.trainer
        name = self.target_dataset_names[0]
        reader = trainer.datamodule.ds_train.data_readers[name]
        indices: Any = self.data_indices[name]
        outputs = indices.model.output.name_to_index
        differences = read_differences(path, reader.data, reader.n_points, outputs)
        columns = indices.data.input.name_to_index
        return JacobianTerm(differences, columns, outputs, self.jacobian.weight, self.jacobian.pairs)

    def _jacobian_loss(self, term: JacobianTerm) -> Tensor:
        name = self.target_dataset_names[0]
        model: Any = self.model

        def unroll(fields: Tensor, steps: int) -> Tensor:
            batch = {name: fields}
            x = self.task.get_inputs(batch, data_indices=self.data_indices)
            return self._unroll(x, batch, 0, steps, steps)[0][-1][name]

        generator = torch.Generator().manual_seed(torch.initial_seed() % 2**32 + self.global_step)
        with single_precision(model.model):
            loss = term.loss(
                unroll, partial(model.pre_processors[name], in_place=False),
                partial(model.post_processors[name], in_place=False), generator,
            )  # fmt: skip
        self.log("train_jacobian_loss", loss.detach(), logger=self.logger_enabled, on_step=False, on_epoch=True,
                 batch_size=1)  # fmt: skip
        return loss

    def _planned_steps(self) -> float:
        """Count the roll-out steps of all batches to come; infinite if neither epochs nor batches are limited."""
        rollout: Any = self.task
        per_epoch = batches_of_epoch(self.trainer)
        rollouts = planned_rollouts(self.trainer, rollout.rollout, per_epoch)
        return math.inf if rollouts is None else per_epoch * sum(rollouts)

    def on_train_epoch_end(self) -> None:
        """Log mean loss and roll-out before the task switches to the next."""
        total, samples = self._losses
        if samples:
            name = f"train_{self.loss_name}_loss_epoch"
            self.log(name, total / samples, prog_bar=True, logger=self.logger_enabled, sync_dist=True)
        self.task.log_extra(logger=self.log, logger_enabled=self.logger_enabled)
        super().on_train_epoch_end()

    def batch_step(self, batch: Fields, *, validation: bool = False) -> TrainingStepOutput:
        """Return the loss of one batch, in validation with metrics and predictions."""
        x = self.task.get_inputs(batch, data_indices=self.data_indices)
        n_steps = len(tuple(self.task.steps("validation" if validation else "training")))
        if validation:
            return self._validate(x, batch, n_steps)
        size = self.detach_every
        if size is not None and size < n_steps:
            loss = truncated_loss(
                lambda state, a, b: self._piece(state, batch, a, b, n_steps), x, n_steps, size,
                [p for p in self.model.parameters() if p.requires_grad],
            )  # fmt: skip
        else:
            loss, _ = self._piece(x, batch, 0, n_steps, n_steps)
        return TrainingStepOutput(loss=loss, metrics={}, predictions=[])

    def _piece(self, x: Fields, batch: Fields, first: int, last: int, n_steps: int) -> tuple[Tensor, Fields]:
        """Return the contribution of steps ``first`` to ``last - 1`` to the loss, and the input of step ``last``."""
        predictions: list[Fields] = []
        start = x
        every = self.checkpoint_every
        for a in range(first, last, every or last - first):
            b = min(a + (every or last - first), last)
            if every is None:
                done, x = self._unroll(x, batch, a, b, n_steps)
            else:
                done, x = checkpoint(self._unroll, x, batch, a, b, n_steps, use_reentrant=False)
            predictions += done
        loss, predicted, targets = self._loss(predictions, batch, first)
        if self.fraction:
            loss = loss + self.fraction * (last - first) * self._fraction_loss(predicted, targets)
        if self.anchor:
            with torch.no_grad():
                base = self._unroll(start, batch, first, last, n_steps, self._of_base)[0]
            loss = loss + self.anchor * (last - first) * self._anchor_loss(base, predicted, targets)
        return loss / n_steps, x

    def _anchor_loss(self, base: list[Fields], predicted: Fields, targets: Fields) -> Tensor:
        """Return the departure from the base in variables without observations, as a mean over steps."""
        losses = []
        for name, fields in predicted.items():
            indices: Any = self.data_indices[name]
            loss: Any = self.loss[name]
            seen = targets[name][..., indices.data.output.full.to(targets[name].device)]
            scale = loss.scaler.tensors[INCREMENT_SCALER][1].to(fields)
            losses.append(anchor_loss(fields, torch.cat([y[name] for y in base], dim=1), seen, scale))
        return sum(losses[1:], losses[0])

    def _fraction_loss(self, predicted: Fields, targets: Fields) -> Tensor:
        """Return the error of the evaporative fraction, as a mean over steps."""
        losses = []
        for name, fields in predicted.items():
            indices: Any = self.data_indices[name]
            post, column = self.model.post_processors[name], indices.model.output.name_to_index
            if missing := [n for n in TURBULENT if n not in column]:
                raise ValueError(f"`land.fraction` needs {list(TURBULENT)}, and the network has no {missing}. Set 0.")
            truth = post(targets[name], in_place=False)[..., indices.data.output.full.to(targets[name].device)]
            own = post(fields, in_place=False)
            latent, sensible = ((own[..., column[n]], truth[..., column[n]]) for n in TURBULENT)
            losses.append(fraction_loss(latent[0], sensible[0], (latent[1], sensible[1])))
        return sum(losses[1:], losses[0])

    def _unroll(
        self,
        x: Fields,
        batch: Fields,
        first: int,
        last: int,
        n_steps: int,
        by: Callable[[Fields], Fields] | None = None,
    ) -> tuple[list[Fields], Fields]:
        """Predict steps ``first`` to ``last - 1``, by another network if given; return the input of step ``last``."""
        task: Any = self.task
        predictions, x = [], dict(x)  # the task changes its argument
        for i in range(first, last):
            y = self._advance(x) if by is None else by(x)
            predictions.append(y)
            if i + 1 < n_steps:
                x = task.advance_input(
                    x, y, batch, rollout_step=i, data_indices=self.data_indices, output_mask=self.output_mask,
                    grid_shard_slice=self.grid_shard_slice,
                )  # fmt: skip
        return predictions, x

    def _of_base(self, x: Fields) -> Fields:
        base: Any = self._base[0]
        device = next(iter(x.values())).device
        if next(base.parameters()).device != device:
            base.to(device)
        y: Fields = base(x)
        return y

    def _advance(self, x: Fields) -> Fields:
        if self._compiled is not None and self.training and n_rows(x) == self._compiled.rows:
            return self._compiled(x)
        y: Fields = self(x)
        return y

    def _loss(self, predictions: list[Fields], batch: Fields, first: int) -> tuple[Tensor, Fields, Fields]:
        """Sum of the losses of all steps; predictions and targets (batch, step, ensemble, point, variable)."""
        start = self.task.get_batch_output_indices(rollout_step=first)[0]
        names = self.target_dataset_names
        predicted = {name: torch.cat([y[name] for y in predictions], dim=1) for name in names}
        targets = {name: batch[name][:, start : start + len(predictions)] for name in names}
        losses = [
            self.dataset_loss(self._snow_weighed(predicted[name], targets[name], name), targets[name], name)
            for name in names
        ]
        return sum(losses[1:], losses[0]), predicted, targets

    def _snow_weighed(self, predicted: Tensor, target: Tensor, name: str) -> Tensor:
        """Return predictions in which errors of the properties of snow count by the snow, with the closed step."""
        land: Any = self.model.model
        indices: Any = self.data_indices[name]
        outputs, columns = indices.model.output.name_to_index, indices.name_to_index
        found = [n for n in OF_SNOW if n in outputs]
        if land.closed is None or not found:
            return predicted
        sd = land.closed.physical("sd", target[..., columns["sd"]])
        weighed = weigh_by_snow(
            predicted[..., [outputs[n] for n in found]], target[..., [columns[n] for n in found]], sd
        )
        return predicted.index_copy(-1, torch.tensor([outputs[n] for n in found], device=predicted.device), weighed)

    def _validate(self, x: Fields, batch: Fields, n_steps: int) -> TrainingStepOutput:
        """Return loss and configured metrics of a batch; squared errors are kept for the end of the epoch."""
        predictions, _ = self._unroll(x, batch, 0, n_steps, n_steps)
        loss, predicted, targets = self._loss(predictions, batch, 0)
        metrics: dict[str, Tensor] = {}
        for name in self.target_dataset_names:
            self._add_squares(name, predicted[name], targets[name])
            if self.metrics[name]:
                found = self.calculate_val_metrics(
                    predicted[name], targets[name], dataset_name=name, pred_layout=IndexSpace.MODEL_OUTPUT,
                    target_layout=IndexSpace.DATA_FULL,
                )  # fmt: skip
                metrics |= {f"{name}_{key}": value for key, value in found.items()}
        return TrainingStepOutput(loss=loss / n_steps, metrics=metrics, predictions=predictions)

    def _add_squares(self, name: str, predicted: Tensor, target: Tensor) -> None:
        """Add the squared error of every output variable in its unit, and the share of valid targets, by sample."""
        indices: Any = self.data_indices[name]
        post = self.model.post_processors[name]
        truth = post(target, in_place=False)[..., indices.data.output.full.to(target.device)]
        valid = ~truth.isnan()
        error = torch.where(valid, post(predicted, in_place=False) - truth, 0.0)
        squares = error.square().mean(dim=(1, 2, 3)).double().sum(dim=0)
        samples = valid.double().mean(dim=(1, 2, 3)).sum(dim=0)
        before, earlier = self._squares.get(name, (torch.zeros_like(squares), torch.zeros_like(samples)))
        self._squares[name] = before + squares, earlier + samples

    def on_validation_epoch_start(self) -> None:
        """Reset the errors of the last epoch."""
        super().on_validation_epoch_start()
        self._squares = {}

    def on_validation_epoch_end(self) -> None:
        """Log the root mean squared error of every variable that has targets."""
        super().on_validation_epoch_end()
        for name, (squares, samples) in self._squares.items():
            indices: Any = self.data_indices[name]
            both = torch.as_tensor(self.all_gather(torch.stack([squares, samples]))).reshape(-1, 2, len(squares))
            total, number = both.sum(dim=0)
            names = indices.model.output.name_to_index
            errors = {f"{RMSE}{n}": (total[i] / number[i]).sqrt().float() for n, i in names.items() if number[i] > 0.0}
            self.log_dict(errors, logger=self.logger_enabled, sync_dist=True)  # already equal on all devices


def _positive(option: str, config: Any) -> int | None:
    value = config.training.method.get(option)
    if value is not None and value < 1:
        raise ValueError(
            f"`training.method.{option}` is {value}. Give a number of steps, at least 1, or null for none."
        )
    return value
