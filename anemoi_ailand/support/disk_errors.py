# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Failures to write, in words: a full disk, a folder that cannot be made or written."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: A write that failed for no stated reason with less than this left [bytes] failed for lack of space.
LITTLE = 2**24
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of a failed write which file it was and how much space is left.

    Raises
    ------
    OSError
        ENOSPC for a full disk, which HDF5 reports without a reason; any other keeps its number.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:  # netCDF4 raises RuntimeError for what HDF5 could not write
        free, number = free_bytes(path.parent), getattr(error, "errno", None)
        if number in _FULL or ((number is None or number < 0) and free < LITTLE):
            raise OSError(
                errno.ENOSPC,
                f"No space left to write '{path}' ({error}): {free:,} bytes are free there. Make room and resume from "
                "the last restart, or write fewer variables, points or times",
                str(path),
            ) from error
        raise OSError(
            number if number and number > 0 else errno.EIO,
            f"'{path}' could not be written ({error}); {free:,} bytes are free there",
            str(path),
        ) from error


def free_bytes(folder: Path) -> int:
    """Space for us on the disk of ``folder``, or of its nearest parent that is there [bytes]."""
    return shutil.disk_usage(_nearest(folder)).free


def check_folder(folder: Path) -> None:
    """Try to make the folder and a file in it, and leave nothing behind.

    Raises
    ------
    PermissionError, OSError
        With the folder, and the part of its path that is there.
    """
    folder = folder.absolute()
    there = _nearest(folder)
    new = [p for p in (folder, *folder.parents) if len(p.parts) > len(there.parts)]
    made: list[Path] = []
    try:
        for path in reversed(new):
            path.mkdir()
            made.append(path)
        with tempfile.TemporaryFile(dir=folder, prefix=".ailand-"):
            pass
    except OSError as error:
        raise type(error)(
            error.errno,
            f"The output cannot be written to the folder '{folder}' ({error.strerror}); '{there}' is there. "
            "Give another path, or get the right to write",
            str(folder),
        ) from error
    finally:
        for path in reversed(made):
            path.rmdir()


def _nearest(folder: Path) -> Path:
    folder = folder.absolute()
    return next(p for p in (folder, *folder.parents) if p.exists())
