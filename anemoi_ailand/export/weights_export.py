# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Export of a checkpoint as a file of weights, which is read without executing anything."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch

from anemoi_ailand.constants import TASK_NAME
from anemoi_ailand.data.plausibility.training_data import KEY
from anemoi_ailand.hosts.anemoi_models import load_model
from anemoi_ailand.rollout.step.checkpoint import LandStep, checkpoint_checksum, load_step, training_origin
from anemoi_ailand.rollout.step.training_record import stored_record
from anemoi_ailand.rollout.step.weights_file import SUFFIX, is_weights, write_weights
from anemoi_ailand.support.disk_errors import check_folder

LOG = logging.getLogger(__name__)

#: Rows of random inputs with which both are compared.
_ROWS = 64


def export_weights(checkpoint: str | Path, output: str | Path, *, overwrite: bool = False) -> Path:
    """Write a checkpoint as ``output`` (``*.safetensors``), and compare a step of both bitwise.

    Raises
    ------
    FileExistsError
        The file exists.
    ValueError
        Another suffix, a checkpoint that is damaged or not trusted, or a network with options that are not JSON.
        Nothing is written then.
    """
    output = Path(output)
    if not is_weights(output):
        raise ValueError(f"The output '{output}' is not a file of weights. Give a name that ends with '{SUFFIX}'.")
    if output.exists() and not overwrite:
        raise FileExistsError(f"'{output}' exists and was not replaced. Give another output, or --overwrite.")
    check_folder(output.parent)
    step = load_step(checkpoint)
    if is_weights(step.path):
        raise ValueError(f"'{step.path}' is a file of weights already. Copy it.")
    about: dict[str, Any] = {
        "task": TASK_NAME, "dataset": step.dataset, "inputs": step.inputs, "outputs": step.outputs,
        "trained": training_origin(step.path), "checkpoint_sha256": checkpoint_checksum(step.path),
    }  # fmt: skip
    if (known := stored_record(step.path)) is not None:
        about[KEY] = known.as_json()
    output.parent.mkdir(parents=True, exist_ok=True)
    write_weights(output, load_model(step.path, "cpu"), about)
    try:
        _check_equal(step, load_step(output, trust=True))
    except ValueError:
        output.unlink()
        raise
    LOG.info("Written: %s, %.2f MB", output, output.stat().st_size / 1e6)
    return output


def _check_equal(step: LandStep, written: LandStep) -> None:
    x = torch.rand((2, _ROWS, len(step.inputs)), generator=torch.Generator().manual_seed(0))
    one, two = step(x).contiguous(), written(x).contiguous()
    if not torch.equal(one.view(torch.int32), two.view(torch.int32)):
        raise ValueError(
            f"A step of the weights differs from that of {step.path}, so they were removed: the network has a state "
            "that its attributes do not show. Use the checkpoint."
        )
