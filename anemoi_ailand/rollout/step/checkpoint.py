# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A trained land model from its inference checkpoint, as a function of rows in physical units."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from anemoi.inference.checkpoint import Checkpoint
from torch import Tensor

from anemoi_ailand.constants import TASK_NAME
from anemoi_ailand.rollout.step.batch_invariance import filled_rows, make_steady
from anemoi_ailand.rollout.step.pretrained import checkpoint_path, pretrained_names
from anemoi_ailand.support.checksum import file_sha256

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class LandStep:
    """One step of 6 h for any rows (points, or points at many dates), in physical units and single precision.

    On one thread of a processor, the values of a row do not depend on the others that are computed with it
    (:mod:`~anemoi_ailand.rollout.step.batch_invariance`).

    Attributes
    ----------
    model : AnemoiModelInterface
        What an inference checkpoint holds: a network with its pre- and post-processors, and ``predict_step``.
    dataset : str
        Name of the dataset in the checkpoint.
    inputs, outputs : tuple of str
        Variables of the input and of the output, in order.
    path : Path
        The checkpoint.
    device : torch.device
        Where rows and weights are.
    """

    model: Any
    dataset: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    path: Path
    device: torch.device

    @property
    def prognostic(self) -> tuple[str, ...]:
        """The state: what is predicted and goes in again, in the order of the output."""
        return tuple(n for n in self.outputs if n in self.inputs)

    def __call__(self, x: Tensor) -> Tensor:
        """Predict; no gradients.

        Parameters
        ----------
        x : Tensor, shape (2, row, input)
            The two ends of the step, t and t + 6 h, with the state in both.

        Returns
        -------
        Tensor, shape (row, output)
            At t + 6 h.
        """
        rows = filled_rows(x)
        with torch.inference_mode():
            return self.model.predict_step({self.dataset: rows.unsqueeze(0)})[self.dataset][0, 0, 0, : x.shape[1]]

    def of_slots(self, start: Tensor, end: Tensor) -> Tensor:
        """Predict from both slots, each of shape (row, input)."""
        return self(torch.stack([start, end]))


def load_step(path: str | Path, device: str | torch.device = "cpu") -> LandStep:
    """Load the model of an inference checkpoint, as anemoi-inference does.

    ``path`` may be the name of a pretrained network. What is in the package is verified before it is unpickled.

    Raises
    ------
    FileNotFoundError
        There is nothing at ``path``.
    ValueError
        It is no inference checkpoint, one of another task than the land's, or a pretrained one that is damaged.
    """
    path = there(checkpoint_path(path))
    checkpoint = Checkpoint(str(path))
    try:
        task = checkpoint.task
        dataset, metadata = next(iter(checkpoint.multi_dataset_metadata.items()))
    except Exception as error:  # of zip, JSON or missing keys: a file of another kind
        raise ValueError(
            f"'{path}' is no inference checkpoint ({error}). Give the file 'inference-*.ckpt' that the training writes."
        ) from error
    check_task(task, path)
    model = torch.load(path, map_location=device, weights_only=False).to(device).eval()
    make_steady(model.model)
    step = LandStep(
        model=model,
        dataset=dataset,
        inputs=_in_order(metadata.variable_to_input_tensor_index),
        outputs=_in_order(metadata.variable_to_output_tensor_index),
        path=path,
        device=torch.device(device),
    )
    LOG.debug("Land model from %s: %s -> %s", path, step.inputs, step.outputs)
    return step


def check_task(task: str | None, checkpoint: Any) -> None:
    """Refuse a checkpoint that no land task has trained."""
    if task != TASK_NAME:
        raise ValueError(
            f"The checkpoint {checkpoint} is of task '{task}', not '{TASK_NAME}'. "
            "Train one with `anemoi-training train --config-name ailand`, or choose the runner of its own task."
        )


def there(path: Path) -> Path:
    """The path of a checkpoint that is there.

    Raises
    ------
    FileNotFoundError
        It is not; with what is, and the names of pretrained networks.
    """
    if not path.is_file():
        near = sorted(p.name for p in path.parent.glob("*.ckpt"))
        raise FileNotFoundError(
            f"There is no checkpoint '{path}'. Its folder holds {near}. Correct the path, or "
            f"give the name of a pretrained network: {pretrained_names()}."
        )
    return path


def _in_order(index: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(sorted(index, key=index.__getitem__))


def known_by(path: Path) -> str:
    """Checksum by which a roll-out names its checkpoint; ``unknown`` for one that is no file."""
    return file_sha256(path) if path.is_file() else "unknown"
