# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Files that must not change while they are read: a run would mix two versions of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from anemoi_ailand.data.files.paths import resolve

#: Number on the disk, size and time of the last change of each file; None for one that is missing.
Stamps: TypeAlias = "dict[Path, tuple[int, int, int] | None]"


def watch(*paths: str | Path | Sequence[str | Path]) -> Stamps:
    """Note the present version of all files of paths as :func:`~anemoi_ailand.data.files.paths.resolve` takes them.

    Paths that are not those of files, such as datasets, are left out.
    """
    files: list[Path] = []
    for path in paths:
        try:
            files += resolve(path) if path else []
        except (ValueError, OSError):  # whoever opens them says so
            continue
    return {file: _stamp(file) for file in files}


def check_unchanged(stamps: Stamps) -> None:
    """Refuse files that were changed, exchanged or removed since :func:`watch`.

    Raises
    ------
    OSError
        A file has another version; the message names the first.
    """
    changed = [file for file, stamp in stamps.items() if _stamp(file) != stamp]
    if changed:
        what = "was changed" if changed[0].exists() else "was removed"
        raise OSError(
            f"'{changed[0]}' {what} while it was being read, so that values of two versions would be mixed. Start "
            "again when it is complete, and give it its name by a rename."
        )


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
