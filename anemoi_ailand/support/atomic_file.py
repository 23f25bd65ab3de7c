# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Atomic writes of files: a reader sees the earlier file or the complete new one, even if the process is killed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def partial_path(path: Path) -> Path:
    """Return the name of ``path`` until it is complete; it stays the same in every process, so a run can resume."""
    return path.with_name(f"{path.name}.partial")


@contextmanager
def complete_file(path: Path, partial: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path; on success it is published as ``path``, on any failure it is removed.

    The folder of ``path`` must exist. ``partial``, the temporary path, is in the same folder (:func:`partial_path` by
    default); a file left there is removed first.
    """
    partial = partial_path(path) if partial is None else partial
    partial.unlink(missing_ok=True)
    try:
        yield partial
        publish(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_whole(path: Path, temporary: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file through ``write(file)``, which gets ``temporary`` opened for writing; see :func:`complete_file`."""
    with complete_file(path, temporary) as partial, partial.open("wb") as file:
        write(file)


def publish(partial: Path, path: Path) -> None:
    """Force a complete file to disk, rename it to ``path`` and force the new name to disk."""
    sync(partial)
    partial.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
