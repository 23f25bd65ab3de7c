# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Checksums of files and of the code that results depend on.

A checkpoint holds weights, but its physics is the installed code: without a checksum of the code, a roll-out of an
earlier version would be mistaken for a roll-out with the installed equations.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from anemoi_ailand.support.atomic import complete_file

_PACKAGE = Path(__file__).resolve().parents[1]

#: Modules and rooms of the package that a step depends on.
_STEP = ("constants.py", "variables.py", "physics", "model")

#: The same for a roll-out (in addition to checkpoint and dataset) and for a training (to configuration and dataset).
ROLL_OUT, TRAINING = (*_STEP, "data", "rollout"), (*_STEP, "training")

#: The same for a compiled step.
COMPILED = (*_STEP, "rollout/step/fused_step.py", "hosts/torch_inductor.py")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_of(path: Path) -> Path:
    """Return the path of the record with the checksum of a file, which stands next to it."""
    return path.with_name(f"{path.name}.sha256")


def record_sha256(path: Path, coming: Path | None = None) -> Path:
    """Write the SHA-256 of a file next to it, as ``sha256sum`` does, and return the path of the record.

    With ``coming``, a complete file that gets the name next, the record has both, so that it is true at any moment.
    """
    record = record_of(path)
    files = [file for file in (path, coming) if file is not None and file.is_file()]
    with complete_file(record) as partial:
        partial.write_text("".join(f"{file_sha256(file)}  {path.name}\n" for file in files), encoding="utf-8")
    return record


def recorded_sha256(path: Path) -> tuple[str, ...]:
    """Read the SHA-256 of the record of a file, or both of one that was being replaced; empty without a record.

    Raises
    ------
    ValueError
        The record is not of the form of ``sha256sum``, or names another file.
    """
    record = record_of(path)
    if not record.is_file():
        return ()
    lines = [line.split() for line in record.read_text(encoding="utf-8", errors="replace").splitlines()]
    if not lines or any(len(w) != 2 or len(w[0]) != 64 or w[1].lstrip("*") != path.name for w in lines):
        raise ValueError(
            f"The record '{record}' is not 'CHECKSUM  {path.name}', as `sha256sum {path.name}` writes it. Correct it, "
            "or remove it and trust the file."
        )
    return tuple(digest.lower() for digest, _ in lines)


def code_sha256(places: Sequence[str]) -> str:
    """Return the SHA-256 of the source files in ``places``, without docstrings, comments and layout.

    ``places`` is :data:`ROLL_OUT` or :data:`TRAINING`.
    """
    found = hashlib.sha256()
    for module in _modules(places):
        tree = _without_docstrings(ast.parse(module.read_text(encoding="utf-8")))
        found.update(f"{module.relative_to(_PACKAGE).as_posix()}\n{ast.dump(tree)}\n".encode())
    return found.hexdigest()


@cache
def loaded_sha256(places: Sequence[str]) -> str:
    """Return :func:`code_sha256` as of the first call: files may change later, the code of this process does not."""
    return code_sha256(places)


@cache
def source_sha256(places: Sequence[str]) -> str:
    """Return the SHA-256 of the source files in ``places`` as they are, docstrings included, as of the first call.

    For names in a cache: a fiftieth of the time of :func:`code_sha256`.
    """
    found = hashlib.sha256()
    for module in _modules(places):
        found.update(f"{module.relative_to(_PACKAGE).as_posix()}\n".encode() + module.read_bytes())
    return found.hexdigest()


def _modules(places: Sequence[str]) -> Iterator[Path]:
    for place in places:
        path = _PACKAGE / place
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                node.body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return tree
