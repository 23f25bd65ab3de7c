# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Files that survive whatever stops the process or the machine: there as a whole or as they were before."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, temporary: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write under a temporary name, force to disk, and rename: a reader sees the old file or the new one.

    Parameters
    ----------
    path, temporary : Path
        The file, and its name until it is complete, in the same folder; it is removed if writing fails.
    write : callable
        Writes the content into the open file.

    Raises
    ------
    OSError
        Of the disk; ``path`` is left as it was.
    """
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
