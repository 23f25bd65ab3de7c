# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Name of a store seen through a mapping, ``ailand::STORE?MAPPING``, which serves wherever the path of a dataset does.

``open_dataset`` takes it, and so do training, inputs of a run and evaluation. ``MAPPING`` is a packaged mapping, a YAML
file, or a checkpoint, which holds the mapping of its training. The name survives :class:`pathlib.Path`.
"""

from __future__ import annotations

import json
import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

import fsspec

from anemoi_ailand.data.mapping.declaration import (
    CHECKPOINT,
    Heights,
    Mapping,
    checkpoint_record,
    load_mapping,
    mapping_file,
    mapping_of,
)

LOG = logging.getLogger(__name__)

#: Protocol of fsspec, through which zarr opens the name.
PROTOCOL = "ailand"

_BEGIN, _END = f"{PROTOCOL}::", "?"


def register() -> None:
    """Make the name known to fsspec, and so to zarr and ``open_dataset``."""
    fsspec.register_implementation(PROTOCOL, "anemoi_ailand.data.mapping.mapped_store.MappedStore", clobber=True)


def mapped_path(store: str | Path, mapping: str | Path) -> str:
    """Return the name of a store seen through a mapping, with absolute paths.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no such mapping, or it has a mistake; or the store is already mapped.

    Examples
    --------
    >>> from anemoi_ailand.data.mapping.mapped_path import mapped_path
    >>> mapped_path("/data/o96.zarr", "ailand-v1")
    'ailand::/data/o96.zarr?ailand-v1'
    """
    if is_mapped(store):
        raise ValueError(f"'{store}' names its mapping already. Leave one of the two out.")
    register()
    load_mapping(mapping)
    of = str(mapping)
    if Path(of).expanduser().is_file():
        of = str((Path(of) if of.endswith(CHECKPOINT) else mapping_file(of)).expanduser().resolve())
    place = str(store) if "://" in str(store) else str(Path(store).expanduser().absolute())
    return f"{_BEGIN}{place}{_END}{of}"


def is_mapped(path: Any) -> bool:
    """Return whether a path is that of a store seen through a mapping."""
    return str(path).startswith(_BEGIN)


def parts(path: str | Path) -> tuple[str, str]:
    """Return store and mapping of a mapped path; the mapping is empty for any other path."""
    if not is_mapped(path):
        return str(path), ""
    register()
    store, _, mapping = str(path).removeprefix(_BEGIN).rpartition(_END)
    if not store or not mapping:
        raise ValueError(f"'{path}' names no mapping. Write '{_BEGIN}STORE{_END}MAPPING', e.g. with 'ailand-v1'.")
    return store, mapping


def local_store(path: str | Path) -> Path:
    """Return the folder on disk of a dataset, mapped or not."""
    return Path(parts(path)[0]).expanduser()


def exists(path: str | Path) -> bool:
    """Return whether a dataset exists, mapped or not; one on another machine is taken to exist."""
    return "://" in parts(path)[0] or local_store(path).exists()


def of_checkpoint(path: Any, checkpoint: str | Path) -> Any:
    """Return a dataset as a checkpoint needs it: through the mapping of its training, if the store needs that.

    A store that is mapped already, that has the variables of the table, or that is not on this disk, and anything but a
    path, is returned as it is. Forcing at other heights than that of the training is warned of.
    """
    if not isinstance(path, str | Path):
        return path
    found = path if is_mapped(path) else _through_own(path, checkpoint)
    compare_heights(str(found), str(checkpoint))
    return found


@lru_cache(maxsize=64)
def compare_heights(path: str, checkpoint: str) -> None:
    """Warn once of forcing that is not at the heights that the network of a checkpoint was trained with.

    What is read without a mapping declares no heights, and counts as forcing at that of ecLand.
    """
    record, mapping = checkpoint_record(checkpoint), parts(path)[1]
    trained = Heights() if record is None else mapping_of(record, f"The mapping of '{checkpoint}'").heights
    given = load_mapping(mapping).heights if mapping else Heights()
    if given.read == trained.read:
        return
    LOG.warning(
        "Forcing of '%s': %s%s; the network of '%s' was trained with %s. Its errors are larger with other forcing: "
        "train with this one, or see `heights` in docs/guide/data.md",
        path, given, "" if mapping else " (none declared)", checkpoint, trained,
    )  # fmt: skip


def _through_own(path: str | Path, checkpoint: str | Path) -> str | Path:
    attributes = Path(path).expanduser() / ".zattrs"
    if not attributes.is_file() or not (record := checkpoint_record(checkpoint)):
        return path
    held = set(json.loads(attributes.read_text(encoding="utf-8")).get("variables") or ())
    mapping = mapping_of(record, f"The mapping of '{checkpoint}'")
    if set(mapping.variables) <= held or not has_sources(mapping, held):
        return path
    LOG.info("'%s' is read through the mapping of '%s'", path, checkpoint)
    return type(path)(mapped_path(path, Path(checkpoint).expanduser().resolve()))


def has_sources(mapping: Mapping, held: set[str]) -> bool:
    """Return whether a store with the variables ``held`` has one that only the mapping knows by this name."""
    return any(name in held and name not in mapping.variables for c in mapping.variables.values() for name in c.sources)
