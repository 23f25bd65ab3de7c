# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The record of the training data of a checkpoint: in its metadata, in a file next to it, or its statistics alone."""

from __future__ import annotations

import json
import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

from anemoi.utils.checkpoints import load_metadata

from anemoi_ailand.data.plausibility.checker import Checker
from anemoi_ailand.data.plausibility.training_data import KEY, TrainingData, compared, from_json, record_path
from anemoi_ailand.rollout.step.checkpoint import LandStep
from anemoi_ailand.rollout.step.weights_file import is_weights, read_about

LOG = logging.getLogger(__name__)


def training_data_of(step: LandStep) -> TrainingData | None:
    """Return the record of the training data of a network; of older checkpoints the ranges of their statistics.

    None if nothing is known, which is logged once.
    """
    found = stored_record(step.path) or _of_statistics(step)
    if found is None or not found.sizes:
        _say_once(step.path)
    return found


def checker_of(step: LandStep, plausibility: str, *, strict: bool = False) -> Checker:
    """Return a checker that compares inputs with the training data of a network as well."""
    checker = Checker(plausibility, strict=strict)
    return Checker(plausibility, strict=strict, training=training_data_of(step)) if checker.on else checker


def stored_record(path: Path) -> TrainingData | None:
    """Return the record in the metadata of a checkpoint, or in the file next to it; None if there is none.

    Raises
    ------
    ValueError
        A record of another layout.
    """
    files = path, record_path(path)
    return _stored(*files, *(file.stat().st_mtime_ns if file.is_file() else None for file in files))


@lru_cache(maxsize=8)
def _stored(path: Path, beside: Path, written: int | None, written_beside: int | None) -> TrainingData | None:
    """Return the record, read once as long as no file changes; that of the metadata if there are two."""
    del written
    try:
        metadata = read_about(path) if is_weights(path) else load_metadata(str(path))
    except Exception:  # another kind of file, as in tests: nothing is known
        metadata = {}
    if metadata.get(KEY):
        return from_json(metadata[KEY], path)
    return None if written_beside is None else from_json(_json(beside), beside)


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"'{path}' is not a record of training data ({error}). Remove it, or make it again."
        ) from error


def _of_statistics(step: LandStep) -> TrainingData | None:
    """Return the ranges that a checkpoint keeps with the means of its variables."""
    model: Any = step.model
    try:
        statistics = model.statistics[step.dataset]
        order = model.data_indices[step.dataset].name_to_index
    except (AttributeError, KeyError, TypeError):
        return None
    ranges = {
        name: (float(statistics["minimum"][order[name]]), float(statistics["maximum"][order[name]]))
        for name in compared(step.inputs)
        if name in order
    }
    return TrainingData(f"of {step.path.name}, ranges only", ranges, {}, {})


@lru_cache(maxsize=8)
def _say_once(path: Path) -> None:
    LOG.info(
        "%s has no record of its training data: inputs are compared with the ranges of its statistics only. Networks "
        "that are trained now have one",
        path,
    )
