# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Trained networks that ship with the package, by name; a path is returned only after its checksum was verified.

An Anemoi checkpoint is a Python pickle: loading one executes its content. The SHA-256 in the accompanying record
(``ailand.json``) detects a broken, incomplete or exchanged file. It does not protect an installation that others can
write to, where the code could be changed as well.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from anemoi_ailand.support.checksum import file_sha256
from anemoi_ailand.support.packaged import folder

LOG = logging.getLogger(__name__)

#: Default network.
DEFAULT = "ailand"

#: Version of the layout of a record.
SCHEMA = "anemoi-ailand/pretrained/1"

_REPAIR = "Install anemoi-ailand again: pip install --force-reinstall --no-deps anemoi-ailand"


def pretrained_names() -> list[str]:
    """List the names of the packaged networks.

    Examples
    --------
    >>> from anemoi_ailand.rollout.step.pretrained import pretrained_names
    >>> pretrained_names()
    ['ailand', 'ailand-small']
    """
    return sorted(path.stem for path in folder("pretrained").glob("*.json") if "." not in path.stem)


def pretrained_record(name: str = DEFAULT) -> dict[str, Any]:
    """Read the record of a network: checksum, size, training, versions, scores."""
    if name not in pretrained_names():
        raise ValueError(
            f"There is no pretrained network '{name}' (available: {pretrained_names()}). Give one of them, or the path "
            "of a checkpoint."
        )
    path = folder("pretrained") / f"{name}.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["schema"] != SCHEMA or not {"sha256", "size"} <= record.keys():
            raise ValueError(f"its schema is {record['schema']!r}, expected {SCHEMA!r} with checksum and size")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"The record '{path}' is broken ({error}). {_REPAIR}") from error
    return record


def model_card(name: str = DEFAULT) -> str:
    """Read the model card (Markdown): data, period, variables, scores, limits."""
    record = pretrained_record(name)
    return (folder("pretrained") / str(record["card"])).read_text(encoding="utf-8")


def pretrained_checkpoint(name: str = DEFAULT) -> Path:
    """Verify the SHA-256 of a network's checkpoint and return its path; nothing is unpickled.

    Raises
    ------
    FileNotFoundError
        The file is missing from the installation.
    ValueError
        The network is unknown, or the file is not the released one.

    Examples
    --------
    >>> from anemoi_ailand.rollout.step.pretrained import pretrained_checkpoint
    >>> pretrained_checkpoint("ailand").name
    'ailand.ckpt'
    """
    record = pretrained_record(name)
    path = folder("pretrained") / f"{name}.ckpt"
    if not path.is_file():
        raise FileNotFoundError(f"The pretrained checkpoint '{path}' is missing. {_REPAIR}")
    found = file_sha256(path)
    if found != record["sha256"]:
        raise ValueError(
            f"The pretrained checkpoint '{path}' is not the released one and is not loaded: it has "
            f"{path.stat().st_size} bytes and SHA-256 {found}, expected were {record['size']} bytes and "
            f"{record['sha256']}. {_REPAIR}"
        )
    LOG.debug("Pretrained checkpoint %s, SHA-256 verified", path)
    return path


def is_packaged(path: Path) -> bool:
    """Return whether a file is one of the package, also by a link."""
    return folder("pretrained").resolve() in (path.parent.resolve(), path.resolve().parent)


def checkpoint_path(given: str | Path) -> Path:
    """Resolve a checkpoint given by its path or by the name of a packaged network.

    An existing file takes precedence over a name. Packaged files are verified either way. A path without a file is
    returned unchanged: the caller that opens it fails.
    """
    path = Path(given).expanduser()
    if path.is_file():
        return pretrained_checkpoint(path.resolve().stem) if is_packaged(path) else path
    return pretrained_checkpoint(str(given)) if str(given) in pretrained_names() else path
