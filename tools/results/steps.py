# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Steps of the renewal that are computed once: a step is repeated only if what it depends on has changed."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anemoi_ailand.rollout.step.pretrained import pretrained_names, pretrained_record
from anemoi_ailand.support.atomic import complete_file
from anemoi_ailand.support.checksum import ROLL_OUT, TRAINING, file_sha256, loaded_sha256

LOG = logging.getLogger("results")

ROOT = Path(__file__).resolve().parents[2]

#: Rooms of the package that a scored result depends on.
SCORED = (*ROLL_OUT, "evaluation", "workflows")

#: The whole package but the commands, on which a training and its evaluation depend.
EVERYTHING = (*SCORED, "training")

#: What a training depends on, its evaluation apart.
TRAINED = (*TRAINING, "data", "rollout")

#: Files of an Anemoi dataset that identify its content: they hold statistics, recipe and identifier.
_DATASET = (".zattrs", "zarr.json")


@dataclass(frozen=True)
class Inputs:
    """Data by name (None where absent), networks, and the folder in which results are kept."""

    reference: Path | None
    towers: Path | None
    real: Path | None
    folder: Path
    differences: Path | None = None
    nature: Path | None = None

    @property
    def networks(self) -> list[str]:
        """Names of the packaged networks."""
        return pretrained_names()


def checksum_of(name: str) -> str:
    """Return the SHA-256 of a packaged network."""
    return str(pretrained_record(name)["sha256"])


def fingerprint(path: Path) -> str:
    """Return a checksum of a file, of the description of a dataset, or of all NetCDF files below a folder."""
    if path.is_file():
        return file_sha256(path)
    files = [path / name for name in _DATASET if (path / name).is_file()] or sorted(path.rglob("*.nc"))
    listed = [(str(file.relative_to(path)), file_sha256(file)) for file in files]
    return hashlib.sha256(repr(listed).encode()).hexdigest()


def key_of(name: str | None, *data: Path, places: tuple[str, ...] = SCORED, **options: Any) -> dict[str, Any]:
    """Return what a step depends on: checksum of the network (None for none), data, code and options."""
    return {
        "checkpoint": None if name is None else checksum_of(name),
        "data": [fingerprint(path) for path in data],
        "code": loaded_sha256(places),
        "options": options,
    }


def once(result: Path, key: Mapping[str, Any], make: Callable[[], object]) -> Path:
    """Make a result unless it exists and was made with the same key, and return its path.

    The key is written next to the result when that is complete, so a step that was interrupted is repeated.
    """
    note = result.with_name(f"{result.name}.key.json")
    text = json.dumps(key, indent=1, sort_keys=True, default=str) + "\n"
    if result.exists() and note.is_file() and note.read_text(encoding="utf-8") == text:
        LOG.info("Unchanged: %s", result.name)
        return result
    LOG.info("Making %s", result.name)
    note.unlink(missing_ok=True)
    result.parent.mkdir(parents=True, exist_ok=True)
    make()
    with complete_file(note) as partial:
        partial.write_text(text, encoding="utf-8")
    return result


def once_json(result: Path, key: Mapping[str, Any], make: Callable[[], Any]) -> Any:
    """Make JSON content unless it exists and was made with the same key, and return it as it is read back."""

    def save() -> None:
        with complete_file(result) as partial:
            partial.write_text(json.dumps(make()) + "\n", encoding="utf-8")

    return json.loads(once(result, key, save).read_text(encoding="utf-8"))


def copy_figure(made: Path, name: str) -> None:
    """Copy a figure to the documentation."""
    with complete_file(ROOT / "docs" / "figures" / name) as partial:
        shutil.copyfile(made, partial)
