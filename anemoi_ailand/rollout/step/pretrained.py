# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The trained networks that ship with the package, by name; a file is never handed out before its checksum is right.

An Anemoi checkpoint is a Python pickle: whoever loads one runs what is in it. The checksum stands in the record beside
the file (``ailand.json``) and finds a file that is broken, incomplete or exchanged. It does not protect an installation
that somebody else can write to: there the code could be changed as well.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from anemoi_ailand.support.checksum import file_sha256
from anemoi_ailand.support.packaged import folder

LOG = logging.getLogger(__name__)

#: The network that is meant if none is named.
DEFAULT = "ailand"

#: Version of the layout of the record; changes when a reader would have to.
SCHEMA = "anemoi-ailand/pretrained/1"

_REPAIR = "Install anemoi-ailand again: pip install --force-reinstall --no-deps anemoi-ailand"


def pretrained_names() -> list[str]:
    """Names of the networks in the package."""
    return sorted(path.stem for path in folder("pretrained").glob("*.json"))


def pretrained_record(name: str = DEFAULT) -> dict[str, Any]:
    """What is known of a network: checksum, size, training, versions, scores.

    Raises
    ------
    ValueError
        There is no network of that name, or its record is broken.
    """
    if name not in pretrained_names():
        raise ValueError(
            f"There is no pretrained network '{name}'; there are {pretrained_names()}. Give one of them, or the path "
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
    """The model card: data, period, variables, scores, limits; Markdown."""
    record = pretrained_record(name)
    return (folder("pretrained") / str(record["card"])).read_text(encoding="utf-8")


def pretrained_checkpoint(name: str = DEFAULT) -> Path:
    """Path of a network's checkpoint, after its SHA-256 has been verified; nothing is unpickled here.

    Raises
    ------
    FileNotFoundError
        The file is not in the installation.
    ValueError
        There is no network of that name, or the file is not the one that was released.
    """
    record = pretrained_record(name)
    path = folder("pretrained") / f"{name}.ckpt"
    if not path.is_file():
        raise FileNotFoundError(f"The pretrained checkpoint '{path}' is missing. {_REPAIR}")
    found = file_sha256(path)
    if found != record["sha256"]:
        raise ValueError(
            f"The pretrained checkpoint '{path}' is not the one that was released, and is not loaded: it has "
            f"{path.stat().st_size} bytes and SHA-256 {found}, released were {record['size']} bytes and "
            f"{record['sha256']}. {_REPAIR}"
        )
    LOG.debug("Pretrained checkpoint %s, SHA-256 verified", path)
    return path


def checkpoint_path(given: str | Path) -> Path:
    """Path of a checkpoint that is given by its path or, if it is one of the package, by its name.

    A file that exists is meant as a path. What lies in the package is verified, whichever way it is given.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`pretrained_checkpoint`. A path that leads nowhere is returned as it is: whoever opens it says so.
    """
    path = Path(given).expanduser()
    if path.is_file():
        inside = folder("pretrained").resolve() in (path.parent.resolve(), path.resolve().parent)  # also by a link
        return pretrained_checkpoint(path.resolve().stem) if inside else path
    return pretrained_checkpoint(str(given)) if str(given) in pretrained_names() else path
