# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Clear errors for files: a missing file, a full disk, a folder that cannot be created or written."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Free space below which a failed write without a stated reason is taken as a full disk [bytes].
LITTLE = 2**24
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

#: Names in the error for a missing file.
_LISTED = 10


def not_found(path: Path, what: str, pattern: str = "*", advice: str = "Correct the path.") -> FileNotFoundError:
    """Return the error for a missing file, with the files of its folder that match ``pattern``.

    ``what`` names the kind of file, ``advice`` ends the message.
    """
    near = sorted(p.name for p in path.parent.glob(pattern) if not p.name.startswith("."))
    if near:
        found = f"Its folder holds {near[:_LISTED]}{' and others' if len(near) > _LISTED else ''}."
    elif path.parent.is_dir():
        found = f"No {pattern} is in the folder '{path.parent}'." if pattern != "*" else "Its folder is empty."
    else:
        found = f"The folder '{path.parent}' does not exist."
    return FileNotFoundError(f"There is no {what} '{path}'. {found} {advice}")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Add the file and the free space to the error of a failed write.

    A full disk, which HDF5 reports without a reason, raises ENOSPC; other errors keep their number.
    """
    try:
        with full_disk(path):
            yield
    except (OSError, RuntimeError) as error:  # netCDF4 raises RuntimeError when HDF5 cannot write
        free, number = free_bytes(path.parent), getattr(error, "errno", None)
        if number in _FULL:
            raise
        raise OSError(
            number if number and number > 0 else errno.EIO,
            f"'{path}' could not be written ({error}); {free:,} bytes are free there",
            str(path),
        ) from error


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Name the file and the free space if a write fails for want of space; other errors pass as they are."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        free, number = free_bytes(path.parent), getattr(error, "errno", None)
        if getattr(error, "filename", None) == str(path) or not (
            number in _FULL or ((number is None or number < 0) and free < LITTLE)
        ):
            raise
        raise OSError(
            errno.ENOSPC,
            f"No space left to write '{path}' ({error}): {free:,} bytes are free there. Make room and resume from "
            "the last restart, or write fewer variables, points or times",
            str(path),
        ) from error


def free_bytes(folder: Path) -> int:
    """Return the free space on the disk of ``folder`` or of its nearest existing parent [bytes]."""
    return shutil.disk_usage(_nearest(folder)).free


def check_folder(folder: Path) -> None:
    """Check that a folder and a file in it can be created, and leave nothing behind."""
    folder = folder.absolute()
    nearest = _nearest(folder)
    new = [p for p in (folder, *folder.parents) if len(p.parts) > len(nearest.parts)]
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
            f"The output cannot be written to the folder '{folder}' ({error.strerror}); '{nearest}' exists. "
            "Give another path, or obtain permission to write",
            str(folder),
        ) from error
    finally:
        for path in reversed(made):
            path.rmdir()


def _nearest(folder: Path) -> Path:
    folder = folder.absolute()
    return next(p for p in (folder, *folder.parents) if p.exists())
