# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Resolution of user-supplied paths (folder, file, glob, date pattern, ``$VAR``) to existing files."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path

from anemoi_ailand.support.packaged import expand

#: Suffixes of files that accompany data and contain none.
NOT_DATA = {".md", ".txt", ".py", ".yaml", ".yml", ".json", ".idx", ".nml", ".log", ".out", ".err"}

_PATTERN = re.compile(r"\{date:strftime\(([^)]*)\)\}")
_DIGITS = {"%Y": 4, "%m": 2, "%d": 2, "%H": 2, "%M": 2, "%j": 3, "%y": 2}


def resolve(path: str | Path | Sequence[str | Path]) -> list[Path]:
    """Return the files of one or several paths, sorted, each once.

    A folder means its data files, without those of subfolders. A pattern ``{date:strftime(%Y)}`` matches any date:
    the dates in a file are read from its time axis, never from its name.
    """
    if not isinstance(path, str | Path | Sequence):
        raise ValueError(f"The path is {path!r}. Give the path of files or of a dataset, or a list of them.")
    entries = [path] if isinstance(path, str | Path) else list(path)
    if not entries:
        raise ValueError("The list of paths is empty. Give at least one file, folder or pattern in `path`.")
    files: dict[Path, None] = {}
    for entry in entries:
        files.update(dict.fromkeys(_resolve_one(str(entry))))
    _check_readable(list(files))
    return list(files)


def description(files: Sequence[Path]) -> str:
    """Return the first file and the number of others, for messages."""
    return f"'{files[0].name}'" + (f" and {len(files) - 1} more" if len(files) > 1 else "")


def _check_readable(files: Sequence[Path]) -> None:
    """Refuse unreadable files at once, not when they are opened."""
    closed = [str(p) for p in files if not os.access(p, os.R_OK)]
    if closed:
        raise PermissionError(
            f"{len(closed)} of {len(files)} files are not readable, first '{closed[0]}'. Ask their owner, or correct "
            "their permissions."
        )


def _resolve_one(entry: str) -> list[Path]:
    expanded = _PATTERN.sub(lambda m: _date_glob(m.group(1), entry), expand(entry))
    if "{date" in expanded:
        raise ValueError(
            f"The pattern in '{entry}' is not understood. Write dates as {{date:strftime(%Y)}}, with {sorted(_DIGITS)}."
        )
    direct = Path(expanded)
    if direct.is_dir() and direct.suffix == ".zarr":
        raise ValueError(
            f"'{expanded}' is a zarr store, not files. Give a dataset of Anemoi alone, or as `dataset: {expanded}`."
        )
    if direct.is_file():
        return [direct]
    matches = [direct] if direct.is_dir() else [Path(p) for p in sorted(glob.glob(expanded))]  # noqa: PTH207  (absolute or not)
    found: list[Path] = []
    for match in matches:
        found += sorted(p for p in match.iterdir() if _is_data(p)) if match.is_dir() else [match]
    if not found:
        raise FileNotFoundError(_nothing(entry, expanded))
    return found


def _date_glob(form: str, entry: str) -> str:
    for code, digits in _DIGITS.items():
        form = form.replace(code, "[0-9]" * digits)
    if "%" in form:
        raise ValueError(f"The date form '{form}' in '{entry}' is not understood. Known codes: {sorted(_DIGITS)}.")
    return form


def _is_data(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.suffix not in NOT_DATA


def _nothing(entry: str, expanded: str) -> str:
    parent = Path(expanded)
    while parent != parent.parent and not parent.is_dir():
        parent = parent.parent
    entries = sorted(p.name for p in parent.iterdir() if not p.name.startswith("."))[:8] if parent.is_dir() else []
    if Path(expanded).is_dir():
        return f"The folder '{expanded}' has no files of data; it holds {entries}. Correct `path`."
    meaning = "" if entry == expanded else f" (expanded: '{expanded}')"
    return (
        f"No file matches '{entry}'{meaning}. The nearest existing folder is '{parent}', which holds {entries}. "
        "Correct `path`."
    )
