# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Report on a checkpoint before it is used: origin, trust, columns, options, training data, weights, one trial step."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anemoi.utils.checkpoints import load_metadata

from anemoi_ailand.data.plausibility.checker import Checker
from anemoi_ailand.data.plausibility.training_data import LEVELS, TrainingData
from anemoi_ailand.evaluation.display.text import aligned, json_text, plain_number
from anemoi_ailand.hosts.anemoi_models import normaliser_factors
from anemoi_ailand.rollout.step.checkpoint import (
    LandStep,
    existing_checkpoint,
    load_step,
    normaliser,
    training_origin,
)
from anemoi_ailand.rollout.step.pretrained import checkpoint_path, is_packaged, pretrained_names
from anemoi_ailand.rollout.step.training_record import training_data_of
from anemoi_ailand.rollout.step.weights_file import is_weights
from anemoi_ailand.support.atomic import complete_folder
from anemoi_ailand.support.checksum import file_sha256, recorded_sha256
from anemoi_ailand.variables import variable
from anemoi_ailand.workflows import record_header

#: File that proves that a folder is an earlier result, as that of a check of data, and the version of its content.
PROOF, SCHEMA = "check.json", "anemoi-ailand check 1"

#: Types of a point where no record of the training data tells the commonest: medium soil, grass, broadleaf trees.
_TYPES = {"slt": 2.0, "tvl": 2.0, "tvh": 5.0}

_MIDDLE = LEVELS.index(0.5)


def is_checkpoint(path: str) -> bool:
    """Return whether a path is that of a checkpoint, or the name of a packaged network."""
    return Path(path).suffix == ".ckpt" or is_weights(Path(path)) or path in pretrained_names()


def check_checkpoint(
    checkpoint: str | Path, output: str | Path = "check", *, trust: bool | str | None = None
) -> tuple[Path, list[str]]:
    """Write what a checkpoint is, whether it is whole and trusted, and what one step from typical inputs gives.

    Parameters
    ----------
    checkpoint : str or Path
        Inference checkpoint, file of weights, or the name of a packaged network.
    output : str or Path
        Folder of ``report.md`` and ``check.json``; an earlier result is replaced.
    trust : bool or str, optional
        Load a checkpoint of unknown checksum, as :func:`~anemoi_ailand.load`.

    Returns
    -------
    Path
        ``output``.
    list of str
        What is wrong; empty if a run would take the checkpoint.

    Raises
    ------
    FileNotFoundError
        There is no such checkpoint.
    FileExistsError
        ``output`` is another folder.
    """
    path = existing_checkpoint(checkpoint_path(checkpoint))
    lines = [f"# Checkpoint {path.name}", "", *_identity(path)]
    try:
        step = load_step(path, trust=trust)
    except ValueError as error:
        wrong = [str(error)]
    else:
        known = training_data_of(step)
        wrong = [*_not_finite(step), *_trial(step, known)]
        lines += [*_network(step, known), "", "## Variables", "", *aligned(_columns(step, known))]
    lines[2:2] = [*(f"- **Wrong:** {text}" for text in wrong)] or ["Nothing wrong was found; one trial step is sound."]
    lines.insert(2 + max(1, len(wrong)), "")
    with complete_folder(output, PROOF) as folder:
        (folder / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        content: dict[str, Any] = {**record_header(SCHEMA), "checkpoint": str(path), "findings": wrong}
        (folder / PROOF).write_text(json_text(content), encoding="utf-8")
    return Path(output).expanduser(), wrong


def _identity(path: Path) -> list[str]:
    """Return lines on kind, size, checksum and origin; nothing is unpickled."""
    state = "not known to anybody: it is loaded only on trust"
    if is_packaged(path):
        state = "that of the package"
    elif is_weights(path):
        state = "not needed: the weights have one of their own, and are read without executing anything"
    else:
        try:
            if recorded_sha256(path):
                state = "recorded next to it"
        except ValueError as error:
            state = str(error)
    kind = "weights (safetensors)" if is_weights(path) else "inference checkpoint (a Python pickle)"
    return [
        f"- Kind: {kind}, {path.stat().st_size / 1e6:.2f} MB",
        f"- SHA-256: {file_sha256(path)}",
        f"- Checksum: {state}",
        f"- Trained: {training_origin(path)}",
    ]


def _network(step: LandStep, known: TrainingData | None) -> list[str]:
    """Return lines on the network, its options, and the data it was trained on."""
    land = step.model.model
    network = getattr(land, "network", land)
    number = sum(p.numel() for p in land.parameters())
    closed = type(land.closed).__name__ if getattr(land, "closed", None) is not None else "none"
    lines = [f"- Network: {type(network).__name__}, {number:,} parameters; closed step: {closed}"]
    if not is_weights(step.path):
        options = load_metadata(str(step.path))["config"]["model"]["model"]
        lines.append(f"- Options: {', '.join(f'{k} {v}' for k, v in options.items() if not k.startswith('_'))}")
    if known is None or not known.sizes:
        return [*lines, "- Training data: no record, so that inputs are compared with the ranges below only"]
    lines.append(f"- Training data: {known.origin}; {len(known.quantiles)} variables")
    pairs = sorted(known.surfaces, key=known.surfaces.__getitem__, reverse=True)
    listed = ", ".join(f"{p} ({known.surfaces[p]})" for p in pairs)
    return [*lines, f"- Points by soil/vegetation type: {listed}"]


def _columns(step: LandStep, known: TrainingData | None) -> list[list[str]]:
    """Return a table of inputs and outputs with the statistics of the training."""
    means = _means(step)
    rows = [["variable", "meaning", "role", "unit", "mean", "least", "greatest"]]
    for name in dict.fromkeys([*step.inputs, *step.outputs]):
        row = variable(name)
        low, high = (None, None) if known is None else known.range_of(name) or (None, None)
        numbers = [plain_number(v) for v in (means.get(name), low, high)]
        rows.append([name, row.long_name, row.role.value, row.units, *numbers])
    return rows


def _means(step: LandStep) -> dict[str, float]:
    """Return the means of the inputs that are normalised, which the normaliser keeps."""
    factor, offset = normaliser_factors(normaliser(step), len(step.outputs))["in"]
    pairs = {n: (float(m), float(a)) for n, m, a in zip(step.inputs, factor, offset, strict=False)}
    return {name: -a / m for name, (m, a) in pairs.items() if (m, a) != (1.0, 0.0)}


def _not_finite(step: LandStep) -> list[str]:
    """Return weights and statistics that are not finite."""
    parts = step.model.model, step.model.pre_processors, step.model.post_processors
    tensors = {name: v for part in parts for name, v in (*part.named_parameters(), *part.named_buffers())}
    bad = [n for n, v in tensors.items() if v.is_floating_point() and torch.isnan(v).any()]
    return [f"There are weights that are not numbers: {bad}. Take another checkpoint."] if bad else []


def _trial(step: LandStep, known: TrainingData | None) -> list[str]:
    """Make one step from typical inputs, and return what is impossible in its results."""
    means = _means(step)
    common = max(known.surfaces, key=known.surfaces.__getitem__).split("/")[0] if known and known.surfaces else None
    typical = {**_TYPES, **({"slt": float(common)} if common else {})}
    values = []
    for name in step.inputs:
        middle = known.quantiles.get(name, ()) if known is not None else ()
        own = middle[_MIDDLE] if len(middle) == len(LEVELS) else means.get(name, 0.0)
        values.append(typical.get(name, own))
    out = step(torch.tensor(values, device=step.device).expand(2, 1, -1)).numpy(force=True)[0]
    bad = [n for n, v in zip(step.outputs, out, strict=True) if not np.isfinite(v)]
    if bad:
        return [f"A trial step from typical inputs gives no number for {bad}. Take another checkpoint."]
    checker = Checker("warn")
    where = np.array([45.0]), np.array([0.0])
    checker.outputs({n: out[None, i : i + 1] for i, n in enumerate(step.outputs)}, [datetime(2020, 7, 1, 12)], where)
    return [f"A trial step from typical inputs: {found}" for found in checker.take() if found.error]
