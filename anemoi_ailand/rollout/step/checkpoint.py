# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Loading of an inference checkpoint as a function of rows in physical units."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

import torch
from anemoi.inference.checkpoint import Checkpoint
from anemoi.models.preprocessing.normalizer import InputNormalizer
from anemoi.utils.checkpoints import load_metadata
from torch import Tensor

from anemoi_ailand.constants import TASK_NAME, Precipitation
from anemoi_ailand.hosts.anemoi_models import load_model, normaliser_factors, widen_normaliser
from anemoi_ailand.model.land_model import LandModel
from anemoi_ailand.rollout.step.batch_invariance import make_batch_invariant, padded_rows
from anemoi_ailand.rollout.step.pretrained import checkpoint_path, pretrained_names
from anemoi_ailand.rollout.step.trust import check_trusted, check_whole
from anemoi_ailand.rollout.step.weights_file import is_weights, read_about, read_weights
from anemoi_ailand.support.checksum import file_sha256
from anemoi_ailand.support.disk_errors import not_found
from anemoi_ailand.variables import HOURLY_RAIN, model_errors

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class LandStep:
    """One step of 6 h for any rows (points, or points at many dates), in physical units and single precision.

    On one CPU thread the result is batch-invariant (:mod:`~anemoi_ailand.rollout.step.batch_invariance`).

    Attributes
    ----------
    model : StoredModel or AnemoiModelInterface
        Content of an inference checkpoint: network, pre- and post-processors, and ``predict_step``.
    dataset : str
        Name of the dataset in the checkpoint.
    inputs, outputs : tuple of str
        Input and output variables, in order.
    path : Path
        File of the checkpoint.
    device : torch.device
        Device of rows and weights.
    compiled : callable, optional
        The same step, compiled; see :func:`~anemoi_ailand.rollout.step.compiled_step.open_step`.
    precipitation : {'mean', 'hourly', 'random'}
        Rain within the step; see :func:`with_precipitation`.
    model_error : tuple of str
        Inputs that perturb the outputs of the network; see :func:`with_model_error`.
    """

    model: Any
    dataset: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    path: Path
    device: torch.device
    compiled: Any = None
    precipitation: Precipitation = "mean"
    model_error: tuple[str, ...] = ()

    @property
    def execution(self) -> str:
        """Name of the execution with its precision, which outputs and restart files record."""
        return self.compiled.name if self.compiled is not None else "plain"

    @property
    def drawn(self) -> tuple[str, ...]:
        """Inputs that are drawn at random and not read."""
        return (*(HOURLY_RAIN if self.precipitation == "random" else ()), *self.model_error)

    @property
    def prognostic(self) -> tuple[str, ...]:
        """State: variables among both inputs and outputs, in the order of the outputs."""
        return tuple(n for n in self.outputs if n in self.inputs)

    def __call__(self, x: Tensor) -> Tensor:
        """Predict one step without gradients.

        Shapes: ``(2, row, input) -> (row, output)``, the slots at t and at t + 6 h of
        :class:`~anemoi_ailand.rollout.step.advance.StepLayout` to the outputs at t + 6 h.
        """
        rows = padded_rows(x)
        with torch.inference_mode():
            return self.model.predict_step({self.dataset: rows.unsqueeze(0)})[self.dataset][0, 0, 0, : x.shape[1]]

    def of_slots(self, start: Tensor, end: Tensor) -> Tensor:
        """Predict from both slots, each of shape (row, input)."""
        if self.compiled is not None:
            with torch.inference_mode():
                return self.compiled(start, end)
        return self(torch.stack([start, end]))


def load_step(
    path: str | Path, device: str | torch.device = "cpu", trust: bool | str | None = None
) -> LandStep:  # fmt: skip
    """Load the model of an inference checkpoint, as anemoi-inference does, or of a file of weights.

    Parameters
    ----------
    path : str or Path
        Inference checkpoint, file of weights (``*.safetensors``), or the name of a pretrained network. A checkpoint is
        a pickle, and unpickling executes code: its checksum must be known, or the user trust it.
    device : str or torch.device
        Device of the model.
    trust : bool or str, optional
        Load a checkpoint of unknown checksum, or one of this SHA-256; see
        :func:`~anemoi_ailand.rollout.step.trust.check_trusted`.

    Returns
    -------
    LandStep
        Function ``(2, row, input) -> (row, output)`` in physical units: one step of 6 h, without gradients.

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    ValueError
        The file is not an inference checkpoint, belongs to another task, is damaged, or is not trusted; the device is
        not available.

    Examples
    --------
    >>> from anemoi_ailand.rollout.step.checkpoint import load_step
    >>> step = load_step("ailand")
    >>> len(step.inputs), len(step.prognostic), len(step.outputs)
    (53, 15, 25)
    """
    path = existing_checkpoint(checkpoint_path(path))
    check_device(device)
    if is_weights(path):
        return _of_weights(path, torch.device(device), trust)
    known = check_whole(path)
    checkpoint = Checkpoint(str(path))
    try:
        task = checkpoint.task
        dataset, metadata = next(iter(checkpoint.multi_dataset_metadata.items()))
    except Exception as error:  # zip, JSON or a missing key: another kind of file
        raise ValueError(
            f"'{path}' is not an inference checkpoint ({error}). Give the file 'inference-*.ckpt' "
            "that the training writes."
        ) from error
    check_task(task, path)
    check_trusted(path, known, trust)
    model = load_model(path, device).to(device).eval()
    make_batch_invariant(model.model)
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


def _of_weights(path: Path, device: torch.device, trust: bool | str | None) -> LandStep:
    model, about = read_weights(path, trust=bool(trust))
    check_task(about["task"], path)
    model = model.to(device).eval()
    make_batch_invariant(model.model)
    return LandStep(model, about["dataset"], tuple(about["inputs"]), tuple(about["outputs"]), path, device)


def with_precipitation(step: LandStep, precipitation: str) -> LandStep:
    """Return a step that reads the precipitation of each hour, unless ``precipitation`` is ``mean``.

    Its inputs end with :data:`~anemoi_ailand.variables.HOURLY_RAIN`, in the units of the table. Only the closed step
    reads them, not the network.

    Raises
    ------
    ValueError
        An unknown ``precipitation``, or a checkpoint without the present closed step.
    """
    if precipitation not in get_args(Precipitation):
        raise ValueError(f"`precipitation` is {precipitation!r}. Give one of {', '.join(get_args(Precipitation))}.")
    if precipitation == "mean":
        return step
    model = deepcopy(step.model)
    if model.model.closed is None:
        raise ValueError(
            f"The checkpoint {step.path} has no closed step, so it cannot take `precipitation: {precipitation}`. Set "
            "`precipitation: mean`."
        )
    try:
        model.model.closed.read_hourly_rain(len(step.inputs))
    except ValueError as error:
        raise ValueError(f"The checkpoint {step.path} cannot take `precipitation: {precipitation}`. {error}") from error
    _widen(model, step.dataset, len(HOURLY_RAIN))
    return replace(
        step, model=model, inputs=(*step.inputs, *HOURLY_RAIN), precipitation=cast("Precipitation", precipitation)
    )


def with_model_error(step: LandStep) -> LandStep:
    """Return a step that reads perturbations of the outputs of its network, as its last inputs.

    They are in the order of :attr:`~anemoi_ailand.model.land_model.LandModel.network_outputs`, dimensionless for the
    first head, in the units of the table for diagnostics; their factors on each kind of ground follow, see
    :meth:`~anemoi_ailand.model.land_model.LandModel.read_model_error`.

    Raises
    ------
    ValueError
        The checkpoint has another model than that of the land, or several processors.
    """
    land = step.model.model
    if not isinstance(land, LandModel):
        raise ValueError(
            f"The checkpoint {step.path} has the model {type(land).__name__}, whose outputs cannot be perturbed. Set "
            "`model_error: none`, or take a network of the land model."
        )
    factors = normaliser_factors(normaliser(step), len(step.outputs))["out"][0]
    model, names = deepcopy(step.model), model_errors(land.n_errors)
    model.model.read_model_error(len(step.inputs), factors)
    _widen(model, step.dataset, len(names))
    return replace(step, model=model, inputs=(*step.inputs, *names), model_error=names)


def normaliser(step: LandStep) -> InputNormalizer:
    """Return the normaliser of a checkpoint, its only processor; a ``ValueError`` names others."""
    model: Any = step.model
    processors = dict(model.pre_processors[step.dataset].processors)
    others = [name for name, p in processors.items() if not isinstance(p, InputNormalizer)]
    if others or len(processors) != 1:
        raise ValueError(
            f"The checkpoint {step.path} has the processors {sorted(processors)}, but a step in physical units "
            f"supports one normaliser only. Train without {others or 'more than one'}."
        )
    return next(iter(processors.values()))


def _widen(model: Any, dataset: str, number: int) -> None:
    """Let the normaliser of a model take further inputs, in place."""
    for processor in model.pre_processors[dataset].processors.values():
        if isinstance(processor, InputNormalizer):
            widen_normaliser(processor, number)


def check_device(device: str | torch.device) -> None:
    """Refuse a device that torch does not know or does not have here."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        text = str(error).splitlines()[0]
        raise ValueError(
            f"The device '{device}' is not available here: {text}. Give cpu, or cuda with a GPU."
        ) from error


def check_task(task: str | None, checkpoint: Any) -> None:
    """Refuse a checkpoint that was not trained by the land task."""
    if task != TASK_NAME:
        raise ValueError(
            f"The checkpoint {checkpoint} is of task '{task}', not '{TASK_NAME}'. "
            "Train one with `anemoi-training train --config-name ailand`, or choose the runner of its task."
        )


def existing_checkpoint(path: Path) -> Path:
    """Return ``path`` if the file may be read; an error lists the checkpoints of its folder and the packaged ones."""
    if not path.is_file():
        advice = f"Correct the path, or give the name of a pretrained network: {pretrained_names()}."
        raise not_found(path, "checkpoint", "*.ckpt", advice)
    try:
        path.open("rb").close()
    except PermissionError as error:
        raise PermissionError(
            f"The checkpoint '{path}' may not be read by this user. Ask its owner, or correct its permissions."
        ) from error
    return path


def _in_order(index: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(sorted(index, key=index.__getitem__))


def checkpoint_checksum(path: Path) -> str:
    """Return the SHA-256 that roll-outs record for their checkpoint, ``unknown`` if there is no file."""
    return file_sha256(path) if path.is_file() else "unknown"


def training_origin(path: Path) -> str:
    """Return date and versions of the training, as far as a checkpoint states them, as text."""
    try:
        if is_weights(path):
            return str(read_about(path)["trained"])
        found = load_metadata(str(path)).get("provenance_training") or {}
        versions = found.get("module_versions") or {}
    except Exception:  # another kind of file, as in tests: nothing is known
        return "unknown"
    by = [
        f"{label} {versions[module].get('version', '')}".strip()
        for label, module in (("anemoi-ailand", "anemoi_ailand"), ("anemoi-training", "anemoi.training"))
        if isinstance(versions.get(module), dict)
    ]
    return ", ".join(filter(None, [str(found.get("time", ""))[:16].replace("T", " "), *by])) or "unknown"
