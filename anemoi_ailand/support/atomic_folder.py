# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Atomic writes of folders: built under a temporary name, renamed when complete."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anemoi_ailand.support.atomic_file import sync

LOG = logging.getLogger(__name__)


@contextmanager
def complete_folder(path: str | Path, proof: str) -> Iterator[Path]:
    """Yield a new temporary folder; on success it replaces ``path``, on failure it is removed.

    ``path`` may exist only if it is empty or an earlier result, which has a file called ``proof``: no other folder is
    ever removed.
    """
    path = Path(path).expanduser()
    replaceable = path.is_dir() and ((path / proof).is_file() or not any(path.iterdir()))
    if path.exists() and not replaceable:
        raise FileExistsError(
            f"The output '{path}' exists and is not an earlier result: it has no '{proof}'. "
            "Give another output, or remove it yourself."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f".{path.name}.partial-{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        publish_folder(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def publish_folder(partial: Path, path: Path) -> None:
    """Force a complete folder to disk and rename it to ``path``.

    An earlier folder of that name is removed, or restored on failure.
    """
    for entry in partial.rglob("*"):
        if not entry.is_symlink():
            sync(entry)
    sync(partial)
    if not path.exists():
        partial.rename(path)
        sync(path.parent)
        return
    old = path.parent / f".{path.name}.old-{os.getpid()}"
    path.rename(old)
    try:
        partial.rename(path)
    except OSError:
        old.rename(path)
        raise
    sync(path.parent)
    shutil.rmtree(old, ignore_errors=True)
    LOG.info("Replaced %s", path)
