# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Build a folder under a temporary name and give it its final name when it is complete."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOG = logging.getLogger(__name__)


@contextmanager
def complete_folder(path: str | Path, proof: str) -> Iterator[Path]:
    """Yield a new folder beside ``path``; on success it takes the place of ``path``, on error it is removed.

    Parameters
    ----------
    path : str or Path
        Final name. A folder there is replaced, but only at the end, and only if it is empty or an earlier result.
    proof : str
        File by which an earlier result is recognised, so that no other folder is ever removed.

    Raises
    ------
    FileExistsError
        ``path`` is something else than an empty folder or an earlier result.
    """
    path = Path(path).expanduser()
    if path.exists() and not _replaceable(path, proof):
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
        _replace(path, partial)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _replaceable(path: Path, proof: str) -> bool:
    return path.is_dir() and ((path / proof).is_file() or not any(path.iterdir()))


def _replace(path: Path, partial: Path) -> None:
    """Put ``partial`` in the place of ``path``; what was there comes back if that fails."""
    if not path.exists():
        partial.rename(path)
        return
    old = path.parent / f".{path.name}.old-{os.getpid()}"
    path.rename(old)
    try:
        partial.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)
    LOG.info("Replaced %s", path)
