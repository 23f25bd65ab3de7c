# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Adapters to anemoi-training 0.17: hooks of the training method, readers of the datamodule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anemoi.training.diagnostics.callbacks.checkpoint import AnemoiCheckpoint as _Checkpoint
    from anemoi.training.train.methods import SingleTraining as _Training
else:
    _Checkpoint = _Training = object  # mixins: the host is imported by the class that uses them


class TrainingHooks(_Training):
    """Mixin that gives public names to the private methods of ``SingleTraining``.

    A method of training is a class ``Mine(TrainingHooks, SingleTraining)`` that defines :meth:`batch_step`.

    Private names: ``_step`` and ``_build_metrics_for_dataset`` (overridden), ``_compute_loss`` and ``_get_loss_name``
    (called). They can go when anemoi-training lets a method compute the loss of a whole roll-out at once, and accepts
    ``null`` for a metric that a base configuration sets.
    """

    def batch_step(self, batch: dict[str, Any], *, validation: bool) -> Any:
        """Return the ``TrainingStepOutput`` of one batch; to be defined by the method."""
        raise NotImplementedError

    def _step(self, batch: dict[str, Any], validation_mode: bool = False) -> Any:
        return self.batch_step(batch, validation=validation_mode)

    def _build_metrics_for_dataset(self, validation_metrics_configs: dict | None, *args: Any, **context: Any) -> Any:
        """Drop metrics that are null."""
        given = {k: v for k, v in (validation_metrics_configs or {}).items() if v is not None}
        return super()._build_metrics_for_dataset(given, *args, **context)

    def dataset_loss(self, predicted: Any, target: Any, dataset: str) -> Any:
        """Return the loss of a prediction (model output layout) against a target (dataset layout) of one dataset."""
        from anemoi.training.utils.index_space import IndexSpace

        return self._compute_loss(
            predicted, target, dataset_name=dataset, pred_layout=IndexSpace.MODEL_OUTPUT,
            target_layout=IndexSpace.DATA_FULL,
        )  # fmt: skip

    @property
    def loss_name(self) -> str:
        """Name of the loss in the log, as in ``train_<name>_loss_epoch``."""
        return self._get_loss_name()


class CheckpointHooks(_Checkpoint):
    """Mixin by which ``AnemoiCheckpoint`` saves under a temporary name, so that a killed training keeps the last file.

    A class ``Mine(CheckpointHooks, AnemoiCheckpoint)`` defines :meth:`saved`.

    Private names: ``_save_checkpoint`` (overridden), ``_get_inference_checkpoint_filepath`` (called) and
    ``_last_checkpoint_saved`` (set). They can go when the host saves checkpoints as a whole.
    """

    def saved(self, partial: Path, path: Path) -> None:
        """Give a complete file its name; called for both checkpoints, that for inference first."""
        raise NotImplementedError

    def _save_checkpoint(self, trainer: Any, filepath: str) -> None:
        path = Path(filepath)
        partial = path.with_name(f"{path.stem}.partial{path.suffix}")
        super()._save_checkpoint(trainer, str(partial))
        self._last_checkpoint_saved = filepath
        if trainer.is_global_zero:
            for_inference = (Path(self._get_inference_checkpoint_filepath(str(p))) for p in (partial, path))
            self.saved(*for_inference)
            self.saved(partial, path)


def wrap_readers(dataset: Any, wrap: Callable[[str, Any], Any]) -> None:
    """Replace each reader of a ``MultiDataset`` by ``wrap(name, reader)``, before its first sample is read.

    Swapped attribute: ``MultiDataset.data_readers``. It can go when the reader class is an option of the dataloader.
    """
    for name, reader in list(dataset.data_readers.items()):
        dataset.data_readers[name] = wrap(name, reader)


def sample_without_overlap(reader: Any) -> None:
    """Make the windows of a reader follow each other.

    Swapped attribute: ``default_sampling``. It can go when the configuration of a dataset has such an option for
    gridded data; the stock windows begin at every date.
    """
    reader.default_sampling = {"stride": None}


def accept_missing(model: Any) -> None:
    """Let the pre-processors of a model take missing values (NaN), which are targets here.

    Undocumented attribute: ``Processors.first_run``, whose first call refuses them. It can go when the host has an
    option for that.
    """
    for processors in model.pre_processors.values():
        processors.first_run = False


def record_task(metadata: dict[str, Any], name: str) -> None:
    """Record the name of the task in the metadata of a checkpoint.

    anemoi-training 0.17.1 leaves it empty, and ``runner: auto`` falls back to the stock forecaster. It can go when
    the host writes ``metadata_inference.task``.
    """
    metadata["metadata_inference"]["task"] = name
